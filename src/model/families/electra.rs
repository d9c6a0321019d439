//! ELECTRA (Clark et al., 2020): BERT with embeddings of a width of their own.

use serde_json::{Map, Value, json};

use super::{Family, bert};
use crate::model::{Activation, ClassifierHead, Embedding, EncoderSpec, ModelError, checkpoint::Fields};

pub(super) const FAMILY: Family = Family {
    model_type: "electra",
    spec,
    config,
    unsaid,
    prefix: "electra.",
    encoder: &[("embeddings_project", "embeddings_project")],
    stacked: &[],
    heads: &[
        ("cls.predictions.transform.dense", "generator_predictions.dense"),
        ("cls.predictions.transform.LayerNorm", "generator_predictions.LayerNorm"),
        ("cls.predictions.decoder", "generator_lm_head"),
        ("cls.predictions", "generator_lm_head"),
        ("classifier.dense", "classifier.dense"),
        ("classifier", "classifier.out_proj"),
    ],
    extra: &["discriminator_predictions."],
    can_lack_heads: true,
    architectures: classes!("Electra"),
};

fn spec(config: &Fields<'_>) -> Result<EncoderSpec, ModelError> {
    let mut spec = bert::read(config, &bert::KEYS)?;
    let width = config.positive_or("embedding_size", 128)?;
    spec.embedding = if width == spec.hidden_size { Embedding::Plain } else { Embedding::Projected(width) };
    spec.classifier = ClassifierHead::Dense { activation: Activation::Gelu, drops_input: true };
    spec.masked_lm_activation = Activation::Gelu;
    Ok(spec)
}

fn unsaid(spec: &EncoderSpec) -> Option<String> {
    (spec.embedding == Embedding::Projected(spec.hidden_size)).then(|| {
        format!(
            "ELECTRA has no projection of embeddings that are as wide as its layers, {0}: make the layers wider or narrower \
             than {0}",
            spec.hidden_size
        )
    })
}

fn config(spec: &EncoderSpec, config: &mut Map<String, Value>) {
    bert::write(spec, &bert::KEYS, config);
    config.insert("embedding_size".to_owned(), json!(spec.embedding_width()));
}
