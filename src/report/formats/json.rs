//! `metrics.json`: every number of a run for programs; its version rises when its shape changes.

use serde::{Deserialize, Serialize};

use super::Renderer;
use crate::{
    report::{
        error::ReportError,
        model::{
            AttentionLine, AttentionTable, DataProfile, DataSplit, Example, GateState, LengthLine, LengthPoint,
            LengthTable, Outcome, Report, SummaryTable,
        },
        plot,
    },
    stage::Metric,
};

/// The version of the file's shape.
pub const METRICS_VERSION: u64 = 1;

/// Renders `metrics.json`.
pub(super) struct Json;

/// What `metrics.json` holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricsFile {
    /// [`METRICS_VERSION`].
    pub version: u64,
    /// The version of lmpipe that wrote it.
    pub lmpipe: String,
    /// The recipe's name.
    pub recipe: String,
    /// The command that makes the run again.
    pub command: String,
    /// The finding in one sentence.
    pub headline: String,
    /// `passed`, `failed`, `unknown` or `ungated`.
    pub outcome: String,
    /// The model that others are compared with.
    pub baseline: Option<String>,
    /// The model that the headline is about.
    pub subject: Option<String>,
    /// The gates.
    pub gates: Vec<MetricsGate>,
    /// Every number by its full name, `stage[@cell].metric`, in the order of the recipe. What is not a finite number is
    /// left out: JSON has no word for it.
    pub metrics: Vec<Metric>,
    /// Texts with all summaries that were made of them, chosen by rank.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<MetricsExample>,
    /// Models by how many tokens of a text they read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lengths: Vec<MetricsLength>,
    /// What is in the splits of datasets; the numbers are under the stage's name among the metrics.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub data: Vec<MetricsData>,
    /// How much of a text mechanisms of attention see.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub patterns: Vec<MetricsPattern>,
}

/// A split of a dataset in `metrics.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricsData {
    /// The stage that looked.
    pub stage: String,
    /// The dataset.
    pub data: String,
    /// The dataset that it stands beside.
    pub before: Option<String>,
    /// The split.
    pub split: String,
    /// Rows by label.
    pub labels: Vec<(String, u64)>,
    /// Rows by language, of those that were looked at.
    pub languages: Vec<(String, u64)>,
    /// The most frequent words that are no stop words.
    pub frequent: Vec<String>,
}

/// A mechanism of attention in `metrics.json`; its times are under the stage's name among the metrics.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricsPattern {
    /// The lab.
    pub stage: String,
    /// The mechanism.
    pub mechanism: String,
    /// Tokens of the text.
    pub tokens: u64,
    /// Tokens of a window or chunk.
    pub window: u64,
    /// The share of all pairs of tokens that see each other, over the layers.
    pub pairs: f64,
}

/// An example of summaries in `metrics.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricsExample {
    /// The dataset and its split.
    pub data: String,
    /// The row.
    pub id: String,
    /// `the median`: where it lies among all texts by how much `method` gains in ROUGE-1 over the first sentences.
    pub place: String,
    /// The method that the place is about.
    pub method: String,
    /// The summary that somebody wrote.
    pub reference: String,
    /// The summaries.
    pub summaries: Vec<MetricsSummary>,
}

/// A summary in `metrics.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricsSummary {
    /// The method.
    pub method: String,
    /// Its ROUGE-1, a share.
    pub rouge1: f64,
    /// The summary, a sentence a line.
    pub text: String,
}

/// A model by length in `metrics.json`; its scores are under the stage's name among the metrics.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricsLength {
    /// The dataset and its split.
    pub data: String,
    /// What the model shares with those that differ in the length alone.
    pub family: String,
    /// The model.
    pub model: String,
    /// The evaluation.
    pub stage: String,
    /// Tokens of a text at most.
    pub tokens: u64,
    /// Seconds that the model was trained for.
    pub training_seconds: Option<f64>,
}

