//! What interrupted stages left behind: a folder a fingerprint, which is gone when the stage is done.

use std::{fs, io::ErrorKind, path::PathBuf};

use super::{Store, entries};
use crate::{
    base::{digest::Digest, fs::AtPath},
    engine::error::RunError,
};

impl Store {
    /// The folder for what a stage has so far, whether it is there or not.
    pub(in crate::engine) fn partial_dir(&self, fingerprint: Digest) -> PathBuf {
        self.root.join("partial").join(fingerprint.to_string())
    }

    /// Removes what a stage left.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub(in crate::engine) fn remove_partial(&self, fingerprint: Digest) -> Result<(), RunError> {
        let dir = self.partial_dir(fingerprint);
        match fs::remove_dir_all(&dir) {
            Err(error) if error.kind() != ErrorKind::NotFound => Ok(Err(error).at("cannot remove", &dir)?),
            _ => Ok(()),
        }
    }

    /// Removes what stages left that are done: a run may be killed before it does so itself.
    pub(super) fn remove_done_partials(&self) -> Result<(), RunError> {
        for dir in entries(&self.root.join("partial"))? {
            let fingerprint = dir.file_name().and_then(|name| name.to_str()?.parse().ok());
            if let Some(fingerprint) = fingerprint.filter(|fingerprint| self.has_action(*fingerprint)) {
                self.remove_partial(fingerprint)?;
            }
        }
        Ok(())
    }
}
