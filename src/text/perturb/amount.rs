//! How many words a step changes, and which.

use crate::{
    base::rng::{self, Stream},
    text::TextFault,
};

/// The share that EDA's authors recommend for most sizes of data (Wei and Zou, 2019, §4.2).
const RATE: f64 = 0.1;

/// How much a recipe asks for: a share, a number, or neither.
#[derive(Clone, Copy, Debug)]
pub(super) struct Amount {
    pub(super) rate: Option<f64>,
    pub(super) count: Option<usize>,
}

impl Amount {
    /// The share, where there is no number.
    pub(super) fn rate(self) -> f64 {
        self.rate.unwrap_or(RATE)
    }

    /// How many of so many words: EDA's `max(1, α·l)`, rounded down, or the number that was asked for.
    pub(super) fn of(self, words: usize) -> usize {
        self.count.unwrap_or_else(|| ((self.rate() * words as f64) as usize).max(1))
    }

    /// What is wrong with it.
    pub(super) fn fault(self) -> Option<TextFault> {
        let (path, message, help) = match (self.rate, self.count) {
            (Some(_), Some(_)) => {
                ("count", "`rate` and `count` both say how many words".to_owned(), "leave one of them out")
            }
            (None, Some(0)) => {
                ("count", "`count` is a number of words to change, at least 1".to_owned(), "1 changes a word")
            }
            (Some(rate), None) if !(rate > 0.0 && rate <= 1.0) => (
                "rate",
                format!("`rate` is the share of words to change, above 0 and up to 1, not {rate}"),
                "0.1 changes every tenth word",
            ),
            _ => return None,
        };
        Some(TextFault { path: path.to_owned(), message, help: Some(help.to_owned()) })
    }
}

/// Some of the places, without repetition, in random order.
pub(super) fn choose(mut places: Vec<usize>, count: usize, random: &mut Stream) -> Vec<usize> {
    let count = count.min(places.len());
    for at in 0..count {
        let other = at + rng::below(random, places.len() - at);
        places.swap(at, other);
    }
    places.truncate(count);
    places
}

/// A word with the capitals of another.
pub(super) fn like(word: &str, model: &str) -> String {
    let mut letters = model.chars().filter(|c| c.is_alphabetic());
    let first_is_capital = letters.next().is_some_and(char::is_uppercase);
    let (mut any, mut all) = (false, true);
    for letter in letters {
        (any, all) = (true, all && letter.is_uppercase());
    }
    match (first_is_capital, any && all) {
        (true, true) => word.to_uppercase(),
        (true, false) => {
            let mut rest = word.chars();
            rest.next().map(|first| first.to_uppercase().chain(rest).collect()).unwrap_or_default()
        }
        (false, _) => word.to_owned(),
    }
}
