//! BERT (Devlin et al., 2019); MiniLM, `TinyBERT` and BERT-tiny are its shapes.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::Family;
use crate::model::{Activation, EncoderSpec, LayerShape, ModelError, checkpoint::Fields};

pub(super) const FAMILY: Family = Family {
    model_type: "bert",
    spec,
    config: |spec, config| write(spec, &KEYS, config),
    unsaid: |_| None,
    prefix: "bert.",
    encoder: &[],
    stacked: &[],
    heads: &[
        ("cls.predictions", "cls.predictions"),
        ("cls.predictions.transform.dense", "cls.predictions.transform.dense"),
        ("cls.predictions.transform.LayerNorm", "cls.predictions.transform.LayerNorm"),
        ("cls.predictions.decoder", "cls.predictions.decoder"),
        ("classifier", "classifier"),
    ],
    extra: &["cls.seq_relationship."],
    can_lack_heads: true,
    architectures: classes!("Bert"),
};

/// How a family's config calls what all have.
pub(super) struct Keys {
    pub(super) hidden_size: &'static str,
    pub(super) layers: &'static str,
    pub(super) heads: &'static str,
    pub(super) intermediate_size: &'static str,
    pub(super) activation: &'static str,
    pub(super) default_activation: &'static str,
    pub(super) eps: &'static str,
    pub(super) dropout: &'static str,
    pub(super) attention_dropout: &'static str,
    pub(super) classifier_dropout: &'static str,
}

/// BERT's keys.
pub(super) const KEYS: Keys = Keys {
    hidden_size: "hidden_size",
    layers: "num_hidden_layers",
    heads: "num_attention_heads",
    intermediate_size: "intermediate_size",
    activation: "hidden_act",
    default_activation: "gelu",
    eps: "layer_norm_eps",
    dropout: "hidden_dropout_prob",
    attention_dropout: "attention_probs_dropout_prob",
    classifier_dropout: "classifier_dropout",
};

fn spec(config: &Fields<'_>) -> Result<EncoderSpec, ModelError> {
    read(config, &KEYS)
}

/// The spec of a config like BERT's; what the family has beside it is the caller's.
pub(super) fn read(config: &Fields<'_>, keys: &Keys) -> Result<EncoderSpec, ModelError> {
    read_narrow(config, keys, keys.hidden_size)
}

/// The same where heads part the number under another key than the hidden size.
pub(super) fn read_narrow(config: &Fields<'_>, keys: &Keys, inner_size: &str) -> Result<EncoderSpec, ModelError> {
    let hidden_size = config.positive(keys.hidden_size)?;
    let width = config.positive(inner_size)?;
    let n_layers = config.positive(keys.layers)?;
    let n_heads = config.positive(keys.heads)?;
    if n_layers > 1000 {
        return Err(config.fault(&format!("`{}` is {n_layers}; no encoder has more than 1000", keys.layers)));
    }
    if !width.is_multiple_of(n_heads) {
        let heads = keys.heads;
        return Err(config.fault(&format!("`{heads}` ({n_heads}) does not divide `{inner_size}` ({width})")));
    }
    if let Some(kind) = config.text("position_embedding_type")?.filter(|kind| *kind != "absolute") {
        return Err(config.fault(&format!("`position_embedding_type` is `{kind}`; lmpipe runs `absolute` only")));
    }
    for key in ["is_decoder", "add_cross_attention"] {
        if config.flag(key)?.unwrap_or(false) {
            return Err(config.fault(&format!("`{key}` is true; lmpipe runs encoders only")));
        }
    }
    let intermediate_size = config.positive(keys.intermediate_size)?;
    let layer = |heads| LayerShape { heads, intermediate_size, reach: None };
    let layers = heads(config, n_layers, n_heads)?.into_iter().map(layer).collect();
    let bert = EncoderSpec::bert(hidden_size, width / n_heads, layers);
    let activation = activation(config, keys.activation, keys.default_activation)?;
    Ok(EncoderSpec {
        vocab_size: config.positive("vocab_size")?,
        max_positions: config.positive_or("max_position_embeddings", bert.max_positions)?,
        type_vocab_size: config.positive_or("type_vocab_size", bert.type_vocab_size)?,
        layer_norm_eps: config.number_or(keys.eps, bert.layer_norm_eps)?,
        activation,
        masked_lm_activation: activation,
        hidden_dropout: config.rate_or(keys.dropout, bert.hidden_dropout)?,
        attention_dropout: config.rate_or(keys.attention_dropout, bert.attention_dropout)?,
        classifier_dropout: match config.value(keys.classifier_dropout) {
            Some(_) => Some(config.rate_or(keys.classifier_dropout, 0.0)?),
            None => None,
        },
        initializer_range: config.number_or("initializer_range", bert.initializer_range)?,
        ..bert
    })
}

