//! `config.json`: typed fields, and errors that name the file and the key.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::{
    base::{fs, suggest},
    model::ModelError,
};

/// The object in a `config.json`.
pub(in crate::model) struct Fields<'a> {
    file: PathBuf,
    object: &'a Map<String, Value>,
}

/// Reads `config.json`.
///
/// # Errors
/// When it is missing or is not a JSON object.
pub(in crate::model) fn read(dir: &Path) -> Result<(PathBuf, Map<String, Value>), ModelError> {
    let file = dir.join("config.json");
    let text = fs::read_text(&file)?;
    match serde_json::from_str(&text) {
        Ok(Value::Object(object)) => Ok((file, object)),
        Ok(_) => Err(ModelError::Checkpoint(format!("`{}` is not a JSON object", file.display()))),
        Err(error) => Err(ModelError::Checkpoint(format!("`{}` is not JSON: {error}", file.display()))),
    }
}

impl<'a> Fields<'a> {
    pub(in crate::model) fn new(file: &Path, object: &'a Map<String, Value>) -> Self {
        Self { file: file.to_owned(), object }
    }

    /// An error at this file.
    pub(in crate::model) fn fault(&self, what: &str) -> ModelError {
        ModelError::Checkpoint(format!("`{}`: {what}", self.file.display()))
    }

    /// A value that is there and not null.
    pub(in crate::model) fn value(&self, key: &str) -> Option<&'a Value> {
        self.object.get(key).filter(|value| !value.is_null())
    }

    /// A whole number above 0.
    pub(in crate::model) fn positive(&self, key: &str) -> Result<usize, ModelError> {
        let Some(value) = self.value(key) else {
            let near = suggest::nearest(key, self.object.keys().map(String::as_str));
            let hint = near.map_or_else(String::new, |near| format!("; it has `{near}`"));
            return Err(self.fault(&format!("`{key}` is missing{hint}")));
        };
        // Far above every model, and low enough that no product of sizes overflows.
        match value.as_u64() {
            Some(number @ 1..=0x7fff_ffff) => Ok(number as usize),
            _ => Err(self.fault(&format!("`{key}` must be a whole number above 0, not `{value}`"))),
        }
    }

    pub(in crate::model) fn positive_or(&self, key: &str, default: usize) -> Result<usize, ModelError> {
        if self.value(key).is_some() { self.positive(key) } else { Ok(default) }
    }

    /// The number of a token.
    pub(in crate::model) fn id_or(&self, key: &str, default: u32) -> Result<u32, ModelError> {
        let Some(value) = self.value(key) else { return Ok(default) };
        let id = value.as_u64().and_then(|id| u32::try_from(id).ok()).filter(|id| *id < 0x7fff_ffff);
        id.ok_or_else(|| self.fault(&format!("`{key}` must be the number of a token, not `{value}`")))
    }

    pub(in crate::model) fn number_or(&self, key: &str, default: f64) -> Result<f64, ModelError> {
        let Some(value) = self.value(key) else { return Ok(default) };
        let number = value.as_f64().filter(|number| number.is_finite() && *number >= 0.0);
        number.ok_or_else(|| self.fault(&format!("`{key}` must be a number of at least 0, not `{value}`")))
    }

    /// A share in `[0, 1)`.
    pub(in crate::model) fn rate_or(&self, key: &str, default: f64) -> Result<f64, ModelError> {
        let rate = self.number_or(key, default)?;
        if rate < 1.0 { Ok(rate) } else { Err(self.fault(&format!("`{key}` must be below 1, not `{rate}`"))) }
    }

    pub(in crate::model) fn text(&self, key: &str) -> Result<Option<&'a str>, ModelError> {
        let Some(value) = self.value(key) else { return Ok(None) };
        match value.as_str() {
            Some(text) => Ok(Some(text)),
            None => Err(self.fault(&format!("`{key}` must be a text, not `{value}`"))),
        }
    }

    pub(in crate::model) fn flag(&self, key: &str) -> Result<Option<bool>, ModelError> {
        let Some(value) = self.value(key) else { return Ok(None) };
        match value.as_bool() {
            Some(flag) => Ok(Some(flag)),
            None => Err(self.fault(&format!("`{key}` must be true or false, not `{value}`"))),
        }
    }

    /// The labels that `id2label` names, in the order of their numbers.
    pub(super) fn labels(&self) -> Result<Option<Vec<String>>, ModelError> {
        let Some(value) = self.value("id2label") else { return Ok(None) };
        let wrong = || self.fault("`id2label` must map 0, 1, … to the names of the labels");
        let object = value.as_object().ok_or_else(wrong)?;
        let mut labels: Vec<Option<String>> = vec![None; object.len()];
        for (id, label) in object {
            let slot = id.parse::<usize>().ok().and_then(|id| labels.get_mut(id)).ok_or_else(wrong)?;
            *slot = Some(label.as_str().map_or_else(|| label.to_string(), str::to_owned));
        }
        labels.into_iter().collect::<Option<Vec<_>>>().filter(|labels| !labels.is_empty()).map(Some).ok_or_else(wrong)
    }
}
