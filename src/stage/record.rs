//! What a stage leaves behind beside its output, and what a report sees of a run.

use serde::{Deserialize, Serialize};

use super::{Gate, Metric, References};
use crate::base::digest::Digest;

/// What a stage has to say about its output. It is stored as `record.json` in the artifact and is part of its content,
/// so it holds nothing that differs between two runs of the same work (no times; `bench` measures them on purpose).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Numbers.
    #[serde(default)]
    pub metrics: Vec<Metric>,
    /// Curves over steps or epochs.
    #[serde(default)]
    pub curves: Vec<Curve>,
    /// Texts before and after.
    #[serde(default)]
    pub samples: Vec<Sample>,
    /// Things worth knowing, name and text: `best epoch` – `2 of 3`.
    #[serde(default)]
    pub facts: Vec<(String, String)>,
    /// What a reader must know to judge the numbers.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// A table of counts: of a confusion matrix, rows are true labels, columns predicted ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confusion: Option<Confusion>,
}

/// A confusion matrix.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confusion {
    /// The labels, in order.
    pub labels: Vec<String>,
    /// `counts[true][predicted]`.
    pub counts: Vec<Vec<u64>>,
}

/// A curve.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Curve {
    /// What it shows: `training loss`, `validation accuracy`.
    pub name: String,
    /// What the x axis counts: `step`, `epoch`.
    pub x: String,
    /// Whose curve it is, where a stage has several of a name; the stage's own without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// Whether both axes are logarithmic: for what grows with a power.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_log: bool,
    /// The points, `[x, y]`.
    pub points: Vec<[f64; 2]>,
}

/// A text before and after a data stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// What was done: `stopwords`, `insert`.
    pub what: String,
    /// The text before.
    pub before: String,
    /// The text after.
    pub after: String,
}

impl Record {
    /// The metric of a name.
    #[must_use]
    pub fn metric(&self, name: &str) -> Option<&Metric> {
        self.metrics.iter().find(|metric| metric.name == name)
    }

    /// Adds a fact.
    pub fn fact(&mut self, name: impl Into<String>, text: impl Into<String>) {
        self.facts.push((name.into(), text.into()));
    }
}

/// What a stage with `SEES_RUN` sees of the run that it is part of.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct RunView {
    /// The recipe's `name`.
    pub name: String,
    /// The recipe's `about`.
    pub about: String,
    /// The command that makes this run again.
    pub command: String,
    /// The gates of the recipe.
    pub gates: Vec<Gate>,
    /// What gates compare with beside what the run itself has.
    #[serde(default)]
    pub references: References,
    /// The stages, in the order of the recipe; those that the report waits for are done.
    pub nodes: Vec<RunNode>,
}

/// A stage of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunNode {
    /// Its name with its cell.
    pub name: String,
    /// Its name without its seed, where it is run over seeds.
    #[serde(default)]
    pub family: Option<String>,
    /// Its kind.
    pub kind: String,
    /// The recipe's `about` for it.
    pub about: String,
    /// The names of the stages that it takes from.
    pub inputs: Vec<String>,
    /// What became of it.
    pub status: RunStatus,
    /// How long it ran; for a cached one, how long it had run when it was made.
    pub seconds: f64,
    /// The device that it ran on.
    pub device: String,
    /// A digest of all that can change its output but its inputs; two stages with the same one differ in what they took
    /// alone. None when an input of it was not made.
    #[serde(default)]
    pub settings: Option<Digest>,
    /// Its record, when it is done.
    pub record: Record,
}

/// What became of a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunStatus {
    /// Not begun.
    Waiting,
    /// It ran in this run.
    Ran,
    /// Its output was in the store.
    Cached,
    /// It failed.
    Failed,
    /// Something that it needs failed.
    Skipped,
}
