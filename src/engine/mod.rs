//! Runs a plan: who, where, when, cached or not.
//!
//! The engine knows nothing of tensors: a stage is a function that fills a folder. What it makes is kept in the
//! [`Store`] under the digest of its content, and found again under the fingerprint of everything that it was made
//! from. What happens is told as [`RunEvent`]s; the engine prints nothing.

mod baseline;
mod cache;
mod clock;
mod devices;
mod error;
mod event;
mod forecast;
mod journal;
mod reason;
mod record;
mod run;
mod scheduler;
mod store;
mod worker;

#[cfg(test)]
mod tests;

use std::{path::PathBuf, sync::Arc};

pub use baseline::Baseline;
pub use clock::seconds_since_1970;
pub use error::{MissingDevice, RunError};
pub use event::{EventSink, RunEvent};
pub use forecast::{Forecast, ForecastState, forecast};
pub use journal::{JournalEntry, event_line, read_journal};
pub use reason::why;
pub use record::{NodeRecord, RunRecord};
pub use run::run;
pub use store::{
    Action, Damage, DamageKind, FileEntry, LastKey, Limits, Lock, Manifest, Object, Parent, Removed, RunFolder, Shared,
    Store, StoreSize, StoredRun, Tidying,
};

use crate::base::{device::DeviceId, every::Every};

/// The version of lmpipe, as artifacts and runs note it.
pub const TOOL_VERSION: &str = env!("CARGO_PKG_VERSION");

/// What a run needs to know besides its plan.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The store: the `.lmpipe` folder.
    pub store: PathBuf,
    /// What is read and written through beside it.
    pub shared: Option<Arc<Shared>>,
    /// The program itself, for stages that measure in a process of their own.
    pub program: PathBuf,
    /// The command that makes this run again, for the report.
    pub command: String,
    /// The variables of the recipe that were set from outside.
    pub sets: Vec<(String, String)>,
    /// Whether a device is there, or why not.
    pub available: fn(DeviceId) -> Result<(), String>,
    /// How many threads may run at once.
    pub cores: usize,
    /// The machine; part of the fingerprint of what is measured on it.
    pub host: serde_json::Value,
    /// The sets of kernels that compute on the processor; part of the fingerprint of what is computed there.
    pub kernels: String,
    /// Whether to run everything, cached or not.
    pub force: bool,
    /// Stages that run again though they are cached, to compare what they make with what they made.
    pub verify: Vec<String>,
    /// How often a stage leaves what it has so far.
    pub checkpoints: Every,
    /// The folder that relative paths of the recipe start from.
    pub base_dir: PathBuf,
}
