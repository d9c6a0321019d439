//! The action table: what a fingerprint led to.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Store, sync_folder};
use crate::{
    base::{canonical, digest::Digest, fs as files},
    engine::error::RunError,
    stage::ArtifactKind,
};

const VERSION: u32 = 1;

/// What a stage was made from and led to; the last thing that is written of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Action {
    /// The version of this record.
    pub version: u32,
    /// The stage that ran, by its name in the recipe.
    pub node: String,
    /// What it made.
    pub kind: ArtifactKind,
    /// The digest of the key. It is not computed from the key again: a number that is read back may differ in its last bit.
    pub fingerprint: Digest,
    /// All that could change its output.
    pub key: Value,
    /// The digest of its output.
    pub digest: Digest,
    /// How long it ran.
    pub seconds: f64,
    /// The device that it ran on.
    pub device: String,
    /// When it ended, RFC 3339.
    pub created: String,
    /// The version of lmpipe that ran it.
    pub tool_version: String,
    /// The digest of all above: one flipped bit, and the record is none.
    #[serde(default)]
    checksum: Option<Digest>,
}

impl Action {
    /// An action of this version of the program.
    #[must_use]
    pub fn new(node: &str, kind: ArtifactKind, key: Value, digest: Digest, seconds: f64, device: String) -> Self {
        let mut action = Self {
            version: VERSION,
            node: node.to_owned(),
            kind,
            fingerprint: canonical::digest(&key),
            key,
            digest,
            seconds,
            device,
            created: crate::engine::clock::now(),
            tool_version: crate::engine::TOOL_VERSION.to_owned(),
            checksum: None,
        };
        action.checksum = Some(action.digest_of_all());
        action
    }

    /// The action of a fingerprint as it was written; nothing of bytes that are not that.
    pub(super) fn read(bytes: &[u8], fingerprint: Digest) -> Option<Self> {
        let action: Self = serde_json::from_slice(bytes).ok()?;
        let is_whole = action.version == VERSION && action.checksum == Some(action.digest_of_all());
        (is_whole && action.fingerprint == fingerprint).then_some(action)
    }

    fn digest_of_all(&self) -> Digest {
        canonical::digest(&Self { checksum: None, ..self.clone() })
    }
}

impl Store {
    /// What a fingerprint led to. A record that cannot be read, or that does not belong to its fingerprint, is none.
    #[must_use]
    pub fn action(&self, fingerprint: Digest) -> Option<Action> {
        Action::read(&files::read(&self.action_path(fingerprint)).ok()?, fingerprint)
    }

    /// Whether there is a file for a fingerprint, readable or not.
    #[must_use]
    pub fn has_action(&self, fingerprint: Digest) -> bool {
        self.action_path(fingerprint).exists()
    }

    /// Notes what a fingerprint led to; from then on the stage is cached.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn put_action(&self, action: &Action) -> Result<(), RunError> {
        let path = self.action_path(action.fingerprint);
        let folder = path.parent().expect("the path has the shard above it");
        files::create_dir(folder)?;
        self.write_json(&path, action)?;
        sync_folder(folder)
    }

    pub(super) fn action_path(&self, fingerprint: Digest) -> PathBuf {
        let name = fingerprint.to_string();
        self.root.join("actions").join(&name[..2]).join(format!("{name}.json"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_record_that_cannot_be_trusted_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let key = json!({"stage": "toy", "params": {"n": 1}});
        let fingerprint = canonical::digest(&key);
        let action = Action::new("a", ArtifactKind::Model, key, Digest::of(b"x"), 1.5, "cpu".into());
        assert_eq!(store.action(fingerprint), None);
        store.put_action(&action).unwrap();
        assert_eq!(store.action(fingerprint), Some(action.clone()));

        let path = store.action_path(fingerprint);
        let text = files::read_text(&path).unwrap();
        for broken in [
            &text[..text.len() / 2],
            "",
            "null",
            "{}",
            &text.replace(&fingerprint.to_string(), &Digest::of(b"y").to_string()),
            &text.replace("\"version\": 1", "\"version\": 2"),
            &text.replace("\"node\"", "\"nodes\""),
        ] {
            files::write_atomic(&path, broken.as_bytes()).unwrap();
            assert_eq!(store.action(fingerprint), None, "{broken}");
            assert!(store.has_action(fingerprint));
        }
        store.put_action(&action).unwrap();
        assert_eq!(store.action(fingerprint), Some(action));
    }
}
