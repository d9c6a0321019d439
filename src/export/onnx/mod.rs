//! ONNX (opset 17): a model as a graph of standard operations.
//!
//! Inputs are `input_ids`, `attention_mask` and, where the family tells types apart, `token_type_ids`, int64
//! `[batch, sequence]`; a batch is padded, and the mask is 0 at padding. The output is `logits`, `[batch, labels]` of a
//! classifier and `[batch, sequence, vocab]` of a masked LM, or without a head `last_hidden_state`,
//! `[batch, sequence, hidden]`.
//!
//! int8 weights stay int8: linear layers are `DynamicQuantizeLinear` and `MatMulInteger` of tokens brought to one size, rows of int8 tables are scaled as
//! they are looked up. On x86 without VNNI, ONNX Runtime adds pairs of products in 16 bits, which may saturate where large
//! weights meet large activations.
//!
//! A graph is a new function a part, beside the one of `model` that it draws; a new axis of [`EncoderSpec`] is drawn there.
//!
//! [`EncoderSpec`]: crate::model::EncoderSpec

mod activation;
mod attention;
mod builder;
mod embeddings;
mod graph;
mod heads;
mod layer;
mod linear;
mod mask;
mod proto;
mod rotary;

#[cfg(test)]
mod tests;

use prost::Message;
use serde_json::json;

use self::{
    builder::Builder,
    graph::Value,
    mask::Masks,
    proto::{DataType, Dimension, IR_VERSION, ModelProto, OperatorSetIdProto, StringStringEntryProto, ValueInfoProto},
};
use super::ExportError;
use crate::{
    base::units,
    model::{FINAL_NORM, Head, Model},
};

/// `LayerNormalization` is an operation of its own from here on.
const OPSET: i64 = 17;
/// What a message of protobuf may have: its readers count bytes in 31 bits.
const MAX_BYTES: u64 = i32::MAX as u64;

/// What the parts of the encoder read.
struct Inputs {
    /// Token ids, `[batch, sequence]`.
    ids: Value,
    /// 0 at padding, `[batch, sequence]`.
    mask: Value,
    /// Token types, `[batch, sequence]`, where there are any to tell apart.
    types: Option<Value>,
    /// 0, 1, 2, …, `[sequence]`.
    places: Value,
}

/// A model as the bytes of an ONNX file; the same model gives the same bytes.
///
/// # Errors
/// When a parameter is missing, or the file would have more than 2 GiB.
pub(super) fn encode(model: &Model) -> Result<Vec<u8>, ExportError> {
    let int8: usize = model.int8.values().map(|weight| weight.values().len()).sum();
    // Before the weights are copied, by their numbers; then what it comes to.
    check_size((4 * (model.n_parameters() - int8) + int8) as u64)?;
    let proto = draw(model)?;
    check_size(proto.encoded_len() as u64)?;
    Ok(proto.encode_to_vec())
}

/// Whether a model has token types to tell apart, and an input for them.
pub(super) fn has_types(model: &crate::model::EncoderSpec) -> bool {
    model.type_vocab_size > 1
}

/// What the output is called.
pub(super) fn output(head: &Head) -> &'static str {
    if *head == Head::None { "last_hidden_state" } else { "logits" }
}

fn check_size(bytes: u64) -> Result<(), ExportError> {
    if bytes <= MAX_BYTES {
        return Ok(());
    }
    Err(ExportError::Unfit(format!(
        "an ONNX file holds at most 2 GiB, and this model has {}: quantise it first (`uses: quantize`), with `embeddings: \
         true` where the vocabulary is large",
        units::bytes(bytes)
    )))
}

fn draw(model: &Model) -> Result<ModelProto, ExportError> {
    let mut b = Builder::new(model);
    let inputs = inputs(&mut b);
    let mut x = embeddings::forward(&mut b, &inputs)?;
    let mut masks = Masks::new(&mut b, &inputs);
    for index in 0..model.spec.n_layers() {
        x = layer::forward(&mut b, &mut masks, index, &x)?;
    }
    if model.spec.pre_norm {
        x = linear::norm(&mut b, FINAL_NORM, &x)?;
    }
    let logits = heads::forward(&mut b, &inputs, &x)?;
    let mut shape = vec![Dimension::named("batch"), Dimension::named("sequence")];
    match &model.head {
        Head::None => shape.push(Dimension::of(model.spec.hidden_size)),
        Head::SequenceClassification { labels } => shape[1] = Dimension::of(labels.len()),
        Head::TokenClassification { labels } => shape.push(Dimension::of(labels.len())),
        Head::MaskedLm => shape.push(Dimension::of(model.spec.vocab_size)),
    }
    b.graph.output(&logits.unwrap_or(x), ValueInfoProto::tensor(output(&model.head), DataType::Float, shape));
    let model_type = model.config.get("model_type").and_then(|name| name.as_str()).unwrap_or("bert");
    Ok(ModelProto {
        ir_version: IR_VERSION,
        producer_name: "lmpipe".to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        graph: Some(b.graph.finish(model_type)),
        opset_import: vec![OperatorSetIdProto { domain: Some(String::new()), version: OPSET }],
        metadata_props: metadata(model, model_type),
    })
}

fn inputs(b: &mut Builder<'_>) -> Inputs {
    let mut input = |name: &str| {
        let shape = vec![Dimension::named("batch"), Dimension::named("sequence")];
        b.graph.input(ValueInfoProto::tensor(name, DataType::Int64, shape))
    };
    let (ids, mask) = (input("input_ids"), input("attention_mask"));
    let types = has_types(&b.model.spec).then(|| input("token_type_ids"));
    let shape = b.graph.op("inputs", "Shape", &[&ids]);
    let [zero, one] = [0, 1].map(|value| b.graph.int(value));
    let length = b.graph.op("inputs", "Gather", &[&shape, &one]);
    let places = b.graph.op("inputs", "Range", &[&zero, &length, &one]);
    b.graph.shape(&places, DataType::Int64, vec![Dimension::named("sequence")]);
    Inputs { ids, mask, types, places }
}

/// What a reader of the file alone should know.
fn metadata(model: &Model, model_type: &str) -> Vec<StringStringEntryProto> {
    let entry = |key: &str, value: String| StringStringEntryProto { key: key.to_owned(), value };
    let mut entries = vec![
        entry("lmpipe_version", env!("CARGO_PKG_VERSION").to_owned()),
        entry("max_tokens", model.spec.max_positions.to_string()),
        entry("model_type", model_type.to_owned()),
    ];
    if let Head::SequenceClassification { labels } | Head::TokenClassification { labels } = &model.head {
        entries.push(entry("labels", json!(labels).to_string()));
    }
    entries
}
