//! The list of perturbations for data augmentation: a new one is one file and one line.
//!
//! They follow EDA (Wei and Zou, 2019: "EDA: Easy Data Augmentation Techniques for Boosting Performance on Text
//! Classification Tasks"), with three differences: negations are never touched, since they are what a label often hangs
//! on; synonyms are of a word's most frequent sense only; and there is `mask`, for models that were trained to fill
//! masked words.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Lexicon, TextFault, ops, segment};
use crate::base::rng::{self, Stream};

/// The words that are protected unless a recipe says otherwise; `n't` stands for all words that end in it.
pub const NEGATIONS: &[&str] = &[
    "barely", "cannot", "hardly", "lack", "lacks", "n't", "neither", "never", "no", "nobody", "none", "nor", "not",
    "nothing", "nowhere", "scarcely", "seldom", "unless", "without",
];

/// What a perturbation may know and must leave alone.
pub struct Surroundings {
    protected: BTreeSet<String>,
    protects_contractions: bool,
    stop_words: BTreeSet<String>,
}

impl Surroundings {
    /// Protects words, and the stop words of a language if one is given.
    #[must_use]
    pub fn new(protect: &[String], stop_words: Option<&str>) -> Self {
        let protected: BTreeSet<String> = protect.iter().map(|word| segment::list_form(word)).collect();
        let protects_contractions = protected.contains("n't");
        let stop_words = stop_words.map(ops::stop_words_of).unwrap_or_default();
        Self { protected, protects_contractions, stop_words }
    }

    /// Words that are not even moved.
    fn is_protected(&self, word: &str) -> bool {
        self.protected.contains(word) || self.protects_contractions && word.ends_with("n't")
    }

    /// Words that are not chosen to be replaced, deleted or masked.
    fn is_left_alone(&self, word: &str) -> bool {
        self.is_protected(word) || self.stop_words.contains(word)
    }
}

/// The fault of a language without stop words.
#[must_use]
pub fn stop_word_fault(language: &str) -> Option<TextFault> {
    ops::stop_word_fault(language)
}

/// A text in pieces, some of which are words.
struct Words {
    pieces: Vec<String>,
}

impl Words {
    fn new(text: &str) -> Self {
        Self { pieces: segment::pieces(text).map(ToOwned::to_owned).collect() }
    }

    /// The places of the words that `may` holds for; it sees them in small letters.
    fn places(&self, may: impl Fn(&str) -> bool) -> Vec<usize> {
        let is_place = |&at: &usize| {
            let piece = &self.pieces[at];
            segment::is_word(piece) && may(&segment::list_form(piece))
        };
        (0..self.pieces.len()).filter(is_place).collect()
    }

    fn text(&self) -> String {
        self.pieces.concat()
    }
}

/// What each perturbation's parameters can do.
trait Perturb {
    /// The share of words that it changes.
    fn rate(&self) -> f64;

    /// Changes some words.
    fn apply(&self, words: &mut Words, around: &Surroundings, lexicon: &Lexicon, random: &mut Stream);

    /// A table of synonyms to use instead of the one that comes with the program.
    fn table(&self) -> Option<&str> {
        None
    }
}

macro_rules! perturbations {
    ($($(#[$about:meta])* $module:ident::$Perturbation:ident,)*) => {
        $(mod $module;)*

        /// A step of `augment`.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum Perturbation {
            $($(#[$about])* $Perturbation($module::$Perturbation),)*
        }

        impl Perturbation {
            /// The name that recipes call it by.
            #[must_use]
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$Perturbation(_) => stringify!($module),)*
                }
            }

            fn inner(&self) -> &dyn Perturb {
                match self {
                    $(Self::$Perturbation(inner) => inner,)*
                }
            }
        }
    };
}

perturbations! {
    /// Leaves words out, each with the probability `rate`; one word always stays.
    delete::Delete,
    /// Puts a synonym of some word at a random place.
    insert::Insert,
    /// Puts a mask token in the place of words.
    mask::Mask,
    /// Puts synonyms in the place of words.
    replace::Replace,
    /// Lets two words change their places.
    swap::Swap,
}

impl Perturbation {
    /// What is wrong with its parameters, if anything.
    #[must_use]
    pub fn fault(&self) -> Option<TextFault> {
        let rate = self.inner().rate();
        (!(rate > 0.0 && rate <= 1.0)).then(|| TextFault {
            path: "rate".to_owned(),
            message: format!("`rate` is the share of words to change, above 0 and up to 1, not {rate}"),
            help: Some("0.1 changes every tenth word".to_owned()),
        })
    }

