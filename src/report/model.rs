//! What a report shows, as plain data.

mod data;

pub use data::{DataProfile, DataSide, DataSplit, LengthShape};

use crate::stage::{Confusion, Metric, RunStatus, Sample, Verdict};

/// What whoever asks for a report may choose.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The heading; the recipe's name when `None`.
    pub title: Option<String>,
    /// The model that others are compared with; found by lineage when `None`.
    pub baseline: Option<String>,
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

/// What the quality column shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QualityBasis {
    /// The metric's name: `accuracy`.
    pub metric: String,
    /// The dataset, if the evaluation named it.
    pub dataset: Option<String>,
    /// Its split, if the evaluation named it.
    pub split: Option<String>,
    /// How many rows were scored.
    pub rows: Option<u64>,
}

/// What the latency column shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpeedBasis {
    /// The bench stage.
    pub stage: String,
    /// Rows a batch.
    pub batch: u64,
    /// Tokens a row.
    pub length: u64,
    /// How many threads, if the bench said so.
    pub threads: Option<String>,
    /// The processor or, failing that, the machine.
    pub machine: Option<String>,
}

/// A model with its numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModelLine {
    /// Its stage: `student`.
    pub name: String,
    /// The kind of that stage: `distill`.
    pub kind: String,
    /// What the recipe says about it.
    pub about: String,
    /// Whether others are compared with it.
    pub is_baseline: bool,
    /// Its score.
    pub quality: Option<Metric>,
    /// How far its score is from the baseline's.
    pub difference: Option<Difference>,
    /// How often it says what its teacher says.
    pub agreement: Option<Metric>,
    /// Median latency at [`SpeedBasis`].
    pub latency: Option<Compared>,
    /// Peak memory of a process that runs it.
    pub peak_memory: Option<Compared>,
    /// Bytes on disk.
    pub size: Option<Compared>,
    /// Parameters.
    pub parameters: Option<Compared>,
    /// Multiply-accumulates of one row.
    pub macs: Option<Compared>,
}

/// A number and how much better it is than another model's.
#[derive(Clone, Debug, PartialEq)]
pub struct Compared {
    /// The number.
    pub metric: Metric,
    /// How much better; none for the baseline itself.
    pub gain: Option<Gain>,
}

/// A ratio that is above 1 where a model is better (faster, smaller, fewer) than another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gain {
    /// The ratio.
    pub factor: f64,
    /// Its 95 % interval, where rounds were paired.
    pub interval: Option<[f64; 2]>,
}

/// A difference of two scores: this model less the other, in the metric's unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// The difference.
    pub value: f64,
    /// Its 95 % interval.
    pub interval: Option<[f64; 2]>,
    /// Where the interval comes from.
    pub evidence: Evidence,
}

/// Where the interval of a difference comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// Both models were compared row by row.
    Paired,
    /// From the two models' own intervals, as if their rows were independent: wider than a paired one.
    Intervals,
    /// There is none.
    None,
}

/// An evaluation over seeds.
#[derive(Clone, Debug, PartialEq)]
pub struct SeedLine {
    /// Its stage without its seeds: `scores@student`.
    pub stage: String,
    /// How many seeds.
    pub n_seeds: usize,
    /// The mean, with its deviation and interval.
    pub metric: Metric,
    /// The stage that it is compared with; none for that itself.
    pub versus: Option<String>,
    /// The mean of the differences within a seed.
    pub difference: Option<Difference>,
}

/// What one stage cost: a model beside its nearest scored ancestor or, for a data stage, a model beside its control.
#[derive(Clone, Debug, PartialEq)]
pub struct StepLine {
    /// The stage: the model that it made, or the data.
    pub stage: String,
    /// The kind of the stage.
    pub kind: String,
    /// For a data stage, the model that learned from its output; `parent` is then the control, which differs from that
    /// model in not having this stage.
    pub learned: Option<String>,
    /// The model that this one is compared with; none for the first.
    pub parent: Option<String>,
    /// The model's score.
    pub quality: Metric,
    /// The parent's score.
    pub parent_quality: Option<f64>,
    /// How far the score is from the parent's.
    pub difference: Option<Difference>,
    /// How much smaller on disk than the parent.
    pub size: Option<Gain>,
    /// How much faster than the parent.
    pub speed: Option<Gain>,
}

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

