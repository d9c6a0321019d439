//! Latency by batch and length.

use serde::Serialize;

use crate::{
    report::{
        model::SpeedTable,
        table::{self, Cell},
        words,
    },
    stage::Unit,
};

#[derive(Serialize)]
pub(super) struct Speed {
    stage: String,
    reference: String,
    points: Vec<String>,
    has_throughput: bool,
    rows: Vec<SpeedRow>,
}

#[derive(Serialize)]
pub(super) struct SpeedRow {
    model: String,
    cells: Vec<(Cell, String)>,
    throughput: Cell,
}

pub(super) fn of(table: &SpeedTable) -> Speed {
    let rows: Vec<_> = table
        .rows
        .iter()
        .map(|row| SpeedRow {
            model: row.model.clone(),
            cells: row
                .cells
                .iter()
                .zip(&row.tails)
                .map(|(cell, tails)| {
                    let shown = cell.as_ref().map(|cell| table::cost_cell(cell, words::FASTER)).unwrap_or_default();
                    let tail = |name: &str, value: &Option<f64>| {
                        value.map(|value| format!("{name} {}", words::value(Unit::Milliseconds, value)))
                    };
                    let tails: Vec<_> = [tail("p90", &tails.0), tail("p99", &tails.1)].into_iter().flatten().collect();
                    (shown, tails.join(" · "))
                })
                .collect(),
            throughput: row
                .throughput
                .as_ref()
                .map(|compared| table::cost_cell(compared, words::FASTER))
                .unwrap_or_default(),
        })
        .collect();
    Speed {
        stage: table.stage.clone(),
        reference: table.reference.clone().unwrap_or_default(),
        points: table.points.iter().map(|(batch, length)| format!("{batch} × {length} tokens")).collect(),
        has_throughput: rows.iter().any(|row| !row.throughput.value.is_empty()),
        rows,
    }
}
