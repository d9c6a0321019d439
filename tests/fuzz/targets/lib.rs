//! What the targets share: a folder in memory, and the tiny model whose one file is fuzzed.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A new folder, gone when dropped; in memory where the system has a place for that.
pub fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.expect("a folder can be made")
}

/// Writes a file of a folder.
pub fn write(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, bytes).expect("a file can be written");
    path
}

/// A folder with one file of the tiny classifier, and another that holds what is fuzzed.
pub fn model(file: &str, bytes: &[u8], other: &str) -> tempfile::TempDir {
    let (folder, tiny) = (folder(), Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/models/tiny-classifier"));
    write(folder.path(), file, bytes);
    fs::copy(tiny.join(other), folder.path().join(other)).expect("the tiny model is there");
    folder
}
