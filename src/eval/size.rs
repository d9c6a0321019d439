//! What a model costs on a disk.

use std::{fs, path::Path};

use super::EvalError;
use crate::base::{fs::AtPath, model_dir};

/// The bytes of a model folder that it needs to run: `config.json` and the weights that are read. The tokenizer is not
/// counted, as it is the same for a model and what is made of it.
///
/// # Errors
/// When there are no weights, or a file cannot be read.
pub fn size_on_disk(dir: &Path) -> Result<u64, EvalError> {
    let weights = model_dir::weights(dir).map_err(EvalError::Unfit)?;
    let mut bytes = 0;
    for name in ["config.json"].into_iter().chain(weights.all_files()) {
        let path = dir.join(name);
        bytes += fs::metadata(&path).at("cannot read", &path)?.len();
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_what_runs() {
        let dir = tempfile::tempdir().unwrap();
        let files = ["12345 model.safetensors", "{} config.json", "{} tokenizer.json", "123 pytorch_model.bin"];
        for (text, name) in files.map(|file| file.split_once(' ').unwrap()) {
            crate::base::fs::write_atomic(&dir.path().join(name), text.as_bytes()).unwrap();
        }
        assert_eq!(size_on_disk(dir.path()).unwrap(), 7);
        assert!(size_on_disk(&dir.path().join("no")).is_err());
    }
}
