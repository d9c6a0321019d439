//! What `transformers` says to a model directory. Every rule was tried in transformers 4.57 and 5.24, and compressed-tensors 0.20.

use std::path::Path;

use regex::Regex;
use serde_json::Value;

use crate::{
    base::{model_dir, plural},
    model::{
        Head, Model, ModelError, Quantized,
        checkpoint::{DECODER, Format, Stored, format},
        families::Family,
        parameters,
    },
};

/// Whether and how `transformers` opens a model directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Opening {
    /// The class that holds the model.
    pub class: String,
    /// The major versions that open it.
    pub versions: Vec<u32>,
    /// Why others do not.
    pub reasons: Vec<String>,
    /// What must be installed beside it, or how new it must be.
    pub needs: Vec<String>,
    /// What differs from what one might expect.
    pub cautions: Vec<String>,
}

impl Opening {
    /// The answer in a sentence.
    #[must_use]
    pub fn describe(&self) -> String {
        let class = &self.class;
        let why = self.reasons.join("; ");
        let answer = match self.versions[..] {
            [] => return format!("cannot be opened: {why}"),
            [version] => format!("opens in transformers {version} only, as `{class}`: {why}"),
            _ if self.needs.is_empty() => format!("opens as it is: `{class}`"),
            _ => format!("opens as `{class}`"),
        };
        if self.needs.is_empty() { answer } else { format!("{answer}; needs {}", self.needs.join(", and ")) }
    }

    /// Says that only these of its versions open it.
    fn only(&mut self, versions: &[u32], reason: String) {
        self.versions.retain(|version| versions.contains(version));
        self.reasons.push(reason);
    }
}

/// Families whose encoders have no pooler.
const WITHOUT_POOLER: [&str; 3] = ["distilbert", "electra", "modernbert"];

/// Judges a directory by its model and its files.
///
/// # Errors
/// When a file of weights cannot be read.
pub(super) fn judge(dir: &Path, model: &Model, family: &Family, stored: &[Stored]) -> Result<Opening, ModelError> {
    let class = class(model, family);
    let mut opening = Opening { versions: vec![4, 5], ..Opening::default() };
    if family.model_type == "modernbert" {
        opening.needs.push("transformers 4.48 or newer".to_owned());
    }
    lost_heads(model, family, &mut opening);
    quantised(model, family, &class, &mut opening);
    names(family, &class, stored, &mut opening);
    for file in model_dir::weights(dir).map_err(ModelError::Checkpoint)?.files {
        if !file.ends_with(".safetensors") {
            if !opening.needs.iter().any(|need| need.starts_with("PyTorch")) {
                opening.needs.push("PyTorch 2.6 or newer, which reads pickles safely".to_owned());
            }
            continue;
        }
        match format(&dir.join(&file))? {
            Format::Said(Some(program)) if program == "pt" => {}
            Format::Unsaid => {
                opening
                    .cautions
                    .push(format!("`{file}` does not name its format, which older releases of transformers 4 refuse"));
            }
            Format::Said(_) => opening.only(&[5], format!("`{file}` does not say that its format is `pt`")),
        }
    }
    if model.head == Head::None && !model.spec.pooler && !WITHOUT_POOLER.contains(&family.model_type) {
        opening.cautions.push("it has no pooler: `pooler_output` is random there".to_owned());
    }
    for kind in ["f16", "bf16"] {
        if model.quantized == Quantized::No && stored.iter().any(|tensor| tensor.kind == kind) {
            opening
                .cautions
                .push(format!("transformers 5 computes in {kind}, as it is stored, and 4 in f32, unless told `dtype`"));
        }
    }
    Ok(Opening { class, ..opening })
}

/// The class that it opens as: that of the head, or the one that `config.json` names where it is more than lmpipe reads.
fn class(model: &Model, family: &Family) -> String {
    let named = model.config.get("architectures").and_then(|list| list.get(0)).and_then(Value::as_str);
    let [none, classification, masked_lm, token_classification] = family.architectures;
    let of_head = match model.head {
        Head::None => none,
        Head::SequenceClassification { .. } => classification,
        Head::TokenClassification { .. } => token_classification,
        Head::MaskedLm => masked_lm,
    };
    let is_more = |named: &&str| match model.head {
        Head::None => named.contains("For") && !family.architectures.contains(named),
        Head::SequenceClassification { .. } | Head::TokenClassification { .. } => false,
        Head::MaskedLm => named.ends_with("ForPreTraining"),
    };
    named.filter(is_more).unwrap_or(of_head).to_owned()
}

