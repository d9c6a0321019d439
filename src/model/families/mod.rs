//! The list of families: one line a family.

mod bert;
mod distilbert;
mod electra;
mod longformer;
mod roberta;

use serde_json::{Map, Value};

use super::{EncoderSpec, ModelError, checkpoint::Fields};
use crate::base::suggest;

/// What distinguishes a family: how its config reads as a spec, and how its tensors are called.
pub(super) struct Family {
    /// `model_type` in `config.json`.
    pub(super) model_type: &'static str,
    /// `config.json` to spec.
    pub(super) spec: fn(&Fields<'_>) -> Result<EncoderSpec, ModelError>,
    /// Spec to `config.json`: sets the family's keys but `model_type`, and leaves the others.
    config: fn(&EncoderSpec, &mut Map<String, Value>),
    /// The prefix of their encoder's tensors, which checkpoints of a bare encoder lack; ours is [`PREFIX`].
    prefix: &'static str,
    /// The encoder's modules that are not as in [`ENCODER`]: our names behind the prefix, and theirs. `{i}` stands for the
    /// number of a layer.
    encoder: &'static [(&'static str, &'static str)],
    /// The modules of heads: our names, and theirs.
    heads: &'static [(&'static str, &'static str)],
    /// Starts of their names that are dropped on purpose.
    extra: &'static [&'static str],
    /// Their class names by head: none, sequence classification, masked LM.
    pub(super) architectures: [&'static str; 3],
}

/// The prefix of our encoder's tensors.
const PREFIX: &str = "bert.";

/// An encoder's modules behind its prefix, as we and most families call them.
const ENCODER: &[&str] = &[
    "embeddings.word_embeddings",
    "embeddings.position_embeddings",
    "embeddings.token_type_embeddings",
    "embeddings.LayerNorm",
    "encoder.layer.{i}.attention.self.query",
    "encoder.layer.{i}.attention.self.key",
    "encoder.layer.{i}.attention.self.value",
    "encoder.layer.{i}.attention.output.dense",
    "encoder.layer.{i}.attention.output.LayerNorm",
    "encoder.layer.{i}.intermediate.dense",
    "encoder.layer.{i}.output.dense",
    "encoder.layer.{i}.output.LayerNorm",
    "pooler.dense",
];

static FAMILIES: &[&Family] = &[
    &bert::FAMILY,
    &distilbert::FAMILY,
    &electra::FAMILY,
    &longformer::FAMILY,
    &roberta::ROBERTA,
    &roberta::XLM_ROBERTA,
];

/// The family of a `model_type`.
pub(super) fn of(model_type: &str) -> Result<&'static Family, String> {
    let names: Vec<_> = FAMILIES.iter().map(|family| family.model_type).collect();
    FAMILIES.iter().copied().find(|family| family.model_type == model_type).ok_or_else(|| {
        let near = suggest::nearest(model_type, names.iter().copied());
        let hint = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        format!("`model_type` is `{model_type}`; lmpipe reads {}{hint}", crate::base::plural::list(&names))
    })
}

/// The family that a model's `config.json` names.
pub(super) fn of_config(config: &Value) -> Result<&'static Family, ModelError> {
    of(config.get("model_type").and_then(Value::as_str).unwrap_or("bert")).map_err(ModelError::Checkpoint)
}

/// The family of a model that is made from a shape.
pub(super) fn default() -> &'static Family {
    &bert::FAMILY
}