/// A gate in `metrics.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricsGate {
    /// The metric.
    pub metric: String,
    /// What it is compared with.
    pub versus: Option<String>,
    /// The bound's key in a recipe: `max_drop`.
    pub bound: String,
    /// The bound.
    pub limit: f64,
    /// `passed`, `failed`, `warned`, `unjudged` or `unknown`.
    pub state: String,
    /// The metric's value.
    pub value: Option<f64>,
    /// What was found, in words.
    pub text: String,
}

impl MetricsFile {
    /// The file of a report.
    #[must_use]
    pub fn of(report: &Report) -> Self {
        let gates = report
            .gates
            .iter()
            .map(|line| {
                let gate = &line.verdict.gate;
                let (bound, limit, _) = gate.bound.parts();
                MetricsGate {
                    metric: gate.metric.clone(),
                    versus: gate.versus.clone(),
                    bound: bound.to_owned(),
                    limit,
                    state: state(line.state).to_owned(),
                    value: line.verdict.value.filter(|value| value.is_finite()),
                    text: line.verdict.text.clone(),
                }
            })
            .collect();
        let outcome = match report.outcome {
            Outcome::Passed => "passed",
            Outcome::Failed => "failed",
            Outcome::Unknown => "unknown",
            Outcome::Ungated => "ungated",
        };
        let finite = |metric: &&Metric| {
            metric.value.is_finite()
                && metric.interval.is_none_or(|interval| interval.iter().all(|end| end.is_finite()))
        };
        Self {
            version: METRICS_VERSION,
            lmpipe: report.version.clone(),
            recipe: report.recipe.clone(),
            command: report.command.clone(),
            headline: report.headline.clone(),
            outcome: outcome.to_owned(),
            baseline: report.baseline.clone(),
            subject: report.subject.clone(),
            gates,
            metrics: report.metrics.iter().filter(finite).cloned().collect(),
            examples: examples(report),
            lengths: lengths(report),
            data: data(report),
            patterns: patterns(report),
        }
    }

    /// Reads a file that some lmpipe wrote.
    ///
    /// # Errors
    /// When the text is not such a file, or has a version that this build does not know.
    pub fn read(text: &str) -> Result<Self, ReportError> {
        #[derive(Deserialize)]
        struct Version {
            version: u64,
        }
        let Version { version } = serde_json::from_str(text)?;
        if version != METRICS_VERSION {
            return Err(ReportError::Version { found: version, known: METRICS_VERSION });
        }
        Ok(serde_json::from_str(text)?)
    }

    /// The metric of a full name.
    #[must_use]
    pub fn metric(&self, name: &str) -> Option<&Metric> {
        self.metrics.iter().find(|metric| metric.name == name)
    }
}

impl Renderer for Json {
    fn name(&self) -> &'static str {
        "json"
    }

    fn file_name(&self) -> &'static str {
        "metrics.json"
    }

    fn render(&self, report: &Report) -> Result<String, ReportError> {
        Ok(serde_json::to_string_pretty(&MetricsFile::of(report))? + "\n")
    }
}

fn examples(report: &Report) -> Vec<MetricsExample> {
    let of = |table: &SummaryTable| {
        let example = |example: &Example| MetricsExample {
            data: table.data.clone(),
            id: example.id.clone(),
            place: example.place.to_owned(),
            method: table.subject.clone().unwrap_or_default(),
            reference: example.reference.clone(),
            summaries: example
                .texts
                .iter()
                .map(|of| MetricsSummary { method: of.name.clone(), rouge1: of.score, text: of.text.clone() })
                .collect(),
        };
        table.examples.iter().map(example).collect::<Vec<_>>()
    };
    report.summaries.iter().flat_map(of).collect()
}

