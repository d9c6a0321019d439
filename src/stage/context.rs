//! `StageCtx`: all that a running stage may touch.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{Artifact, Better, Metric, Record, RunView, StageError, Unit};
use crate::base::{device::DeviceId, every::Every};

/// The stop signal: set once, seen by everything that holds a clone.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Asks everything to stop.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether a stop was asked for.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// The device that a stage was given, for as long as it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The device.
    pub device: DeviceId,
    /// How many threads it may use; the engine runs the stage in a pool of that many.
    pub threads: usize,
    /// Whether nothing else runs meanwhile.
    pub exclusive: bool,
}

/// Where a stage leaves what it has so far: what is in the folder is there again when it runs with the same key.
#[derive(Clone, Copy, Debug)]
pub struct Partial<'a> {
    /// The folder, which the stage makes when it has something to put there; it is removed when the stage is done.
    pub dir: &'a Path,
    /// How often the stage should leave something.
    pub every: Every,
}

/// How far a stage is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    /// How much is done.
    pub done: u64,
    /// How much there is; 0 when unknown.
    pub total: u64,
    /// What is counted: `row`, `step`, `round`.
    pub unit: &'static str,
    /// What else is worth a glance: `epoch 2/3 · loss 0.312`.
    pub message: String,
}

/// Where a stage's news go.
pub trait StageSink: Sync {
    /// It came further. May be called often; who draws it thins it out.
    fn progress(&self, progress: Progress);
    /// Something happened that is worth a line: `epoch 2: validation accuracy 86.1 %`.
    fn note(&self, text: String);
}

/// All that a running stage may touch.
pub struct StageCtx<'a> {
    /// Its name with its cell: `scores@int8`.
    pub name: &'a str,
    /// What is wired to its ports, by port.
    pub inputs: &'a [(&'static str, Vec<Artifact>)],
    /// An empty folder to write to.
    pub output: &'a Path,
    /// Where it may leave what it has so far, for when it is interrupted.
    pub partial: Option<Partial<'a>>,
    /// The device it was given.
    pub lease: Lease,
    /// The seed of the recipe, or of this cell.
    pub seed: u64,
    /// The folder that relative paths of the recipe start from.
    pub base_dir: &'a Path,
    /// The program itself, to measure in a process of its own.
    pub program: &'a Path,
    /// Whether to stop.
    pub cancel: &'a Cancel,
    /// Where news go.
    pub sink: &'a dyn StageSink,
    /// The run, for a stage with `SEES_RUN`.
    pub run: Option<&'a RunView>,
    /// What the stage leaves behind; the engine stores it.
    pub record: Record,
}

impl StageCtx<'_> {
    /// What is wired to a port that takes one.
    ///
    /// # Errors
    /// When nothing is: the stage asked for an optional port that it should have tried with [`Self::optional`].
    pub fn input(&self, port: &str) -> Result<&Artifact, StageError> {
        self.optional(port).ok_or_else(|| StageError::msg(format!("nothing is wired to `{port}`")))
    }

    /// What is wired to an optional port.
    #[must_use]
    pub fn optional(&self, port: &str) -> Option<&Artifact> {
        self.many(port).first()
    }

    /// Everything that is wired to a port that takes many.
    #[must_use]
    pub fn many(&self, port: &str) -> &[Artifact] {
        self.inputs.iter().find(|(name, _)| *name == port).map_or(&[], |(_, artifacts)| artifacts.as_slice())
    }

    /// A path of the recipe, from the recipe's folder.
    #[must_use]
    pub fn path(&self, path: &str) -> PathBuf {
        self.base_dir.join(path)
    }

    /// Adds a metric to the record.
    pub fn metric(&mut self, name: impl Into<String>, value: f64, unit: Unit, better: Better) {
        self.record.metrics.push(Metric::new(name, value, unit, better));
    }

    /// Ends the stage if a stop was asked for; to be called between units of work.
    ///
    /// # Errors
    /// When a stop was asked for.
    pub fn check_cancelled(&self) -> Result<(), StageError> {
        if self.cancel.is_cancelled() { Err(StageError::msg("stopped")) } else { Ok(()) }
    }
}
