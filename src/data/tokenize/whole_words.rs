//! Which tokens are whole words, and where tokens stand in a text: for models that guess words, and for what masks tokens.

use std::ops::Range;

use tokenizers::DecoderWrapper;

use super::Tokenizer;
use crate::data::DataError;

/// What marks the beginning of a word: in byte-level pairs, and in pieces of sentences.
const STARTS: [char; 2] = ['\u{120}', '\u{2581}'];

impl Tokenizer {
    /// The mask token and its id, where there is one.
    #[must_use]
    pub fn mask(&self) -> Option<(&'static str, u32)> {
        ["[MASK]", "<mask>"].into_iter().find_map(|token| Some((token, self.token_id(token)?)))
    }

    /// The word that each token stands for, by its id; none of special tokens, marks, and pieces that go on with a word.
    #[must_use]
    pub fn whole_words(&self) -> Vec<Option<Box<str>>> {
        let vocabulary = self.inner.get_vocab(true);
        let size = vocabulary.values().max().map_or(0, |largest| *largest as usize + 1);
        let special = self.special_ids();
        let added = self.inner.get_added_tokens_decoder();
        // Pieces that go on are marked, or words that begin.
        let marks_starts = vocabulary.keys().any(|token| token.starts_with(STARTS));
        let is_byte_level = matches!(self.inner.get_decoder(), Some(DecoderWrapper::ByteLevel(_)));
        let mut words = vec![None; size];
        let mut tokens: Vec<(String, u32)> = vocabulary.into_iter().collect();
        tokens.sort_unstable();
        for (token, id) in tokens {
            if special.binary_search(&id).is_ok() || added.contains_key(&id) {
                continue;
            }
            let word = if marks_starts {
                match token.strip_prefix(STARTS) {
                    None => continue,
                    Some(_) if is_byte_level => self.inner.decode(&[id], true).unwrap_or_default(),
                    Some(word) => word.to_owned(),
                }
            } else {
                token
            };
            let word = word.trim();
            if !word.is_empty() && word.chars().all(char::is_alphanumeric) {
                words[id as usize] = Some(word.into());
            }
        }
        words
    }

    /// Where the tokens of a text stand in it, in bytes, without white space around them and without special tokens.
    ///
    /// # Errors
    /// When the tokenizer fails.
    pub fn places(&self, text: &str) -> Result<Vec<Range<usize>>, DataError> {
        let encoding =
            self.inner.encode(text, false).map_err(|error| DataError::content(format!("cannot tokenise: {error}")))?;
        let place = |&(start, end): &(usize, usize)| {
            let token = text.get(start..end)?;
            let start = start + (token.len() - token.trim_start().len());
            Some(start..(start + token.trim().len()).max(start))
        };
        Ok(encoding.get_offsets().iter().filter_map(place).filter(|place| !place.is_empty()).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn tokenizer(name: &str) -> Tokenizer {
        Tokenizer::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tokenizers").join(name)).unwrap()
    }

    #[test]
    fn whole_words_are_words() {
        for name in ["bert", "bert-cased", "roberta", "roberta-space"] {
            let tokenizer = tokenizer(name);
            let words = tokenizer.whole_words();
            let (mask, mask_id) = tokenizer.mask().unwrap();
            assert_eq!(tokenizer.mask_id(), Some(mask_id), "{mask}");
            assert!(words[mask_id as usize].is_none());
            let found: Vec<&str> = words.iter().flatten().map(AsRef::as_ref).collect();
            assert!(!found.is_empty(), "{name}");
            assert!(found.iter().all(|word| word.chars().all(char::is_alphanumeric)), "{name} {found:?}");
        }
    }

    #[test]
    fn places_are_bytes_of_the_text() {
        for name in ["bert", "roberta"] {
            for text in ["", "a good  movie!", "caf\u{e9} \u{1f44d} \u{7535}\u{5f71} xyz", "  x\u{301}\u{0} "] {
                let places = tokenizer(name).places(text).unwrap();
                assert!(
                    places.iter().all(|place| !text[place.clone()].trim().is_empty()),
                    "{name} {text:?} {places:?}"
                );
                assert_eq!(places.is_empty(), text.is_empty());
            }
        }
    }
}
