//! What a model directory holds: files and types, parameters and zeros of each part, and what `transformers` makes of it.

mod opening;
mod parts;
mod storage;

#[cfg(test)]
mod tests;

use std::path::Path;

use candle_core::Device;

pub use self::{
    opening::Opening,
    parts::{Part, Place, Within},
    storage::{StoredFile, StoredType},
};
use super::{Model, ModelError, checkpoint, families};

/// What a model directory holds.
#[derive(Debug)]
pub struct Inspection {
    /// The model, as any command reads it.
    pub model: Model,
    /// The `model_type` of its family.
    pub family: &'static str,
    /// The files of its weights.
    pub files: Vec<StoredFile>,
    /// Its parts, in the order of the computation.
    pub parts: Vec<Part>,
    /// The bytes of tensors that are no part of it.
    pub unused_bytes: u64,
    /// Whether and how `transformers` opens the directory.
    pub transformers: Opening,
}

/// Reads a model directory and looks at what is in it.
///
/// # Errors
/// As [`Model::load`].
pub fn inspect(dir: &Path) -> Result<Inspection, ModelError> {
    let (model, stored) = checkpoint::read(dir, &Device::Cpu)?;
    let family = families::of_config(&model.config)?;
    let (parts, unused_bytes) = parts::measure(&model, family, &stored)?;
    let files = storage::files(dir, &stored)?;
    let transformers = opening::judge(dir, &model, family, &stored)?;
    Ok(Inspection { family: family.model_type, files, parts, unused_bytes, transformers, model })
}
