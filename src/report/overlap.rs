//! What a text has in common with another: runs of words that both have.

use std::{collections::BTreeSet, ops::Range};

/// How many words in a row count as something in common: fewer are in any two texts.
const RUN: usize = 3;

/// The pieces of a text and whether each is in runs of at least three words that `reference` has, too; letters' case and
/// punctuation do not count. Put together they are the text.
pub(super) fn shared(text: &str, reference: &str) -> Vec<(bool, String)> {
    let known = words(reference);
    let known: BTreeSet<[&str; RUN]> = known.windows(RUN).map(run).collect();
    let words = words(text);
    let mut is_shared = vec![false; words.len()];
    for (at, window) in words.windows(RUN).enumerate() {
        if known.contains(&run(window)) {
            is_shared[at..at + RUN].fill(true);
        }
    }
    let mut pieces: Vec<(bool, String)> = Vec::new();
    let mut push = |is_shared: bool, piece: &str| match pieces.last_mut() {
        Some((same, text)) if *same == is_shared => text.push_str(piece),
        _ if piece.is_empty() => {}
        _ => pieces.push((is_shared, piece.to_owned())),
    };
    let mut done = 0;
    for (at, (_, place)) in words.iter().enumerate() {
        // What stands between two shared words belongs to their run.
        let is_between = at > 0 && is_shared[at] && is_shared[at - 1];
        push(is_between, &text[done..place.start]);
        push(is_shared[at], &text[place.clone()]);
        done = place.end;
    }
    push(false, &text[done..]);
    pieces
}

fn run(words: &[(String, Range<usize>)]) -> [&str; RUN] {
    std::array::from_fn(|at| words[at].0.as_str())
}

/// The words of a text in small letters, and where they are.
fn words(text: &str) -> Vec<(String, Range<usize>)> {
    let mut words = Vec::new();
    let mut start = None;
    for (at, c) in text.char_indices().chain([(text.len(), ' ')]) {
        match (c.is_alphanumeric(), start) {
            (true, None) => start = Some(at),
            (false, Some(from)) => {
                words.push((text[from..at].to_lowercase(), from..at));
                start = None;
            }
            _ => {}
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_three_words_are_shared() {
        let reference = "This memo describes the Border Gateway Protocol (BGP).";
        let text = "A memo of the\nborder gateway protocol, BGP; the border is far.";
        let pieces = shared(text, reference);
        let marked: Vec<_> = pieces.iter().filter(|(is_shared, _)| *is_shared).map(|(_, text)| text.as_str()).collect();
        assert_eq!(marked, ["the\nborder gateway protocol, BGP"]);
        assert_eq!(pieces.iter().map(|(_, text)| text.as_str()).collect::<String>(), text);
        assert_eq!(shared(text, text), [(true, text.trim_end_matches('.').to_owned()), (false, ".".to_owned())]);
        assert_eq!(shared("", reference), []);
        assert_eq!(shared("naïve ½ – x", ""), [(false, "naïve ½ – x".to_owned())]);
    }
}
