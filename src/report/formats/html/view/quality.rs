//! What models are worth: Pareto fronts, scores, confusion matrices.

use serde::Serialize;

use super::Plot;
use crate::{
    base::units,
    report::{
        model::{ConfusionLine, ModelLine, Report, SeedLine},
        plot, words,
    },
    stage::{Better, Confusion, Unit},
};

/// Above so many labels a confusion matrix is drawn densely: counts alone, and names of columns on their sides.
const MOST_WIDE: usize = 5;

/// Above so many labels a confusion matrix is unreadable, and its largest confusions are listed instead.
const MOST_LABELS: usize = 12;

/// Letters of a label that lies on its side.
const MOST_LETTERS: usize = 32;

#[derive(Serialize)]
pub(super) struct Score {
    stage: String,
    model: String,
    data: String,
    metrics: Vec<(String, String)>,
}

#[derive(Serialize)]
pub(super) struct Matrix {
    model: String,
    stage: String,
    is_open: bool,
    is_dense: bool,
    labels: Vec<String>,
    /// The labels as they fit on their sides, and whole.
    columns: Vec<(String, String)>,
    rows: Vec<MatrixRow>,
    /// `true label`, `predicted label`, count; only where there are too many labels for a matrix.
    pairs: Vec<(String, String, String)>,
}

#[derive(Serialize)]
pub(super) struct MatrixRow {
    label: String,
    cells: Vec<MatrixCell>,
    /// The share of the row that is right.
    right: String,
    /// How many rows have the label.
    rows: String,
}

#[derive(Serialize)]
pub(super) struct MatrixCell {
    count: String,
    share: String,
    /// Of the row, 0 to 1, for the shade.
    weight: String,
    is_right: bool,
    is_none: bool,
    /// What the cell says in words.
    said: String,
}

/// Quality against size and against latency.
pub(super) fn fronts(report: &Report) -> Vec<Plot> {
    let Some(basis) = &report.quality else { return Vec::new() };
    let Some(first) = report.models.iter().find_map(|model| model.quality.as_ref()) else { return Vec::new() };
    let is_share = first.unit == Unit::Share;
    let name = basis.metric.replace('_', " ");
    let title = if is_share { format!("{name}, %") } else { name.clone() };
    let mut plots = Vec::new();
    let mut plot = |what: &str, axis: &str, cost: fn(&ModelLine) -> Option<f64>| {
        let dots: Vec<_> = report
            .models
            .iter()
            .filter_map(|model| {
                let quality = model.quality.as_ref()?;
                Some(plot::Dot {
                    name: model.name.clone(),
                    cost: cost(model)?,
                    quality: quality.value,
                    interval: quality.interval,
                })
            })
            .collect();
        if dots.len() > 1 {
            plots.push(Plot {
                title: words::capital(&format!("{name} against {what}")),
                svg: plot::scatter(axis, &title, &dots, is_share, first.better != Better::Lower),
                caption: String::new(),
            });
        }
    };
    plot("size", "size on disk, MB", |model| Some(model.size.as_ref()?.metric.value / 1e6));
    let axis = report.speed.as_ref().map_or_else(String::new, |speed| {
        format!("median latency, ms (batch {} × {} tokens)", speed.batch, speed.length)
    });
    plot("latency", &axis, |model| Some(model.latency.as_ref()?.metric.value));
    plots
}

/// Stage, mean, and how far it is from the baseline's.
pub(super) fn seeds(report: &Report) -> Vec<[String; 3]> {
    let versus = |line: &SeedLine| {
        line.versus.as_ref().map_or_else(String::new, |versus| format!("beside {versus}: {}", words::seeds_apart(line)))
    };
    report.seeds.iter().map(|line| [line.stage.clone(), words::over_seeds(line), versus(line)]).collect()
}

pub(super) fn scores(report: &Report) -> Vec<Score> {
    report
        .scores
        .iter()
        .map(|line| Score {
            stage: line.stage.clone(),
            model: line.model.clone(),
            data: line.data.clone(),
            metrics: line
                .metrics
                .iter()
                .map(|metric| (words::metric_name(&metric.name), words::with_interval(metric)))
                .collect(),
        })
        .collect()
}

/// The open ones first.
pub(super) fn matrices(report: &Report) -> Vec<Matrix> {
    let mut matrices: Vec<_> = report.confusions.iter().map(|line| matrix(line, report)).collect();
    matrices.sort_by_key(|matrix| !matrix.is_open);
    matrices
}

fn matrix(line: &ConfusionLine, report: &Report) -> Matrix {
    let confusion = &line.confusion;
    let is_small = confusion.labels.len() <= MOST_LABELS;
    let shown = [&report.subject, &report.baseline];
    Matrix {
        model: line.model.clone(),
        stage: line.stage.clone(),
        is_open: shown.iter().any(|name| name.as_deref() == Some(line.model.as_str())) || report.models.len() == 1,
        is_dense: confusion.labels.len() > MOST_WIDE,
        columns: confusion.labels.iter().map(|label| (short(label), label.clone())).collect(),
        labels: if is_small { confusion.labels.clone() } else { Vec::new() },
        rows: if is_small { matrix_rows(confusion) } else { Vec::new() },
        pairs: if is_small { Vec::new() } else { pairs(confusion) },
    }
}

/// At most as many letters as fit above a column.
fn short(label: &str) -> String {
    if label.chars().count() <= MOST_LETTERS {
        return label.to_owned();
    }
    let start: String = label.chars().take(MOST_LETTERS - 1).collect();
    format!("{}…", start.trim_end())
}

fn matrix_rows(confusion: &Confusion) -> Vec<MatrixRow> {
    confusion
        .labels
        .iter()
        .zip(&confusion.counts)
        .enumerate()
        .map(|(truth, (label, counts))| {
            let rows = counts.iter().sum::<u64>();
            let all = rows.max(1) as f64;
            let right = counts.get(truth).map_or(0.0, |right| *right as f64 / all);
            let cells = counts.iter().enumerate().map(|(predicted, count)| {
                let share = *count as f64 / all;
                MatrixCell {
                    count: units::thousands(*count),
                    share: format!("{:.1} %", share * 100.0),
                    weight: format!("{share:.3}"),
                    is_right: truth == predicted,
                    is_none: *count == 0,
                    said: format!(
                        "{} of {rows} `{label}` called `{}`",
                        units::thousands(*count),
                        confusion.labels.get(predicted).map_or("", String::as_str)
                    ),
                }
            });
            MatrixRow {
                label: label.clone(),
                cells: cells.collect(),
                right: if rows == 0 { String::new() } else { format!("{:.0} %", right * 100.0) },
                rows: units::thousands(rows),
            }
        })
        .collect()
}

/// The most frequent confusions.
fn pairs(confusion: &Confusion) -> Vec<(String, String, String)> {
    let mut pairs: Vec<_> = confusion
        .counts
        .iter()
        .enumerate()
        .flat_map(|(truth, counts)| counts.iter().enumerate().map(move |(predicted, count)| (truth, predicted, *count)))
        .filter(|(truth, predicted, count)| truth != predicted && *count > 0)
        .collect();
    pairs.sort_by_key(|(truth, predicted, count)| (u64::MAX - count, *truth, *predicted));
    let label = |at: usize| confusion.labels.get(at).cloned().unwrap_or_default();
    let shown = pairs.into_iter().take(MOST_LABELS);
    shown.map(|(truth, predicted, count)| (label(truth), label(predicted), units::thousands(count))).collect()
}
