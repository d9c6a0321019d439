//! ALBERT (Lan et al., 2020): narrow embeddings, and layers that share their weights.

use serde_json::{Map, Value, json};

use super::{
    Family,
    bert::{self, Keys},
};
use crate::model::{Embedding, EncoderSpec, ModelError, checkpoint::Fields};

pub(super) const FAMILY: Family = Family {
    model_type: "albert",
    spec,
    config,
    unsaid,
    prefix: "albert.",
    encoder: &[
        ("embeddings_project", "encoder.embedding_hidden_mapping_in"),
        ("encoder.layer.{i}.attention.self.query", "encoder.albert_layer_groups.{i}.albert_layers.0.attention.query"),
        ("encoder.layer.{i}.attention.self.key", "encoder.albert_layer_groups.{i}.albert_layers.0.attention.key"),
        ("encoder.layer.{i}.attention.self.value", "encoder.albert_layer_groups.{i}.albert_layers.0.attention.value"),
        ("encoder.layer.{i}.attention.output.dense", "encoder.albert_layer_groups.{i}.albert_layers.0.attention.dense"),
        (
            "encoder.layer.{i}.attention.output.LayerNorm",
            "encoder.albert_layer_groups.{i}.albert_layers.0.attention.LayerNorm",
        ),
        ("encoder.layer.{i}.intermediate.dense", "encoder.albert_layer_groups.{i}.albert_layers.0.ffn"),
        ("encoder.layer.{i}.output.dense", "encoder.albert_layer_groups.{i}.albert_layers.0.ffn_output"),
        ("encoder.layer.{i}.output.LayerNorm", "encoder.albert_layer_groups.{i}.albert_layers.0.full_layer_layer_norm"),
        ("pooler.dense", "pooler"),
    ],
    stacked: &[],
    heads: &[
        ("cls.predictions.transform.dense", "predictions.dense"),
        ("cls.predictions.transform.LayerNorm", "predictions.LayerNorm"),
        ("cls.predictions.decoder", "predictions.decoder"),
        ("cls.predictions", "predictions"),
        ("classifier", "classifier"),
    ],
    extra: &["sop_classifier."],
    can_lack_heads: false,
    architectures: classes!("Albert"),
};

const KEYS: Keys = Keys { default_activation: "gelu_new", classifier_dropout: "classifier_dropout_prob", ..bert::KEYS };

fn spec(config: &Fields<'_>) -> Result<EncoderSpec, ModelError> {
    let mut spec = bert::read(config, &KEYS)?;
    // Its projection is there even where it has nothing to widen.
    spec.embedding = Embedding::Projected(config.positive_or("embedding_size", 128)?);
    let (groups, n_layers) = (config.positive_or("num_hidden_groups", 1)?, spec.n_layers());
    if groups > n_layers {
        return Err(
            config.fault(&format!("`num_hidden_groups` ({groups}) is more than `num_hidden_layers` ({n_layers})"))
        );
    }
    if config.positive_or("inner_group_num", 1)? != 1 {
        return Err(config.fault("`inner_group_num` is not 1; lmpipe reads groups of one layer only"));
    }
    if spec.layers.iter().any(|layer| *layer != spec.layers[0]) {
        return Err(
            config.fault("`pruned_heads` names layers, which share their weights; lmpipe does not read such models")
        );
    }
    spec.layer_groups = Some(groups);
    spec.drops_feed_forward = false;
    spec.classifier_dropout = spec.classifier_dropout.or(Some(0.1));
    Ok(spec)
}

fn unsaid(spec: &EncoderSpec) -> Option<String> {
    let uneven = (0..spec.n_layers()).find(|&layer| spec.layers[layer] != spec.layers[0])?;
    Some(format!("layers of ALBERT have one shape, but layer {uneven} has another than layer 0"))
}

fn config(spec: &EncoderSpec, config: &mut Map<String, Value>) {
    bert::write(spec, &KEYS, config);
    config.insert("embedding_size".to_owned(), json!(spec.embedding_width()));
    config.insert("num_hidden_groups".to_owned(), json!(spec.n_stored_layers()));
}
