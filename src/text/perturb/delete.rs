//! Leaves words out (EDA's random deletion).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Amount, Lexicon, Perturb, Surroundings, Words, choose};
use crate::base::rng::{self, Stream};

/// How many words go: `{rate: 0.1}`.
///
/// ```text
/// before   a quick comedy without tedious actors
/// after    a quick without tedious actors
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Delete {
    /// The probability of each word to go, EDA's `p`; 0.1 where there is no `count`.
    #[serde(default)]
    rate: Option<f64>,
    /// So many words instead.
    #[serde(default)]
    count: Option<usize>,
}

impl Perturb for Delete {
    fn amount(&self) -> Amount {
        Amount { rate: self.rate, count: self.count }
    }

    fn apply(&self, words: &mut Words<'_>, _: &Surroundings, _: &Lexicon, random: &mut Stream) {
        let may_go = words.unprotected();
        let mut gone: Vec<usize> = if let Some(count) = self.count {
            choose(may_go, count, random)
        } else {
            let rate = self.amount().rate();
            may_go.into_iter().filter(|_| f64::from(rng::uniform(random)) < rate).collect()
        };
        if gone.is_empty() {
            return;
        }
        if gone.len() == words.count() {
            gone.swap_remove(rng::below(random, gone.len()));
        }
        let mut goes = vec![false; words.pieces.len()];
        for &at in &gone {
            goes[at] = true;
        }
        if !gone.is_empty() {
            words.leave_out(&goes);
        }
    }
}
