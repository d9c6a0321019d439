//! Text to ids, in parallel, in order.

use std::path::Path;

use rayon::prelude::*;
use tokenizers::{
    EncodeInput, PostProcessor, TruncationParams, decoders::wordpiece::WordPiece as WordPieceDecoder,
    models::wordpiece::WordPiece, normalizers::BertNormalizer, pre_tokenizers::bert::BertPreTokenizer,
    processors::bert::BertProcessing,
};

use super::{DataError, Rows};
use crate::base::fs;

/// The ids of one row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Encoding {
    /// Token ids, special tokens included.
    pub ids: Vec<u32>,
    /// Which of the two texts each token is of.
    pub type_ids: Vec<u32>,
}

/// The tokenizer of a model directory.
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
}

impl Tokenizer {
    /// Loads `tokenizer.json` (or builds one from `vocab.txt` where there is none).
    ///
    /// # Errors
    /// When there is neither, or it is damaged.
    pub fn load(model_dir: &Path) -> Result<Self, DataError> {
        let (json, vocab) = (model_dir.join("tokenizer.json"), model_dir.join("vocab.txt"));
        let mut inner = if json.is_file() {
            tokenizers::Tokenizer::from_bytes(fs::read(&json)?)
                .map_err(|error| DataError::content(format!("`{}` is not a tokenizer: {error}", json.display())))?
        } else if vocab.is_file() {
            word_piece(model_dir, &vocab)?
        } else {
            return Err(DataError::content(format!(
                "`{}` has no tokenizer: neither `tokenizer.json` nor `vocab.txt` is there",
                model_dir.display()
            )));
        };
        // Batches are packed, and the length is the caller's: what the file says about both is for other programs.
        inner.with_padding(None);
        inner.with_truncation(None).map_err(|error| DataError::content(format!("`{}`: {error}", json.display())))?;
        Ok(Self { inner })
    }

    /// Encodes rows, in parallel, in order, cut to `max_length` tokens with the special ones kept; of a pair, the longer
    /// text is cut first.
    ///
    /// # Errors
    /// When the tokenizer fails on a row, which is named, or `max_length` leaves no room beside the special tokens.
    pub fn encode(&self, rows: &Rows, max_length: usize) -> Result<Vec<Encoding>, DataError> {
        let special = self.inner.get_post_processor().map_or(0, |post| post.added_tokens(rows.pairs.is_some()));
        if max_length <= special {
            return Err(DataError::content(format!(
                "{max_length} tokens leave no room for text: the tokenizer adds {special} special ones to each row"
            )));
        }
        let mut tokenizer = self.inner.clone();
        let cut = TruncationParams { max_length, ..TruncationParams::default() };
        tokenizer.with_truncation(Some(cut)).map_err(|error| DataError::content(error.to_string()))?;
        let encode = |row: usize, input: EncodeInput<'_>| {
            let encoding = tokenizer
                .encode_fast(input, true)
                .map_err(|error| DataError::content(format!("row {}: cannot tokenise: {error}", row + 1)))?;
            Ok(Encoding { ids: encoding.get_ids().to_vec(), type_ids: encoding.get_type_ids().to_vec() })
        };
        // Words are tokenised one by one, so that the first tokens of a text are those of its first words.
        let is_local = tokenizer.get_pre_tokenizer().is_some();
        (0..rows.texts.len())
            .into_par_iter()
            .with_min_len(16)
            .map(|row| {
                let text = rows.texts[row].as_str();
                if let Some(pairs) = &rows.pairs {
                    return encode(row, EncodeInput::Dual(text.into(), pairs[row].as_str().into()));
                }
                if is_local && let Some(start) = first_words(text, 2 * max_length) {
                    let encoding = encode(row, EncodeInput::Single(start.into()))?;
                    if encoding.ids.len() == max_length {
                        return Ok(encoding);
                    }
                }
                encode(row, EncodeInput::Single(text.into()))
            })
            .collect()
    }

    /// The text of a `tokenizer.json`.
    pub(super) fn to_json(&self) -> Result<String, DataError> {
        self.inner
            .to_string(false)
            .map_err(|error| DataError::content(format!("the tokenizer cannot be written: {error}")))
    }

    /// The id of the mask token, where there is one.
    #[must_use]
    pub fn mask_id(&self) -> Option<u32> {
        self.token_id("[MASK]").or_else(|| self.token_id("<mask>"))
    }

    /// The id of a token.
    #[must_use]
    pub fn token_id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// The number of tokens, added ones included.
    #[must_use]
    pub fn vocab_size(&self) -> usize {
        self.inner.get_vocab_size(true)
    }

    /// The ids of the special tokens (`[CLS]`, `[SEP]`, …), sorted: no objective masks or predicts them.
    #[must_use]
    pub fn special_ids(&self) -> Vec<u32> {
        let added = self.inner.get_added_tokens_decoder();
        let mut ids: Vec<_> = added.iter().filter(|(_, token)| token.special).map(|(id, _)| *id).collect();
        ids.sort_unstable();
        ids
    }
}

