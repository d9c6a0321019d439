//! An inspection for programs.

use serde_json::{Value, json};

use super::{TOKENS, Words};
use crate::model::{Embedding, EncoderSpec, Head, Inspection, Norm, Part, Place, Positions, Quantized};

pub(super) fn of(inspection: &Inspection, words: &Words) -> Value {
    let model = &inspection.model;
    let parameters: u64 = inspection.parts.iter().map(|part| part.parameters).sum();
    let zeros: u64 = inspection.parts.iter().map(|part| part.zeros).sum();
    let bytes: u64 = inspection.parts.iter().map(|part| part.bytes).sum();
    json!({
        "version": 1,
        "family": inspection.family,
        "head": match &model.head {
            Head::None => json!({"kind": "none"}),
            Head::SequenceClassification { labels } => json!({"kind": "sequence_classification", "labels": labels}),
            Head::TokenClassification { labels } => json!({"kind": "token_classification", "labels": labels}),
            Head::MaskedLm => json!({"kind": "masked_lm"}),
        },
        "shape": shape(&model.spec),
        "weights": {
            "files": inspection.files.iter().map(|file| json!({
                "name": file.name,
                "bytes": file.bytes,
                "types": file.types.iter().map(|kind| json!({
                    "name": kind.name, "tensors": kind.tensors, "bytes": kind.bytes,
                })).collect::<Vec<_>>(),
            })).collect::<Vec<_>>(),
            "quantisation": match &model.quantized {
                Quantized::No => Value::Null,
                Quantized::Int8 { embeddings, ignore } => json!({
                    "weights": "int8 by channel", "activations": "int8 by token", "format": "compressed-tensors",
                    "embeddings": embeddings, "ignore": ignore,
                }),
                Quantized::WeightOnly { width, embeddings, ignore } => json!({
                    "weights": match width.group_size {
                        None => format!("{} by channel", model.quantized.weights()),
                        Some(size) => format!("{} by {size} weights", model.quantized.weights()),
                    },
                    "activations": "f32", "format": "compressed-tensors",
                    "embeddings": embeddings, "ignore": ignore,
                }),
            },
            "unused_bytes": inspection.unused_bytes,
        },
        "parts": inspection.parts.iter().map(part).collect::<Vec<_>>(),
        "total": {"parameters": parameters, "bytes": bytes, "zeros": zeros, "sparsity": share(zeros, parameters)},
        "macs": {"tokens": TOKENS, "count": model.macs(TOKENS)},
        "tokenizer": tokenizer(inspection, words),
        "transformers": {
            "opens": !inspection.transformers.versions.is_empty(),
            "class": inspection.transformers.class,
            "versions": inspection.transformers.versions,
            "reasons": inspection.transformers.reasons,
            "needs": inspection.transformers.needs,
            "cautions": inspection.transformers.cautions,
        },
        "notes": model.notes,
    })
}

fn shape(spec: &EncoderSpec) -> Value {
    json!({
        "hidden_size": spec.hidden_size,
        "head_size": spec.head_dim,
        "layers": spec.layers.iter().enumerate().map(|(at, layer)| json!({
            "heads": layer.heads,
            "feed_forward": layer.intermediate_size,
            "window": layer.reach.map(|reach| 2 * reach),
            "weights_of": spec.stored_layer(at),
        })).collect::<Vec<_>>(),
        "feed_forward_nets": spec.feed_forwards,
        "gated": spec.gated,
        "norm": match spec.norm { Norm::Layer => "layer", Norm::Affine => "affine" },
        "norm_first": spec.pre_norm,
        "activation": format!("{:?}", spec.activation).to_lowercase(),
        "bottleneck": spec.bottleneck.map(|bottleneck| bottleneck.size),
        "word_embeddings": spec.word_width(),
        "trigrams": matches!(spec.embedding, Embedding::Words { trigrams: true, .. }),
        "vocabulary": spec.vocab_size,
        "positions": spec.max_positions,
        "position_kind": match spec.positions {
            Positions::FromZero => "from_zero",
            Positions::AfterPadding(_) => "after_padding",
            Positions::NoTable => "rotary",
        },
        "token_types": spec.type_vocab_size,
        "pooler": spec.pooler,
    })
}

fn part(part: &Part) -> Value {
    let (name, layer) = match part.place {
        Place::Layer(layer, within) => (within.name().to_owned(), Some(layer)),
        other => (other.to_string(), None),
    };
    json!({
        "part": name,
        "layer": layer,
        "parameters": part.parameters,
        "bytes": part.bytes,
        "zeros": part.zeros,
        "sparsity": part.sparsity(),
    })
}

fn tokenizer(inspection: &Inspection, words: &Words) -> Value {
    let fault = words.fault(inspection);
    match words {
        Words::Known { kind, tokens, .. } => json!({"kind": kind, "tokens": tokens, "fault": fault}),
        Words::Missing(_) => json!({"kind": null, "tokens": null, "fault": fault}),
    }
}

fn share(zeros: u64, parameters: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a share")]
    let share = zeros as f64 / parameters.max(1) as f64;
    share
}