impl Family {
    /// Their name of a tensor to ours: old suffixes and missing prefixes are understood. `None` when it is not the family's.
    pub(super) fn ours(&self, theirs: &str) -> Option<String> {
        let modern = match theirs.rsplit_once('.') {
            Some((module, "gamma")) => format!("{module}.weight"),
            Some((module, "beta")) => format!("{module}.bias"),
            _ => theirs.to_owned(),
        };
        let (module, suffix) = modern.rsplit_once('.')?;
        let head = self.heads.iter().find_map(|(ours, theirs)| rename(module, theirs, ours));
        let encoder = || {
            let module = module.strip_prefix(self.prefix).unwrap_or(module);
            let own = self.encoder.iter().find_map(|(ours, theirs)| rename(module, theirs, ours));
            let shared = || ENCODER.iter().find_map(|name| rename(module, name, name));
            own.or_else(shared).map(|module| format!("{PREFIX}{module}"))
        };
        head.or_else(encoder).map(|ours| format!("{ours}.{suffix}"))
    }

    /// Whether a tensor of theirs is dropped on purpose.
    pub(super) fn drops(&self, theirs: &str) -> bool {
        theirs.strip_prefix(self.prefix).unwrap_or(theirs) == "embeddings.position_ids"
            || self.extra.iter().any(|start| theirs.starts_with(start))
    }

    /// Sets the family's keys in a `config.json` and leaves the others.
    pub(super) fn write_config(&self, spec: &EncoderSpec, config: &mut Map<String, Value>) {
        config.insert("model_type".to_owned(), self.model_type.into());
        (self.config)(spec, config);
    }

    /// Our name of a module to theirs, and back; what is no module of ours stays.
    pub(super) fn their_module(&self, ours: &str) -> String {
        let theirs = self.theirs(&format!("{ours}.weight"));
        theirs.strip_suffix(".weight").unwrap_or(ours).to_owned()
    }

    /// As [`Self::their_module`].
    pub(super) fn our_module(&self, theirs: &str) -> String {
        let ours = self.ours(&format!("{theirs}.weight"));
        ours.and_then(|ours| ours.strip_suffix(".weight").map(str::to_owned)).unwrap_or_else(|| theirs.to_owned())
    }

    /// Our name of a tensor to theirs.
    pub(super) fn theirs(&self, ours: &str) -> String {
        let Some((module, suffix)) = ours.rsplit_once('.') else { return ours.to_owned() };
        let theirs = match module.strip_prefix(PREFIX) {
            Some(module) => {
                let own = self.encoder.iter().find_map(|(ours, theirs)| rename(module, ours, theirs));
                Some(format!("{}{}", self.prefix, own.as_deref().unwrap_or(module)))
            }
            None => self.heads.iter().find_map(|(ours, theirs)| rename(module, ours, theirs)),
        };
        theirs.map_or_else(|| ours.to_owned(), |theirs| format!("{theirs}.{suffix}"))
    }
}

/// Renames a module when it fits the pattern `from`.
fn rename(module: &str, from: &str, to: &str) -> Option<String> {
    let Some((before, after)) = from.split_once("{i}") else {
        return (module == from).then(|| to.to_owned());
    };
    let number = module.strip_prefix(before)?.strip_suffix(after)?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| to.replace("{i}", number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_both_ways() {
        let family = of("bert").unwrap();
        let cases = [
            ("bert.embeddings.LayerNorm.gamma", Some("bert.embeddings.LayerNorm.weight")),
            ("embeddings.LayerNorm.beta", Some("bert.embeddings.LayerNorm.bias")),
            ("encoder.layer.11.output.dense.weight_scale", Some("bert.encoder.layer.11.output.dense.weight_scale")),
            ("bert.encoder.layer.x.output.dense.weight", None),
            ("cls.predictions.bias", Some("cls.predictions.bias")),
            ("qa_outputs.weight", None),
        ];
        for (theirs, ours) in cases {
            assert_eq!(family.ours(theirs).as_deref(), ours, "{theirs}");
            if let Some(ours) = ours {
                assert_eq!(family.ours(&family.theirs(ours)).as_deref(), Some(ours));
            }
        }
    }

    #[test]
    fn an_unknown_family_is_named() {
        assert!(of("berd").err().unwrap().ends_with("; did you mean `bert`?"));
        assert!(of("t5").err().unwrap().starts_with("`model_type` is `t5`; lmpipe reads `bert`, "));
    }
}
