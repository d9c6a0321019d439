//! From the records of a run to what a report shows.

mod answers;
mod attention;
mod gates;
mod headline;
mod lengths;
mod models;
mod paired;
mod seeds;
mod sources;
mod steps;
mod summaries;

use std::collections::BTreeSet;

pub use self::answers::{Answers, Summary};
use self::{models::Table, sources::Sources};
use super::model::{
    AttentionTable, ConfusionLine, CurvePlot, DataProfile, Environment, Options, Report, ScoreLine, Series, StageLine,
    StageSamples,
};
use crate::stage::{Artifact, Metric, Record, RunNode, RunStatus, RunView};

impl Report {
    /// Gathers a report of a run.
    ///
    /// `scores` are the evaluations and benches to show; when there are none, all of the run. With `answers`, any two
    /// evaluations on the same rows are compared row by row, and summaries are shown. Anything may be missing: a report
    /// shows what there is.
    #[must_use]
    pub fn gather(run: &RunView, scores: &[Artifact], answers: &Answers, options: &Options) -> Self {
        let sources = Sources::of(run, scores);
        let families = seeds::families(run);
        let mut metrics = metrics(run, scores);
        metrics.extend(families.iter().flat_map(|family| {
            let named = |metric: &Metric| Metric { name: format!("{}.{}", family.name, metric.name), ..metric.clone() };
            family.metrics.iter().map(named).collect::<Vec<_>>()
        }));
        let gates = gates::judge(run, &metrics);
        let table = Table::of(run, &sources, answers, options);
        let mut report = Self {
            title: options.title.clone().filter(|title| !title.trim().is_empty()).unwrap_or_else(|| title(&run.name)),
            recipe: run.name.clone(),
            about: run.about.clone(),
            command: run.command.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            outcome: gates::outcome(&gates, run),
            subject: table.subject(&gates, options),
            quality: table.quality.clone(),
            speed: table.speed.clone(),
            models: table.lines(),
            seeds: table.quality.as_ref().map_or_else(Vec::new, |basis| {
                seeds::lines(run, &sources, &families, &basis.metric, table.baseline.as_deref())
            }),
            steps: steps::of(run, &table),
            speeds: table.speeds(),
            scores: score_lines(&sources),
            summaries: summaries::tables(&sources, answers),
            attention: attention(run, &sources),
            lengths: lengths::tables(run, &sources, &families, answers),
            curves: curves(run, |kind| kind != LAB && kind != PROFILES),
            confusions: confusions(&sources),
            data: data(run, answers),
            samples: samples(run),
            stages: run.nodes.iter().map(stage_line).collect(),
            environment: environment(&sources),
            warnings: warnings(run, scores),
            baseline: table.baseline,
            headline: String::new(),
            gates,
            metrics,
        };
        report.headline = headline::of(&report);
        report
    }
}

fn title(name: &str) -> String {
    if name.trim().is_empty() { "Report".to_owned() } else { name.to_owned() }
}

/// Every number of the run under its full name; of scores that the run does not list, too.
fn metrics(run: &RunView, scores: &[Artifact]) -> Vec<Metric> {
    let known: BTreeSet<&str> = run.nodes.iter().map(|node| node.name.as_str()).collect();
    let of_run = run.nodes.iter().map(|node| (node.name.as_str(), &node.record));
    let of_scores = scores
        .iter()
        .filter(|artifact| !known.contains(artifact.name.as_str()))
        .map(|artifact| (artifact.name.as_str(), &artifact.record));
    of_run
        .chain(of_scores)
        .flat_map(|(stage, record)| {
            record
                .metrics
                .iter()
                .map(move |metric| Metric { name: format!("{stage}.{}", metric.name), ..metric.clone() })
        })
        .collect()
}

fn score_lines(sources: &Sources<'_>) -> Vec<ScoreLine> {
    let evaluations = sources.evaluations.iter().map(|evaluation| ScoreLine {
        stage: evaluation.stage.to_owned(),
        model: evaluation.model.clone(),
        data: evaluation.data(),
        metrics: evaluation.record.metrics.clone(),
    });
    let comparisons = sources.comparisons.iter().map(|comparison| ScoreLine {
        stage: comparison.stage.to_owned(),
        model: format!("{} beside {}", comparison.own, comparison.baseline.unwrap_or("a saved baseline")),
        data: String::new(),
        metrics: comparison.record.metrics.clone(),
    });
    evaluations.chain(comparisons).collect()
}

