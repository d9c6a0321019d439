//! The key that a stage of a recipe had last, to say what changed since.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Store, file_name, read_json};
use crate::{
    base::{canonical, digest::Digest, fs as files},
    engine::error::RunError,
};

const VERSION: u32 = 1;

/// What a stage of a recipe was made from last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LastKey {
    /// The version of this record.
    version: u32,
    /// The stage.
    pub node: String,
    /// The digest of its key.
    pub fingerprint: Digest,
    /// Its key.
    pub key: Value,
    /// The digest of its output.
    pub digest: Digest,
}

impl LastKey {
    /// A key and what it led to.
    #[must_use]
    pub fn new(node: &str, key: Value, digest: Digest) -> Self {
        Self { version: VERSION, node: node.to_owned(), fingerprint: canonical::digest(&key), key, digest }
    }
}

impl Store {
    /// The key that a stage of a recipe had last; none when it was never made, or nothing legible is left of it.
    #[must_use]
    pub fn last_key(&self, recipe: &str, node: &str) -> Option<LastKey> {
        let last: LastKey = read_json(&self.name_path(recipe, node), VERSION.into()).ok()?;
        // A file system may take names that differ in case for the same.
        (last.node == node).then_some(last)
    }

    /// Notes the key of a stage; writes nothing if it is noted already.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn put_last_key(&self, recipe: &str, last: &LastKey) -> Result<(), RunError> {
        let noted = self.last_key(recipe, &last.node);
        if noted.is_some_and(|noted| (noted.fingerprint, noted.digest) == (last.fingerprint, last.digest)) {
            return Ok(());
        }
        let path = self.name_path(recipe, &last.node);
        files::create_dir(path.parent().expect("the path has the recipe's folder above it"))?;
        self.write_json(&path, last)
    }

    fn name_path(&self, recipe: &str, node: &str) -> PathBuf {
        self.root.join("names").join(file_name(recipe)).join(format!("{}.json", file_name(node)))
    }
}
