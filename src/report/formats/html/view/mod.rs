//! What the page's template shows: texts and plots, ready to print; a file a section.

mod attention;
mod data;
mod lengths;
mod quality;
mod samples;
mod speed;
mod stages;
mod steps;
mod summaries;
mod summary;

use serde::Serialize;

use self::{
    attention::Attention,
    data::Data,
    lengths::Lengths,
    quality::{Matrix, Score},
    samples::Samples,
    speed::Speed,
    stages::Stage,
    steps::Steps,
    summaries::Summaries,
    summary::{Gate, Tile},
};
use crate::{
    base::{plural, units},
    report::{
        formats::gates_in_words,
        model::{CurvePlot, Outcome, Report},
        plot,
        table::{self, Table},
        words,
    },
    stage::{Metric, Unit},
};

/// The page.
#[derive(Serialize)]
pub(super) struct Page {
    title: String,
    recipe: String,
    about: String,
    command: String,
    version: String,
    outcome: &'static str,
    gates_in_words: String,
    headline: String,
    tiles: Vec<Tile>,
    gates: Vec<Gate>,
    warnings: Vec<(String, String)>,
    table: Table,
    fronts: Vec<Plot>,
    seeds: Vec<[String; 3]>,
    steps: Option<Steps>,
    speeds: Vec<Speed>,
    scores: Vec<Score>,
    summaries: Vec<Summaries>,
    attention: Vec<Attention>,
    lengths: Vec<Lengths>,
    curves: Vec<Plot>,
    confusions: Vec<Matrix>,
    data: Vec<Data>,
    samples: Vec<Samples>,
    graph: Option<Plot>,
    stages: Vec<Stage>,
    time: String,
    environment: Vec<(String, Vec<Fact>)>,
    metrics: Vec<[String; 3]>,
}

/// An image with its caption.
#[derive(Serialize)]
struct Plot {
    title: String,
    svg: String,
    caption: String,
}

/// Name, text, and whether the text needs a line of its own.
type Fact = (String, String, bool);

impl Page {
    /// The page of a report.
    pub(super) fn of(report: &Report) -> Self {
        Self {
            title: report.title.clone(),
            recipe: report.recipe.clone(),
            about: report.about.clone(),
            command: report.command.clone(),
            version: report.version.clone(),
            outcome: match report.outcome {
                Outcome::Passed => "passed",
                Outcome::Failed => "failed",
                Outcome::Unknown => "unknown",
                Outcome::Ungated => "ungated",
            },
            gates_in_words: words::capital(&gates_in_words(report)),
            headline: report.headline.clone(),
            tiles: summary::tiles(report),
            gates: summary::gates(report),
            warnings: report.warnings.clone(),
            table: table::of(report),
            fronts: quality::fronts(report),
            seeds: quality::seeds(report),
            steps: steps::of(report),
            speeds: report.speeds.iter().map(speed::of).collect(),
            scores: quality::scores(report),
            summaries: report.summaries.iter().map(summaries::of).collect(),
            lengths: report.lengths.iter().map(lengths::of).collect(),
            attention: report.attention.iter().map(attention::of).collect(),
            curves: curves(&report.curves),
            confusions: quality::matrices(report),
            data: report.data.iter().map(data::of).collect(),
            samples: report.samples.iter().map(samples::of).collect(),
            graph: stages::graph(report),
            stages: report.stages.iter().map(stages::of).collect(),
            time: stages::time(report),
            environment: report
                .environment
                .iter()
                .map(|environment| {
                    let facts = environment.facts.iter();
                    let facts = facts.map(|(name, text)| (name.clone(), text.clone(), text.chars().count() > 40));
                    (environment.stage.clone(), facts.collect())
                })
                .collect(),
            metrics: report
                .metrics
                .iter()
                .map(|metric| {
                    let interval = metric.interval.map(|interval| words::interval_of(metric.unit, interval));
                    [metric.name.clone(), exact(metric), interval.unwrap_or_default()]
                })
                .collect(),
        }
    }
}

fn curves(curves: &[CurvePlot]) -> Vec<Plot> {
    curves
        .iter()
        .map(|curve| {
            let most = curve.series.iter().map(|series| plot::thinning(series.points.len())).max().unwrap_or(1);
            let caption =
                if most > 1 { format!("Each point is the mean of up to {most} {}s.", curve.x) } else { String::new() };
            Plot { title: words::capital(&curve.name), svg: plot::lines(curve), caption }
        })
        .collect()
}

/// A metric with all the digits that a program would want.
fn exact(metric: &Metric) -> String {
    if !metric.value.is_finite() {
        return "not a number".to_owned();
    }
    match metric.unit {
        Unit::Bytes => {
            plural::count(0, "byte").replacen('0', &units::thousands(metric.value.max(0.0).round() as u64), 1)
        }
        _ => metric.show(),
    }
}
