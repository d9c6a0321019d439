//! What a `WordPiece` tokenizer of BERT's kind is made of, for programs that have one of their own.

use std::collections::{BTreeMap, BTreeSet};

use tokenizers::{ModelWrapper, NormalizerWrapper, PreTokenizerWrapper};

use super::Tokenizer;

/// BERT's tokenizer (Devlin et al., 2019), taken apart: texts are cleaned and split at spaces, punctuation and Chinese
/// characters; a word is the longest pieces that there are, from left to right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WordPieces {
    /// The tokens by their ids; pieces within words begin with `##`.
    pub tokens: BTreeMap<u32, String>,
    /// The special tokens, which no text is split into.
    pub special: BTreeSet<u32>,
    /// Whole words that were added to the vocabulary, and are found before a text is split.
    pub added: BTreeSet<u32>,
    /// What a word without pieces is.
    pub unknown: u32,
    /// What stands before a text, `[CLS]`.
    pub start: u32,
    /// What stands behind it, `[SEP]`.
    pub end: u32,
    /// What fills batches, where there is such a token.
    pub padding: Option<u32>,
    /// What stands for a token that is to be guessed, where there is such a token.
    pub mask: Option<u32>,
    /// Whether texts are made lower case.
    pub lowercase: bool,
    /// Whether accents are taken away.
    pub strip_accents: bool,
}

impl Tokenizer {
    /// Takes a tokenizer apart.
    ///
    /// # Errors
    /// When it is of another kind, in words.
    pub fn word_pieces(&self) -> Result<WordPieces, String> {
        let ModelWrapper::WordPiece(model) = self.inner.get_model() else {
            return Err("it is not a WordPiece tokenizer".to_owned());
        };
        if model.continuing_subword_prefix != "##" {
            return Err(format!("pieces within words begin with `{}`, not `##`", model.continuing_subword_prefix));
        }
        let Some(NormalizerWrapper::BertNormalizer(normalizer)) = self.inner.get_normalizer() else {
            return Err("it does not clean texts as BERT does".to_owned());
        };
        if !normalizer.clean_text || !normalizer.handle_chinese_chars {
            return Err("it does not clean texts, or does not split them at Chinese characters".to_owned());
        }
        let Some(PreTokenizerWrapper::BertPreTokenizer(_)) = self.inner.get_pre_tokenizer() else {
            return Err("it does not split texts as BERT does".to_owned());
        };
        let empty = self.inner.encode_fast("", true).map_err(|error| error.to_string())?;
        let &[start, end] = empty.get_ids() else {
            return Err("it does not put one token before a text and one behind it".to_owned());
        };
        let unknown = self.token_id(&model.unk_token).ok_or_else(|| format!("it lacks `{}`", model.unk_token))?;
        let special: BTreeSet<u32> = self.special_ids().into_iter().chain([start, end, unknown]).collect();
        let added = self.inner.get_added_tokens_decoder().into_keys().filter(|id| !special.contains(id));
        Ok(WordPieces {
            tokens: self.inner.get_vocab(true).into_iter().map(|(token, id)| (id, token)).collect(),
            added: added.collect(),
            special,
            unknown,
            start,
            end,
            padding: self.token_id("[PAD]"),
            mask: self.mask_id(),
            lowercase: normalizer.lowercase,
            strip_accents: normalizer.strip_accents.unwrap_or(normalizer.lowercase),
        })
    }
}
