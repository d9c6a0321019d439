//! What a report shows, as plain data.

mod data;
mod documents;
mod gates;
mod models;
mod run;
mod scores;

pub use self::{
    data::{DataProfile, DataSide, DataSplit, LengthShape},
    documents::{
        AttentionCell, AttentionLine, AttentionTable, Example, ExampleText, LengthLine, LengthPoint, LengthTable,
        SummaryLine, SummaryTable,
    },
    gates::{GateLine, GateState, Outcome},
    models::{Compared, Difference, Evidence, Gain, ModelLine, QualityBasis, SeedLine, SpeedBasis, StepLine},
    run::{Environment, StageLine, StageSamples},
    scores::{ConfusionLine, CurvePlot, ScoreLine, Series, SpeedRow, SpeedTable},
};
use crate::stage::Metric;

/// What whoever asks for a report may choose.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The heading; the recipe's name when `None`.
    pub title: Option<String>,
    /// The model that others are compared with; found by lineage when `None`.
    pub baseline: Option<String>,
    /// The model that the headline is about; found by the gates when `None`.
    pub subject: Option<String>,
}

/// All that a report shows.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The heading.
    pub title: String,
    /// The recipe's `name`.
    pub recipe: String,
    /// The recipe's `about`.
    pub about: String,
    /// The command that makes the run again.
    pub command: String,
    /// The version of lmpipe that made the report.
    pub version: String,
    /// The finding in one plain sentence.
    pub headline: String,
    /// How the gates turned out together.
    pub outcome: Outcome,
    /// The gates, in the order of the recipe.
    pub gates: Vec<GateLine>,
    /// The model that others are compared with.
    pub baseline: Option<String>,
    /// The model that the headline is about.
    pub subject: Option<String>,
    /// What the quality column shows.
    pub quality: Option<QualityBasis>,
    /// What the latency column shows.
    pub speed: Option<SpeedBasis>,
    /// The models, parents before children.
    pub models: Vec<ModelLine>,
    /// Models over seeds.
    pub seeds: Vec<SeedLine>,
    /// What each stage between two scored models cost.
    pub steps: Vec<StepLine>,
    /// Latency by batch and length, a table a bench.
    pub speeds: Vec<SpeedTable>,
    /// Every evaluation with all its numbers.
    pub scores: Vec<ScoreLine>,
    /// Summaries of the same texts by several methods, a table a dataset.
    pub summaries: Vec<SummaryTable>,
    /// Attention mechanisms by length, a table a lab.
    pub attention: Vec<AttentionTable>,
    /// Quality by how many tokens of a text a model reads, a table a dataset.
    pub lengths: Vec<LengthTable>,
    /// Training curves, a plot a quantity.
    pub curves: Vec<CurvePlot>,
    /// Confusion matrices.
    pub confusions: Vec<ConfusionLine>,
    /// What is in datasets.
    pub data: Vec<DataProfile>,
    /// Texts before and after data stages.
    pub samples: Vec<StageSamples>,
    /// The stages, in the order of the recipe.
    pub stages: Vec<StageLine>,
    /// Where measurements were made.
    pub environment: Vec<Environment>,
    /// What a reader must know to judge the numbers: stage and text.
    pub warnings: Vec<(String, String)>,
    /// Every number of the run, by its full name.
    pub metrics: Vec<Metric>,
}

impl Report {
    /// The line of a model.
    #[must_use]
    pub fn model(&self, name: &str) -> Option<&ModelLine> {
        self.models.iter().find(|line| line.name == name)
    }
}