/// The first words of a text that has many more: a long document need not be tokenised to its end to be cut.
fn first_words(text: &str, count: usize) -> Option<&str> {
    // Shorter texts than this are not worth the search.
    if text.len() < 16 * count {
        return None;
    }
    let mut in_word = false;
    let starts = text.char_indices().filter(|(_, c)| {
        let starts = !in_word && !c.is_whitespace();
        in_word = !c.is_whitespace();
        starts
    });
    let (end, _) = starts.into_iter().nth(count)?;
    Some(text[..end].trim_end())
}

/// BERT's tokenizer (Devlin et al., 2019) from its vocabulary alone: clean, lower case where the model is uncased, split
/// at spaces, punctuation and Chinese characters, then the longest pieces that the vocabulary has.
fn word_piece(model_dir: &Path, vocab: &Path) -> Result<tokenizers::Tokenizer, DataError> {
    let wrong = |error: &dyn std::fmt::Display| DataError::content(format!("`{}`: {error}", vocab.display()));
    let tokens = WordPiece::read_bytes(&fs::read(vocab)?).map_err(|error| wrong(&error))?;
    let model = WordPiece::builder().vocab(tokens).unk_token("[UNK]".to_owned()).build().map_err(|e| wrong(&e))?;
    let lowercase = lowercase(model_dir)?;
    let mut tokenizer = tokenizers::Tokenizer::new(model);
    let special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"].map(|token| (token, tokenizer.token_to_id(token)));
    let id = |name: &str| match special.iter().find(|(token, _)| *token == name) {
        Some((token, Some(id))) => Ok(((*token).to_owned(), *id)),
        _ => Err(wrong(&format!("`{name}` is not in the vocabulary, so this is not a BERT tokenizer"))),
    };
    let post = BertProcessing::new(id("[SEP]")?, id("[CLS]")?);
    let present: Vec<_> =
        special.iter().filter(|(_, id)| id.is_some()).map(|(t, _)| tokenizers::AddedToken::from(*t, true)).collect();
    tokenizer
        .with_normalizer(Some(BertNormalizer::new(true, true, None, lowercase)))
        .map_err(|error| wrong(&error))?
        .with_pre_tokenizer(Some(BertPreTokenizer))
        .with_post_processor(Some(post))
        .with_decoder(Some(WordPieceDecoder::default()));
    tokenizer.add_special_tokens(present).map_err(|error| wrong(&error))?;
    Ok(tokenizer)
}

/// `do_lower_case` of `tokenizer_config.json`; BERT's default is true.
fn lowercase(model_dir: &Path) -> Result<bool, DataError> {
    let path = model_dir.join("tokenizer_config.json");
    if !path.is_file() {
        return Ok(true);
    }
    let config: serde_json::Value = serde_json::from_slice(&fs::read(&path)?)
        .map_err(|error| DataError::content(format!("`{}` is not JSON: {error}", path.display())))?;
    Ok(config.get("do_lower_case").and_then(serde_json::Value::as_bool).unwrap_or(true))
}

#[cfg(test)]
mod tests {
    use super::*;

    const VOCAB: &str = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\ngood\nmovie\n##s\n!\ncafe\n";

