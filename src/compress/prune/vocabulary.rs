//! `vocabulary`: tokens that no text has.

use candle_core::Tensor;
use serde_json::{Value, json};

use crate::{
    compress::{CompressError, verify},
    model::{Model, Positions, Quantized},
};

/// Leaves a model the given tokens, ascending, each under the number of its place: rows of the word embeddings and of the
/// decoder go, and `config.json` names special tokens by their new numbers. What it computes of the tokens that stay is the
/// same to the bit, which is checked.
///
/// # Errors
/// When the model is not f32, a token does not exist, or the padding token would have another number where positions are
/// counted from it.
pub fn keep_tokens(model: &mut Model, kept: &[u32]) -> Result<(), CompressError> {
    if model.quantized != Quantized::No {
        return Err(CompressError::Unfit("the vocabulary of a quantised model cannot be pruned; prune first".into()));
    }
    let before = model.spec.vocab_size;
    if kept.is_empty() || !kept.is_sorted() || kept.iter().any(|token| *token as usize >= before) {
        return Err(CompressError::Unfit(format!("the tokens that stay must be ascending and below {before}")));
    }
    if let Positions::AfterPadding(padding) = model.spec.positions
        && kept.get(padding as usize) != Some(&padding)
    {
        return Err(CompressError::Unfit(format!(
            "positions are counted from the number of the padding token, {padding}, which would change with the tokens \
             before it: keep all of these"
        )));
    }
    let source = model.frozen();
    for (name, axis) in [
        ("bert.embeddings.word_embeddings.weight", 0),
        ("cls.predictions.decoder.weight", 0),
        ("cls.predictions.dense.weight", 1),
        ("cls.predictions.bias", 0),
    ] {
        if let Some(tensor) = model.params.get(name) {
            let index = Tensor::new(kept, tensor.device())?;
            let selected = tensor.detach().index_select(&index, axis)?.contiguous()?;
            model.params.insert(name.to_owned(), selected);
        }
    }
    model.spec.vocab_size = kept.len();
    for (key, value) in model.config.as_object_mut().into_iter().flatten() {
        if key.ends_with("_token_id") {
            renumber(value, kept);
        }
    }
    check_same(&source, model, kept)
}

/// The new number of a token, or of each of a list.
fn renumber(value: &mut Value, kept: &[u32]) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(|value| renumber(value, kept)),
        Value::Number(id) => {
            let id = id.as_u64().and_then(|id| u32::try_from(id).ok());
            *value = json!(id.and_then(|id| kept.binary_search(&id).ok()));
        }
        _ => {}
    }
}

/// Demands that the tokens that stay mean what they did.
fn check_same(before: &Model, after: &Model, kept: &[u32]) -> Result<(), CompressError> {
    let batch = verify::fixed_batch(after);
    let mut old = batch.clone();
    for id in &mut old.input_ids {
        *id = kept[*id as usize];
    }
    let (expected, found) = (verify::answers(before, &old)?, verify::answers(after, &batch)?);
    // A masked LM answers with a logit a token.
    let is_by_token = expected.len() != found.len();
    let expected: Vec<f32> = if is_by_token {
        expected.chunks(before.spec.vocab_size).flat_map(|row| kept.iter().map(|token| row[*token as usize])).collect()
    } else {
        expected
    };
    let worst = expected.iter().zip(&found).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    // A decoder with other columns may add in another order.
    if expected.len() == found.len() && worst <= if is_by_token { 1e-4 } else { 0.0 } {
        return Ok(());
    }
    Err(CompressError::Unfit(format!(
        "with fewer tokens the model computes something else: its answers differ by up to {worst:e}; this is a fault of lmpipe"
    )))
}
