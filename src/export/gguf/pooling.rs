//! How hidden states become one vector: what sentence-transformers wrote beside a model.

use std::path::Path;

use serde_json::Value;

use crate::{base::fs, export::ExportError};

/// llama.cpp's `llama_pooling_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pooling {
    Mean,
    /// The first token's.
    Cls,
    /// The last token's.
    Last,
    /// The first token's, through the classifier.
    Rank,
}

impl Pooling {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::Cls => "cls",
            Self::Last => "last",
            Self::Rank => "rank",
        }
    }

    pub(super) fn number(self) -> u32 {
        match self {
            Self::Mean => 1,
            Self::Cls => 2,
            Self::Last => 3,
            Self::Rank => 4,
        }
    }
}

/// The pooling of an encoder's folder, and why: what its `modules.json` names, else the mean.
pub(super) fn of(folder: &Path) -> Result<(Pooling, String), ExportError> {
    let modules = folder.join("modules.json");
    if !modules.is_file() {
        return Ok((Pooling::Mean, "since no `modules.json` names another".to_owned()));
    }
    let list = read(&modules)?;
    let kinds = list.as_array().into_iter().flatten().map(|module| (module, kind(module)));
    let mut config = None;
    for (module, kind) in kinds {
        match kind {
            "Transformer" | "Normalize" => {}
            "Pooling" if config.is_none() => config = Some(module["path"].as_str().unwrap_or("1_Pooling")),
            other => {
                return Err(wrong(&modules, &format!("names the module `{other}`, which `gguf` does not write")));
            }
        }
    }
    let Some(config) = config else {
        return Ok((Pooling::Mean, "since `modules.json` names none".to_owned()));
    };
    let path = folder.join(config).join("config.json");
    let settings = read(&path)?;
    let named: Vec<&str> = settings
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(key, value)| key.starts_with("pooling_mode_") && **value == Value::Bool(true))
        .map(|(key, _)| key.as_str())
        .collect();
    let pooling = match named[..] {
        ["pooling_mode_mean_tokens"] => Pooling::Mean,
        ["pooling_mode_cls_token"] => Pooling::Cls,
        ["pooling_mode_lasttoken"] => Pooling::Last,
        _ => {
            return Err(wrong(
                &path,
                &format!("sets {named:?}, and llama.cpp pools by the mean, the first token or the last one"),
            ));
        }
    };
    Ok((pooling, format!("as `{config}/config.json` says")))
}

/// The last part of a module's type, `sentence_transformers.models.Pooling`.
fn kind(module: &Value) -> &str {
    let named = module["type"].as_str().unwrap_or_default();
    named.rsplit('.').next().unwrap_or(named)
}

fn read(path: &Path) -> Result<Value, ExportError> {
    serde_json::from_slice(&fs::read(path)?).map_err(|error| wrong(path, &format!("is not JSON: {error}")))
}

fn wrong(path: &Path, what: &str) -> ExportError {
    ExportError::Unfit(format!("`{}` {what}", path.display()))
}
