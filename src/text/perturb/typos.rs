//! Types a letter too few, too many, or two in the wrong order.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Amount, Lexicon, Perturb, Surroundings, Words, letters_fault, noise};
use crate::{
    base::rng::{self, Stream},
    text::TextFault,
};

/// How many words are mistyped: `{rate: 0.1}`.
///
/// ```text
/// before      a quick comedy without tedious actors
/// delete      a quick comdy without tedious actors
/// double      a quick commedy without tedious actors
/// transpose   a quick coemdy without tedious actors
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Typos {
    /// Words to mistype, as a share of the text's words; at least one. 0.1 where there is no `count`.
    #[serde(default)]
    rate: Option<f64>,
    /// So many words instead.
    #[serde(default)]
    count: Option<usize>,
    /// Faults of each such word.
    #[serde(default = "one")]
    letters: usize,
    /// Which faults there are, each as likely as any other.
    #[serde(default = "all")]
    kinds: Vec<Typo>,
}

fn one() -> usize {
    1
}

fn all() -> Vec<Typo> {
    vec![Typo::Delete, Typo::Double, Typo::Transpose]
}

/// A fault of typing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Typo {
    /// A letter is left out; the only one of a word stays.
    Delete,
    /// A letter stands twice.
    Double,
    /// Two neighbours that differ change their places.
    Transpose,
}

impl Perturb for Typos {
    fn amount(&self) -> Amount {
        Amount { rate: self.rate, count: self.count }
    }

    fn fault(&self) -> Option<TextFault> {
        let none = self.kinds.is_empty().then(|| TextFault {
            path: "kinds".to_owned(),
            message: "no kinds of typos, so nothing is mistyped".to_owned(),
            help: Some("`[delete, double, transpose]`".to_owned()),
        });
        none.or_else(|| letters_fault(self.letters))
    }

    fn apply(&self, words: &mut Words<'_>, _: &Surroundings, _: &Lexicon, random: &mut Stream) {
        noise::misspell_words(words, self.amount(), self.letters, random, |word, random| {
            let kind = self.kinds[rng::below(random, self.kinds.len())];
            mistype(word, kind, random)
        });
    }
}

fn mistype(word: &str, kind: Typo, random: &mut Stream) -> Option<String> {
    let mut letters = noise::letters(word);
    match kind {
        Typo::Delete if letters.len() > 1 => {
            letters.remove(rng::below(random, letters.len()));
        }
        Typo::Double => {
            let at = rng::below(random, letters.len());
            letters.insert(at, letters[at]);
        }
        Typo::Transpose => {
            let places: Vec<usize> = (1..letters.len()).filter(|&at| letters[at] != letters[at - 1]).collect();
            if places.is_empty() {
                return None;
            }
            let at = places[rng::below(random, places.len())];
            letters.swap(at - 1, at);
        }
        Typo::Delete => return None,
    }
    Some(letters.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typos_are_of_their_kind() {
        let mut random = rng::stream(5, "test");
        let mut run = |word: &str, kind| mistype(word, kind, &mut random);
        assert!(["b", "a"].contains(&run("ab", Typo::Delete).unwrap().as_str()));
        assert!(["aab", "abb"].contains(&run("ab", Typo::Double).unwrap().as_str()));
        assert_eq!(run("ab", Typo::Transpose).unwrap(), "ba");
        assert_eq!((run("a", Typo::Delete), run("aa", Typo::Transpose)), (None, None));
        assert_eq!(run("电影", Typo::Transpose).unwrap(), "影电");
        assert_eq!(run("e\u{301}", Typo::Double).unwrap(), "e\u{301}e\u{301}");
    }
}
