//! `RunEvent` and `EventSink`: the only way out for news of a run.

use serde::Serialize;

use crate::{
    base::digest::Digest,
    plan::NodeId,
    stage::{Progress, Record, RunStatus},
};

/// Something that happened in a run. Inputs count as stages.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum RunEvent {
    /// A stage of the recipe wants a device that is not there, and gets the next of its list. Told once a device.
    DeviceFallback {
        /// The first stage that wants it.
        name: String,
        /// The device it wants.
        wanted: String,
        /// The device it gets.
        got: String,
        /// Why it does not get the one it wants.
        why: String,
    },
    /// The run has not begun: somebody else has the store.
    Waiting {
        /// Who, and what for.
        text: String,
    },
    /// A stage begins to run.
    Started {
        /// Its place in the plan.
        node: NodeId,
        /// Its name with its cell.
        name: String,
        /// Its kind.
        kind: String,
        /// The device it runs on.
        device: String,
        /// How many threads it may use.
        threads: usize,
    },
    /// A stage came further. What comes faster than an eye can follow is left out.
    Progress {
        /// Its place in the plan.
        node: NodeId,
        /// Its name with its cell.
        name: String,
        /// How far it is.
        #[serde(with = "ShownProgress")]
        progress: Progress,
    },
    /// A stage, or the engine about it, has something to say.
    Note {
        /// Its place in the plan.
        node: NodeId,
        /// Its name with its cell.
        name: String,
        /// What it says.
        text: String,
    },
    /// A stage is done.
    Finished {
        /// Its place in the plan.
        node: NodeId,
        /// Its name with its cell.
        name: String,
        /// [`RunStatus::Ran`], or [`RunStatus::Cached`] when its output was in the store.
        status: RunStatus,
        /// How long it ran; for a cached one, how long it had run when it was made.
        seconds: f64,
        /// The digest of its output.
        digest: Digest,
        /// What it leaves behind.
        record: Record,
    },
    /// A stage failed.
    Failed {
        /// Its place in the plan.
        node: NodeId,
        /// Its name with its cell.
        name: String,
        /// Why.
        error: String,
    },
    /// A stage cannot run, or was stopped before it was done.
    Skipped {
        /// Its place in the plan.
        node: NodeId,
        /// Its name with its cell.
        name: String,
        /// Why: `` `teacher` failed ``, `interrupted`.
        because: String,
    },
    /// The run is over.
    Ended {
        /// How long it took.
        seconds: f64,
        /// How many stages ran.
        ran: usize,
        /// How many were in the store.
        cached: usize,
        /// How many failed.
        failed: usize,
    },
}

/// Somebody who wants to know: the journal, a terminal, a test.
pub trait EventSink: Send {
    /// Something happened. Called from one thread, in the order in which it happened.
    fn event(&mut self, event: &RunEvent);
}

/// [`Progress`] as JSON.
#[derive(Serialize)]
#[serde(remote = "Progress")]
struct ShownProgress {
    done: u64,
    total: u64,
    unit: &'static str,
    message: String,
}
