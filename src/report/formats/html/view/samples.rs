//! Texts before and after data stages.

use serde::Serialize;

use crate::report::{
    diff::{self, Piece},
    model::StageSamples,
};

/// How many samples a data stage shows.
const MOST_SAMPLES: usize = 6;

#[derive(Serialize)]
pub(super) struct Samples {
    stage: String,
    kind: String,
    more: usize,
    texts: Vec<SampleText>,
}

#[derive(Serialize)]
pub(super) struct SampleText {
    what: String,
    is_same: bool,
    /// `same`, `del` or `ins`, and the text.
    pieces: Vec<(&'static str, String)>,
}

pub(super) fn of(line: &StageSamples) -> Samples {
    let texts = line.samples.iter().take(MOST_SAMPLES).map(|sample| {
        let pieces = diff::words(&sample.before, &sample.after).into_iter().map(|piece| match piece {
            Piece::Same(text) => ("same", text),
            Piece::Removed(text) => ("del", text),
            Piece::Added(text) => ("ins", text),
        });
        SampleText { what: sample.what.clone(), is_same: sample.before == sample.after, pieces: pieces.collect() }
    });
    Samples {
        stage: line.stage.clone(),
        kind: line.kind.clone(),
        more: line.samples.len().saturating_sub(MOST_SAMPLES),
        texts: texts.collect(),
    }
}
