//! Scores, latencies and curves.

use super::Compared;
use crate::stage::{Confusion, Metric};

/// Latency by batch and length.
#[derive(Clone, Debug, PartialEq)]
pub struct SpeedTable {
    /// The bench stage.
    pub stage: String,
    /// The columns: rows a batch, tokens a row.
    pub points: Vec<(u64, u64)>,
    /// The model that speed-ups refer to.
    pub reference: Option<String>,
    /// A line a model.
    pub rows: Vec<SpeedRow>,
}

/// A model's latencies.
#[derive(Clone, Debug, PartialEq)]
pub struct SpeedRow {
    /// The model.
    pub model: String,
    /// A cell a point of the table.
    pub cells: Vec<Option<Compared>>,
    /// The 90th and 99th percentile a point, in milliseconds.
    pub tails: Vec<(Option<f64>, Option<f64>)>,
    /// Rows a second on real rows.
    pub throughput: Option<Compared>,
}

/// One evaluation with all its numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoreLine {
    /// The stage with its cell.
    pub stage: String,
    /// The model that was scored.
    pub model: String,
    /// `movie-reviews test`, as far as the evaluation said it.
    pub data: String,
    /// Its metrics.
    pub metrics: Vec<Metric>,
}

/// Curves of one quantity, a line a stage.
#[derive(Clone, Debug, PartialEq)]
pub struct CurvePlot {
    /// The quantity: `training loss`.
    pub name: String,
    /// What the x axis counts.
    pub x: String,
    /// Whether both axes are logarithmic.
    pub is_log: bool,
    /// The lines.
    pub series: Vec<Series>,
}

/// A line of a plot.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// What it is called.
    pub name: String,
    /// Its points, by x.
    pub points: Vec<[f64; 2]>,
}

/// A confusion matrix and whose it is.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfusionLine {
    /// The evaluation.
    pub stage: String,
    /// The model.
    pub model: String,
    /// The counts.
    pub confusion: Confusion,
}
