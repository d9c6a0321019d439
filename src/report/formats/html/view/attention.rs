//! Attention mechanisms by length.

use serde::Serialize;

use super::{Plot, curves, lengths};
use crate::{
    base::units,
    report::{
        model::{AttentionCell, AttentionTable, CurvePlot},
        plot, words,
    },
    stage::Metric,
};

#[derive(Serialize)]
pub(super) struct Attention {
    stage: String,
    model: String,
    window: String,
    lengths: Vec<String>,
    patterns: Vec<Pattern>,
    /// The text that the patterns are of: `4,096 tokens`.
    longest: String,
    lines: Vec<Line>,
    plots: Vec<Plot>,
}

/// A mechanism as a picture.
#[derive(Serialize)]
struct Pattern {
    mechanism: String,
    svg: String,
    about: String,
    /// How many of all pairs of tokens see each other.
    share: String,
    /// How much of the text is drawn, where that is not all.
    drawn: String,
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
    /// How it compares, and how often it is right: a line each.
    rest: Vec<String>,
}

pub(super) fn of(table: &AttentionTable) -> Attention {
    let shown = |metric: &Option<Metric>| metric.as_ref().map(|it| words::value(it.unit, it.value)).unwrap_or_default();
    let cell = |cell: &AttentionCell| {
        let faster = cell.speedup.as_ref().map(|speedup| format!("{:.2}× as fast", speedup.value));
        let right =
            cell.accuracy.as_ref().map(|accuracy| format!("{} right", words::value(accuracy.unit, accuracy.value)));
        let rest: Vec<_> = [faster, right].into_iter().flatten().collect();
        Cell { time: shown(&cell.time), rest }
    };
    let lines = table.lines.iter().map(|line| Line {
        mechanism: shown_name(&line.mechanism),
        crossover: line.crossover.clone().unwrap_or_default(),
        cells: line.cells.iter().map(cell).collect(),
    });
    let longest = table.lengths.iter().copied().max().unwrap_or(0);
    let pattern = |mechanism: &str| {
        let found = plot::pattern(mechanism, longest, table.window_tokens?)?;
        Some(Pattern {
            mechanism: shown_name(mechanism),
            svg: found.svg,
            about: found.about,
            share: words::percent(found.share),
            drawn: found.drawn.map(units::thousands).unwrap_or_default(),
        })
    };
    let patterns = table.lines.iter().filter_map(|line| pattern(&line.mechanism));
    // A share of right answers has an interval, which curves do not show.
    let accuracy = lengths::of_lab(table);
    let is_shown = |curve: &&CurvePlot| accuracy.is_none() || curve.name != "accuracy";
    let others: Vec<_> = table.curves.iter().filter(is_shown).cloned().collect();
    Attention {
        patterns: patterns.collect(),
        longest: units::thousands(longest),
        stage: table.stage.clone(),
        model: table.model.clone(),
        window: table.window.clone().unwrap_or_default(),
        lengths: table.lengths.iter().map(|length| format!("{} tokens", units::thousands(*length))).collect(),
        lines: lines.collect(),
        plots: accuracy.into_iter().chain(curves(&others)).collect(),
    }
}

/// `window_global` reads as `window + global`.
fn shown_name(mechanism: &str) -> String {
    mechanism.replace('_', " + ")
}
