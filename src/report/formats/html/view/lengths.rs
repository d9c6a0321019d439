//! Quality by the tokens that models read.

use serde::Serialize;

use super::Plot;
use crate::{
    base::units,
    report::{
        model::{AttentionTable, Difference, LengthPoint, LengthTable},
        plot::{self, LengthSeries},
        table::Cell,
        words,
    },
    stage::{Metric, Unit},
};

#[derive(Serialize)]
pub(super) struct Lengths {
    data: String,
    baseline: String,
    columns: Vec<String>,
    rows: Vec<Row>,
    plots: Vec<Plot>,
    /// Whether times of training are shown, which depend on what else the machine did.
    has_training: bool,
}

#[derive(Serialize)]
struct Row {
    model: String,
    tokens: String,
    cells: Vec<Cell>,
}

pub(super) fn of(table: &LengthTable) -> Lengths {
    let points = || table.lines.iter().flat_map(|line| &line.points);
    let names: Vec<&str> = points()
        .max_by_key(|point| point.qualities.len())
        .map(|point| point.qualities.iter().map(|(metric, _)| metric.name.as_str()).collect())
        .unwrap_or_default();
    let costs = words::known_costs(table);
    let row = |point: &LengthPoint| {
        let quality = |name: &&str| {
            let found = point.qualities.iter().find(|(metric, _)| metric.name == *name);
            found.map(|(metric, versus)| cell(metric, versus.as_ref())).unwrap_or_default()
        };
        let cost = |text: Option<String>| Cell { value: text.unwrap_or_default(), ..Cell::default() };
        let of = words::costs(point).into_iter().filter(|(name, _)| costs.contains(name)).map(|(_, text)| cost(text));
        let cells = names.iter().map(quality).chain(of);
        Row { model: point.model.clone(), tokens: units::thousands(point.tokens), cells: cells.collect() }
    };
    let title = |name: &&str| words::capital(&shown_name(name));
    Lengths {
        data: table.data.clone(),
        baseline: table.baseline.clone().unwrap_or_default(),
        columns: names.iter().map(title).chain(costs.iter().map(|name| (*name).to_owned())).collect(),
        rows: points().map(row).collect(),
        plots: names.iter().map(|name| quality_plot(table, name)).chain(cost_plots(table)).collect(),
        has_training: costs.contains(&"Training"),
    }
}

fn shown(metric: &Metric) -> String {
    words::value(metric.unit, metric.value)
}

fn cell(metric: &Metric, versus: Option<&Difference>) -> Cell {
    let unit = metric.unit;
    let signed = |ends| words::signed_interval(unit, ends);
    Cell {
        value: shown(metric),
        interval: metric.interval.map(|ends| words::interval_of(unit, ends)).unwrap_or_default(),
        versus: versus.map(|versus| words::difference(unit, versus)).unwrap_or_default(),
        versus_interval: versus.and_then(|versus| versus.interval).map(signed).unwrap_or_default(),
        tone: match versus {
            Some(versus) if versus.is_significant() == Some(true) => {
                if versus.value > 0.0 {
                    "better"
                } else {
                    "worse"
                }
            }
            _ => "even",
        },
    }
}

/// `macro_f1` reads as `macro F1`.
fn shown_name(metric: &str) -> String {
    words::metric_name(metric).replace(" f1", " F1")
}

fn factor(unit: Unit) -> f64 {
    if unit == Unit::Share { 100.0 } else { 1.0 }
}

fn quality_plot(table: &LengthTable, name: &str) -> Plot {
    let mut unit = Unit::Number;
    let mut series = Vec::new();
    for line in &table.lines {
        let points = line.points.iter().filter_map(|point| {
            let (metric, _) = point.qualities.iter().find(|(metric, _)| metric.name == name)?;
            unit = metric.unit;
            let factor = factor(unit);
            Some((point.tokens, metric.value * factor, metric.interval.map(|ends| ends.map(|end| end * factor))))
        });
        series.push(LengthSeries { name: line.name.clone(), points: points.collect() });
    }
    quality(name, unit, &series)
}

fn quality(name: &str, unit: Unit, series: &[LengthSeries]) -> Plot {
    let name = shown_name(name);
    let title = if unit == Unit::Share { format!("{name}, %") } else { name.clone() };
    Plot {
        title: format!("{} by length", words::capital(&name)),
        svg: plot::by_length(&title, series, false),
        caption: String::new(),
    }
}

/// What reading more costs, where at least two lengths have it.
fn cost_plots(table: &LengthTable) -> Vec<Plot> {
    let plot = |name: &str, value: fn(&LengthPoint) -> Option<f64>| {
        let series = table.lines.iter().map(|line| LengthSeries {
            name: line.name.clone(),
            points: line.points.iter().filter_map(|point| Some((point.tokens, value(point)?, None))).collect(),
        });
        let series: Vec<_> = series.filter(|series| !series.points.is_empty()).collect();
        let n_points: usize = series.iter().map(|series| series.points.len()).sum();
        (n_points > 1).then(|| Plot {
            title: words::capital(name),
            svg: plot::by_length(name, &series, true),
            caption: String::new(),
        })
    };
    let plots = [
        plot("training time, minutes", |point| point.training.map(|seconds| seconds / 60.0)),
        plot("latency of a text, ms", |point| point.latency.as_ref().map(|metric| metric.value)),
        plot("peak memory, MB", |point| point.memory.as_ref().map(|metric| metric.value / 1e6)),
    ];
    plots.into_iter().flatten().collect()
}

/// The accuracy of each mechanism of a lab by length, where it was measured.
pub(super) fn of_lab(table: &AttentionTable) -> Option<Plot> {
    let series = table.lines.iter().map(|line| LengthSeries {
        name: line.mechanism.replace('_', " + "),
        points: table
            .lengths
            .iter()
            .zip(&line.cells)
            .filter_map(|(length, cell)| {
                let metric = cell.accuracy.as_ref().filter(|metric| metric.value.is_finite())?;
                let interval = metric.interval.map(|ends| ends.map(|end| end * 100.0));
                Some((*length, metric.value * 100.0, interval))
            })
            .collect(),
    });
    let series: Vec<_> = series.filter(|series| !series.points.is_empty()).collect();
    (!series.is_empty()).then(|| quality("accuracy", Unit::Share, &series))
}
