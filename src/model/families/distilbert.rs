//! `DistilBERT` (Sanh et al., 2019): BERT without token types and pooler, under names of its own.

use serde_json::{Map, Value};

use super::{
    Family,
    bert::{self, Keys},
};
use crate::model::{Activation, ClassifierHead, EncoderSpec, ModelError, checkpoint::Fields};

pub(super) const FAMILY: Family = Family {
    model_type: "distilbert",
    spec,
    config,
    unsaid: |_| None,
    prefix: "distilbert.",
    encoder: &[
        ("encoder.layer.{i}.attention.self.query", "transformer.layer.{i}.attention.q_lin"),
        ("encoder.layer.{i}.attention.self.key", "transformer.layer.{i}.attention.k_lin"),
        ("encoder.layer.{i}.attention.self.value", "transformer.layer.{i}.attention.v_lin"),
        ("encoder.layer.{i}.attention.output.dense", "transformer.layer.{i}.attention.out_lin"),
        ("encoder.layer.{i}.attention.output.LayerNorm", "transformer.layer.{i}.sa_layer_norm"),
        ("encoder.layer.{i}.intermediate.dense", "transformer.layer.{i}.ffn.lin1"),
        ("encoder.layer.{i}.output.dense", "transformer.layer.{i}.ffn.lin2"),
        ("encoder.layer.{i}.output.LayerNorm", "transformer.layer.{i}.output_layer_norm"),
    ],
    stacked: &[],
    heads: &[
        ("cls.predictions.transform.dense", "vocab_transform"),
        ("cls.predictions.transform.LayerNorm", "vocab_layer_norm"),
        ("cls.predictions.decoder", "vocab_projector"),
        ("cls.predictions", "vocab_projector"),
        ("classifier.dense", "pre_classifier"),
        ("classifier", "classifier"),
    ],
    extra: &[],
    can_lack_heads: true,
    architectures: classes!("DistilBert"),
};

const KEYS: Keys = Keys {
    hidden_size: "dim",
    layers: "n_layers",
    heads: "n_heads",
    intermediate_size: "hidden_dim",
    activation: "activation",
    default_activation: "gelu",
    // It has no such key: its code has this number.
    eps: "layer_norm_eps",
    dropout: "dropout",
    attention_dropout: "attention_dropout",
    classifier_dropout: "seq_classif_dropout",
};

fn spec(config: &Fields<'_>) -> Result<EncoderSpec, ModelError> {
    let mut spec = bert::read(config, &KEYS)?;
    spec.type_vocab_size = 0;
    // Its code has no other.
    spec.layer_norm_eps = 1e-12;
    spec.drops_attention_output = false;
    spec.classifier_dropout = spec.classifier_dropout.or(Some(0.2));
    spec.classifier = ClassifierHead::Dense { activation: Activation::Relu, drops_input: false };
    Ok(spec)
}

fn config(spec: &EncoderSpec, config: &mut Map<String, Value>) {
    bert::write(spec, &KEYS, config);
    config.shift_remove(KEYS.eps);
}
