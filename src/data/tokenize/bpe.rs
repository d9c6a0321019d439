//! `RoBERTa`'s tokenizer (Liu et al., 2019): byte-level byte-pair encoding, from `vocab.json` and `merges.txt`.

use std::{collections::HashMap, path::Path};

use tokenizers::{
    AddedToken,
    models::bpe::{BPE, Vocab},
    pre_tokenizers::byte_level::ByteLevel,
    processors::roberta::RobertaProcessing,
};

use super::{
    DataError,
    settings::{self, Settings},
};
use crate::base::fs;

/// Bytes as characters, split at words with the space before them, then merged pair by pair, best pair first.
///
/// # Errors
/// When a file is damaged, or this is the vocabulary of another tokenizer.
pub(super) fn build(dir: &Path) -> Result<tokenizers::Tokenizer, DataError> {
    let (vocab, merges) = (dir.join("vocab.json"), dir.join("merges.txt"));
    let wrong = |error: &dyn std::fmt::Display| DataError::content(format!("`{}`: {error}", vocab.display()));
    let settings = Settings::read(dir)?;
    settings.expect_class(&["RobertaTokenizer", "LongformerTokenizer", "BartTokenizer", "LEDTokenizer"])?;
    let prefix_space = settings.flag("add_prefix_space")?.unwrap_or(false);
    let token = |key: &str, default: &str| settings.token(key, AddedToken::from(default, true));
    let (first, last) = (token("bos_token", "<s>"), token("eos_token", "</s>"));
    let (start, end) = (token("cls_token", &first.content), token("sep_token", &last.content));
    // The space before a mask is the mask's.
    let mask = settings.token("mask_token", AddedToken::from("<mask>", true).lstrip(true));
    let special =
        [first, last, token("unk_token", "<unk>"), end.clone(), token("pad_token", "<pad>"), start.clone(), mask];

    let tokens: HashMap<String, u32> =
        serde_json::from_slice(&fs::read(&vocab)?).map_err(|error| wrong(&format!("is no vocabulary: {error}")))?;
    let pairs = pairs(&merges, &tokens)?;
    // Bytes that the vocabulary lacks are passed over, as `transformers` does.
    let model = BPE::builder()
        .vocab_and_merges(tokens.into_iter().collect::<Vocab>(), pairs)
        .build()
        .map_err(|error| wrong(&error))?;
    let mut tokenizer = tokenizers::Tokenizer::new(model);
    let with_id = |token: &AddedToken| {
        settings::with_id(&tokenizer, token)
            .map_err(|what| wrong(&format!("{what}, so this is not a RoBERTa tokenizer")))
    };
    let post = RobertaProcessing::new(with_id(&end)?, with_id(&start)?).add_prefix_space(prefix_space);
    let special = special.into_iter().filter(|token| tokenizer.token_to_id(&token.content).is_some());
    let special: Vec<_> = special.collect();
    let bytes = ByteLevel::default().add_prefix_space(prefix_space);
    tokenizer.with_pre_tokenizer(Some(bytes)).with_post_processor(Some(post)).with_decoder(Some(ByteLevel::default()));
    settings.add_tokens(&mut tokenizer, special)?;
    Ok(tokenizer)
}

/// The pairs of `merges.txt`, best first.
fn pairs(path: &Path, vocab: &HashMap<String, u32>) -> Result<Vec<(String, String)>, DataError> {
    let text = fs::read_text(path)?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with("#version"));
    let pair = |(number, line): (usize, &str)| {
        let wrong = |what: &str| {
            let number = number + 1;
            DataError::content(format!("`{}`: line {number}, `{line}`, {what}", path.display()))
        };
        let (left, right) = line.split_once(' ').ok_or_else(|| wrong("is no pair"))?;
        let knows = |part: &str| vocab.contains_key(part);
        if !knows(left) || !knows(right) || !knows(&format!("{left}{right}")) {
            return Err(wrong("is of tokens that `vocab.json` lacks"));
        }
        Ok((left.to_owned(), right.to_owned()))
    };
    lines.map(pair).collect()
}
