//! Files that are written whole or not at all, and I/O errors that name the path.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// An I/O error and the path that it happened at.
#[derive(Debug, thiserror::Error)]
#[error("{action} `{}`: {source}", path.display())]
pub struct PathError {
    action: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl PathError {
    /// The kind of the I/O error.
    #[must_use]
    pub fn kind(&self) -> io::ErrorKind {
        self.source.kind()
    }
}

/// Adds the path to an I/O error.
pub trait AtPath<T> {
    /// Says what was attempted (`cannot read`, `cannot write`, …) and where.
    ///
    /// # Errors
    /// The same error, with its path.
    fn at(self, action: &'static str, path: &Path) -> Result<T, PathError>;
}

impl<T> AtPath<T> for io::Result<T> {
    fn at(self, action: &'static str, path: &Path) -> Result<T, PathError> {
        self.map_err(|source| PathError { action, path: path.to_owned(), source })
    }
}

/// Reads a text file.
///
/// # Errors
/// When it cannot be read, or is not UTF-8.
pub fn read_text(path: &Path) -> Result<String, PathError> {
    fs::read_to_string(path).at("cannot read", path)
}

/// Reads a file.
///
/// # Errors
/// When it cannot be read.
pub fn read(path: &Path) -> Result<Vec<u8>, PathError> {
    fs::read(path).at("cannot read", path)
}

/// Makes a folder and its parents.
///
/// # Errors
/// When it cannot be made.
pub fn create_dir(path: &Path) -> Result<(), PathError> {
    fs::create_dir_all(path).at("cannot create the folder", path)
}

/// Writes a file under a temporary name beside it, syncs it, and renames it: a reader sees the old content or the new.
///
/// # Errors
/// When the folder is missing or the file cannot be written; the old content then stays.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), PathError> {
    write_draft(path, bytes)?.publish()
}

/// A file that is written and synced, but not yet under its name. It is gone when this is dropped.
pub struct Draft {
    file: tempfile::NamedTempFile,
    path: PathBuf,
}

impl Draft {
    /// Where it lies now.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// Gives it its name.
    ///
    /// # Errors
    /// When it cannot be renamed; what had the name then stays.
    pub fn publish(self) -> Result<(), PathError> {
        let Self { file, path } = self;
        file.persist(&path).map(drop).map_err(|error| error.error).at("cannot write", &path)
    }
}

/// Writes a file under a temporary name beside the one that it is to have, for who wants to read it back first.
///
/// # Errors
/// When the folder is missing or the file cannot be written.
pub fn write_draft(path: &Path, bytes: &[u8]) -> Result<Draft, PathError> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    write_draft_in(folder, path, bytes)
}

/// The same with the temporary file in another folder of the same file system, where a kill leaves it to whoever clears that
/// folder.
///
/// # Errors
/// When the folder is missing or the file cannot be written.
pub fn write_draft_in(folder: &Path, path: &Path, bytes: &[u8]) -> Result<Draft, PathError> {
    let write = || -> io::Result<tempfile::NamedTempFile> {
        let mut file = tempfile::Builder::new().prefix(".lmpipe-").tempfile_in(folder)?;
        file.write_all(bytes)?;
        // `tempfile` makes files for the owner alone; what lmpipe writes is shared like any other file.
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            file.as_file().set_permissions(fs::Permissions::from_mode(0o644))?;
        }
        file.as_file().sync_all()?;
        Ok(file)
    };
    Ok(Draft { file: write().at("cannot write", path)?, path: path.to_owned() })
}

/// Removes the files of a folder whose names `keep` does not hold for.
///
/// # Errors
/// When the folder cannot be read, or a file not removed.
pub fn remove_others(dir: &Path, keep: impl Fn(&str) -> bool) -> Result<(), PathError> {
    for name in super::digest::files_below(dir).at("cannot read", dir)? {
        if !keep(&name.to_string_lossy()) {
            let path = dir.join(name);
            fs::remove_file(&path).at("cannot remove", &path)?;
        }
    }
    Ok(())
}

/// Syncs every file of a folder, then the folder: what is renamed afterwards is on the disk.
///
/// # Errors
/// When a file cannot be synced.
pub fn sync_dir(root: &Path) -> Result<(), PathError> {
    for relative in super::digest::files_below(root).at("cannot read", root)? {
        let path = root.join(relative);
        File::open(&path).and_then(|file| file.sync_all()).at("cannot sync", &path)?;
    }
    File::open(root).and_then(|file| file.sync_all()).at("cannot sync", root)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("missing/file");
        let error = write_atomic(&path, b"x").unwrap_err();
        assert!(error.to_string().starts_with("cannot write `"), "{error}");
        write_atomic(&dir.path().join("file"), b"x").unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_draft_has_its_name_when_it_is_published() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let draft = write_draft(&path, b"x").unwrap();
        assert!(!path.exists() && read(draft.path()).unwrap() == b"x");
        drop(draft);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is left of it");
        write_draft(&path, b"x").unwrap().publish().unwrap();
        assert_eq!(read(&path).unwrap(), b"x");
    }
}
