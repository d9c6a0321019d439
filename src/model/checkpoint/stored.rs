//! How tensors are stored, before halves are widened and names become ours.

use std::{collections::BTreeMap, path::Path};

use super::{raw::Raw, safetensors};
use crate::model::ModelError;

/// A tensor in a file.
pub(in crate::model) struct Stored {
    /// Its name there.
    pub(in crate::model) name: String,
    /// Its type: `f32`, `bf16`, `i8`.
    pub(in crate::model) kind: String,
    /// What its numbers take.
    pub(in crate::model) bytes: u64,
    /// The name of the file.
    pub(in crate::model) file: String,
}

/// All tensors, by name.
pub(super) fn list(tensors: &BTreeMap<String, Raw>) -> Vec<Stored> {
    // A shape with a zero in it may claim any number of rows.
    let count = |raw: &Raw| raw.shape.iter().fold(1_usize, |count, size| count.saturating_mul(*size));
    let stored = |(name, raw): (&String, &Raw)| Stored {
        name: name.clone(),
        kind: format!("{:?}", raw.kind).to_lowercase(),
        bytes: count(raw) as u64 * raw.kind.bitsize() as u64 / 8,
        file: raw.file.file_name().unwrap_or_default().to_string_lossy().into_owned(),
    };
    tensors.iter().map(stored).collect()
}

/// What a safetensors file says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::model) enum Format {
    /// Nothing.
    Unsaid,
    /// Which program's it is, `pt` for `PyTorch`; none where it says other things only.
    Said(Option<String>),
}

/// Reads it.
///
/// # Errors
/// When the file cannot be read or is damaged.
pub(in crate::model) fn format(path: &Path) -> Result<Format, ModelError> {
    Ok(safetensors::about(path)?.map_or(Format::Unsaid, |about| Format::Said(about.get("format").cloned())))
}
