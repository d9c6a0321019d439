//! Attention mechanisms by length.

use serde::Serialize;

use super::{Plot, curves};
use crate::{
    base::units,
    report::{
        model::{AttentionCell, AttentionTable},
        words,
    },
    stage::Metric,
};

#[derive(Serialize)]
pub(super) struct Attention {
    stage: String,
    model: String,
    window: String,
    lengths: Vec<String>,
    lines: Vec<Line>,
    plots: Vec<Plot>,
}

#[derive(Serialize)]
struct Line {
    mechanism: String,
    crossover: String,
    cells: Vec<Cell>,
}

#[derive(Serialize)]
struct Cell {
    time: String,
    rest: String,
}

pub(super) fn of(table: &AttentionTable) -> Attention {
    let shown = |metric: &Option<Metric>| metric.as_ref().map(|it| words::value(it.unit, it.value)).unwrap_or_default();
    let cell = |cell: &AttentionCell| {
        let faster = cell.speedup.as_ref().map(|speedup| format!("{:.2}× as fast", speedup.value));
        let right =
            cell.accuracy.as_ref().map(|accuracy| format!("{} right", words::value(accuracy.unit, accuracy.value)));
        let rest: Vec<_> = [faster, right].into_iter().flatten().collect();
        Cell { time: shown(&cell.time), rest: rest.join(" · ") }
    };
    let lines = table.lines.iter().map(|line| Line {
        mechanism: line.mechanism.replace('_', " + "),
        crossover: line.crossover.clone().unwrap_or_default(),
        cells: line.cells.iter().map(cell).collect(),
    });
    Attention {
        stage: table.stage.clone(),
        model: table.model.clone(),
        window: table.window.clone().unwrap_or_default(),
        lengths: table.lengths.iter().map(|length| format!("{} tokens", units::thousands(*length))).collect(),
        lines: lines.collect(),
        plots: curves(&table.curves),
    }
}
