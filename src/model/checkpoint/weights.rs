//! The weights of a model directory, whatever files they are in.

use std::{collections::BTreeMap, path::Path};

use super::{pickle, raw::Raw, safetensors};
use crate::{base::model_dir, model::ModelError};

/// Reads all tensors of a model directory.
///
/// # Errors
/// When a file is missing or damaged, a tensor is in two files, or is not where the index says.
pub(in crate::model) fn read_dir(dir: &Path) -> Result<BTreeMap<String, Raw>, ModelError> {
    let weights = model_dir::weights(dir).map_err(ModelError::Checkpoint)?;
    let mut tensors: BTreeMap<String, Raw> = BTreeMap::new();
    for file in &weights.files {
        let path = dir.join(file);
        let is_safetensors = path.extension().is_some_and(|extension| extension == "safetensors");
        for (name, raw) in if is_safetensors { safetensors::read_file(&path)? } else { pickle::read_file(&path)? } {
            if let Some(other) = tensors.get(&name) {
                let (one, two) = (other.file.display(), path.display());
                return Err(ModelError::Checkpoint(format!("`{name}` is in two files, `{one}` and `{two}`")));
            }
            tensors.insert(name, raw);
        }
    }
    let is_there = |(name, file): &(&String, &String)| tensors.get(*name).is_some_and(|raw| raw.file == dir.join(file));
    if let Some((name, file)) = weights.places.iter().find(|place| !is_there(place)) {
        let index = dir.join(weights.index.as_deref().unwrap_or_default());
        return Err(ModelError::Checkpoint(format!(
            "`{}` says that `{name}` is in `{file}`, but it is not",
            index.display()
        )));
    }
    Ok(tensors)
}
