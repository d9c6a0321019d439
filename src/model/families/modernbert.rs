//! `ModernBERT` (Warner et al., 2024): rotary positions, norms before layers, gated feed-forward nets, windows in most layers.

use serde_json::{Map, Value, json};

use super::{
    Family,
    bert::{self, Keys},
};
use crate::model::{Biases, ClassifierHead, EncoderSpec, ModelError, Positions, Rotary, checkpoint::Fields};

pub(super) const FAMILY: Family = Family {
    model_type: "modernbert",
    spec,
    config,
    unsaid,
    prefix: "model.",
    encoder: &[
        ("embeddings.word_embeddings", "embeddings.tok_embeddings"),
        ("embeddings.LayerNorm", "embeddings.norm"),
        ("encoder.layer.{i}.attention.LayerNorm", "layers.{i}.attn_norm"),
        ("encoder.layer.{i}.attention.output.dense", "layers.{i}.attn.Wo"),
        ("encoder.layer.{i}.intermediate.LayerNorm", "layers.{i}.mlp_norm"),
        ("encoder.layer.{i}.output.dense", "layers.{i}.mlp.Wo"),
        ("encoder.LayerNorm", "final_norm"),
    ],
    stacked: &[
        (
            "layers.{i}.attn.Wqkv",
            &[
                "encoder.layer.{i}.attention.self.query",
                "encoder.layer.{i}.attention.self.key",
                "encoder.layer.{i}.attention.self.value",
            ],
        ),
        ("layers.{i}.mlp.Wi", &["encoder.layer.{i}.intermediate.dense", "encoder.layer.{i}.intermediate.gate"]),
    ],
    heads: &[
        ("cls.predictions.transform.dense", "head.dense"),
        ("cls.predictions.transform.LayerNorm", "head.norm"),
        ("cls.predictions.decoder", "decoder"),
        ("cls.predictions", "decoder"),
        ("classifier", "classifier"),
    ],
    extra: &[],
    can_lack_heads: false,
    architectures: classes!("ModernBert"),
};

const KEYS: Keys = Keys {
    activation: "hidden_activation",
    eps: "norm_eps",
    dropout: "embedding_dropout",
    attention_dropout: "attention_dropout",
    ..bert::KEYS
};

fn spec(config: &Fields<'_>) -> Result<EncoderSpec, ModelError> {
    let mut spec = bert::read(config, &KEYS)?;
    let flag = |key: &str, default: bool| Ok::<_, ModelError>(config.flag(key)?.unwrap_or(default));
    if spec.head_dim % 2 == 1 {
        return Err(config
            .fault(&format!("heads are {} wide; pairs of their numbers are turned: it must be even", spec.head_dim)));
    }
    let window = config.positive_or("local_attention", 128)?;
    if window < 2 {
        return Err(config.fault("`local_attention` must be at least 2: it lies half to each side"));
    }
    let reach = window / 2;
    let is_local = local_layers(config, spec.n_layers())?;
    for (layer, is_local) in spec.layers.iter_mut().zip(is_local) {
        layer.reach = is_local.then_some(reach);
    }
    if config.value("max_position_embeddings").is_none() {
        spec.max_positions = 8192;
    }
    if config.value("norm_eps").is_none() {
        spec.layer_norm_eps = 1e-5;
    }
    for (key, rate) in [(KEYS.dropout, &mut spec.hidden_dropout), (KEYS.attention_dropout, &mut spec.attention_dropout)]
    {
        *rate = config.rate_or(key, 0.0)?;
    }
    spec.classifier_dropout = spec.classifier_dropout.or(Some(0.0));
    spec.positions = Positions::NoTable;
    spec.type_vocab_size = 0;
    // The rate is of embeddings alone; that of what attention and feed-forward nets give is not known here.
    spec.drops_attention_output = false;
    spec.drops_feed_forward = false;
    spec.pre_norm = true;
    spec.gated = true;
    spec.rotary = Some(Rotary {
        theta: theta(config, "full_attention", "global_rope_theta", 160_000.0)?,
        local_theta: theta(config, "sliding_attention", "local_rope_theta", 10_000.0)?,
    });
    spec.biases = Biases {
        attention: flag("attention_bias", false)?,
        feed_forward: flag("mlp_bias", false)?,
        norms: flag("norm_bias", false)?,
        transform: flag("classifier_bias", false)?,
        decoder: flag("decoder_bias", true)?,
    };
    let activation = bert::activation(config, "classifier_activation", "gelu")?;
    spec.masked_lm_activation = activation;
    spec.classifier = match config.text("classifier_pooling")?.unwrap_or("cls") {
        "cls" => ClassifierHead::Transform { of_mean: false },
        "mean" => ClassifierHead::Transform { of_mean: true },
        other => return Err(config.fault(&format!("`classifier_pooling` is `{other}`; lmpipe has `cls` and `mean`"))),
    };
    Ok(spec)
}

