//! How long a text is in tokens.

use tokenizers::EncodeInput;

use super::Tokenizer;
use crate::data::DataError;

impl Tokenizer {
    /// The number of tokens of a text or a pair of texts, special ones included, however many they are.
    ///
    /// # Errors
    /// When the tokenizer fails on it.
    pub fn count(&self, text: &str, pair: Option<&str>) -> Result<usize, DataError> {
        let input = match pair {
            None => EncodeInput::Single(text.into()),
            Some(pair) => EncodeInput::Dual(text.into(), pair.into()),
        };
        let encoding = self.inner.encode_fast(input, true);
        encoding.map(|encoding| encoding.len()).map_err(|error| DataError::content(format!("cannot tokenise: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::fs;

    #[test]
    fn special_tokens_count() {
        let dir = tempfile::tempdir().unwrap();
        fs::write_atomic(&dir.path().join("vocab.txt"), b"[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\n").unwrap();
        let tokenizer = Tokenizer::load(dir.path()).unwrap();
        for (text, pair, tokens) in [("", None, 2), ("a b", None, 4), ("a", Some("b b"), 6)] {
            assert_eq!(tokenizer.count(text, pair).unwrap(), tokens, "{text} {pair:?}");
        }
        assert_eq!(tokenizer.count(&"a ".repeat(10_000), None).unwrap(), 10_002, "nothing is cut");
    }
}
