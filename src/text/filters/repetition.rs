//! Text that repeats itself, by the rules of Gopher's texts.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use unicode_segmentation::UnicodeSegmentation;
use xxhash_rust::xxh3::xxh3_64;

use super::{Failure, Prepared, RowCondition, above, of_texts, share, share_fault};
use crate::text::TextFault;

/// How much of a text may be repetition, at most, as shares from 0 to 1; 1 turns a rule off.
///
/// What stood before is a duplicate: of three equal lines, two are. Characters are those of words, and each counts once. A run of words
/// that stands once is no repetition, so that short texts are not judged by having few words.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Repetition {
    /// Lines that are duplicates.
    duplicate_lines: f64,
    /// Characters in such lines.
    duplicate_line_characters: f64,
    /// Paragraphs (between blank lines) that are duplicates.
    duplicate_paragraphs: f64,
    /// Characters in such paragraphs.
    duplicate_paragraph_characters: f64,
    /// Characters in the most frequent run of 2, of 3 and of 4 words.
    top_runs: [f64; 3],
    /// Characters in runs of 5, 6, 7, 8, 9 and 10 words that are duplicates.
    duplicate_runs: [f64; 6],
}

impl Default for Repetition {
    fn default() -> Self {
        Self {
            duplicate_lines: 0.30,
            duplicate_line_characters: 0.20,
            duplicate_paragraphs: 0.30,
            duplicate_paragraph_characters: 0.20,
            top_runs: [0.20, 0.18, 0.16],
            duplicate_runs: [0.15, 0.14, 0.13, 0.12, 0.11, 0.10],
        }
    }
}

const TOP: [(usize, &str); 3] = [(2, "top_runs.2"), (3, "top_runs.3"), (4, "top_runs.4")];
const DUPLICATE: [(usize, &str); 6] = [
    (5, "duplicate_runs.5"),
    (6, "duplicate_runs.6"),
    (7, "duplicate_runs.7"),
    (8, "duplicate_runs.8"),
    (9, "duplicate_runs.9"),
    (10, "duplicate_runs.10"),
];

impl RowCondition for Repetition {
    fn fault(&self) -> Option<TextFault> {
        [
            ("duplicate_lines", self.duplicate_lines),
            ("duplicate_line_characters", self.duplicate_line_characters),
            ("duplicate_paragraphs", self.duplicate_paragraphs),
            ("duplicate_paragraph_characters", self.duplicate_paragraph_characters),
        ]
        .into_iter()
        .find_map(|(path, share)| share_fault(path, share))
        .or_else(|| fault_of("top_runs", &self.top_runs))
        .or_else(|| fault_of("duplicate_runs", &self.duplicate_runs))
    }

    fn prepare(&self) -> Prepared {
        let most = *self;
        of_texts(move |text| most.judge(text))
    }
}

fn fault_of(path: &str, shares: &[f64]) -> Option<TextFault> {
    shares.iter().enumerate().find_map(|(at, share)| share_fault(&format!("{path}[{at}]"), *share))
}

impl Repetition {
    fn judge(&self, text: &str) -> Option<Failure> {
        self.judge_parts(text).or_else(|| self.judge_runs(&Words::of(text)))
    }

    fn judge_parts(&self, text: &str) -> Option<Failure> {
        if !text.contains('\n') {
            return None;
        }
        let lines = Duplicates::of(text.lines());
        let paragraphs = Duplicates::of(paragraphs(text).iter().map(String::as_str));
        above("duplicate_lines", share(lines.parts, lines.all), self.duplicate_lines)
            .or_else(|| {
                above("duplicate_paragraphs", share(paragraphs.parts, paragraphs.all), self.duplicate_paragraphs)
            })
            .or_else(|| {
                let found = share(lines.characters, lines.all_characters);
                above("duplicate_line_characters", found, self.duplicate_line_characters)
            })
            .or_else(|| {
                let found = share(paragraphs.characters, paragraphs.all_characters);
                above("duplicate_paragraph_characters", found, self.duplicate_paragraph_characters)
            })
    }

    fn judge_runs(&self, words: &Words) -> Option<Failure> {
        let mut room = Vec::new();
        for ((length, rule), most) in TOP.into_iter().zip(self.top_runs) {
            let top = words.top(length, &mut room);
            // No longer run stands twice where no shorter one does.
            if top == 0 {
                return None;
            }
            if let Some(failure) = above(rule, share(top, words.characters()), most) {
                return Some(failure);
            }
        }
        for ((length, rule), most) in DUPLICATE.into_iter().zip(self.duplicate_runs) {
            let duplicate = words.duplicate(length, &mut room);
            if duplicate == 0 {
                return None;
            }
            if let Some(failure) = above(rule, share(duplicate, words.characters()), most) {
                return Some(failure);
            }
        }
        None
    }
}

/// The parts of a text between blank lines.
fn paragraphs(text: &str) -> Vec<String> {
    let mut paragraphs = vec![String::new()];
    for line in text.lines().map(str::trim) {
        match paragraphs.last_mut() {
            Some(last) if !line.is_empty() => {
                last.push_str(line);
                last.push('\n');
            }
            Some(last) if !last.is_empty() => paragraphs.push(String::new()),
            _ => {}
        }
    }
    paragraphs
}

/// Parts of a text that stood before.
#[derive(Debug, Default, PartialEq, Eq)]
struct Duplicates {
    parts: usize,
    all: usize,
    characters: usize,
    all_characters: usize,
}

impl Duplicates {
    /// Of parts, without those that are empty.
    fn of<'a>(parts: impl Iterator<Item = &'a str>) -> Self {
        let mut found = Self::default();
        let mut seen = BTreeSet::new();
        for part in parts.map(str::trim).filter(|part| !part.is_empty()) {
            let characters = part.chars().count();
            found.all += 1;
            found.all_characters += characters;
            if !seen.insert(part) {
                found.parts += 1;
                found.characters += characters;
            }
        }
        found
    }
}

