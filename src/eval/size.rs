//! What a model costs on a disk.

use std::{fs, path::Path};

use super::EvalError;
use crate::base::fs::AtPath;

/// The bytes of a model folder that it needs to run: `config.json` and all weights. The tokenizer is not counted, as it
/// is the same for a model and what is made of it.
///
/// # Errors
/// When the folder cannot be read.
pub fn size_on_disk(dir: &Path) -> Result<u64, EvalError> {
    let mut bytes = 0;
    for entry in fs::read_dir(dir).at("cannot read", dir)? {
        let path = entry.at("cannot read", dir)?.path();
        let counts = path.extension().is_some_and(|extension| extension == "safetensors")
            || path.file_name().is_some_and(|name| name == "config.json");
        if counts {
            bytes += fs::metadata(&path).at("cannot read", &path)?.len();
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_what_runs() {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in [("model.safetensors", "12345"), ("config.json", "{}"), ("tokenizer.json", "{}")] {
            crate::base::fs::write_atomic(&dir.path().join(name), text.as_bytes()).unwrap();
        }
        assert_eq!(size_on_disk(dir.path()).unwrap(), 7);
        assert!(size_on_disk(&dir.path().join("no")).is_err());
    }
}
