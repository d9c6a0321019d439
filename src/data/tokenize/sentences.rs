//! Sentences of a text as one row of ids, each behind a token of its own.

use rayon::prelude::*;

use super::{Encoding, Tokenizer};
use crate::data::{DataError, Rows};

/// Tokens of a sentence that are read: what is longer is a table or a listing, and its beginning tells so.
const MOST: usize = 128;

/// The ids of the first sentences of a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SentenceEncoding {
    /// `[CLS] sentence [SEP] [CLS] sentence [SEP] …`, or the same with what else the tokenizer puts around a text.
    pub encoding: Encoding,
    /// Where each sentence begins, its own `[CLS]`: sentences that came behind the last token are not there.
    pub starts: Vec<usize>,
}

impl Tokenizer {
    /// Encodes texts whose sentences have been found, as many whole ones of each as fit in `max_length` tokens, each with the
    /// special tokens of a text of its own (Liu, 2019, "Fine-tune BERT for Extractive Summarization", §2.1). Of one that has more
    /// than 128 tokens those are read. A text without sentences has the special tokens alone.
    ///
    /// # Errors
    /// When the tokenizer fails, or `max_length` leaves no room beside the special tokens.
    pub fn encode_sentences<S: AsRef<str> + Sync>(
        &self,
        texts: &[Vec<S>],
        max_length: usize,
    ) -> Result<Vec<SentenceEncoding>, DataError> {
        let one = |sentences: &Vec<S>| -> Result<SentenceEncoding, DataError> {
            let mut row = SentenceEncoding::default();
            // Some at a time, as the most that fit are often few of many.
            for sentences in sentences.chunks(16) {
                let texts = sentences.iter().map(|sentence| sentence.as_ref().to_owned()).collect();
                let rows = Rows { texts, ..Rows::default() };
                for sentence in self.encode(&rows, max_length.min(MOST))? {
                    if row.encoding.ids.len() + sentence.ids.len() > max_length {
                        return Ok(row);
                    }
                    row.starts.push(row.encoding.ids.len());
                    row.encoding.ids.extend(sentence.ids);
                    row.encoding.type_ids.extend(sentence.type_ids);
                }
            }
            if row.starts.is_empty() {
                let rows = Rows { texts: vec![String::new()], ..Rows::default() };
                row.encoding = self.encode(&rows, max_length)?.remove(0);
            }
            Ok(row)
        };
        texts.par_iter().map(one).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::fs;

    #[test]
    fn whole_sentences_that_fit() {
        let dir = tempfile::tempdir().unwrap();
        let vocab = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\n";
        fs::write_atomic(&dir.path().join("vocab.txt"), vocab.as_bytes()).unwrap();
        let tokenizer = Tokenizer::load(dir.path()).unwrap();
        let texts = vec![vec!["a b", "", "b", "a a a"], vec![], vec!["a b a b a b a b a b a b"]];
        let encode = |max_length| tokenizer.encode_sentences(&texts, max_length).unwrap();
        let found = encode(11);
        assert_eq!(found[0].encoding.ids, [2, 5, 6, 3, 2, 3, 2, 6, 3]);
        assert_eq!(found[0].starts, [0, 4, 6]);
        assert_eq!(found[1], SentenceEncoding { encoding: found[1].encoding.clone(), starts: Vec::new() });
        assert_eq!(found[1].encoding.ids, [2, 3]);
        // The only one is cut, so that something is read.
        assert_eq!((found[2].encoding.ids.len(), found[2].starts.as_slice()), (11, [0].as_slice()));
        let whole = encode(100);
        assert_eq!(whole[0].starts, [0, 4, 6, 9]);
        assert_eq!(whole[0].encoding.ids.len(), whole[0].encoding.type_ids.len());
        assert!(tokenizer.encode_sentences(&texts, 2).is_err());
    }
}