/// The heads that `pruned_heads` leaves in each layer.
fn heads(config: &Fields<'_>, n_layers: usize, n_heads: usize) -> Result<Vec<usize>, ModelError> {
    let mut heads = vec![n_heads; n_layers];
    let Some(value) = config.value("pruned_heads").filter(|value| value.as_object().is_none_or(|map| !map.is_empty()))
    else {
        return Ok(heads);
    };
    let wrong = || {
        config.fault(&format!(
            "`pruned_heads` must map layers (0 to {}) to lists of heads (0 to {})",
            n_layers - 1,
            n_heads - 1
        ))
    };
    for (layer, pruned) in value.as_object().ok_or_else(wrong)? {
        let layer: usize = layer.parse().map_err(|_| wrong())?;
        let pruned = pruned.as_array().ok_or_else(wrong)?;
        let pruned: BTreeSet<_> = pruned.iter().map(|head| head.as_u64().unwrap_or(u64::MAX)).collect();
        if layer >= n_layers || pruned.iter().any(|head| *head >= n_heads as u64) {
            return Err(wrong());
        }
        heads[layer] = n_heads - pruned.len();
        if heads[layer] == 0 {
            return Err(config.fault(&format!("`pruned_heads` leaves layer {layer} without heads; one must stay")));
        }
    }
    Ok(heads)
}

const ACTIVATIONS: [(&str, Activation); 7] = [
    ("gelu", Activation::Gelu),
    ("gelu_python", Activation::Gelu),
    ("gelu_new", Activation::GeluTanh),
    ("gelu_pytorch_tanh", Activation::GeluTanh),
    ("gelu_fast", Activation::GeluTanh),
    ("relu", Activation::Relu),
    ("tanh", Activation::Tanh),
];

/// The activation that a config names; `default` is what its family takes where it names none.
pub(in crate::model) fn activation(config: &Fields<'_>, key: &str, default: &str) -> Result<Activation, ModelError> {
    let name = config.text(key)?.unwrap_or(default);
    ACTIVATIONS.iter().find(|(known, _)| *known == name).map(|(_, activation)| *activation).ok_or_else(|| {
        let known: Vec<_> = ACTIVATIONS.iter().map(|(name, _)| *name).collect();
        config.fault(&format!("`{key}` is `{name}`; lmpipe has {}", crate::base::plural::list(&known)))
    })
}

/// Sets the keys that [`read`] reads.
pub(super) fn write(spec: &EncoderSpec, keys: &Keys, config: &mut Map<String, Value>) {
    let n_heads = spec.inner_size() / spec.head_dim;
    let mut set = |key: &str, value: Value| {
        config.insert(key.to_owned(), value);
    };
    set(keys.hidden_size, json!(spec.hidden_size));
    set(keys.layers, json!(spec.n_layers()));
    set(keys.heads, json!(n_heads));
    set(keys.intermediate_size, json!(spec.layers.first().map(|layer| layer.intermediate_size)));
    set("vocab_size", json!(spec.vocab_size));
    set("max_position_embeddings", json!(spec.max_positions + spec.positions.offset()));
    if spec.type_vocab_size > 0 {
        set("type_vocab_size", json!(spec.type_vocab_size));
    }
    set(keys.eps, json!(spec.layer_norm_eps));
    set(keys.dropout, json!(spec.hidden_dropout));
    set(keys.attention_dropout, json!(spec.attention_dropout));
    set("initializer_range", json!(spec.initializer_range));
    if let Some(rate) = spec.classifier_dropout {
        set(keys.classifier_dropout, json!(rate));
    }
    write_activation(spec.activation, keys.activation, config);
    prune_heads(spec, n_heads, config);
}

/// Sets the name of an activation. Several names mean one activation: the name that was read is kept.
pub(super) fn write_activation(activation: Activation, key: &str, config: &mut Map<String, Value>) {
    let named = config.get(key).and_then(Value::as_str);
    let named = named.and_then(|name| ACTIVATIONS.iter().find(|(known, _)| *known == name));
    if named.is_none_or(|(_, of_name)| *of_name != activation)
        && let Some((name, _)) = ACTIVATIONS.iter().find(|(_, known)| *known == activation)
    {
        config.insert(key.to_owned(), json!(name));
    }
}

/// Sets `pruned_heads` so that it says how many heads each layer has left. The heads that it names already are kept
/// where their number is right: which heads they were matters to the reader only, the tensors lack them anyway.
fn prune_heads(spec: &EncoderSpec, n_heads: usize, config: &mut Map<String, Value>) {
    let before = config.get("pruned_heads").cloned();
    let mut pruned = Map::new();
    for (layer, &LayerShape { heads, .. }) in spec.layers.iter().enumerate() {
        if heads == n_heads {
            continue;
        }
        let key = layer.to_string();
        let named = before.as_ref().and_then(|value| value.get(&key)).filter(|named| {
            let heads_named: BTreeSet<_> = named.as_array().into_iter().flatten().filter_map(Value::as_u64).collect();
            heads_named.len() == n_heads - heads && heads_named.iter().all(|head| *head < n_heads as u64)
        });
        pruned.insert(key, named.cloned().unwrap_or_else(|| json!((heads..n_heads).collect::<Vec<_>>())));
    }
    if pruned.is_empty() {
        config.shift_remove("pruned_heads");
    } else {
        config.insert("pruned_heads".to_owned(), Value::Object(pruned));
    }
}