/// The stage whose curves are by length.
const LAB: &str = "attention_lab";

/// The stage that looks at datasets, whose curves are histograms.
const PROFILES: &str = "profile";

/// What was found in datasets, in the order of the run; what the run does not list comes behind.
fn data(run: &RunView, answers: &Answers) -> Vec<DataProfile> {
    let mut data: Vec<DataProfile> = answers.data.values().cloned().collect();
    let place = |stage: &str| run.nodes.iter().position(|node| node.name == stage).unwrap_or(run.nodes.len());
    data.sort_by_key(|profile| place(&profile.stage));
    data
}

fn attention(run: &RunView, sources: &Sources<'_>) -> Vec<AttentionTable> {
    let table = |(stage, model, record): &(&str, String, &Record)| AttentionTable {
        curves: plots(run.nodes.iter().filter(|node| node.name == *stage)),
        ..attention::table(stage, model, record)
    };
    sources.labs.iter().map(table).collect()
}

/// The curves of stages of some kinds.
fn curves(run: &RunView, shows: impl Fn(&str) -> bool) -> Vec<CurvePlot> {
    plots(run.nodes.iter().filter(|node| shows(&node.kind)))
}

/// One plot a quantity, in the order in which the run first shows it.
fn plots<'a>(nodes: impl Iterator<Item = &'a RunNode>) -> Vec<CurvePlot> {
    let mut plots: Vec<CurvePlot> = Vec::new();
    for node in nodes {
        for curve in &node.record.curves {
            let points: Vec<_> =
                curve.points.iter().copied().filter(|point| point.iter().all(|value| value.is_finite())).collect();
            if points.is_empty() {
                continue;
            }
            let series = Series { name: curve.of.clone().unwrap_or_else(|| node.name.clone()), points };
            if let Some(plot) = plots.iter_mut().find(|plot| plot.name == curve.name && plot.x == curve.x) {
                plot.series.push(series);
            } else {
                let (name, x, is_log) = (curve.name.clone(), curve.x.clone(), curve.is_log);
                plots.push(CurvePlot { name, x, is_log, series: vec![series] });
            }
        }
    }
    plots
}

fn confusions(sources: &Sources<'_>) -> Vec<ConfusionLine> {
    sources
        .evaluations
        .iter()
        .filter_map(|evaluation| {
            let confusion = evaluation.record.confusion.clone().filter(|confusion| !confusion.labels.is_empty())?;
            Some(ConfusionLine { stage: evaluation.stage.to_owned(), model: evaluation.model.clone(), confusion })
        })
        .collect()
}

fn samples(run: &RunView) -> Vec<StageSamples> {
    run.nodes
        .iter()
        .filter(|node| !node.record.samples.is_empty())
        .map(|node| StageSamples {
            stage: node.name.clone(),
            kind: node.kind.clone(),
            samples: node.record.samples.clone(),
        })
        .collect()
}

fn stage_line(node: &RunNode) -> StageLine {
    StageLine {
        name: node.name.clone(),
        kind: node.kind.clone(),
        about: node.about.clone(),
        inputs: node.inputs.clone(),
        status: node.status,
        seconds: node.seconds,
        device: node.device.clone(),
        facts: node.record.facts.clone(),
        metrics: node.record.metrics.clone(),
    }
}

fn environment(sources: &Sources<'_>) -> Vec<Environment> {
    sources
        .benches
        .iter()
        .filter(|bench| !bench.record.facts.is_empty())
        .map(|bench| Environment { stage: bench.stage.to_owned(), facts: bench.record.facts.clone() })
        .collect()
}

fn warnings(run: &RunView, scores: &[Artifact]) -> Vec<(String, String)> {
    let mut warnings: Vec<(String, String)> = Vec::new();
    for node in &run.nodes {
        match node.status {
            RunStatus::Failed => warnings.push((node.name.clone(), "this stage failed".to_owned())),
            RunStatus::Skipped => {
                warnings.push((node.name.clone(), "this stage was skipped: something that it needs failed".to_owned()));
            }
            RunStatus::Waiting | RunStatus::Ran | RunStatus::Cached => {}
        }
        warnings.extend(node.record.warnings.iter().map(|text| (node.name.clone(), text.clone())));
    }
    for artifact in scores {
        for text in &artifact.record.warnings {
            let warning = (artifact.name.clone(), text.clone());
            if !warnings.contains(&warning) {
                warnings.push(warning);
            }
        }
    }
    warnings
}
