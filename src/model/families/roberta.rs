//! `RoBERTa` (Liu et al., 2019) and, of the same shape with other tokens, `XLM-RoBERTa` (Conneau et al., 2020).

use serde_json::{Map, Value, json};

use super::{Family, bert};
use crate::model::{Activation, ClassifierHead, EncoderSpec, ModelError, Positions, checkpoint::Fields};

pub(super) static ROBERTA: Family = Family {
    model_type: "roberta",
    spec,
    config: |spec, config| write(spec, "roberta", config),
    names: NAMES,
    prefix: "roberta.",
    extra: &["roberta.embeddings.position_ids", "embeddings.position_ids"],
    architectures: ["RobertaModel", "RobertaForSequenceClassification", "RobertaForMaskedLM"],
};

pub(super) static XLM_ROBERTA: Family = Family {
    model_type: "xlm-roberta",
    spec,
    config: |spec, config| write(spec, "xlm-roberta", config),
    names: NAMES,
    prefix: "roberta.",
    extra: &["roberta.embeddings.position_ids", "embeddings.position_ids"],
    architectures: ["XLMRobertaModel", "XLMRobertaForSequenceClassification", "XLMRobertaForMaskedLM"],
};

const NAMES: &[(&str, &str)] = &[
    ("bert.embeddings.word_embeddings", "roberta.embeddings.word_embeddings"),
    ("bert.embeddings.position_embeddings", "roberta.embeddings.position_embeddings"),
    ("bert.embeddings.token_type_embeddings", "roberta.embeddings.token_type_embeddings"),
    ("bert.embeddings.LayerNorm", "roberta.embeddings.LayerNorm"),
    ("bert.encoder.layer.{i}.attention.self.query", "roberta.encoder.layer.{i}.attention.self.query"),
    ("bert.encoder.layer.{i}.attention.self.key", "roberta.encoder.layer.{i}.attention.self.key"),
    ("bert.encoder.layer.{i}.attention.self.value", "roberta.encoder.layer.{i}.attention.self.value"),
    ("bert.encoder.layer.{i}.attention.output.dense", "roberta.encoder.layer.{i}.attention.output.dense"),
    ("bert.encoder.layer.{i}.attention.output.LayerNorm", "roberta.encoder.layer.{i}.attention.output.LayerNorm"),
    ("bert.encoder.layer.{i}.intermediate.dense", "roberta.encoder.layer.{i}.intermediate.dense"),
    ("bert.encoder.layer.{i}.output.dense", "roberta.encoder.layer.{i}.output.dense"),
    ("bert.encoder.layer.{i}.output.LayerNorm", "roberta.encoder.layer.{i}.output.LayerNorm"),
    ("bert.pooler.dense", "roberta.pooler.dense"),
    ("cls.predictions", "lm_head"),
    ("cls.predictions.transform.dense", "lm_head.dense"),
    ("cls.predictions.transform.LayerNorm", "lm_head.layer_norm"),
    ("cls.predictions.decoder", "lm_head.decoder"),
    ("classifier.dense", "classifier.dense"),
    ("classifier", "classifier.out_proj"),
];

pub(super) fn spec(config: &Fields<'_>) -> Result<EncoderSpec, ModelError> {
    let mut spec = bert::read(config, &bert::KEYS)?;
    let padding = config.id_or("pad_token_id", 1)?;
    spec.positions = Positions::AfterPadding(padding);
    spec.max_positions =
        spec.max_positions.checked_sub(spec.positions.offset()).filter(|most| *most > 0).ok_or_else(|| {
            config.fault(&format!(
            "`max_position_embeddings` is {}, and positions begin behind `pad_token_id`, {padding}: no token has one",
            spec.max_positions
        ))
        })?;
    spec.classifier = ClassifierHead::Dense { activation: Activation::Tanh, drops_input: true };
    spec.masked_lm_activation = Activation::Gelu;
    Ok(spec)
}

fn write(spec: &EncoderSpec, model_type: &str, config: &mut Map<String, Value>) {
    config.insert("model_type".to_owned(), json!(model_type));
    bert::write(spec, &bert::KEYS, config);
    if let Positions::AfterPadding(padding) = spec.positions {
        config.insert("pad_token_id".to_owned(), json!(padding));
    }
}
