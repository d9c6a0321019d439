//! `DistilBERT` (Sanh et al., 2019): BERT without token types and pooler, under names of its own.

use serde_json::{Map, Value, json};

use super::{
    Family,
    bert::{self, Keys},
};
use crate::model::{Activation, ClassifierHead, EncoderSpec, ModelError, checkpoint::Fields};

pub(super) static FAMILY: Family = Family {
    model_type: "distilbert",
    spec,
    config,
    names: NAMES,
    prefix: "distilbert.",
    extra: &["distilbert.embeddings.position_ids", "embeddings.position_ids"],
    architectures: ["DistilBertModel", "DistilBertForSequenceClassification", "DistilBertForMaskedLM"],
};

const NAMES: &[(&str, &str)] = &[
    ("bert.embeddings.word_embeddings", "distilbert.embeddings.word_embeddings"),
    ("bert.embeddings.position_embeddings", "distilbert.embeddings.position_embeddings"),
    ("bert.embeddings.LayerNorm", "distilbert.embeddings.LayerNorm"),
    ("bert.encoder.layer.{i}.attention.self.query", "distilbert.transformer.layer.{i}.attention.q_lin"),
    ("bert.encoder.layer.{i}.attention.self.key", "distilbert.transformer.layer.{i}.attention.k_lin"),
    ("bert.encoder.layer.{i}.attention.self.value", "distilbert.transformer.layer.{i}.attention.v_lin"),
    ("bert.encoder.layer.{i}.attention.output.dense", "distilbert.transformer.layer.{i}.attention.out_lin"),
    ("bert.encoder.layer.{i}.attention.output.LayerNorm", "distilbert.transformer.layer.{i}.sa_layer_norm"),
    ("bert.encoder.layer.{i}.intermediate.dense", "distilbert.transformer.layer.{i}.ffn.lin1"),
    ("bert.encoder.layer.{i}.output.dense", "distilbert.transformer.layer.{i}.ffn.lin2"),
    ("bert.encoder.layer.{i}.output.LayerNorm", "distilbert.transformer.layer.{i}.output_layer_norm"),
    ("cls.predictions.transform.dense", "vocab_transform"),
    ("cls.predictions.transform.LayerNorm", "vocab_layer_norm"),
    ("cls.predictions.decoder", "vocab_projector"),
    ("cls.predictions", "vocab_projector"),
    ("classifier.dense", "pre_classifier"),
    ("classifier", "classifier"),
];

const KEYS: Keys = Keys {
    hidden_size: "dim",
    layers: "n_layers",
    heads: "n_heads",
    intermediate_size: "hidden_dim",
    activation: "activation",
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
    config.insert("model_type".to_owned(), json!("distilbert"));
    bert::write(spec, &KEYS, config);
    config.shift_remove("layer_norm_eps");
}
