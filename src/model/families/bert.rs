//! BERT (Devlin et al., 2019); MiniLM, `TinyBERT` and BERT-tiny are its shapes.

use serde_json::{Map, Value, json};

use super::{
    Family,
    common::{self, Defaults},
};
use crate::model::{EncoderSpec, ModelError, checkpoint::Fields};

pub(super) static FAMILY: Family = Family {
    model_type: "bert",
    spec,
    config,
    names: &[
        ("bert.embeddings.word_embeddings", "bert.embeddings.word_embeddings"),
        ("bert.embeddings.position_embeddings", "bert.embeddings.position_embeddings"),
        ("bert.embeddings.token_type_embeddings", "bert.embeddings.token_type_embeddings"),
        ("bert.embeddings.LayerNorm", "bert.embeddings.LayerNorm"),
        ("bert.encoder.layer.{i}.attention.self.query", "bert.encoder.layer.{i}.attention.self.query"),
        ("bert.encoder.layer.{i}.attention.self.key", "bert.encoder.layer.{i}.attention.self.key"),
        ("bert.encoder.layer.{i}.attention.self.value", "bert.encoder.layer.{i}.attention.self.value"),
        ("bert.encoder.layer.{i}.attention.output.dense", "bert.encoder.layer.{i}.attention.output.dense"),
        ("bert.encoder.layer.{i}.attention.output.LayerNorm", "bert.encoder.layer.{i}.attention.output.LayerNorm"),
        ("bert.encoder.layer.{i}.intermediate.dense", "bert.encoder.layer.{i}.intermediate.dense"),
        ("bert.encoder.layer.{i}.output.dense", "bert.encoder.layer.{i}.output.dense"),
        ("bert.encoder.layer.{i}.output.LayerNorm", "bert.encoder.layer.{i}.output.LayerNorm"),
        ("bert.pooler.dense", "bert.pooler.dense"),
        ("cls.predictions", "cls.predictions"),
        ("cls.predictions.transform.dense", "cls.predictions.transform.dense"),
        ("cls.predictions.transform.LayerNorm", "cls.predictions.transform.LayerNorm"),
        ("cls.predictions.decoder", "cls.predictions.decoder"),
        ("classifier", "classifier"),
    ],
    prefix: "bert.",
    extra: &["bert.embeddings.position_ids", "embeddings.position_ids", "cls.seq_relationship."],
    architectures: ["BertModel", "BertForSequenceClassification", "BertForMaskedLM"],
};

fn spec(config: &Fields<'_>) -> Result<EncoderSpec, ModelError> {
    common::spec(config, Defaults { type_vocab_size: 2, layer_norm_eps: 1e-12 })
}

fn config(spec: &EncoderSpec, config: &mut Map<String, Value>) {
    config.insert("model_type".to_owned(), json!("bert"));
    common::config(spec, config);
}
