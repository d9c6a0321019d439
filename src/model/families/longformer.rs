//! `Longformer` (Beltagy et al., 2020): `RoBERTa` with windows, and projections of their own for tokens that see everything.

use serde_json::{Map, Value, json};

use super::{Family, roberta};
use crate::model::{EncoderSpec, ModelError, checkpoint::Fields};

pub(super) const FAMILY: Family = Family {
    model_type: "longformer",
    spec,
    config,
    prefix: "longformer.",
    encoder: &[
        ("encoder.layer.{i}.attention.self.query_global", "encoder.layer.{i}.attention.self.query_global"),
        ("encoder.layer.{i}.attention.self.key_global", "encoder.layer.{i}.attention.self.key_global"),
        ("encoder.layer.{i}.attention.self.value_global", "encoder.layer.{i}.attention.self.value_global"),
    ],
    // No reader of its config knows the key.
    can_lack_heads: false,
    architectures: classes!("Longformer"),
    ..roberta::ROBERTA
};

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
pub(in crate::model) fn windows(config: &Fields<'_>, n_layers: usize) -> Result<Vec<usize>, ModelError> {
    let windows = match config.value("attention_window") {
        None => vec![512; n_layers],
        Some(Value::Array(windows)) => {
            let window = |value: &Value| value.as_u64().filter(|window| *window <= 0x7fff_ffff).unwrap_or(0) as usize;
            windows.iter().map(window).collect()
        }
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
    roberta::write(spec, config);
    let windows: Vec<_> = spec.layers.iter().map(|layer| 2 * layer.reach.unwrap_or(spec.max_positions)).collect();
    config.insert("attention_window".to_owned(), json!(windows));
}
