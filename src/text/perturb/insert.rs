//! Puts synonyms at random places (EDA's random insertion).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Lexicon, Perturb, Surroundings, Words, how_many};
use crate::{
    base::rng::{self, Stream},
    text::segment,
};

/// How many synonyms are put in, and from where.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Insert {
    /// Synonyms to put in, as a share of the text's words; at least one.
    rate: f64,
    /// A table of synonyms (`word<TAB>synonym synonym …`, a line a word) instead of English ones.
    #[serde(default)]
    table: Option<String>,
}

impl Perturb for Insert {
    fn rate(&self) -> f64 {
        self.rate
    }

    fn table(&self) -> Option<&str> {
        self.table.as_deref()
    }

    fn apply(&self, words: &mut Words, around: &Surroundings, lexicon: &Lexicon, random: &mut Stream) {
        let all = words.places(|_| true);
        let sources = words.places(|word| !around.is_left_alone(word) && !lexicon.synonyms(word).is_empty());
        if sources.is_empty() {
            return;
        }
        let mut inserts = Vec::new();
        for _ in 0..how_many(self.rate, all.len()) {
            let source = segment::list_form(&words.pieces[sources[rng::below(random, sources.len())]]);
            let synonyms = lexicon.synonyms(&source);
            let synonym = synonyms[rng::below(random, synonyms.len())].to_owned();
            inserts.push((all[rng::below(random, all.len())], synonym));
        }
        // From the end, so that the places before stay what they are.
        inserts.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        for (at, synonym) in inserts {
            // Before a word: after one, it could come between the word and its comma.
            words.pieces.splice(at..at, [synonym, " ".to_owned()]);
        }
    }
}