/// Which layers have windows: `layer_types` of newer configs, or all but every nth.
fn local_layers(config: &Fields<'_>, n_layers: usize) -> Result<Vec<bool>, ModelError> {
    let Some(types) = config.value("layer_types") else {
        let every = config.positive_or("global_attn_every_n_layers", 3)?;
        return Ok((0..n_layers).map(|index| index % every != 0).collect());
    };
    let is_local = |kind: &Value| match kind.as_str() {
        Some("full_attention") => Some(false),
        Some("sliding_attention") => Some(true),
        _ => None,
    };
    let layers: Option<Vec<_>> = types.as_array().and_then(|types| types.iter().map(is_local).collect());
    layers.filter(|layers| layers.len() == n_layers).ok_or_else(|| {
        config.fault(&format!("`layer_types` must be a list of {n_layers} of `full_attention` and `sliding_attention`"))
    })
}

/// The base of the angles, as newer configs have it by the type of a layer, or older ones under a key of its own.
fn theta(config: &Fields<'_>, layer_type: &str, key: &str, default: f64) -> Result<f64, ModelError> {
    let newer = config.value("rope_parameters").and_then(|all| all.get(layer_type));
    if let Some(kind) = newer.and_then(|newer| newer.get("rope_type")).filter(|kind| *kind != "default") {
        return Err(config.fault(&format!("`rope_type` of `{layer_type}` is {kind}; lmpipe turns by `default` alone")));
    }
    let (theta, place) = match newer.and_then(|newer| newer.get("rope_theta")) {
        Some(theta) => (theta.as_f64().unwrap_or(f64::NAN), format!("`rope_theta` of `{layer_type}`")),
        None => (config.number_or(key, default)?, format!("`{key}`")),
    };
    if theta.is_finite() && theta > 0.0 { Ok(theta) } else { Err(config.fault(&format!("{place} must be above 0"))) }
}

fn unsaid(spec: &EncoderSpec) -> Option<String> {
    let heads = spec.hidden_size / spec.head_dim;
    if let Some(layer) = spec.layers.iter().position(|layer| layer.heads != heads) {
        return Some(format!(
            "`config.json` of ModernBERT has one `num_attention_heads` for all layers, but layer {layer} has {} of {heads} \
             left: prune neurons or layers instead",
            spec.layers[layer].heads
        ));
    }
    every_global(spec).is_none().then(|| {
        "`config.json` of ModernBERT says which layers see everything by `global_attn_every_n_layers`, and no number fits \
         the layers that are left: keep layers so that every nth of them is such a layer, the first too"
            .to_owned()
    })
}

fn config(spec: &EncoderSpec, config: &mut Map<String, Value>) {
    bert::write(spec, &KEYS, config);
    let reach = spec.layers.iter().find_map(|layer| layer.reach);
    config.insert("global_attn_every_n_layers".to_owned(), json!(every_global(spec)));
    if let Some(reach) = reach {
        config.insert("local_attention".to_owned(), json!(2 * reach));
    }
    // What newer configs say of the same would contradict it.
    for key in ["layer_types", "rope_parameters"] {
        config.shift_remove(key);
    }
    let rotary = spec.rotary.unwrap_or(Rotary { theta: 160_000.0, local_theta: 10_000.0 });
    let Biases { attention, feed_forward, norms, transform, decoder } = spec.biases;
    bert::write_activation(spec.masked_lm_activation, "classifier_activation", config);
    let of_mean = spec.classifier == ClassifierHead::Transform { of_mean: true };
    for (key, value) in [
        ("global_rope_theta", json!(rotary.theta)),
        ("local_rope_theta", json!(rotary.local_theta)),
        ("attention_bias", json!(attention)),
        ("mlp_bias", json!(feed_forward)),
        ("norm_bias", json!(norms)),
        ("classifier_bias", json!(transform)),
        ("decoder_bias", json!(decoder)),
        ("classifier_pooling", json!(if of_mean { "mean" } else { "cls" })),
    ] {
        config.insert(key.to_owned(), value);
    }
}

/// The number n for which layers 0, n, 2n … and no others see everything.
fn every_global(spec: &EncoderSpec) -> Option<usize> {
    let fits =
        |every: &usize| spec.layers.iter().enumerate().all(|(at, layer)| layer.reach.is_none() == (at % every == 0));
    (1..=spec.n_layers()).find(fits)
}
