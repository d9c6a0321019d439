//! `MobileBERT` (Sun et al., 2020): layers with bottlenecks and stacked feed-forward nets, words that see their neighbours.

use serde_json::{Map, Value, json};

use super::{
    Family,
    bert::{self, Keys},
};
use crate::model::{Bottleneck, ClassifierHead, Embedding, EncoderSpec, ModelError, Norm, checkpoint::Fields};

pub(super) const FAMILY: Family = Family {
    model_type: "mobilebert",
    spec,
    config,
    prefix: "mobilebert.",
    encoder: &[
        ("embeddings_project", "embeddings.embedding_transformation"),
        ("encoder.layer.{i}.bottleneck.input.dense", "encoder.layer.{i}.bottleneck.input.dense"),
        ("encoder.layer.{i}.bottleneck.input.LayerNorm", "encoder.layer.{i}.bottleneck.input.LayerNorm"),
        ("encoder.layer.{i}.bottleneck.attention.dense", "encoder.layer.{i}.bottleneck.attention.dense"),
        ("encoder.layer.{i}.bottleneck.attention.LayerNorm", "encoder.layer.{i}.bottleneck.attention.LayerNorm"),
        ("encoder.layer.{i}.ffn.{k}.intermediate.dense", "encoder.layer.{i}.ffn.{k}.intermediate.dense"),
        ("encoder.layer.{i}.ffn.{k}.output.dense", "encoder.layer.{i}.ffn.{k}.output.dense"),
        ("encoder.layer.{i}.ffn.{k}.output.LayerNorm", "encoder.layer.{i}.ffn.{k}.output.LayerNorm"),
        ("encoder.layer.{i}.output.bottleneck.dense", "encoder.layer.{i}.output.bottleneck.dense"),
        ("encoder.layer.{i}.output.bottleneck.LayerNorm", "encoder.layer.{i}.output.bottleneck.LayerNorm"),
    ],
    heads: &[
        ("cls.predictions", "cls.predictions"),
        ("cls.predictions.transform.dense", "cls.predictions.transform.dense"),
        ("cls.predictions.transform.LayerNorm", "cls.predictions.transform.LayerNorm"),
        ("cls.predictions.decoder", "cls.predictions.decoder"),
        ("cls.predictions.dense", "cls.predictions.dense"),
        ("classifier", "classifier"),
    ],
    unsaid,
    architectures: classes!("MobileBert"),
    ..bert::FAMILY
};

const KEYS: Keys = Keys { default_activation: "relu", ..bert::KEYS };

/// The epsilon that its code gives norms which do not take that of the config.
const OTHER_EPS: f64 = 1e-5;

fn spec(config: &Fields<'_>) -> Result<EncoderSpec, ModelError> {
    let flag = |key: &str, default: bool| Ok::<_, ModelError>(config.flag(key)?.unwrap_or(default));
    let has_bottleneck = flag("use_bottleneck", true)?;
    let inner_size = if has_bottleneck { "intra_bottleneck_size" } else { KEYS.hidden_size };
    let mut spec = bert::read_narrow(config, &KEYS, inner_size)?;
    if has_bottleneck {
        let size = config.positive(inner_size)?;
        let is_all = flag("use_bottleneck_attention", false)?;
        if !is_all && !flag("key_query_shared_bottleneck", true)? {
            return Err(config.fault(
                "`use_bottleneck_attention` and `key_query_shared_bottleneck` are both false: queries would have two widths",
            ));
        }
        spec.bottleneck = Some(Bottleneck { size, shares_keys: !is_all });
        spec.drops_attention_output = false;
    }
    spec.feed_forwards = config.positive_or("num_feedforward_networks", 4)?;
    if spec.feed_forwards > 64 {
        return Err(config.fault("`num_feedforward_networks` is more than 64; no encoder has so many"));
    }
    let (size, trigrams) = (config.positive_or("embedding_size", 128)?, flag("trigram_input", true)?);
    if size > spec.hidden_size {
        return Err(
            config.fault(&format!("`embedding_size` ({size}) is more than `hidden_size` ({})", spec.hidden_size))
        );
    }
    if trigrams || size != spec.hidden_size {
        spec.embedding = Embedding::Words { size, trigrams };
    }
    match config.text("normalization_type")?.unwrap_or("no_norm") {
        "no_norm" => spec.norm = Norm::Affine,
        "layer_norm" => spec.output_norm_eps = Some(OTHER_EPS),
        other => {
            return Err(
                config.fault(&format!("`normalization_type` is `{other}`; lmpipe has `no_norm` and `layer_norm`"))
            );
        }
    }
    if !flag("classifier_activation", true)? {
        spec.classifier = ClassifierHead::First;
    }
    Ok(spec)
}

fn unsaid(spec: &EncoderSpec) -> Option<String> {
    let (words, hidden) = (spec.word_width(), spec.hidden_size);
    (words > hidden).then(|| {
        format!("embeddings of words cannot be wider than layers in MobileBERT: {words} against {hidden}; make the layers wider")
    })
}

fn config(spec: &EncoderSpec, config: &mut Map<String, Value>) {
    bert::write(spec, &KEYS, config);
    let shares_keys = spec.bottleneck.is_some_and(|bottleneck| bottleneck.shares_keys);
    let trigrams = matches!(spec.embedding, Embedding::Words { trigrams: true, .. });
    for (key, value) in [
        ("use_bottleneck", json!(spec.bottleneck.is_some())),
        ("intra_bottleneck_size", json!(spec.inner_size())),
        ("use_bottleneck_attention", json!(spec.bottleneck.is_some() && !shares_keys)),
        ("key_query_shared_bottleneck", json!(shares_keys)),
        ("num_feedforward_networks", json!(spec.feed_forwards)),
        ("embedding_size", json!(spec.word_width())),
        ("trigram_input", json!(trigrams)),
        ("normalization_type", json!(if spec.norm == Norm::Affine { "no_norm" } else { "layer_norm" })),
        ("classifier_activation", json!(spec.classifier != ClassifierHead::First)),
    ] {
        config.insert(key.to_owned(), value);
    }
    // Its reader fails where there are none of its own, whatever it is set to.
    config.insert("true_hidden_size".to_owned(), json!(spec.inner_size()));
}
