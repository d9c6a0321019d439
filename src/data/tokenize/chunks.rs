//! Rows that are longer than a model takes: cut, or read in chunks.

use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokenizers::TruncationDirection;

use super::{Encoding, Tokenizer};
use crate::data::{DataError, Rows};

/// What is done with rows that are longer than a model takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum LongTexts {
    /// They are cut.
    #[default]
    Cut,
    /// They are read in chunks, each a row of its own with its special tokens; what is said of a row is the mean of what is said
    /// of its chunks, weighted by their tokens.
    Chunks {
        /// Tokens that a chunk has in common with the one before.
        #[serde(default)]
        overlap: usize,
        /// The most chunks of a row; what comes behind them is cut. All of them where this is not set.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        most: Option<usize>,
    },
}

impl LongTexts {
    /// What is wrong with chunks of `max_length` tokens, where something is: the name of a parameter, and what.
    #[must_use]
    pub fn fault(&self, max_length: usize) -> Option<(&'static str, String)> {
        match *self {
            Self::Chunks { overlap, .. } if 2 * overlap > max_length => {
                let message = format!("chunks of {max_length} tokens can overlap by half of that, not by {overlap}");
                Some(("long_texts.chunks.overlap", message))
            }
            Self::Chunks { most: Some(0), .. } => {
                Some(("long_texts.chunks.most", "`most` must be at least 1".to_owned()))
            }
            _ => None,
        }
    }
}

impl Tokenizer {
    /// Encodes rows as [`Self::encode`] does, and gives one or more encodings of each.
    ///
    /// # Errors
    /// As [`Self::encode`], and when rows of two texts are to be read in chunks.
    pub fn encode_long(
        &self,
        rows: &Rows,
        max_length: usize,
        long_texts: LongTexts,
    ) -> Result<Vec<Vec<Encoding>>, DataError> {
        let LongTexts::Chunks { overlap, most } = long_texts else {
            return Ok(self.encode(rows, max_length)?.into_iter().map(|encoding| vec![encoding]).collect());
        };
        if rows.pairs.is_some() {
            return Err(DataError::content("rows of two texts cannot be read in chunks; leave `long_texts: cut`"));
        }
        if let Some((_, message)) = long_texts.fault(max_length) {
            // A stage checks what it is asked for; a model may take fewer tokens.
            return Err(DataError::content(message));
        }
        let special = self.check_room(max_length - overlap.min(max_length), false)?;
        let encode = |(row, text): (usize, &String)| {
            let fault = |error| DataError::content(format!("row {}: cannot tokenise: {error}", row + 1));
            // A tokenizer that truncates stops at the end of the first chunk.
            let mut whole = self.inner.encode_fast(text.as_str(), false).map_err(fault)?;
            whole.truncate(max_length - special, overlap, TruncationDirection::Right);
            let whole = self.inner.post_process(whole, None, true).map_err(fault)?;
            let chunks = std::iter::once(&whole).chain(whole.get_overflowing());
            let own = |chunk: &tokenizers::Encoding| Encoding {
                ids: chunk.get_ids().to_vec(),
                type_ids: chunk.get_type_ids().to_vec(),
            };
            Ok(chunks.take(most.unwrap_or(usize::MAX)).map(own).collect())
        };
        rows.texts.par_iter().enumerate().map(encode).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::fs;

    #[test]
    fn chunks_are_whole_rows_that_overlap() {
        let dir = tempfile::tempdir().unwrap();
        let vocab = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\nc\nd\ne\nf\ng\n";
        fs::write_atomic(&dir.path().join("vocab.txt"), vocab.as_bytes()).unwrap();
        let tokenizer = Tokenizer::load(dir.path()).unwrap();
        let texts = ["a b c d e f g", "a", ""].map(str::to_owned).to_vec();
        let rows = Rows { texts, ..Rows::default() };
        let ids = |long_texts| -> Vec<Vec<Vec<u32>>> {
            let rows = tokenizer.encode_long(&rows, 5, long_texts).unwrap();
            rows.into_iter().map(|row| row.into_iter().map(|chunk| chunk.ids).collect()).collect()
        };
        assert_eq!(ids(LongTexts::Cut)[0], [[2, 5, 6, 7, 3]]);
        let text = "a b c d e f g ".repeat(40);
        let long = Rows { texts: vec![text], ..Rows::default() };
        let chunks = LongTexts::Chunks { overlap: 2, most: None };
        let chunks = tokenizer.encode_long(&long, 12, chunks).unwrap().remove(0);
        let read: Vec<u32> =
            chunks.iter().flat_map(|chunk| chunk.ids[1..chunk.ids.len() - 1].iter().skip(2)).copied().collect();
        let whole = tokenizer.encode(&long, 1000).unwrap().remove(0);
        assert_eq!(read, whole.ids[3..whole.ids.len() - 1]);
        let apart = ids(LongTexts::Chunks { overlap: 0, most: None });
        assert_eq!(apart[0], [vec![2, 5, 6, 7, 3], vec![2, 8, 9, 10, 3], vec![2, 11, 3]]);
        assert_eq!((apart[1].as_slice(), apart[2].as_slice()), ([vec![2, 5, 3]].as_slice(), [vec![2, 3]].as_slice()));
        let sliding = ids(LongTexts::Chunks { overlap: 1, most: Some(2) });
        assert_eq!(sliding[0], [[2, 5, 6, 7, 3], [2, 7, 8, 9, 3]]);
        let pairs = Rows { pairs: Some(rows.texts.clone()), ..rows.clone() };
        let chunks = LongTexts::Chunks { overlap: 0, most: None };
        assert!(tokenizer.encode_long(&pairs, 5, chunks).is_err());
        assert!(tokenizer.encode_long(&rows, 2, chunks).is_err());
        let error =
            tokenizer.encode_long(&rows, 5, LongTexts::Chunks { overlap: 5, most: None }).unwrap_err().to_string();
        assert!(error.contains("chunks of 5 tokens can overlap by half of that, not by 5"), "{error}");
        assert!(LongTexts::Chunks { overlap: 3, most: None }.fault(5).unwrap().1.contains("not by 3"));
    }
}
