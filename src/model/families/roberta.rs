//! `RoBERTa` (Liu et al., 2019) and, of the same shape with other tokens, `XLM-RoBERTa` (Conneau et al., 2020).

use serde_json::{Map, Value, json};

use super::{Family, bert};
use crate::model::{Activation, ClassifierHead, EncoderSpec, ModelError, Positions, checkpoint::Fields};

pub(super) const ROBERTA: Family = Family {
    model_type: "roberta",
    spec,
    config: write,
    unsaid: |_| None,
    prefix: "roberta.",
    encoder: &[],
    stacked: &[],
    heads: &[
        ("cls.predictions", "lm_head"),
        ("cls.predictions.transform.dense", "lm_head.dense"),
        ("cls.predictions.transform.LayerNorm", "lm_head.layer_norm"),
        ("cls.predictions.decoder", "lm_head.decoder"),
        ("classifier.dense", "classifier.dense"),
        ("classifier", "classifier.out_proj"),
    ],
    extra: &[],
    can_lack_heads: true,
    architectures: classes!("Roberta"),
};

pub(super) const XLM_ROBERTA: Family =
    Family { model_type: "xlm-roberta", architectures: classes!("XLMRoberta"), ..ROBERTA };

pub(super) fn spec(config: &Fields<'_>) -> Result<EncoderSpec, ModelError> {
    let mut spec = bert::read(config, &bert::KEYS)?;
    let padding = config.id_or("pad_token_id", 1)?;
    spec.positions = Positions::AfterPadding(padding);
    let rows = spec.max_positions;
    spec.max_positions = rows.saturating_sub(spec.positions.offset());
    if spec.max_positions == 0 {
        return Err(config.fault(&format!(
            "`max_position_embeddings` is {rows}, and positions begin behind `pad_token_id`, {padding}: no token has one"
        )));
    }
    spec.classifier = ClassifierHead::Dense { activation: Activation::Tanh, drops_input: true };
    spec.masked_lm_activation = Activation::Gelu;
    Ok(spec)
}

pub(super) fn write(spec: &EncoderSpec, config: &mut Map<String, Value>) {
    bert::write(spec, &bert::KEYS, config);
    if let Positions::AfterPadding(padding) = spec.positions {
        config.insert("pad_token_id".to_owned(), json!(padding));
    }
}
