//! `Digest`: a BLAKE3 hash, shown short, stored whole.

use std::{
    fmt,
    fs::File,
    io::{self, Read, Write},
    path::{Path, PathBuf},
    str::FromStr,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A BLAKE3 hash of some content: 32 bytes, written as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of some bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// The digest of a file's content.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn of_file(path: &Path) -> io::Result<Self> {
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(File::open(path)?)?;
        Ok(Self(*hasher.finalize().as_bytes()))
    }

    /// The digest of the first bytes of a file.
    ///
    /// # Errors
    /// When the file cannot be read, or has fewer.
    pub fn of_start(path: &Path, bytes: u64) -> io::Result<Self> {
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(File::open(path)?.take(bytes))?;
        if hasher.count() < bytes {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(Self(*hasher.finalize().as_bytes()))
    }

    /// The digest of a folder: of the relative names and contents of all its files, in the order of their names.
    ///
    /// # Errors
    /// When the folder or one of its files cannot be read.
    pub fn of_dir(root: &Path) -> io::Result<Self> {
        Self::of_files(root, &files_below(root)?)
    }

    /// The digest of files below a folder: of their names relative to it and their contents, in their order.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn of_files(root: &Path, files: &[PathBuf]) -> io::Result<Self> {
        let mut hasher = blake3::Hasher::new();
        for file in files {
            let relative = file.strip_prefix(root).unwrap_or(file);
            let name = relative.to_string_lossy();
            hasher.update(&(name.len() as u64).to_le_bytes());
            hasher.update(name.as_bytes());
            hasher.update(&Self::of_file(&root.join(relative))?.0);
        }
        Ok(Self(*hasher.finalize().as_bytes()))
    }

    /// The first 12 digits, for people.
    #[must_use]
    pub fn short(&self) -> String {
        self.to_string()[..12].to_owned()
    }
}

/// What is written, and the digest of all of it so far.
pub struct Hashing<W> {
    to: W,
    hasher: blake3::Hasher,
}

impl<W: Write> Hashing<W> {
    /// Writes to `to`.
    pub fn new(to: W) -> Self {
        Self { to, hasher: blake3::Hasher::new() }
    }

    /// The digest of what was written.
    pub fn digest(&self) -> Digest {
        Digest(*self.hasher.finalize().as_bytes())
    }

    /// How many bytes were written.
    pub fn count(&self) -> u64 {
        self.hasher.count()
    }

    /// What is written to.
    pub fn get_mut(&mut self) -> &mut W {
        &mut self.to
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// All files below a folder, relative to it, sorted by name.
///
/// # Errors
/// When a folder cannot be read.
pub fn files_below(root: &Path) -> io::Result<Vec<PathBuf>> {
    let mut folders = vec![PathBuf::new()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(root.join(&folder))? {
            let entry = entry?;
            let relative = folder.join(entry.file_name());
            // `metadata` follows links, so a Hugging Face snapshot of links into `blobs/` reads as files.
            if std::fs::metadata(entry.path())?.is_dir() {
                folders.push(relative);
            } else {
                files.push(relative);
            }
        }
    }
    files.sort();
    Ok(files)
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(blake3::Hash::from_bytes(self.0).to_hex().as_str())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.short())
    }
}

impl FromStr for Digest {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let hash = blake3::Hash::from_hex(text).map_err(|error| format!("`{text}` is not a digest: {error}"))?;
        Ok(Self(*hash.as_bytes()))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_its_names_and_contents() {
        let dir = tempfile::tempdir().unwrap();
        let write =
            |name: &str, text: &str| super::super::fs::write_atomic(&dir.path().join(name), text.as_bytes()).unwrap();
        write("a", "1");
        write("b", "2");
        let first = Digest::of_dir(dir.path()).unwrap();
        assert_eq!(first, Digest::of_dir(dir.path()).unwrap());
        write("b", "3");
        let second = Digest::of_dir(dir.path()).unwrap();
        assert_ne!(first, second);
        write("b", "2");
        assert_eq!(first, Digest::of_dir(dir.path()).unwrap());
        assert_eq!(first.to_string().parse::<Digest>().unwrap(), first);
    }
}
