//! ELECTRA (Clark et al., 2020): BERT with embeddings of a width of their own.

use serde_json::{Map, Value, json};

use super::{Family, bert};
use crate::model::{Activation, ClassifierHead, EncoderSpec, ModelError, checkpoint::Fields};

pub(super) static FAMILY: Family = Family {
    model_type: "electra",
    spec,
    config,
    names: NAMES,
    prefix: "electra.",
    extra: &["electra.embeddings.position_ids", "embeddings.position_ids", "discriminator_predictions."],
    architectures: ["ElectraModel", "ElectraForSequenceClassification", "ElectraForMaskedLM"],
};

const NAMES: &[(&str, &str)] = &[
    ("bert.embeddings.word_embeddings", "electra.embeddings.word_embeddings"),
    ("bert.embeddings.position_embeddings", "electra.embeddings.position_embeddings"),
    ("bert.embeddings.token_type_embeddings", "electra.embeddings.token_type_embeddings"),
    ("bert.embeddings.LayerNorm", "electra.embeddings.LayerNorm"),
    ("bert.embeddings_project", "electra.embeddings_project"),
    ("bert.encoder.layer.{i}.attention.self.query", "electra.encoder.layer.{i}.attention.self.query"),
    ("bert.encoder.layer.{i}.attention.self.key", "electra.encoder.layer.{i}.attention.self.key"),
    ("bert.encoder.layer.{i}.attention.self.value", "electra.encoder.layer.{i}.attention.self.value"),
    ("bert.encoder.layer.{i}.attention.output.dense", "electra.encoder.layer.{i}.attention.output.dense"),
    ("bert.encoder.layer.{i}.attention.output.LayerNorm", "electra.encoder.layer.{i}.attention.output.LayerNorm"),
    ("bert.encoder.layer.{i}.intermediate.dense", "electra.encoder.layer.{i}.intermediate.dense"),
    ("bert.encoder.layer.{i}.output.dense", "electra.encoder.layer.{i}.output.dense"),
    ("bert.encoder.layer.{i}.output.LayerNorm", "electra.encoder.layer.{i}.output.LayerNorm"),
    ("cls.predictions.transform.dense", "generator_predictions.dense"),
    ("cls.predictions.transform.LayerNorm", "generator_predictions.LayerNorm"),
    ("cls.predictions.decoder", "generator_lm_head"),
    ("cls.predictions", "generator_lm_head"),
    ("classifier.dense", "classifier.dense"),
    ("classifier", "classifier.out_proj"),
];

fn spec(config: &Fields<'_>) -> Result<EncoderSpec, ModelError> {
    let mut spec = bert::read(config, &bert::KEYS)?;
    let width = config.positive_or("embedding_size", 128)?;
    spec.embedding_size = Some(width).filter(|width| *width != spec.hidden_size);
    spec.classifier = ClassifierHead::Dense { activation: Activation::Gelu, drops_input: true };
    spec.masked_lm_activation = Activation::Gelu;
    Ok(spec)
}

fn config(spec: &EncoderSpec, config: &mut Map<String, Value>) {
    config.insert("model_type".to_owned(), json!("electra"));
    bert::write(spec, &bert::KEYS, config);
    config.insert("embedding_size".to_owned(), json!(spec.embedding_width()));
}
