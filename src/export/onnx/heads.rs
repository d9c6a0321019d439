//! What stands on the encoder: pooler and classifier, a classifier of tokens, or the masked-LM head.

use super::{
    Inputs, activation,
    builder::Builder,
    embeddings::{self, WORDS},
    graph::Value,
    linear,
    proto::AttributeProto,
};
use crate::{
    export::ExportError,
    model::{Activation, ClassifierHead, DECODER_REST, Head, TOKEN_CLASSIFIER, TRANSFORM, TRANSFORM_NORM},
};

/// The logits of the model's head; none without one.
///
/// # Shapes
/// `[batch, sequence, hidden]` → `[batch, labels]`, `[batch, sequence, labels]` or `[batch, sequence, vocab]`.
pub(super) fn forward(b: &mut Builder<'_>, inputs: &Inputs, x: &Value) -> Result<Option<Value>, ExportError> {
    match &b.model.head {
        Head::None => Ok(None),
        Head::SequenceClassification { .. } => classify(b, inputs, x).map(Some),
        Head::TokenClassification { .. } => classify_tokens(b, x).map(Some),
        Head::MaskedLm => predict_tokens(b, x).map(Some),
    }
}

/// `W h + b` of every token, after the family's transform where it has one.
fn classify_tokens(b: &mut Builder<'_>, x: &Value) -> Result<Value, ExportError> {
    match b.model.spec.classifier {
        ClassifierHead::Transform { .. } => {
            let transformed = transform(b, x)?;
            linear::forward(b, TOKEN_CLASSIFIER, &transformed)
        }
        _ => linear::forward(b, TOKEN_CLASSIFIER, x),
    }
}

/// `W f(W₀ h₀ + b₀) + b`, `h₀` the hidden state of each sequence's first token, or the mean of all, and before it the
/// encoder's pooler or a layer of the head's own.
fn classify(b: &mut Builder<'_>, inputs: &Inputs, x: &Value) -> Result<Value, ExportError> {
    let of_mean = b.model.spec.classifier == (ClassifierHead::Transform { of_mean: true });
    let pooled = if of_mean { mean(b, inputs, x) } else { first(b, x) }; // [batch, hidden]
    let dense = |b: &mut Builder<'_>, module: &str, activation: Activation| {
        let pooled = linear::forward(b, module, &pooled)?;
        Ok::<_, ExportError>(activation::forward(b, module, activation, &pooled))
    };
    let pooled = match b.model.spec.classifier {
        ClassifierHead::Pooler => dense(b, "bert.pooler.dense", Activation::Tanh)?,
        ClassifierHead::Dense { activation, .. } => dense(b, "classifier.dense", activation)?,
        ClassifierHead::Transform { .. } => transform(b, &pooled)?,
        ClassifierHead::First => pooled,
    };
    linear::forward(b, "classifier", &pooled)
}

fn first(b: &mut Builder<'_>, x: &Value) -> Value {
    let first = b.graph.int(0);
    b.graph.op_with("classifier", "Gather", &[x, &first], vec![AttributeProto::int("axis", 1)])
}

/// The mean of the tokens that are no padding.
fn mean(b: &mut Builder<'_>, inputs: &Inputs, x: &Value) -> Value {
    let place = "classifier";
    let [one, two] = [1, 2].map(|axis| b.graph.ints(&[axis]));
    let flat = vec![AttributeProto::int("keepdims", 0)];
    let mask = linear::cast_to_f32(b, place, &inputs.mask);
    let mask = b.graph.op(place, "Unsqueeze", &[&mask, &two]);
    let real = b.graph.op(place, "Mul", &[x, &mask]);
    let sum = b.graph.op_with(place, "ReduceSum", &[&real, &one], flat.clone());
    let count = b.graph.op_with(place, "ReduceSum", &[&mask, &one], flat); // [batch, 1]
    b.graph.op(place, "Div", &[&sum, &count])
}

/// `LayerNorm(f(W h + b))`.
fn transform(b: &mut Builder<'_>, x: &Value) -> Result<Value, ExportError> {
    let transformed = linear::forward(b, TRANSFORM, x)?;
    let transformed = activation::forward(b, TRANSFORM, b.model.spec.masked_lm_activation, &transformed);
    linear::norm(b, TRANSFORM_NORM, &transformed)
}

/// `E LayerNorm(f(W h + b)) + c`, `E` the word embeddings (Devlin et al., 2019), or a decoder of its own where the
/// checkpoint has one.
fn predict_tokens(b: &mut Builder<'_>, x: &Value) -> Result<Value, ExportError> {
    let transformed = transform(b, x)?;
    let decoder = decoder(b)?;
    let logits = b.graph.op("cls.predictions", "MatMul", &[&transformed, &decoder]);
    linear::add_bias(b, "cls.predictions", &logits)
}

/// The decoder as a product reads it, `[embedding, vocab]`. One that is tied is turned when the file is loaded, so that the
/// table is in it once.
fn decoder(b: &mut Builder<'_>) -> Result<Value, ExportError> {
    let (own, place) = ("cls.predictions.decoder.weight", "cls.predictions.decoder");
    let turned = if b.model.params.contains_key(own) {
        b.transposed(own)?
    } else {
        let table = match b.int8(WORDS) {
            Some(table) => {
                let (values, scales) = embeddings::int8_table(b, WORDS, table)?;
                let values = linear::cast_to_f32(b, place, &values);
                b.graph.op(place, "Mul", &[&values, &scales])
            }
            None => b.parameter(&format!("{WORDS}.weight"))?,
        };
        b.graph.op_with(place, "Transpose", &[&table], vec![AttributeProto::ints("perm", &[1, 0])])
    };
    let rest = format!("{DECODER_REST}.weight");
    if !b.model.params.contains_key(&rest) {
        return Ok(turned);
    }
    // Columns that the word embeddings are too narrow to have.
    let rest = b.parameter(&rest)?;
    Ok(b.graph.op_with(place, "Concat", &[&turned, &rest], vec![AttributeProto::int("axis", 0)]))
}
