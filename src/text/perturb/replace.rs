//! Puts synonyms in the place of words (EDA's synonym replacement).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Lexicon, Perturb, Surroundings, Words, choose, how_many, like};
use crate::{
    base::rng::{self, Stream},
    text::segment,
};

/// How many words are replaced, and from where.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Replace {
    /// Words to replace, as a share of the text's words; at least one.
    rate: f64,
    /// Where synonyms come from.
    #[serde(default)]
    source: Synonyms,
    /// A table of synonyms (`word<TAB>synonym synonym …`, a line a word) instead.
    #[serde(default)]
    table: Option<String>,
}

/// Where synonyms come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Synonyms {
    /// The most frequent senses of `WordNet` 3.0, which come with the program; English.
    #[default]
    Wordnet,
}

impl Perturb for Replace {
    fn rate(&self) -> f64 {
        self.rate
    }

    fn table(&self) -> Option<&str> {
        self.table.as_deref()
    }

    fn apply(&self, words: &mut Words, around: &Surroundings, lexicon: &Lexicon, random: &mut Stream) {
        let count = how_many(self.rate, words.places(|_| true).len());
        let places = words.places(|word| !around.is_left_alone(word) && !lexicon.synonyms(word).is_empty());
        for at in choose(places, count, random) {
            let word = &words.pieces[at];
            let form = segment::list_form(word);
            let synonyms = lexicon.synonyms(&form);
            words.pieces[at] = like(synonyms[rng::below(random, synonyms.len())], word);
        }
    }
}
