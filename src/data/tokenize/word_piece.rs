//! BERT's tokenizer (Devlin et al., 2019) from its vocabulary, `vocab.txt`.

use std::path::Path;

use tokenizers::{
    AddedToken, decoders::wordpiece::WordPiece as WordPieceDecoder, models::wordpiece::WordPiece,
    normalizers::BertNormalizer, pre_tokenizers::bert::BertPreTokenizer, processors::bert::BertProcessing,
};

use super::{
    DataError,
    settings::{self, Settings},
};
use crate::base::fs;

/// Clean, lower case where the model is uncased, split at spaces, punctuation and Chinese characters, then the longest
/// pieces that the vocabulary has.
///
/// # Errors
/// When a file is damaged, or this is the vocabulary of another tokenizer.
pub(super) fn build(dir: &Path) -> Result<tokenizers::Tokenizer, DataError> {
    let vocab = dir.join("vocab.txt");
    let wrong = |error: &dyn std::fmt::Display| DataError::content(format!("`{}`: {error}", vocab.display()));
    let settings = Settings::read(dir)?;
    settings.expect_class(&["BertTokenizer", "DistilBertTokenizer", "ElectraTokenizer", "MobileBertTokenizer"])?;
    let token = |key: &str, default: &str| settings.token(key, AddedToken::from(default, true));
    let (unknown, mask) = (token("unk_token", "[UNK]"), token("mask_token", "[MASK]"));
    let (start, end, padding) = (token("cls_token", "[CLS]"), token("sep_token", "[SEP]"), token("pad_token", "[PAD]"));

    let tokens = WordPiece::read_bytes(&fs::read(&vocab)?).map_err(|error| wrong(&error))?;
    let model = WordPiece::builder().vocab(tokens).unk_token(unknown.content.clone());
    let mut tokenizer = tokenizers::Tokenizer::new(model.build().map_err(|error| wrong(&error))?);
    let with_id = |token: &AddedToken| {
        settings::with_id(&tokenizer, token).map_err(|what| wrong(&format!("{what}, so this is not a BERT tokenizer")))
    };
    let post = BertProcessing::new(with_id(&end)?, with_id(&start)?);
    with_id(&unknown)?;
    let special = [padding, unknown, start, end, mask];
    let special = special.into_iter().filter(|token| tokenizer.token_to_id(&token.content).is_some());
    let special: Vec<_> = special.collect();
    let normalizer = BertNormalizer::new(
        true,
        settings.flag("tokenize_chinese_chars")?.unwrap_or(true),
        settings.flag("strip_accents")?,
        settings.flag("do_lower_case")?.unwrap_or(true),
    );
    tokenizer
        .with_normalizer(Some(normalizer))
        .map_err(|error| wrong(&error))?
        .with_pre_tokenizer(Some(BertPreTokenizer))
        .with_post_processor(Some(post))
        .with_decoder(Some(WordPieceDecoder::default()));
    settings.add_tokens(&mut tokenizer, special)?;
    Ok(tokenizer)
}
