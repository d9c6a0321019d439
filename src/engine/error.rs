//! `RunError`: why a run did not take place; what goes wrong inside a stage is a fact of the run, not an error of it.

use std::path::PathBuf;

use crate::base::fs::PathError;

/// Why a run, or the look into a store, did not take place.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Stages ask for devices that are not there; nothing has run.
    #[error("{}", describe(.0))]
    Device(Vec<MissingDevice>),
    /// Another run holds the store.
    #[error(
        "the store `{}` is in use by {}; wait for it to end, or stop it",
        path.display(),
        match pid { Some(pid) => format!("another run (process {pid})"), None => "another run".to_owned() }
    )]
    Locked {
        /// The store.
        path: PathBuf,
        /// The process that holds it, if it said so.
        pid: Option<u32>,
    },
    /// A stop was asked for before anything ran.
    #[error("interrupted")]
    Stopped,
    /// The store was made by another version of the program.
    #[error(
        "the store `{}` has format {found}, and this version of lmpipe reads format {}; \
         remove the folder to start afresh, or use the version that made it",
        path.display(),
        super::store::FORMAT
    )]
    Format {
        /// The store.
        path: PathBuf,
        /// The format it says it has.
        found: String,
    },
    /// A file of the store does not say what it should.
    #[error("`{}` cannot be understood: {why}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// An object of the store is not there, or not what it was.
    #[error("{0}")]
    Object(#[from] super::store::Damage),
    /// A stage that ran again made something else than before.
    #[error("made again, it differs in {0}: the cache cannot be trusted with it, and this is a fault of lmpipe")]
    Differs(String),
    /// The shared store cannot be used.
    #[error("the shared store `{name}`: {why}")]
    Shared {
        /// The folder or the bucket.
        name: String,
        /// What is wrong.
        why: String,
    },
    /// Something in the shared store is not as it was written.
    #[error("the shared store `{name}` is damaged: {why}")]
    SharedDamage {
        /// The folder or the bucket.
        name: String,
        /// What it is.
        why: String,
    },
    /// A file could not be read or written.
    #[error(transparent)]
    Io(#[from] PathError),
}

/// A stage none of whose devices is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingDevice {
    /// The stage.
    pub node: String,
    /// The devices it may run on, and why each of them cannot be used.
    pub tried: Vec<(String, String)>,
}

impl RunError {
    /// Whether the store is to blame: damaged, locked, of another format, or not writable.
    #[must_use]
    pub fn is_store(&self) -> bool {
        !matches!(self, Self::Device(_) | Self::Stopped)
    }
}

fn describe(missing: &[MissingDevice]) -> String {
    let mut lines = Vec::new();
    for MissingDevice { node, tried } in missing {
        let tried: Vec<_> = tried
            .iter()
            // A reason usually names its device already.
            .map(|(device, why)| if why.contains(device) { why.clone() } else { format!("`{device}`: {why}") })
            .collect();
        lines.push(format!("no device for `{node}`: {}", tried.join("; ")));
    }
    lines.join("\n")
}
