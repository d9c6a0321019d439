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
    /// Spec to `config.json`: sets the family's keys and leaves the others.
    pub(super) config: fn(&EncoderSpec, &mut Map<String, Value>),
    /// The names of modules: ours, and theirs. `{i}` stands for the number of a layer.
    pub(super) names: &'static [(&'static str, &'static str)],
    /// The prefix of their encoder's tensors, which checkpoints of a bare encoder lack.
    pub(super) prefix: &'static str,
    /// Starts of their names that are dropped on purpose.
    pub(super) extra: &'static [&'static str],
    /// Their class names by head: none, sequence classification, masked LM.
    pub(super) architectures: [&'static str; 3],
}

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
        let find = |module: &str| {
            self.names
                .iter()
                .find_map(|(ours, theirs)| rename(module, theirs, ours))
                .map(|ours| format!("{ours}.{suffix}"))
        };
        find(module).or_else(|| find(&format!("{}{module}", self.prefix)))
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
        let found = self.names.iter().find_map(|(ours, theirs)| rename(module, ours, theirs));
        found.map_or_else(|| ours.to_owned(), |theirs| format!("{theirs}.{suffix}"))
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
