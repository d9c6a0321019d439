//! The verdict: the numbers that a hurried reader wants, and the gates.

use serde::Serialize;

use crate::{
    report::{
        model::{Compared, Difference, GateLine, GateState, ModelLine, Report, SummaryTable},
        words::{self, Comparative},
    },
    stage::Metric,
};

/// A number that a hurried reader wants.
#[derive(Serialize)]
pub(super) struct Tile {
    name: String,
    value: String,
    detail: String,
}

#[derive(Serialize)]
pub(super) struct Gate {
    state: &'static str,
    word: &'static str,
    text: String,
    found: String,
}

/// The subject beside the baseline: quality, time, size, memory.
pub(super) fn tiles(report: &Report) -> Vec<Tile> {
    let model = |name: &Option<String>| name.as_deref().and_then(|name| report.model(name));
    let (Some(subject), Some(baseline)) = (model(&report.subject), model(&report.baseline)) else {
        return report.summaries.first().map(of_summaries).unwrap_or_default();
    };
    if subject.name == baseline.name {
        return Vec::new();
    }
    let mut tiles = Vec::new();
    if let (Some(difference), Some(now), Some(was)) = (&subject.difference, &subject.quality, &baseline.quality) {
        let change = words::signed(now.unit, difference.value);
        let detail = if difference.is_significant() == Some(false) { ", no significant difference" } else { "" };
        tiles.push(Tile {
            name: words::capital(&now.name.replace('_', " ")),
            value: change,
            detail: format!("{}{detail}", from_to(was, now)),
        });
    }
    let mut cost = |name: &str, field: fn(&ModelLine) -> Option<&Compared>, comparative: Comparative| {
        let (Some(now), Some(was)) = (field(subject), field(baseline)) else { return };
        let Some(gain) = now.gain else { return };
        let value = words::capital(&words::gain(gain, comparative));
        tiles.push(Tile { name: name.to_owned(), value, detail: from_to(&was.metric, &now.metric) });
    };
    cost("Latency", |model| model.latency.as_ref(), words::FASTER);
    cost("Size", |model| model.size.as_ref(), words::SMALLER);
    cost("Peak memory", |model| model.peak_memory.as_ref(), words::LESS);
    tiles
}

/// The measures of the subject beside those of the first sentences.
fn of_summaries(table: &SummaryTable) -> Vec<Tile> {
    let subject = table.lines.iter().find(|line| Some(&line.name) == table.subject.as_ref());
    let measures = subject.map_or(&[][..], |line| &line.measures);
    let tile = |(metric, versus): &(Metric, Option<Difference>)| {
        let versus = versus.as_ref()?;
        let detail = if versus.is_significant() == Some(false) { ", no significant difference" } else { "" };
        let [was, now] = [metric.value - versus.value, metric.value].map(|value| words::value(metric.unit, value));
        Some(Tile {
            name: words::metric_name(&metric.name),
            value: words::signed(metric.unit, versus.value),
            detail: format!("{was} → {now}{detail}"),
        })
    };
    measures.iter().filter_map(tile).collect()
}

fn from_to(was: &Metric, now: &Metric) -> String {
    format!("{} → {}", words::value(was.unit, was.value), words::value(now.unit, now.value))
}

pub(super) fn gates(report: &Report) -> Vec<Gate> {
    let line = |gate: &GateLine| {
        let (state, word) = match gate.state {
            GateState::Passed => ("passed", "Passed"),
            GateState::Failed => ("failed", "Failed"),
            GateState::Warned => ("unknown", "Warning"),
            GateState::Unjudged => ("unknown", "Not judged"),
            GateState::Unknown => ("unknown", "Not known"),
        };
        Gate { state, word, text: gate.text.clone(), found: gate.verdict.text.clone() }
    };
    report.gates.iter().map(line).collect()
}
