//! The list of families: one line a family.

/// The class names of a family, by the name that they begin with: the bare encoder's, and those of the heads.
macro_rules! classes {
    ($family:literal) => {
        [
            concat!($family, "Model"),
            concat!($family, "ForSequenceClassification"),
            concat!($family, "ForMaskedLM"),
            concat!($family, "ForTokenClassification"),
        ]
    };
}

mod albert;
mod bert;
mod distilbert;
mod electra;
mod longformer;
mod mobilebert;
mod modernbert;
mod roberta;

use serde_json::{Map, Value};

pub(super) use self::{bert::activation, longformer::windows};
use super::{EncoderSpec, ModelError, checkpoint::Fields, params::TOKEN_CLASSIFIER};
use crate::base::suggest;

/// What distinguishes a family: how its config reads as a spec, and how its tensors are called.
pub(super) struct Family {
    /// `model_type` in `config.json`.
    pub(super) model_type: &'static str,
    /// `config.json` to spec.
    pub(super) spec: fn(&Fields<'_>) -> Result<EncoderSpec, ModelError>,
    /// Spec to `config.json`: sets the family's keys but `model_type`, and leaves the others.
    config: fn(&EncoderSpec, &mut Map<String, Value>),
    /// What a spec has that the family's config cannot say, in words; nothing where it can say all.
    unsaid: fn(&EncoderSpec) -> Option<String>,
    /// The prefix of their encoder's tensors, which checkpoints of a bare encoder lack; ours is [`PREFIX`].
    pub(super) prefix: &'static str,
    /// The encoder's modules that are not as in [`ENCODER`]: our names behind the prefix, and theirs. `{i}` stands for the
    /// number of a layer, `{k}` for that of a feed-forward net.
    encoder: &'static [(&'static str, &'static str)],
    /// Modules that they keep as one, theirs behind the prefix and ours, whose rows stand one after the other in it.
    stacked: &'static [(&'static str, &'static [&'static str])],
    /// The modules of heads: our names, and theirs.
    heads: &'static [(&'static str, &'static str)],
    /// Starts of their names that are dropped on purpose.
    extra: &'static [&'static str],
    /// Whether their config can say which heads of a layer are gone, by `pruned_heads`.
    pub(super) can_lack_heads: bool,
    /// Their class names by head: none, sequence classification, masked LM, token classification.
    pub(super) architectures: [&'static str; 4],
}

/// What all families call the head of a token classifier; of most, a sequence classifier's last layer is called so, too.
const THEIR_TOKEN_CLASSIFIER: &str = "classifier";

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
    &albert::FAMILY,
    &bert::FAMILY,
    &distilbert::FAMILY,
    &electra::FAMILY,
    &longformer::FAMILY,
    &mobilebert::FAMILY,
    &modernbert::FAMILY,
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

/// Where a tensor of ours is in their checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Their name.
    pub(super) name: String,
    /// Which of how many parts of its rows; one of one where nothing is stacked.
    pub(super) part: (usize, usize),
}

impl Family {
    /// Their name of a tensor to ours, several where they stack them: old suffixes and missing prefixes are understood.
    /// Nothing when it is not the family's. A token classifier's head is called as a sequence classifier's, so that one must
    /// know which of them it is.
    pub(super) fn ours(&self, theirs: &str, classifies_tokens: bool) -> Vec<String> {
        let modern = match theirs.rsplit_once('.') {
            Some((module, "gamma")) => format!("{module}.weight"),
            Some((module, "beta")) => format!("{module}.bias"),
            _ => theirs.to_owned(),
        };
        let Some((module, suffix)) = modern.rsplit_once('.') else { return Vec::new() };
        if classifies_tokens && module == THEIR_TOKEN_CLASSIFIER {
            return vec![format!("{TOKEN_CLASSIFIER}.{suffix}")];
        }
        let head = self.heads.iter().find_map(|(ours, theirs)| rename(module, theirs, ours));
        let modules = head.map_or_else(|| self.our_encoder_modules(module), |module| vec![module]);
        modules.iter().map(|module| format!("{module}.{suffix}")).collect()
    }

    fn our_encoder_modules(&self, theirs: &str) -> Vec<String> {
        let module = theirs.strip_prefix(self.prefix).unwrap_or(theirs);
        let prefixed = |module: String| format!("{PREFIX}{module}");
        let stack = self.stacked.iter().find(|(theirs, _)| rename(module, theirs, theirs).is_some());
        if let Some((theirs, ours)) = stack {
            return ours.iter().filter_map(|ours| rename(module, theirs, ours)).map(prefixed).collect();
        }
        let own = self.encoder.iter().find_map(|(ours, theirs)| rename(module, theirs, ours));
        let shared = || ENCODER.iter().find_map(|name| rename(module, name, name));
        own.or_else(shared).map(prefixed).into_iter().collect()
    }

