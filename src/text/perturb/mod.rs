//! The list of perturbations for data augmentation: a new one is one file and one line.
//!
//! Insertion, deletion, replacement and swap follow EDA (Wei and Zou, 2019: "EDA: Easy Data Augmentation Techniques for Boosting
//! Performance on Text Classification Tasks") with its rates: `max(1, α·l)` words of `l`, or each word with the probability `p`. What
//! differs, on purpose: negations are never touched, since they are what a label often hangs on; case, marks and white space stay,
//! where EDA's authors take out all but small letters; synonyms are of a word's most frequent sense, unless a lexicon has more; of a
//! word that stands in several places each is a word of its own, where EDA's authors replace all of them at once; and a word that is
//! put in comes from a word that is no stop word, as the paper has it and its authors' program has not.

mod amount;
mod noise;
mod words;

#[cfg(test)]
mod tests;

use std::{collections::HashSet, ops::Range};

use regex::Regex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::{
    amount::{Amount, choose, like},
    words::Guard,
};
pub use self::{
    contextual::{Blanks, Contextual, Guess},
    words::{Change, Words},
};
use super::{Lexicon, TextFault, chinese, ops, segment};
use crate::base::rng::Stream;

/// The words that are protected unless a recipe says otherwise; `n't` stands for all words that end in it.
pub const NEGATIONS: &[&str] = &[
    "barely", "cannot", "hardly", "lack", "lacks", "n't", "neither", "never", "no", "nobody", "none", "nor", "not",
    "nothing", "nowhere", "scarcely", "seldom", "unless", "without", "不", "不会", "不能", "不要", "不是", "没",
    "没有", "未", "无", "别", "从不", "从未", "毫无", "并非", "绝不",
];

/// What finds the tokens of a text, in bytes.
pub type Tokens = Box<dyn Fn(&str) -> Vec<Range<usize>> + Send + Sync>;

/// What a perturbation may know and must leave alone.
pub struct Surroundings {
    protected: HashSet<String>,
    protects_contractions: bool,
    stop_words: HashSet<String>,
    passages: Vec<Regex>,
    protects_addresses: bool,
    is_chinese: bool,
    tokens: Option<Tokens>,
}

impl Surroundings {
    /// Protects words, in texts of a language, by its code; `zh` has words without spaces between them.
    #[must_use]
    pub fn new(language: &str, protect: &[String]) -> Self {
        let protected: HashSet<String> = protect.iter().map(|word| segment::list_form(word)).collect();
        Self {
            protects_contractions: protected.contains("n't"),
            protected,
            stop_words: HashSet::new(),
            passages: Vec::new(),
            protects_addresses: false,
            is_chinese: language == "zh",
            tokens: None,
        }
    }

    /// Knows the stop words of a language.
    #[must_use]
    pub fn with_stop_words(self, language: &str) -> Self {
        Self { stop_words: ops::stop_words_of(language).into_iter().collect(), ..self }
    }

    /// Protects what regular expressions find, too; those that are none are left out.
    #[must_use]
    pub fn with_passages(self, expressions: &[String]) -> Self {
        Self { passages: expressions.iter().filter_map(|expression| Regex::new(expression).ok()).collect(), ..self }
    }

    /// Protects web and e-mail addresses, `@names` and `#hashtags`.
    #[must_use]
    pub fn with_addresses(self) -> Self {
        Self { protects_addresses: true, ..self }
    }

    /// Knows what a tokenizer makes of texts.
    #[must_use]
    pub fn with_tokens(self, tokens: Tokens) -> Self {
        Self { tokens: Some(tokens), ..self }
    }

    /// A text in words; `own` are words that are protected in this one only, in small letters.
    #[must_use]
    pub fn words<'a>(&self, text: &'a str, own: &[String]) -> Words<'a> {
        let mut words = Words::new(text, self.is_chinese);
        let mut form = String::new();
        for piece in &mut words.pieces {
            if !piece.is_word {
                continue;
            }
            form.clear();
            if piece.text.is_ascii() {
                form.push_str(&piece.text);
                form.make_ascii_lowercase();
            } else {
                form.push_str(&segment::list_form(&piece.text));
            }
            if self.is_protected(&form) || own.contains(&form) {
                piece.guard = Guard::Protected;
            } else if self.stop_words.contains(&form) {
                piece.guard = Guard::StopWord;
            }
        }
        for passage in self.passages.iter().flat_map(|passage| passage.find_iter(text)) {
            words.protect(passage.range());
        }
        if self.protects_addresses {
            ops::addresses(text).for_each(|address| words.protect(address));
        }
        words
    }

    /// The words of a label, as texts have them: `sports_news` has `sports` and `news`, and may stand as it is.
    #[must_use]
    pub fn label_words(&self, label: &str) -> Vec<String> {
        let parts = label.split(|c: char| !c.is_alphanumeric() && c != '\'').filter(|part| !part.is_empty());
        let words = parts.flat_map(|part| if self.is_chinese { chinese::words(part) } else { vec![part] });
        words.chain([label]).map(segment::list_form).collect()
    }

    /// Words that are not even moved.
    fn is_protected(&self, word: &str) -> bool {
        self.protected.contains(word) || self.protects_contractions && word.ends_with("n't")
    }

    /// The synonyms that may be put in: a protected word is one that labels hang on, wherever it stands.
    fn allowed<'a>(&self, mut synonyms: Vec<&'a str>) -> Vec<&'a str> {
        let is_protected = |word: &str| self.is_protected(&segment::folded(word));
        let is_one = |synonym: &str| synonym.bytes().all(|byte| byte.is_ascii_alphabetic());
        synonyms.retain(|synonym| {
            let has_protected = || segment::words(synonym).any(|word| is_protected(word.text));
            !is_protected(synonym) && (is_one(synonym) || !has_protected())
        });
        synonyms
    }

    /// The tokens of a text, in bytes, one after the other; none overlaps the one before.
    fn tokens(&self, text: &str) -> Vec<Range<usize>> {
        let mut end = 0;
        let mut tokens = self.tokens.as_ref().map(|tokens| tokens(text)).unwrap_or_default();
        tokens.retain(|token| {
            let is_next = token.start >= end && token.start < token.end && text.get(token.clone()).is_some();
            if is_next {
                end = token.end;
            }
            is_next
        });
        tokens
    }
}

