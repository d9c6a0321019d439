//! Hits the key beside the right one.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Amount, Lexicon, Perturb, Surroundings, Words, letters_fault, noise};
use crate::{
    base::rng::{self, Stream},
    text::TextFault,
};

/// How many words are mistyped, and on which keyboard: `{rate: 0.1}`.
///
/// ```text
/// before   a quick comedy without tedious actors
/// after    a quick comefy without tedious actors
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Keyboard {
    /// Words to mistype, as a share of the text's words; at least one. 0.1 where there is no `count`.
    #[serde(default)]
    rate: Option<f64>,
    /// So many words instead.
    #[serde(default)]
    count: Option<usize>,
    /// Letters of each such word that become a neighbour's.
    #[serde(default = "one")]
    letters: usize,
    /// Which keys are neighbours.
    #[serde(default)]
    layout: Layout,
}

fn one() -> usize {
    1
}

/// A keyboard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Layout {
    /// English.
    #[default]
    Qwerty,
    /// German.
    Qwertz,
    /// French.
    Azerty,
}

impl Layout {
    /// The rows of keys from above; each begins half a key further right than the one before.
    fn rows(self) -> [&'static str; 4] {
        match self {
            Self::Qwerty => ["1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm"],
            Self::Qwertz => ["1234567890", "qwertzuiopü", "asdfghjklöä", "yxcvbnm"],
            Self::Azerty => ["1234567890", "azertyuiop", "qsdfghjklm", "wxcvbn"],
        }
    }

    fn has(self, letter: char) -> bool {
        self.rows().iter().any(|row| row.contains(letter))
    }

    /// The keys beside a letter: left, right, two above and two below; letters for letters, digits for digits.
    fn neighbours(self, letter: char) -> Vec<char> {
        let rows = self.rows().map(|row| row.chars().collect::<Vec<char>>());
        let place = |(row, keys): (usize, &Vec<char>)| Some((row, keys.iter().position(|key| *key == letter)?));
        let Some((row, column)) = rows.iter().enumerate().find_map(place) else { return Vec::new() };
        let (row, column) = (row as i64, column as i64);
        let beside = [(row, -1), (row, 1), (row - 1, 0), (row - 1, 1), (row + 1, -1), (row + 1, 0)];
        let key = |(row, by): (i64, i64)| {
            let keys = rows.get(usize::try_from(row).ok()?)?;
            keys.get(usize::try_from(column + by).ok()?).copied()
        };
        beside.into_iter().filter_map(key).filter(|key| key.is_alphabetic() == letter.is_alphabetic()).collect()
    }
}

impl Perturb for Keyboard {
    fn amount(&self) -> Amount {
        Amount { rate: self.rate, count: self.count }
    }

    fn fault(&self) -> Option<TextFault> {
        letters_fault(self.letters)
    }

    fn apply(&self, words: &mut Words<'_>, _: &Surroundings, _: &Lexicon, random: &mut Stream) {
        noise::misspell_words(words, self.amount(), self.letters, random, |word, random| {
            let small = |letter: char| letter.to_lowercase().next().unwrap_or(letter);
            let keys = word.char_indices().filter(|(_, letter)| self.layout.has(small(*letter)));
            let keys: Vec<(usize, char)> = keys.take(MOST).collect();
            if keys.is_empty() {
                return None;
            }
            let (at, letter) = keys[rng::below(random, keys.len())];
            let neighbours = self.layout.neighbours(small(letter));
            let hit = neighbours[rng::below(random, neighbours.len())];
            let hit: String = if letter.is_uppercase() { hit.to_uppercase().collect() } else { hit.to_string() };
            let mut word = word.to_owned();
            word.replace_range(at..at + letter.len_utf8(), &hit);
            Some(word)
        });
    }
}

/// Letters of a word that may be mistyped: what has more is no word.
const MOST: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_those_of_the_layout() {
        let sorted = |layout: Layout, letter| {
            let mut keys = layout.neighbours(letter);
            keys.sort_unstable();
            keys.into_iter().collect::<String>()
        };
        for (layout, letter, keys) in [
            (Layout::Qwerty, 'g', "bfhtvy"),
            (Layout::Qwerty, 'q', "aw"),
            (Layout::Qwerty, 'm', "jkn"),
            (Layout::Qwerty, '5', "46"),
            (Layout::Qwertz, 'z', "ghtu"),
            (Layout::Azerty, 'a', "qz"),
            (Layout::Qwerty, '电', ""),
        ] {
            assert_eq!(sorted(layout, letter), keys, "{layout:?} {letter}");
        }
        // Who is beside somebody has them beside himself.
        for layout in [Layout::Qwerty, Layout::Qwertz, Layout::Azerty] {
            for letter in layout.rows().concat().chars() {
                for other in layout.neighbours(letter) {
                    assert!(layout.neighbours(other).contains(&letter), "{layout:?} {letter} {other}");
                }
            }
        }
    }
}
