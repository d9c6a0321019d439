//! The stages: what became of them, and their graph.

use serde::Serialize;

use super::Plot;
use crate::{
    report::{
        model::{Report, StageLine},
        plot, words,
    },
    stage::RunStatus,
};

#[derive(Serialize)]
pub(super) struct Stage {
    name: String,
    kind: String,
    about: String,
    status: &'static str,
    took: String,
    device: String,
    facts: Vec<(String, String)>,
}

pub(super) fn of(line: &StageLine) -> Stage {
    Stage {
        name: line.name.clone(),
        kind: line.kind.clone(),
        about: line.about.clone(),
        status: words::status(&line.kind, line.status),
        took: match line.status {
            RunStatus::Ran | RunStatus::Cached => words::seconds(line.seconds),
            RunStatus::Waiting | RunStatus::Failed | RunStatus::Skipped => String::new(),
        },
        device: line.device.clone(),
        // What a bench says of its machine has a place of its own.
        facts: line
            .facts
            .iter()
            .filter(|_| line.kind != "bench")
            .cloned()
            .chain(
                line.metrics
                    .iter()
                    .filter(|_| !["bench", "evaluate", "profile"].contains(&line.kind.as_str()))
                    .map(|metric| (words::metric_name(&metric.name), words::with_interval(metric))),
            )
            .collect(),
    }
}

/// `13 stages: 8 ran (21 m 29 s), 4 cached`.
pub(super) fn time(report: &Report) -> String {
    let of = |status: RunStatus| report.stages.iter().filter(move |stage| stage.status == status);
    let mut parts = Vec::new();
    for wanted in [RunStatus::Ran, RunStatus::Cached, RunStatus::Failed, RunStatus::Skipped] {
        let count = of(wanted).count();
        let seconds: f64 = of(wanted).map(|stage| stage.seconds).sum();
        let word = words::status("", wanted);
        match wanted {
            _ if count == 0 => {}
            RunStatus::Ran => parts.push(format!("{count} {word} in {}", words::seconds(seconds))),
            _ => parts.push(format!("{count} {word}")),
        }
    }
    if parts.is_empty() { String::new() } else { format!("{}.", words::capital(&words::join(&parts))) }
}

/// The graph of stages; the cells of a matrix are one box.
pub(super) fn graph(report: &Report) -> Option<Plot> {
    let base = |name: &str| name.split_once('@').map_or(name, |(base, _)| base).to_owned();
    let mut names: Vec<String> = Vec::new();
    for stage in &report.stages {
        if !names.contains(&base(&stage.name)) {
            names.push(base(&stage.name));
        }
    }
    let boxes: Vec<_> = names
        .iter()
        .map(|name| {
            let cells: Vec<_> = report.stages.iter().filter(|stage| base(&stage.name) == *name).collect();
            let inputs = cells.iter().flat_map(|cell| &cell.inputs).map(|input| base(input));
            let mut inputs: Vec<usize> =
                inputs.filter_map(|input| names.iter().position(|known| *known == input)).collect();
            inputs.sort_unstable();
            inputs.dedup();
            let (class, state) = family(&cells);
            let kind = cells.first().map_or("", |cell| cell.kind.as_str());
            let shown = if cells.len() > 1 { format!("{name} × {}", cells.len()) } else { name.clone() };
            plot::Box { name: shown, detail: format!("{kind} · {state}"), class, inputs }
        })
        .collect();
    if boxes.len() < 2 {
        return None;
    }
    Some(Plot {
        title: String::new(),
        svg: plot::dag("The stages of this run and what each takes from", &boxes),
        caption: "Dashed boxes were cached: their output was in the store already.".to_owned(),
    })
}

/// The class of a stage's box, and what became of its cells in words.
fn family(cells: &[&StageLine]) -> (&'static str, String) {
    let any = |wanted: RunStatus| cells.iter().any(|cell| cell.status == wanted);
    let seconds: f64 = cells.iter().map(|cell| cell.seconds).sum();
    if any(RunStatus::Failed) {
        ("failed", "failed".to_owned())
    } else if any(RunStatus::Skipped) {
        ("waiting", "skipped".to_owned())
    } else if any(RunStatus::Waiting) {
        ("waiting", words::status(cells.first().map_or("", |cell| cell.kind.as_str()), RunStatus::Waiting).to_owned())
    } else if any(RunStatus::Ran) {
        ("ran", format!("ran {}", words::seconds(seconds)))
    } else {
        ("cached", "cached".to_owned())
    }
}