/// The words of a text: a hash of each, and where its characters begin among those of all words.
struct Words {
    hashes: Vec<u64>,
    starts: Vec<usize>,
}

impl Words {
    fn of(text: &str) -> Self {
        let mut words = Self { hashes: Vec::new(), starts: vec![0] };
        let mut characters = 0;
        for word in text.unicode_words() {
            characters += word.chars().count();
            words.hashes.push(xxh3_64(word.as_bytes()));
            words.starts.push(characters);
        }
        words
    }

    fn characters(&self) -> usize {
        self.starts.last().copied().unwrap_or_default()
    }

    /// The runs of so many words, each by its hash and its first word, sorted: equal ones follow each other in their order.
    fn runs(&self, length: usize, room: &mut Vec<(u64, usize)>) {
        let hash = |run: &[u64]| {
            run.iter().fold(0, |hash: u64, word| (hash.rotate_left(23) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15))
        };
        room.clear();
        room.extend(self.hashes.windows(length).map(hash).zip(0..));
        room.sort_unstable();
    }

    /// Characters in the run of so many words that stands most often, in all its places; 0 where none stands twice. Of several that
    /// stand equally often, it is the one with most characters.
    fn top(&self, length: usize, room: &mut Vec<(u64, usize)>) -> usize {
        self.runs(length, room);
        let top = room.chunk_by(|a, b| a.0 == b.0).filter(|same| same.len() > 1).max_by_key(|same| {
            let first = same[0].1;
            (same.len(), self.starts[first + length] - self.starts[first])
        });
        top.map_or(0, |same| self.covered(same.iter().map(|run| run.1), length))
    }

    /// Characters in runs of so many words that stood before.
    fn duplicate(&self, length: usize, room: &mut Vec<(u64, usize)>) -> usize {
        self.runs(length, room);
        let mut repeats: Vec<usize> =
            room.windows(2).filter(|pair| pair[0].0 == pair[1].0).map(|pair| pair[1].1).collect();
        repeats.sort_unstable();
        self.covered(repeats.into_iter(), length)
    }

    /// Characters of the words in runs that begin at these words, in order; each once.
    fn covered(&self, firsts: impl Iterator<Item = usize>, length: usize) -> usize {
        let (mut end, mut characters) = (0, 0);
        for first in firsts {
            let from = first.max(end);
            end = first + length;
            characters += self.starts[end] - self.starts[from];
        }
        characters
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::text::filters::{
        Measured,
        tests::{failure, rule},
    };

    #[test]
    fn parts_that_stood_before_are_counted() {
        let lines = Duplicates::of("ab\n\n ab\ncde\nab\n".lines());
        assert_eq!(lines, Duplicates { parts: 2, all: 4, characters: 4, all_characters: 9 });
        assert_eq!(paragraphs("a\nb\n\n\n a\n b \n"), ["a\nb\n", "a\nb\n"]);
    }

    #[test]
    fn runs_are_counted_as_the_words_are_read() {
        let words = Words::of("aa b aa b, aa b! cc");
        let mut room = Vec::new();
        // `aa b` three times, `b aa` twice: nine of eleven characters.
        assert_eq!((words.top(2, &mut room), words.characters()), (9, 11));
        assert_eq!(words.top(3, &mut room), 8, "`aa b aa` twice, with a word in both");
        assert_eq!(words.duplicate(2, &mut room), 6, "`aa b` after the first, and `b aa` between");
        assert_eq!(words.top(5, &mut room), 0);
        let same = Words::of("a a a a a a");
        assert_eq!((same.top(2, &mut room), same.duplicate(3, &mut room)), (6, 5));
    }

    #[test]
    fn repetition_goes_and_prose_stays() {
        let all = json!({"repetition": {}});
        let prose = "The film begins slowly, but its second half is full of surprises that nobody could have seen coming.\n\
                     Its actors are new to the screen and yet carry every scene, and the music is never too loud.";
        for (text, expected) in [
            (prose, None),
            ("great movie", None),
            ("one\ntwo\none\none", Some("duplicate_lines")),
            ("the first line here\nx1\nx2\nthe first line here\nx3", Some("duplicate_line_characters")),
            ("a b\n\nc d\n\na b", Some("duplicate_paragraphs")),
            ("buy now buy now buy now", Some("top_runs.2")),
        ] {
            let found = rule(&all, text);
            match expected {
                // Two equal lines of three are two equal paragraphs, too.
                Some("duplicate_paragraphs") => assert!(found.is_some(), "{text}"),
                expected => assert_eq!(found, expected, "{text}"),
            }
        }
        // A sentence of ten words twice, a line each, among others.
        let sentence = "we cannot recommend this product to anybody who likes music";
        let filler: Vec<String> = (0..12).map(|n| format!("word{n} other{n} more{n}")).collect();
        let text = format!("{sentence} {} {sentence}", filler.join(" "));
        assert_eq!(rule(&all, &text), Some("top_runs.4"));
        let runs = json!({"repetition": {"top_runs": [1, 1, 1]}});
        assert_eq!(rule(&runs, &text), Some("duplicate_runs.5"));
        let off = json!({"repetition": {"top_runs": [1, 1, 1], "duplicate_runs": [1, 1, 1, 1, 1, 1]}});
        assert_eq!(rule(&off, &text), None);
        let Some((_, Measured::Number(value))) = failure(&runs, &text) else { panic!("a share") };
        assert!((0.15..0.3).contains(&value), "{value}");
    }
}
