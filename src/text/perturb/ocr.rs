//! Reads letters as others that look like them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Amount, Lexicon, Perturb, Surroundings, Words, letters_fault, noise};
use crate::{
    base::rng::{self, Stream},
    text::TextFault,
};

/// What programs that read from paper take for each other, in both directions.
const ALIKE: &[(&str, &str)] = &[
    ("0", "O"),
    ("0", "o"),
    ("1", "l"),
    ("1", "I"),
    ("l", "I"),
    ("1", "i"),
    ("2", "Z"),
    ("2", "z"),
    ("5", "S"),
    ("5", "s"),
    ("6", "G"),
    ("6", "b"),
    ("8", "B"),
    ("9", "g"),
    ("9", "q"),
    ("rn", "m"),
    ("nn", "m"),
    ("cl", "d"),
    ("vv", "w"),
    ("VV", "W"),
    ("ii", "u"),
    ("ri", "n"),
    ("c", "e"),
    ("h", "b"),
    ("t", "f"),
    ("u", "v"),
    ("D", "O"),
    ("E", "F"),
];
/// Places of a word that are looked at: what has more is no word.
const MOST: usize = 200;

/// How many words are misread: `{rate: 0.1}`.
///
/// ```text
/// before   a quick comedy without tedious actors
/// after    a quick cornedy without tedious actors
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ocr {
    /// Words to misread, as a share of the text's words; at least one. 0.1 where there is no `count`.
    #[serde(default)]
    rate: Option<f64>,
    /// So many words instead.
    #[serde(default)]
    count: Option<usize>,
    /// Letters of each such word that are misread.
    #[serde(default = "one")]
    letters: usize,
}

fn one() -> usize {
    1
}

impl Perturb for Ocr {
    fn amount(&self) -> Amount {
        Amount { rate: self.rate, count: self.count }
    }

    fn fault(&self) -> Option<TextFault> {
        letters_fault(self.letters)
    }

    fn apply(&self, words: &mut Words<'_>, _: &Surroundings, _: &Lexicon, random: &mut Stream) {
        noise::misspell_words(words, self.amount(), self.letters, random, misread);
    }
}

/// A word with one letter read as another.
fn misread(word: &str, random: &mut Stream) -> Option<String> {
    let mut found: Vec<(usize, &str, &str)> = Vec::new();
    for (at, _) in word.char_indices().take(MOST) {
        for &(one, other) in ALIKE {
            for (from, to) in [(one, other), (other, one)] {
                if word[at..].starts_with(from) {
                    found.push((at, from, to));
                }
            }
        }
    }
    if found.is_empty() {
        return None;
    }
    let (at, from, to) = found[rng::below(random, found.len())];
    Some([&word[..at], to, &word[at + from.len()..]].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_becomes_one_like_it() {
        let mut random = rng::stream(3, "test");
        for _ in 0..20 {
            assert_eq!(misread("w", &mut random).unwrap(), "vv");
            assert!(["rn", "nn"].contains(&misread("m", &mut random).unwrap().as_str()));
            assert!(["O", "o"].contains(&misread("0", &mut random).unwrap().as_str()));
        }
        assert_eq!(misread("电影", &mut random), None);
    }
}
