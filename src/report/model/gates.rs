//! How gates turned out.

use crate::stage::Verdict;

/// How the gates turned out together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    /// All gates are kept.
    Passed,
    /// A gate is not kept, or a stage failed.
    Failed,
    /// No gate failed, but some could not be judged.
    Unknown,
    /// The recipe has no gates.
    #[default]
    Ungated,
}

/// A gate and how it turned out.
#[derive(Clone, Debug, PartialEq)]
pub struct GateLine {
    /// What was found.
    pub verdict: Verdict,
    /// The gate as a sentence of its bound: `scores@int8.accuracy at most 0.02 below scores@teacher.accuracy`.
    pub text: String,
    /// How it turned out.
    pub state: GateState,
}

/// How a gate turned out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GateState {
    /// It is kept.
    Passed,
    /// It is not kept.
    Failed,
    /// It is not kept, and that is a warning only.
    Warned,
    /// It compares with a baseline that is not there, or of another machine.
    Unjudged,
    /// A stage that it asks about had not been done when the report was made.
    Unknown,
}
