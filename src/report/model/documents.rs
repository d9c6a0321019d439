//! Attention mechanisms, summaries, and quality by length: what is told of long documents.

use super::{CurvePlot, Difference};
use crate::stage::Metric;

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