    fn tokenizer() -> (tempfile::TempDir, Tokenizer) {
        let dir = tempfile::tempdir().unwrap();
        fs::write_atomic(&dir.path().join("vocab.txt"), VOCAB.as_bytes()).unwrap();
        let tokenizer = Tokenizer::load(dir.path()).unwrap();
        (dir, tokenizer)
    }

    fn rows(texts: &[&str], pairs: Option<&[&str]>) -> Rows {
        let own = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        Rows { texts: own(texts), pairs: pairs.map(own), ..Rows::default() }
    }

    #[test]
    fn a_vocabulary_is_a_bert_tokenizer() {
        let (_dir, tokenizer) = tokenizer();
        let encoded = tokenizer.encode(&rows(&["A good movies!", "Café xyz [MASK]", ""], None), 16).unwrap();
        assert_eq!(encoded[0].ids, [2, 5, 6, 7, 8, 9, 3]);
        assert_eq!(encoded[1].ids, [2, 10, 1, 4, 3]);
        assert_eq!(encoded[2].ids, [2, 3]);
        assert_eq!(tokenizer.mask_id(), Some(4));
        assert_eq!(tokenizer.special_ids(), [0, 1, 2, 3, 4]);
        assert_eq!(tokenizer.vocab_size(), 11);
    }

    #[test]
    fn of_a_pair_the_longer_text_is_cut_and_special_tokens_stay() {
        let (_dir, tokenizer) = tokenizer();
        let pair = rows(&["a a a a a a"], Some(&["good movie"]));
        let encoded = tokenizer.encode(&pair, 8).unwrap();
        assert_eq!(encoded[0].ids, [2, 5, 5, 5, 3, 6, 7, 3]);
        assert_eq!(encoded[0].type_ids, [0, 0, 0, 0, 0, 1, 1, 1]);
        let error = tokenizer.encode(&pair, 3).unwrap_err();
        assert!(error.to_string().contains("leave no room"), "{error}");
    }

    #[test]
    fn a_long_text_is_cut_as_if_it_had_been_read_to_its_end() {
        let (_dir, tokenizer) = tokenizer();
        let long = "a good movies!\n  \u{7f} xyz café ".repeat(200);
        for max_length in [3, 4, 7, 16, 61] {
            let cut = tokenizer.encode(&rows(&[&long], None), max_length).unwrap().remove(0);
            let mut whole = tokenizer.encode(&rows(&[&long], None), 100_000).unwrap().remove(0);
            whole.ids.drain(max_length - 1..whole.ids.len() - 1);
            assert_eq!(cut.ids, whole.ids, "{max_length}");
        }
        assert_eq!(first_words(&"a b ".repeat(100), 3), Some("a b a"));
        assert_eq!(first_words(&"x".repeat(100), 3), None);
    }

    #[test]
    fn a_written_tokenizer_reads_back_without_its_padding_and_length() {
        let (dir, tokenizer) = tokenizer();
        let mut inner = tokenizer.inner.clone();
        inner.with_padding(Some(tokenizers::PaddingParams {
            strategy: tokenizers::PaddingStrategy::Fixed(9),
            ..Default::default()
        }));
        inner.with_truncation(Some(TruncationParams { max_length: 4, ..Default::default() })).unwrap();
        fs::write_atomic(&dir.path().join("tokenizer.json"), inner.to_string(false).unwrap().as_bytes()).unwrap();
        let again = Tokenizer::load(dir.path()).unwrap();
        let rows = rows(&["a good movie a good movie"], None);
        assert_eq!(again.encode(&rows, 64).unwrap(), tokenizer.encode(&rows, 64).unwrap());
    }

    #[test]
    fn what_is_no_tokenizer_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let told = |dir: &Path| Tokenizer::load(dir).err().unwrap().to_string();
        assert!(told(dir.path()).contains("neither `tokenizer.json` nor `vocab.txt`"));
        fs::write_atomic(&dir.path().join("vocab.txt"), b"a\nb\n[UNK]\n").unwrap();
        assert!(told(dir.path()).contains("`[SEP]` is not in the vocabulary"), "{}", told(dir.path()));
        fs::write_atomic(&dir.path().join("tokenizer.json"), b"{").unwrap();
        assert!(told(dir.path()).contains("is not a tokenizer"), "{}", told(dir.path()));
    }
}
