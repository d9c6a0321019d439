//! Lets words change their places (EDA's random swap).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Amount, Lexicon, Perturb, Surroundings, Words};
use crate::base::rng::{self, Stream};

/// How many words change their places: `{rate: 0.1}`.
///
/// ```text
/// before   a quick comedy without tedious actors
/// after    a tedious comedy without quick actors
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Swap {
    /// Swaps, as a share of the text's words, EDA's `α`; at least one. A swap moves two words. 0.1 where there is no `count`.
    #[serde(default)]
    rate: Option<f64>,
    /// So many swaps instead.
    #[serde(default)]
    count: Option<usize>,
}

impl Perturb for Swap {
    fn amount(&self) -> Amount {
        Amount { rate: self.rate, count: self.count }
    }

    fn apply(&self, words: &mut Words<'_>, _: &Surroundings, _: &Lexicon, random: &mut Stream) {
        let places = words.unprotected();
        if places.len() < 2 {
            return;
        }
        for _ in 0..self.amount().of(words.count()) {
            let first = rng::below(random, places.len());
            // Any other place.
            let second = (first + 1 + rng::below(random, places.len() - 1)) % places.len();
            words.swap(places[first], places[second]);
        }
    }
}
