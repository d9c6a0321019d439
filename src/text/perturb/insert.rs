//! Puts synonyms at random places (EDA's random insertion).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Amount, Lexicon, Perturb, Surroundings, Words};
use crate::{
    base::rng::{self, Stream},
    text::segment,
};

/// How many synonyms are put in, and from where: `{rate: 0.1}`.
///
/// ```text
/// before   a quick comedy without tedious actors
/// after    a quick comedy without fast tedious actors
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Insert {
    /// Synonyms to put in, as a share of the text's words, EDA's `α`; at least one. 0.1 where there is no `count`.
    #[serde(default)]
    rate: Option<f64>,
    /// So many synonyms instead.
    #[serde(default)]
    count: Option<usize>,
    /// A table of synonyms instead: `word<TAB>synonym synonym …`, a line a word; `.csv` and `.jsonl` are read, too.
    #[serde(default)]
    table: Option<String>,
}

impl Perturb for Insert {
    fn amount(&self) -> Amount {
        Amount { rate: self.rate, count: self.count }
    }

    fn wants_synonyms(&self) -> bool {
        true
    }

    fn table(&self) -> Option<&str> {
        self.table.as_deref()
    }

    fn apply(&self, words: &mut Words<'_>, around: &Surroundings, lexicon: &Lexicon, random: &mut Stream) {
        let places = words.places(|piece| !piece.goes_on);
        let mut sources = words.free();
        let count = self.amount().of(words.count());
        let mut new = Vec::with_capacity(count.min(1 + words.pieces.len()));
        while new.len() < count && !sources.is_empty() && !places.is_empty() {
            let source = rng::below(random, sources.len());
            let word = segment::list_form(&words.pieces[sources[source]].text);
            let synonyms = around.allowed(lexicon.synonyms(&word));
            if synonyms.is_empty() {
                // It is not asked again: each word that has some is as likely as any other.
                sources.swap_remove(source);
                continue;
            }
            let synonym = synonyms[rng::below(random, synonyms.len())].to_owned();
            // Before a word: after one, it could come between the word and its comma.
            new.push((places[rng::below(random, places.len())], synonym));
        }
        new.sort_by_key(|(at, _)| *at);
        words.put_before(new);
    }
}