    /// The path of a table of synonyms, where the recipe names one.
    #[must_use]
    pub fn table(&self) -> Option<&str> {
        self.inner().table()
    }

    /// The text with some words changed; the same text where there is nothing that may be changed.
    #[must_use]
    pub fn apply(&self, text: &str, around: &Surroundings, lexicon: &Lexicon, random: &mut Stream) -> String {
        let mut words = Words::new(text);
        self.inner().apply(&mut words, around, lexicon, random);
        words.text()
    }
}

/// How many of `count` words to change: EDA's `max(1, α·l)`.
fn how_many(rate: f64, count: usize) -> usize {
    ((rate * count as f64) as usize).max(1)
}

/// Some of the places, without repetition, in random order.
fn choose(mut places: Vec<usize>, count: usize, random: &mut Stream) -> Vec<usize> {
    rng::shuffle(random, &mut places);
    places.truncate(count);
    places
}

/// A word with the capitals of another.
fn like(word: &str, model: &str) -> String {
    let mut letters = model.chars().filter(|c| c.is_alphabetic());
    let first_is_capital = letters.next().is_some_and(char::is_uppercase);
    let (mut any, mut all) = (false, true);
    for letter in letters {
        (any, all) = (true, all && letter.is_uppercase());
    }
    match (first_is_capital, any && all) {
        (true, true) => word.to_uppercase(),
        (true, false) => {
            let mut rest = word.chars();
            rest.next().map(|first| first.to_uppercase().chain(rest).collect()).unwrap_or_default()
        }
        (false, _) => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn around() -> Surroundings {
        let negations: Vec<String> = NEGATIONS.iter().map(|word| (*word).to_owned()).collect();
        Surroundings::new(&negations, Some("en"))
    }

    fn run(step: serde_json::Value, text: &str, seed: u64) -> String {
        let step: Perturbation = serde_json::from_value(step).unwrap();
        assert_eq!(step.fault(), None);
        step.apply(text, &around(), &Lexicon::English, &mut rng::stream(seed, "test"))
    }

    const TEXT: &str = "This film is not terrible, but the story doesn't begin: a quick comedy without tedious actors.";

    #[test]
    fn negations_are_never_touched_and_seeds_decide() {
        for step in [
            json!({"insert": {"rate": 0.5}}),
            json!({"replace": {"rate": 1.0}}),
            json!({"delete": {"rate": 0.9}}),
            json!({"swap": {"rate": 0.5}}),
            json!({"mask": {"rate": 1.0}}),
        ] {
            let mut changed = 0;
            for seed in 0..50 {
                let text = run(step.clone(), TEXT, seed);
                assert_eq!(text, run(step.clone(), TEXT, seed));
                for negation in ["not", "doesn't", "without"] {
                    let count = |text: &str| segment::pieces(text).filter(|piece| *piece == negation).count();
                    assert_eq!(count(&text), 1, "{step} {text}");
                }
                assert!(!text.contains("  "), "{step} {text:?}");
                changed += usize::from(text != TEXT);
            }
            assert!(changed > 40, "{step}: {changed}");
        }
    }

    #[test]
    fn a_replacement_is_a_synonym_with_the_same_capitals() {
        for seed in 0..10 {
            assert_eq!(run(json!({"replace": {"rate": 0.9}}), "FILM", seed), "MOVIE");
            assert_eq!(run(json!({"replace": {"rate": 0.9}}), "Film!", seed), "Movie!");
            assert_eq!(run(json!({"replace": {"rate": 0.9}}), "xyzzy", seed), "xyzzy");
        }
    }

    #[test]
    fn masks_and_deletions_leave_a_text() {
        let masked = run(json!({"mask": {"rate": 1.0, "token": "<mask>"}}), "terrible film", 0);
        assert_eq!(masked, "<mask> <mask>");
        for seed in 0..20 {
            let deleted = run(json!({"delete": {"rate": 1.0}}), "terrible film", seed);
            assert!(["terrible", "film"].contains(&deleted.as_str()), "{deleted}");
        }
        assert_eq!(run(json!({"delete": {"rate": 1.0}}), "", 0), "");
        assert_eq!(run(json!({"swap": {"rate": 1.0}}), "terrible", 0), "terrible");
        assert_eq!(run(json!({"swap": {"rate": 0.1}}), "terrible film", 0), "film terrible");
    }

    #[test]
    fn a_rate_is_a_share() {
        for rate in [0.0, -0.1, 1.5] {
            let step: Perturbation = serde_json::from_value(json!({"delete": {"rate": rate}})).unwrap();
            assert_eq!(step.fault().unwrap().path, "rate");
        }
    }
}
