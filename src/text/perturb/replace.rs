//! Puts synonyms in the place of words (EDA's synonym replacement).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Amount, Lexicon, Perturb, Surroundings, Words, choose, like};
use crate::{
    base::rng::{self, Stream},
    text::segment,
};

/// How many words are replaced, and from where: `{rate: 0.1}`.
///
/// ```text
/// before   a quick comedy without tedious actors
/// after    a fast comedy without tedious actors
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Replace {
    /// Words to replace, as a share of the text's words, EDA's `α`; at least one. 0.1 where there is no `count`.
    #[serde(default)]
    rate: Option<f64>,
    /// So many words instead.
    #[serde(default)]
    count: Option<usize>,
    /// Where synonyms come from.
    #[serde(default)]
    source: Synonyms,
    /// A table of synonyms instead: `word<TAB>synonym synonym …`, a line a word; `.csv` and `.jsonl` are read, too.
    #[serde(default)]
    table: Option<String>,
}

/// Where synonyms come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Synonyms {
    /// What is wired to `lexicon`, or else the most frequent senses of `WordNet` 3.0, which come with the program; English.
    #[default]
    Wordnet,
}

impl Perturb for Replace {
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
        let mut left = self.amount().of(words.count());
        let places = words.free();
        // All of them in random order, as many have no synonym.
        for at in choose(places.clone(), places.len(), random) {
            let word = &words.pieces[at].text;
            let form = segment::list_form(word);
            let synonyms = around.allowed(lexicon.synonyms(&form));
            if synonyms.is_empty() {
                continue;
            }
            let new = like(synonyms[rng::below(random, synonyms.len())], word);
            words.set(at, new);
            left -= 1;
            if left == 0 {
                break;
            }
        }
    }
}