/// transformers 5 no longer reads `pruned_heads`.
fn lost_heads(model: &Model, family: &Family, opening: &mut Opening) {
    let n_heads = model.spec.inner_size() / model.spec.head_dim;
    let short = (0..model.spec.n_layers()).filter(|&layer| model.spec.layers[layer].heads != n_heads).count();
    if short == 0 {
        return;
    }
    let layers = plural::count(short, "layer");
    if model.spec.global_projections || !family.can_lack_heads {
        opening.only(&[], format!("heads are gone in {layers}, which `{}` cannot lack", family.architectures[0]));
    } else {
        opening.only(&[4], format!("heads are gone in {layers}, and transformers 5 does not read `pruned_heads`"));
    }
}

/// What is quantised must be what `quantization_config` says: a module by which they differ is garbage or an error there.
fn quantised(model: &Model, family: &Family, class: &str, opening: &mut Opening) {
    if model.quantized == Quantized::No {
        return;
    }
    opening.needs.push(if model.quantized.has_tables() {
        "`pip install compressed-tensors`, a release that knows quantised embeddings (0.20 does)".to_owned()
    } else {
        "`pip install compressed-tensors`".to_owned()
    });
    opening
        .cautions
        .push("transformers 4 opens quantised models in half precision unless told `dtype=torch.float32`".to_owned());
    let block = &model.config["quantization_config"];
    let ignore: Vec<&str> = block["ignore"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let groups = block["config_groups"].as_object();
    let targets: Vec<&Value> = groups
        .into_iter()
        .flat_map(|groups| groups.values())
        .flat_map(|group| group["targets"].as_array().into_iter().flatten())
        .collect();
    let few = model.quantized.weights();
    for (module, kind, is_narrow) in modules(model, family, class) {
        let Some(is_ignored) = is_ignored(&ignore, &module, kind) else { return };
        let is_meant = targets.iter().any(|target| *target == kind) && !is_ignored;
        if is_meant != is_narrow {
            let (is, says) = if is_narrow { (few, "f32") } else { ("f32", few) };
            opening.only(&[], format!("`{module}` is {is}, and `quantization_config` says {says} (by `ignore`)"));
            return;
        }
    }
}

/// Their linear layers and embedding tables, as their class names them: whether each is quantised.
fn modules(model: &Model, family: &Family, class: &str) -> Vec<(String, &'static str, bool)> {
    let mut ours: Vec<String> = parameters(&model.spec, &model.head)
        .into_iter()
        .filter(|parameter| parameter.shape.len() == 2)
        .filter_map(|parameter| parameter.name.strip_suffix(".weight").map(str::to_owned))
        .collect();
    if model.head == Head::MaskedLm {
        ours.extend(DECODER.strip_suffix(".weight").map(str::to_owned));
    } else if model.head == Head::None && !model.spec.pooler && !WITHOUT_POOLER.contains(&family.model_type) {
        // It is there, whether the checkpoint has it or not.
        ours.push("bert.pooler.dense".to_owned());
    }
    let is_bare = class == family.architectures[0];
    let mut modules: Vec<(String, &'static str, bool)> = Vec::new();
    for module in ours {
        let kind = if module.ends_with("_embeddings") { "Embedding" } else { "Linear" };
        let theirs = family.their_module(&module);
        let theirs = if is_bare { theirs.strip_prefix(family.prefix).unwrap_or(&theirs).to_owned() } else { theirs };
        if !modules.iter().any(|(known, ..)| *known == theirs) {
            let is_narrow = model.int8.contains_key(&module) || model.packed.contains_key(&module);
            modules.push((theirs, kind, is_narrow));
        }
    }
    modules
}

/// Whether a module is named by `ignore`; none where a pattern is not understood.
fn is_ignored(ignore: &[&str], module: &str, kind: &str) -> Option<bool> {
    let mut found = false;
    for entry in ignore {
        found |= match entry.strip_prefix("re:") {
            Some(pattern) => Regex::new(&format!("^(?:{pattern})")).ok()?.is_match(module),
            None => *entry == module || *entry == kind,
        };
    }
    Some(found)
}

/// Names without the family's prefix are a bare encoder's; transformers 4 looks for a head's under it, too.
fn names(family: &Family, class: &str, stored: &[Stored], opening: &mut Opening) {
    let has_prefix = stored.iter().any(|tensor| tensor.name.starts_with(family.prefix));
    if class != family.architectures[0] && !has_prefix {
        opening.only(&[5], format!("the encoder's tensors lack the prefix `{}` beside a head", family.prefix));
    }
}
