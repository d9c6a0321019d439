//! What stands on the encoder: pooler and classifier, or the masked-LM head.

use super::{
    activation,
    builder::Builder,
    embeddings::{self, WORDS},
    graph::Value,
    linear,
    proto::AttributeProto,
};
use crate::{
    export::ExportError,
    model::{Activation, ClassifierHead, Head},
};

/// The logits of the model's head; none without one.
///
/// # Shapes
/// `[batch, sequence, hidden]` → `[batch, labels]` or `[batch, sequence, vocab]`.
pub(super) fn forward(b: &mut Builder<'_>, x: &Value) -> Result<Option<Value>, ExportError> {
    match &b.model.head {
        Head::None => Ok(None),
        Head::SequenceClassification { .. } => classify(b, x).map(Some),
        Head::MaskedLm => predict_tokens(b, x).map(Some),
    }
}

/// `W f(W₀ h₀ + b₀) + b`, `h₀` the hidden state of each sequence's first token, and before it the encoder's pooler or a
/// layer of the head's own.
fn classify(b: &mut Builder<'_>, x: &Value) -> Result<Value, ExportError> {
    let (dense, activation) = match b.model.spec.classifier {
        ClassifierHead::Pooler => ("bert.pooler.dense", Activation::Tanh),
        ClassifierHead::Dense { activation, .. } => ("classifier.dense", activation),
    };
    let first = b.graph.int(0);
    let first = b.graph.op_with("classifier", "Gather", &[x, &first], vec![AttributeProto::int("axis", 1)]);
    let pooled = linear::forward(b, dense, &first)?; // [batch, hidden]
    let pooled = activation::forward(b, dense, activation, &pooled);
    linear::forward(b, "classifier", &pooled)
}

/// `E LayerNorm(f(W h + b)) + c`, `E` the word embeddings (Devlin et al., 2019), or a decoder of its own where the
/// checkpoint has one.
fn predict_tokens(b: &mut Builder<'_>, x: &Value) -> Result<Value, ExportError> {
    let place = "cls.predictions.transform";
    let transformed = linear::forward(b, &format!("{place}.dense"), x)?;
    let transformed = activation::forward(b, place, b.model.spec.masked_lm_activation, &transformed);
    let transformed = linear::norm(b, &format!("{place}.LayerNorm"), &transformed)?;
    let decoder = decoder(b)?;
    let logits = b.graph.op("cls.predictions", "MatMul", &[&transformed, &decoder]);
    let bias = b.parameter("cls.predictions.bias")?;
    Ok(b.graph.op("cls.predictions", "Add", &[&logits, &bias]))
}

/// The decoder as a product reads it, `[embedding, vocab]`. One that is tied is turned when the file is loaded, so that the
/// table is in it once.
fn decoder(b: &mut Builder<'_>) -> Result<Value, ExportError> {
    let (own, place) = ("cls.predictions.decoder.weight", "cls.predictions.decoder");
    if b.model.params.contains_key(own) {
        return b.transposed(own);
    }
    let table = match b.int8(WORDS) {
        Some(table) => {
            let (values, scales) = embeddings::int8_table(b, WORDS, table)?;
            let values = linear::cast_to_f32(b, place, &values);
            b.graph.op(place, "Mul", &[&values, &scales])
        }
        None => b.parameter(&format!("{WORDS}.weight"))?,
    };
    Ok(b.graph.op_with(place, "Transpose", &[&table], vec![AttributeProto::ints("perm", &[1, 0])]))
}
