//! Leaves words out (EDA's random deletion).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Lexicon, Perturb, Surroundings, Words};
use crate::{
    base::rng::{self, Stream},
    text::segment,
};

/// How many words go.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Delete {
    /// The probability of each word to go.
    rate: f64,
}

impl Perturb for Delete {
    fn rate(&self) -> f64 {
        self.rate
    }

    fn apply(&self, words: &mut Words, around: &Surroundings, _: &Lexicon, random: &mut Stream) {
        let may_go = words.places(|word| !around.is_left_alone(word));
        let mut gone: Vec<usize> =
            may_go.iter().copied().filter(|_| f64::from(rng::uniform(random)) < self.rate).collect();
        if !gone.is_empty() && gone.len() == words.places(|_| true).len() {
            gone.remove(rng::below(random, gone.len()));
        }
        let pieces = std::mem::take(&mut words.pieces);
        let marked = pieces.iter().enumerate().map(|(at, piece)| (piece.as_str(), gone.contains(&at)));
        words.pieces = vec![segment::join_marked(marked)];
    }
}
