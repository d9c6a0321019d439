//! Reads a whole store: what is damaged, and how much there is.

use std::{fs, path::Path};

use super::{Action, Damage, DamageKind, Store, entries, object, read_json};
use crate::{
    base::digest::{self, Digest},
    engine::error::RunError,
};

/// How much a store holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct StoreSize {
    /// How many objects.
    pub objects: usize,
    /// The bytes of their files.
    pub object_bytes: u64,
    /// How many stages are known by their fingerprint.
    pub actions: usize,
    /// How many runs.
    pub runs: usize,
    /// The bytes of all files of the store.
    pub total_bytes: u64,
}

impl Store {
    /// Reads every object and every action, and tells what is not as it was written.
    ///
    /// # Errors
    /// When a folder of the store cannot be read.
    pub fn verify(&self) -> Result<Vec<Damage>, RunError> {
        let mut found = Vec::new();
        for dir in self.leaves("objects")? {
            let name = dir.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            match name.parse::<Digest>() {
                Ok(digest) => found.extend(self.examine(digest)),
                Err(_) => found.push(Damage { path: dir, kind: DamageKind::Foreign }),
            }
        }
        for path in self.leaves("actions")? {
            let stem = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
            match (stem.parse::<Digest>(), read_json::<Action>(&path, 1)) {
                (Ok(fingerprint), Ok(action)) if action.fingerprint == fingerprint => {}
                (Ok(_), Ok(_)) => found.push(Damage { path, kind: DamageKind::Content }),
                (Ok(_), Err(RunError::Unreadable { why, .. })) => {
                    found.push(Damage { path, kind: DamageKind::Unreadable(why) });
                }
                (Ok(_), Err(error)) => found.push(Damage { path, kind: DamageKind::Unreadable(error.to_string()) }),
                (Err(_), _) => found.push(Damage { path, kind: DamageKind::Foreign }),
            }
        }
        Ok(found)
    }

    /// Reads an object and compares it with what was written.
    pub(super) fn examine(&self, digest: Digest) -> Vec<Damage> {
        let object = match self.object(digest) {
            Ok(object) => object,
            Err(damage) => return vec![damage],
        };
        let files = match object::list(&object.dir) {
            Ok(files) => files,
            Err(error) => return vec![Damage { path: object.dir, kind: DamageKind::Unreadable(error.to_string()) }],
        };
        let expected = &object.manifest.files;
        let mut found = Vec::new();
        for file in &files {
            let kind = match expected.iter().find(|entry| entry.path == file.path) {
                None => DamageKind::Foreign,
                Some(entry) if entry.digest != file.digest => DamageKind::Content,
                Some(_) => continue,
            };
            found.push(Damage { path: object.dir.join(&file.path), kind });
        }
        if found.is_empty() && object::content_digest(&files) != digest {
            found.push(Damage { path: object.dir.join(object::MANIFEST), kind: DamageKind::Content });
        }
        found
    }

    /// The digests of all objects, sorted; whether they are whole is another question.
    ///
    /// # Errors
    /// When a folder of the store cannot be read.
    pub fn objects(&self) -> Result<Vec<Digest>, RunError> {
        Ok(self.leaves("objects")?.iter().filter_map(|dir| dir.file_name()?.to_str()?.parse().ok()).collect())
    }

    /// How much the store holds.
    ///
    /// # Errors
    /// When a folder of the store cannot be read.
    pub fn size(&self) -> Result<StoreSize, RunError> {
        Ok(StoreSize {
            objects: self.leaves("objects")?.len(),
            object_bytes: bytes_below(&self.root.join("objects")),
            actions: self.leaves("actions")?.len(),
            runs: entries(&self.root.join("runs"))?.len(),
            total_bytes: bytes_below(&self.root),
        })
    }

    /// What lies in the shards of a folder.
    pub(super) fn leaves(&self, folder: &str) -> Result<Vec<std::path::PathBuf>, RunError> {
        let mut leaves = Vec::new();
        for shard in entries(&self.root.join(folder))? {
            if shard.is_dir() {
                leaves.extend(entries(&shard)?);
            } else {
                leaves.push(shard);
            }
        }
        Ok(leaves)
    }
}

/// The bytes of what can be read; a file that vanishes meanwhile counts nothing.
pub(super) fn bytes_below(root: &Path) -> u64 {
    let files = digest::files_below(root).unwrap_or_default();
    files.iter().filter_map(|file| fs::metadata(root.join(file)).ok()).map(|file| file.len()).sum()
}
