//! Lets words change their places (EDA's random swap).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Lexicon, Perturb, Surroundings, Words, how_many};
use crate::base::rng::{self, Stream};

/// How many words change their places.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Swap {
    /// Swaps, as a share of the text's words; at least one. A swap moves two words.
    rate: f64,
}

impl Perturb for Swap {
    fn rate(&self) -> f64 {
        self.rate
    }

    fn apply(&self, words: &mut Words, around: &Surroundings, _: &Lexicon, random: &mut Stream) {
        let places = words.places(|word| !around.is_protected(word));
        if places.len() < 2 {
            return;
        }
        for _ in 0..how_many(self.rate, places.len()) {
            let first = rng::below(random, places.len());
            // Any other place.
            let second = (first + 1 + rng::below(random, places.len() - 1)) % places.len();
            words.pieces.swap(places[first], places[second]);
        }
    }
}
