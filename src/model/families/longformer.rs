//! `Longformer` (Beltagy et al., 2020): `RoBERTa` with windows, and projections of their own for tokens that see everything.

use serde_json::{Map, Value, json};

use super::{Family, bert, roberta};
use crate::model::{EncoderSpec, ModelError, Positions, checkpoint::Fields};

pub(super) static FAMILY: Family = Family {
    model_type: "longformer",
    spec,
    config,
    names: NAMES,
    prefix: "longformer.",
    extra: &["longformer.embeddings.position_ids", "embeddings.position_ids"],
    architectures: ["LongformerModel", "LongformerForSequenceClassification", "LongformerForMaskedLM"],
};

const NAMES: &[(&str, &str)] = &[
    ("bert.embeddings.word_embeddings", "longformer.embeddings.word_embeddings"),
    ("bert.embeddings.position_embeddings", "longformer.embeddings.position_embeddings"),
    ("bert.embeddings.token_type_embeddings", "longformer.embeddings.token_type_embeddings"),
    ("bert.embeddings.LayerNorm", "longformer.embeddings.LayerNorm"),
    ("bert.encoder.layer.{i}.attention.self.query", "longformer.encoder.layer.{i}.attention.self.query"),
    ("bert.encoder.layer.{i}.attention.self.key", "longformer.encoder.layer.{i}.attention.self.key"),
    ("bert.encoder.layer.{i}.attention.self.value", "longformer.encoder.layer.{i}.attention.self.value"),
    ("bert.encoder.layer.{i}.attention.output.dense", "longformer.encoder.layer.{i}.attention.output.dense"),
    ("bert.encoder.layer.{i}.attention.output.LayerNorm", "longformer.encoder.layer.{i}.attention.output.LayerNorm"),
    ("bert.encoder.layer.{i}.intermediate.dense", "longformer.encoder.layer.{i}.intermediate.dense"),
    ("bert.encoder.layer.{i}.output.dense", "longformer.encoder.layer.{i}.output.dense"),
    ("bert.encoder.layer.{i}.output.LayerNorm", "longformer.encoder.layer.{i}.output.LayerNorm"),
    ("bert.encoder.layer.{i}.attention.self.query_global", "longformer.encoder.layer.{i}.attention.self.query_global"),
    ("bert.encoder.layer.{i}.attention.self.key_global", "longformer.encoder.layer.{i}.attention.self.key_global"),
    ("bert.encoder.layer.{i}.attention.self.value_global", "longformer.encoder.layer.{i}.attention.self.value_global"),
    ("bert.pooler.dense", "longformer.pooler.dense"),
    ("cls.predictions", "lm_head"),
    ("cls.predictions.transform.dense", "lm_head.dense"),
    ("cls.predictions.transform.LayerNorm", "lm_head.layer_norm"),
    ("cls.predictions.decoder", "lm_head.decoder"),
    ("classifier.dense", "classifier.dense"),
    ("classifier", "classifier.out_proj"),
];

fn spec(config: &Fields<'_>) -> Result<EncoderSpec, ModelError> {
    let mut spec = roberta::spec(config)?;
    let windows = windows(config, spec.n_layers())?;
    for (layer, window) in spec.layers.iter_mut().zip(windows) {
        layer.reach = Some(window / 2);
    }
    spec.global_projections = true;
    // Its classifier has no rate of its own.
    spec.classifier_dropout = None;
    Ok(spec)
}

/// `attention_window`: one for all layers, or one a layer; even, as it lies half to each side.
fn windows(config: &Fields<'_>, n_layers: usize) -> Result<Vec<usize>, ModelError> {
    let windows = match config.value("attention_window") {
        None => vec![512; n_layers],
        Some(Value::Array(windows)) => windows.iter().map(|window| window.as_u64().unwrap_or(0) as usize).collect(),
        Some(_) => vec![config.positive("attention_window")?; n_layers],
    };
    if windows.len() != n_layers {
        return Err(config.fault(&format!("`attention_window` has {} windows for {n_layers} layers", windows.len())));
    }
    match windows.iter().find(|window| **window == 0 || !window.is_multiple_of(2)) {
        None => Ok(windows),
        Some(_) => {
            Err(config.fault("`attention_window` must be an even number above 0, or a list of such, one a layer"))
        }
    }
}

fn config(spec: &EncoderSpec, config: &mut Map<String, Value>) {
    config.insert("model_type".to_owned(), json!("longformer"));
    bert::write(spec, &bert::KEYS, config);
    if let Positions::AfterPadding(padding) = spec.positions {
        config.insert("pad_token_id".to_owned(), json!(padding));
    }
    let windows: Vec<_> = spec.layers.iter().map(|layer| 2 * layer.reach.unwrap_or(spec.max_positions)).collect();
    config.insert("attention_window".to_owned(), json!(windows));
}
