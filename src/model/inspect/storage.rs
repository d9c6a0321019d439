//! Which files the weights are in, and of which types.

use std::{collections::BTreeMap, fs, path::Path};

use crate::{
    base::{fs::AtPath, model_dir},
    model::{ModelError, checkpoint::Stored},
};

/// A file of weights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFile {
    /// Its name.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// The types of its tensors, by name.
    pub types: Vec<StoredType>,
}

/// The tensors of one type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredType {
    /// `f32`, `bf16`, `i8`.
    pub name: String,
    /// How many.
    pub tensors: usize,
    /// What their numbers take.
    pub bytes: u64,
}

/// The files of a directory and what is in them.
///
/// # Errors
/// When a file is gone.
pub(super) fn files(dir: &Path, stored: &[Stored]) -> Result<Vec<StoredFile>, ModelError> {
    let weights = model_dir::weights(dir).map_err(ModelError::Checkpoint)?;
    let mut files = Vec::new();
    for name in weights.files {
        let path = dir.join(&name);
        let bytes = fs::metadata(&path).at("cannot read", &path)?.len();
        let mut types: BTreeMap<&str, StoredType> = BTreeMap::new();
        for tensor in stored.iter().filter(|tensor| tensor.file == name) {
            let empty = || StoredType { name: tensor.kind.clone(), tensors: 0, bytes: 0 };
            let of_type = types.entry(&tensor.kind).or_insert_with(empty);
            of_type.tensors += 1;
            of_type.bytes += tensor.bytes;
        }
        files.push(StoredFile { name, bytes, types: types.into_values().collect() });
    }
    Ok(files)
}