    /// Whether a tensor of theirs is dropped on purpose.
    pub(super) fn drops(&self, theirs: &str) -> bool {
        theirs.strip_prefix(self.prefix).unwrap_or(theirs) == "embeddings.position_ids"
            || self.extra.iter().any(|start| theirs.starts_with(start))
    }

    /// Sets the family's keys in a `config.json` and leaves the others.
    ///
    /// # Errors
    /// When the family's config cannot say what the spec is.
    pub(super) fn write_config(&self, spec: &EncoderSpec, config: &mut Map<String, Value>) -> Result<(), ModelError> {
        if let Some(what) = (self.unsaid)(spec) {
            return Err(ModelError::Checkpoint(what));
        }
        config.insert("model_type".to_owned(), self.model_type.into());
        (self.config)(spec, config);
        Ok(())
    }

    /// Our name of a module to theirs, and back; what is no module of ours stays.
    pub(super) fn their_module(&self, ours: &str) -> String {
        let theirs = self.place(&format!("{ours}.weight")).name;
        theirs.strip_suffix(".weight").unwrap_or(ours).to_owned()
    }

    /// As [`Self::their_module`]; several where they stack them.
    pub(super) fn our_modules(&self, theirs: &str, classifies_tokens: bool) -> Vec<String> {
        let ours = self.ours(&format!("{theirs}.weight"), classifies_tokens);
        if ours.is_empty() {
            return vec![theirs.to_owned()];
        }
        ours.iter().filter_map(|ours| ours.strip_suffix(".weight").map(str::to_owned)).collect()
    }

    /// Where a tensor of ours is in their checkpoint.
    pub(super) fn place(&self, ours: &str) -> Place {
        let whole = |name: String| Place { name, part: (0, 1) };
        let Some((module, suffix)) = ours.rsplit_once('.') else { return whole(ours.to_owned()) };
        let Some(module) = module.strip_prefix(PREFIX) else {
            if module == TOKEN_CLASSIFIER {
                return whole(format!("{THEIR_TOKEN_CLASSIFIER}.{suffix}"));
            }
            let theirs = self.heads.iter().find_map(|(ours, theirs)| rename(module, ours, theirs));
            return whole(theirs.map_or_else(|| ours.to_owned(), |theirs| format!("{theirs}.{suffix}")));
        };
        for (theirs, parts) in self.stacked {
            let renamed = parts.iter().enumerate().find_map(|(at, ours)| Some((at, rename(module, ours, theirs)?)));
            if let Some((at, theirs)) = renamed {
                return Place { name: format!("{}{theirs}.{suffix}", self.prefix), part: (at, parts.len()) };
            }
        }
        let own = self.encoder.iter().find_map(|(ours, theirs)| rename(module, ours, theirs));
        whole(format!("{}{}.{suffix}", self.prefix, own.as_deref().unwrap_or(module)))
    }
}

/// Renames a module when it fits the pattern `from`, whose `{…}` stand for numbers.
pub(super) fn rename(module: &str, from: &str, to: &str) -> Option<String> {
    let (mut segments, mut patterns) = (module.split('.'), from.split('.'));
    let mut renamed = to.to_owned();
    loop {
        match (segments.next(), patterns.next()) {
            (None, None) => return Some(renamed),
            (Some(number), Some(pattern)) if pattern.starts_with('{') => {
                let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
                renamed = is_number.then(|| renamed.replace(pattern, number))?;
            }
            (segment, pattern) if segment == pattern => {}
            _ => return None,
        }
    }
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
            assert_eq!(family.ours(theirs, false), Vec::from_iter(ours), "{theirs}");
            if let Some(ours) = ours {
                assert_eq!(family.ours(&family.place(ours).name, false), [ours]);
            }
        }
        for family in FAMILIES {
            assert_eq!(family.place("token_classifier.bias").name, "classifier.bias");
            assert_eq!(family.ours("classifier.bias", true), ["token_classifier.bias"]);
        }
    }

    #[test]
    fn stacked_modules_have_their_parts() {
        let family = of("modernbert").unwrap();
        let ours = ["query", "key", "value"].map(|name| format!("bert.encoder.layer.7.attention.self.{name}.weight"));
        assert_eq!(family.ours("model.layers.7.attn.Wqkv.weight", false), ours);
        for (at, ours) in ours.iter().enumerate() {
            let place = Place { name: "model.layers.7.attn.Wqkv.weight".to_owned(), part: (at, 3) };
            assert_eq!(family.place(ours), place);
        }
    }

    #[test]
    fn an_unknown_family_is_named() {
        assert!(of("berd").err().unwrap().ends_with("; did you mean `bert`?"));
        assert!(of("t5").err().unwrap().starts_with("`model_type` is `t5`; lmpipe reads `albert`, "));
    }
}
