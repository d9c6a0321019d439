//! `Comparison`: how a metric is compared in pairs, by a stage of its own.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The names of the stages that are wired to ports.
pub type Wired<'a> = &'a [(&'static str, Vec<String>)];

/// How a stage's metric is compared with what a baseline has: the stage that does it, and what it takes.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// The kind of the stage. What is compared with is wired to its port `baseline`, or named as its parameter `baseline`.
    pub stage: &'static str,
    /// Its other parameters.
    pub params: Value,
    /// What is compared: its port, and where it is from.
    pub of: (&'static str, Whose),
    /// What else is wired: the port, and the names of stages.
    pub inputs: Vec<(&'static str, Vec<String>)>,
    /// The metric that it finds.
    pub metric: String,
    /// What that metric is.
    pub finds: Finds,
}

/// Where what is compared is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// It is what the stage itself makes.
    Own,
    /// It is made by a stage of this name, from which it takes.
    Input(String),
}

/// What a comparison finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finds {
    /// The metric over that of the baseline. It is what gates with `vs: baseline` are judged by: no number of another moment says more.
    Ratio,
    /// The metric less that of the baseline, for gates with `test: paired`.
    Difference,
}