fn lengths(report: &Report) -> Vec<MetricsLength> {
    let lines = report.lengths.iter().flat_map(|table| table.lines.iter().map(move |line| (table, line)));
    let points = lines.flat_map(|(table, line)| line.points.iter().map(move |point| (table, line, point)));
    let length = |(table, line, point): (&LengthTable, &LengthLine, &LengthPoint)| MetricsLength {
        data: table.data.clone(),
        family: line.name.clone(),
        model: point.model.clone(),
        stage: point.stage.clone(),
        tokens: point.tokens,
        training_seconds: point.training.filter(|seconds| seconds.is_finite()),
    };
    points.map(length).collect()
}

fn data(report: &Report) -> Vec<MetricsData> {
    let of = |profile: &DataProfile| {
        let split = |split: &DataSplit| MetricsData {
            stage: profile.stage.clone(),
            data: profile.data.clone(),
            before: profile.before.clone(),
            split: split.name.clone(),
            labels: split.now.labels.clone(),
            languages: split.now.languages.clone(),
            frequent: split.now.frequent.clone(),
        };
        profile.splits.iter().map(split).collect::<Vec<_>>()
    };
    report.data.iter().flat_map(of).collect()
}

fn patterns(report: &Report) -> Vec<MetricsPattern> {
    let of = |table: &AttentionTable| {
        let (tokens, window) = (table.lengths.iter().copied().max().unwrap_or(0), table.window_tokens.unwrap_or(0));
        let pattern = |line: &AttentionLine| {
            let found = plot::pattern(&line.mechanism, tokens, window).filter(|_| table.window_tokens.is_some())?;
            let (stage, mechanism) = (table.stage.clone(), line.mechanism.clone());
            Some(MetricsPattern { stage, mechanism, tokens, window, pairs: found.share })
        };
        table.lines.iter().filter_map(pattern).collect::<Vec<_>>()
    };
    report.attention.iter().flat_map(of).collect()
}

fn state(state: GateState) -> &'static str {
    match state {
        GateState::Passed => "passed",
        GateState::Failed => "failed",
        GateState::Warned => "warned",
        GateState::Unjudged => "unjudged",
        GateState::Unknown => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Answers;
    use crate::report::{fixture, model::Options};

    #[test]
    fn the_mobile_recipe() {
        let report = Report::gather(&fixture::run(), &fixture::scores(), &Answers::default(), &Options::default());
        let text = Json.render(&report).unwrap();
        let file = MetricsFile::read(&text).unwrap();
        let written = MetricsFile::of(&report);
        assert_eq!((&file.headline, &file.gates), (&written.headline, &written.gates));
        for (read, written) in file.metrics.iter().zip(&written.metrics) {
            assert_eq!((&read.name, read.unit, read.better), (&written.name, written.unit, written.better));
            // The reader of JSON may be off by one unit in the last place.
            assert!((read.value - written.value).abs() <= 1e-15 * written.value.abs(), "{}", read.name);
        }
        assert_eq!(file.metric("scores@int8.accuracy").unwrap().value, 0.8446);
        assert!(file.metric("speed.int8.latency.b1_l128.p50_ms").is_some());
        insta::assert_snapshot!(text);
    }

    #[test]
    fn the_recipe_of_long_documents() {
        let file = MetricsFile::of(&fixture::longdoc());
        assert!(file.metric("summaries@lex_rank.rouge1_vs_lead").is_some());
        let text = serde_json::to_string_pretty(&(&file.lengths, &file.patterns, &file.examples)).unwrap();
        insta::assert_snapshot!(text);
    }

    #[test]
    fn what_is_in_the_data() {
        let file = MetricsFile::of(&fixture::looked_at());
        assert!(file.metric("contents.leaks.test").is_some());
        insta::assert_snapshot!(serde_json::to_string_pretty(&file.data).unwrap());
    }

    #[test]
    fn other_versions_and_other_files_are_refused() {
        let error = MetricsFile::read(r#"{"version": 2, "new": true}"#).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`metrics.json` has version 2, this lmpipe reads version 1; render the report again"
        );
        assert!(MetricsFile::read("[]").is_err() && MetricsFile::read("").is_err());
    }
}