/// The fault of a language without stop words.
#[must_use]
pub fn stop_word_fault(language: &str) -> Option<TextFault> {
    ops::stop_word_fault(language)
}

/// The fault of what is no regular expression, in words.
#[must_use]
pub fn passage_fault(expression: &str) -> Option<String> {
    let error = Regex::new(expression).err()?.to_string();
    // The message draws the place below the expression; its last line says what is wrong.
    let what = error.lines().last().unwrap_or_default().trim_start_matches("error: ");
    Some(format!("`{expression}` is no regular expression: {what}"))
}

/// What each perturbation's parameters can do.
trait Perturb {
    /// How many words it changes.
    fn amount(&self) -> Amount;

    /// Changes some words.
    fn apply(&self, words: &mut Words<'_>, around: &Surroundings, lexicon: &Lexicon, random: &mut Stream);

    /// What is wrong with its other parameters.
    fn fault(&self) -> Option<TextFault> {
        None
    }

    /// Whether it puts synonyms in.
    fn wants_synonyms(&self) -> bool {
        false
    }

    /// A table of synonyms to use instead of the one that comes with the program.
    fn table(&self) -> Option<&str> {
        None
    }

    /// What it needs a model for, where it does.
    fn wants_model(&self) -> Option<&'static str> {
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
    /// Lets a masked language model put words in or replace words: `comedy` becomes `drama`.
    contextual::Contextual,
    /// Leaves words out, each with the probability `rate`; one word always stays: `a quick comedy` becomes `a comedy`.
    delete::Delete,
    /// Puts a synonym of some word at a random place: `a quick comedy` becomes `a fast quick comedy`.
    insert::Insert,
    /// Hits the key beside the right one: `comedy` becomes `comefy`.
    keyboard::Keyboard,
    /// Puts a mask token in the place of words, spans of words, or tokens: `a [MASK] comedy`.
    mask::Mask,
    /// Reads letters as others that look like them: `comedy` becomes `cornedy`.
    ocr::Ocr,
    /// Puts synonyms in the place of words: `a quick comedy` becomes `a fast comedy`.
    replace::Replace,
    /// Lets two words change their places: `a quick comedy` becomes `a comedy quick`.
    swap::Swap,
    /// Types a letter too few, too many, or two in the wrong order: `comedy` becomes `coemdy`.
    typos::Typos,
}

impl Perturbation {
    /// What is wrong with its parameters, if anything.
    #[must_use]
    pub fn fault(&self) -> Option<TextFault> {
        self.inner().amount().fault().or_else(|| self.inner().fault())
    }

    /// Whether it puts synonyms in.
    #[must_use]
    pub fn wants_synonyms(&self) -> bool {
        self.inner().wants_synonyms()
    }

    /// The path of a table of synonyms, where the recipe names one.
    #[must_use]
    pub fn table(&self) -> Option<&str> {
        self.inner().table()
    }

    /// What it needs a model for, where it does: a sentence.
    #[must_use]
    pub fn wants_model(&self) -> Option<&'static str> {
        self.inner().wants_model()
    }

    /// The step, where a model has to guess words for it.
    #[must_use]
    pub fn contextual(&self) -> Option<&Contextual> {
        match self {
            Self::Contextual(step) => Some(step),
            _ => None,
        }
    }

    /// Changes some words, as step number `at`; none where there is nothing that may be changed.
    pub fn apply(
        &self,
        at: usize,
        words: &mut Words<'_>,
        around: &Surroundings,
        lexicon: &Lexicon,
        random: &mut Stream,
    ) {
        words.begin(at);
        self.inner().apply(words, around, lexicon, random);
    }
}

/// The fault of noise in no letters.
fn letters_fault(letters: usize) -> Option<TextFault> {
    (letters == 0).then(|| TextFault {
        path: "letters".to_owned(),
        message: "`letters` is a number of letters to change, at least 1".to_owned(),
        help: Some("1 changes a letter of each word that is chosen".to_owned()),
    })
}
