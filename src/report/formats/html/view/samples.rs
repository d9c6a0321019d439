//! Texts before and after data stages.

use serde::Serialize;

use crate::{
    report::{
        diff::{self, Piece},
        model::StageSamples,
    },
    stage::Sample,
};

/// How many samples a data stage shows.
const MOST_SAMPLES: usize = 6;

/// Longer samples are scrolled: what was done to them is seen at once, and the next is near.
const MOST_LINES: usize = 14;

/// About how many letters fit in a line of the page.
const LETTERS_OF_A_LINE: usize = 110;

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
    /// Whether it gets a box of its own height, within which it is scrolled.
    is_long: bool,
    /// `same`, `del` or `ins`, and the text.
    pieces: Vec<(&'static str, String)>,
}

pub(super) fn of(line: &StageSamples) -> Samples {
    let changes = |sample: &&Sample| sample.before != sample.after;
    let changed: Vec<&Sample> = line.samples.iter().filter(changes).collect();
    // An excerpt in which nothing happened tells nothing beside those in which something did.
    let samples = if changed.is_empty() { line.samples.iter().collect() } else { changed };
    let texts = samples.iter().take(MOST_SAMPLES).map(|sample| {
        let pieces = diff::words(&sample.before, &sample.after).into_iter().map(|piece| match piece {
            Piece::Same(text) => ("same", without_gaps(&text)),
            Piece::Removed(text) => ("del", text),
            Piece::Added(text) => ("ins", text),
        });
        let lines = |text: &str| text.lines().count() + text.len() / LETTERS_OF_A_LINE;
        SampleText {
            what: sample.what.clone(),
            is_same: sample.before == sample.after,
            is_long: lines(&sample.before).max(lines(&sample.after)) > MOST_LINES,
            pieces: pieces.collect(),
        }
    });
    Samples {
        stage: line.stage.clone(),
        kind: line.kind.clone(),
        more: samples.len().saturating_sub(MOST_SAMPLES),
        texts: texts.collect(),
    }
}

/// A text with one empty line where it has several: what was not touched need not take the room.
fn without_gaps(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    // Ends of lines that follow each other; a piece may begin with the end of a line.
    let mut ends = 0;
    for line in text.split_inclusive('\n') {
        let is_empty = line.trim().is_empty();
        ends = if is_empty { ends } else { 0 } + usize::from(line.ends_with('\n'));
        if !is_empty || ends <= 2 {
            shown.push_str(line);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_closed() {
        assert_eq!(without_gaps("a\n\n \n\n  b \n c"), "a\n\n  b \n c");
        assert_eq!(without_gaps("\n\n\n b"), "\n\n b");
        assert_eq!(without_gaps(" a "), " a ");
    }

    #[test]
    fn samples_show_what_changed() {
        let sample =
            |before: &str, after: &str| Sample { what: "x".into(), before: before.into(), after: after.into() };
        let line = |samples: Vec<Sample>| StageSamples { stage: "clean".into(), kind: "normalize".into(), samples };
        let shown = of(&line(vec![sample("a", "a"), sample("a b", "a")]));
        assert_eq!((shown.texts.len(), shown.texts[0].is_same), (1, false));
        let shown = of(&line(vec![sample("a", "a"); 8]));
        assert_eq!((shown.texts.len(), shown.texts[0].is_same, shown.more), (6, true, 2));
        assert!(of(&line(vec![sample(&"a\n".repeat(20), "a")])).texts[0].is_long);
    }
}