/// Attention mechanisms by length.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AttentionTable {
    /// The stage.
    pub stage: String,
    /// The model.
    pub model: String,
    /// How wide windows are: `512 tokens`.
    pub window: Option<String>,
    /// The same as a number.
    pub window_tokens: Option<u64>,
    /// Tokens of a text, a column each.
    pub lengths: Vec<u64>,
    /// The mechanisms, full attention first.
    pub lines: Vec<AttentionLine>,
    /// Time, memory and work by length.
    pub curves: Vec<CurvePlot>,
}

/// A mechanism.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AttentionLine {
    /// Its name: `window_global`.
    pub mechanism: String,
    /// From which length on it is faster than full attention, in words.
    pub crossover: Option<String>,
    /// What it takes at each length.
    pub cells: Vec<AttentionCell>,
}

/// A mechanism at a length.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AttentionCell {
    /// The median time of a text.
    pub time: Option<Metric>,
    /// How many times as fast as full attention.
    pub speedup: Option<Metric>,
    /// The share of texts whose label it finds.
    pub accuracy: Option<Metric>,
}

/// Summaries of the same texts by several methods.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SummaryTable {
    /// `standards test`, as far as the stages said it.
    pub data: String,
    /// How many texts were summarised.
    pub rows: Option<u64>,
    /// The method that the examples are chosen by: of those that do not know the references, the best beside the lead.
    pub subject: Option<String>,
    /// The method of the first sentences that the subject was compared with.
    pub lead: Option<String>,
    /// The methods, the highest ROUGE-1 first.
    pub lines: Vec<SummaryLine>,
    /// Some texts with all that was made of them.
    pub examples: Vec<Example>,
}

/// A method that summarises.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SummaryLine {
    /// The stage with its cell.
    pub stage: String,
    /// What sets the stage apart from the others of its table: its cell, where it has one, or its whole name.
    pub name: String,
    /// What chose the sentences: `lex_rank`.
    pub method: String,
    /// The measures with their intervals, each beside the same measure of the first sentences.
    pub measures: Vec<(Metric, Option<Difference>)>,
    /// Words of a summary, on average.
    pub words: Option<Metric>,
}

/// A text that was summarised: an example, chosen by rank and not by hand.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Example {
    /// The row's id.
    pub id: String,
    /// Where it lies among all texts: `the median`.
    pub place: &'static str,
    /// The summary that somebody wrote.
    pub reference: String,
    /// The first sentences, then the subject's, then those of the others in the order of the table.
    pub texts: Vec<ExampleText>,
}

/// What a method made of an example.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExampleText {
    /// The method's name in the table.
    pub name: String,
    /// The summary, a sentence a line.
    pub text: String,
    /// Its ROUGE-1, a share.
    pub score: f64,
    /// How far that is from the ROUGE-1 of the first sentences; none for those themselves.
    pub gain: Option<f64>,
}

/// Quality by how many tokens of a text a model reads.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LengthTable {
    /// The dataset and its split.
    pub data: String,
    /// The model that reads least, which the others are compared with.
    pub baseline: Option<String>,
    /// The models, a line a family of those that differ in that length alone.
    pub lines: Vec<LengthLine>,
}

/// Models that differ in how much they read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LengthLine {
    /// The name that they share.
    pub name: String,
    /// The models, the shortest texts first.
    pub points: Vec<LengthPoint>,
}

/// A model that reads so many tokens of a text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LengthPoint {
    /// The evaluation.
    pub stage: String,
    /// The model.
    pub model: String,
    /// Tokens of a text at most.
    pub tokens: u64,
    /// Accuracy and macro F1, as far as they were measured, each beside those of the model that reads least.
    pub qualities: Vec<(Metric, Option<Difference>)>,
    /// Seconds that the model was trained for.
    pub training: Option<f64>,
    /// The median latency of a text of that length.
    pub latency: Option<Metric>,
    /// Peak memory of a process that runs the model.
    pub memory: Option<Metric>,
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

impl Gain {
    /// Whether the difference is real; `None` without an interval.
    #[must_use]
    pub fn is_significant(&self) -> Option<bool> {
        self.interval.map(|[low, high]| low > 1.0 || high < 1.0)
    }
}

impl Difference {
    /// Whether the difference is real; `None` without an interval.
    #[must_use]
    pub fn is_significant(&self) -> Option<bool> {
        self.interval.map(|[low, high]| low > 0.0 || high < 0.0)
    }
}

impl Report {
    /// The line of a model.
    #[must_use]
    pub fn model(&self, name: &str) -> Option<&ModelLine> {
        self.models.iter().find(|line| line.name == name)
    }
}
