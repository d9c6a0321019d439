//! The stages of a run and the machine that they ran on.

use crate::stage::{Metric, RunStatus, Sample};

/// Texts before and after a data stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageSamples {
    /// The stage.
    pub stage: String,
    /// Its kind.
    pub kind: String,
    /// The texts.
    pub samples: Vec<Sample>,
}

/// A stage of the run.
#[derive(Clone, Debug, PartialEq)]
pub struct StageLine {
    /// Its name with its cell.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// What the recipe says about it.
    pub about: String,
    /// The stages that it takes from.
    pub inputs: Vec<String>,
    /// What became of it.
    pub status: RunStatus,
    /// How long it ran.
    pub seconds: f64,
    /// The device that it ran on.
    pub device: String,
    /// What it has to say.
    pub facts: Vec<(String, String)>,
    /// Its numbers.
    pub metrics: Vec<Metric>,
}

/// Where a measurement was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// The stage that measured.
    pub stage: String,
    /// Name and text: `cpu`, `cores`, `kernel`.
    pub facts: Vec<(String, String)>,
}
