//! Puts a mask token in the place of words.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Lexicon, Perturb, Surroundings, Words, choose, how_many};
use crate::base::rng::Stream;

/// How many words are masked, and by what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mask {
    /// Words to mask, as a share of the text's words; at least one.
    rate: f64,
    /// The mask token as the tokenizer reads it: `[MASK]`, as BERT has it, or `<mask>`, as `RoBERTa` does.
    #[serde(default = "token")]
    token: String,
}

fn token() -> String {
    "[MASK]".to_owned()
}

impl Perturb for Mask {
    fn rate(&self) -> f64 {
        self.rate
    }

    fn apply(&self, words: &mut Words, around: &Surroundings, _: &Lexicon, random: &mut Stream) {
        let count = how_many(self.rate, words.places(|_| true).len());
        for at in choose(words.places(|word| !around.is_left_alone(word)), count, random) {
            words.pieces[at].clone_from(&self.token);
        }
    }
}
