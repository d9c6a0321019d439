//! Plain-text tools; `&str` in, values out, no I/O.

mod bits;
mod chinese;
pub mod dedup;
mod edits;
pub mod filters;
mod identify;
mod language;
pub mod ops;
pub mod perturb;
mod segment;
mod sentences;
pub mod summary;
mod synonyms;
mod word_set;
pub mod wordnet;

pub use identify::{identifiable, identify};
pub use segment::{count_words, normal_form};
pub use sentences::sentences;
pub use synonyms::{Lexicon, TableForm};

/// What is wrong with the parameters of a text operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextFault {
    /// The parameter, below the operation: `language`; empty for the operation itself.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// The stop words of a language by its ISO 639-1 code, in small letters; none where there is no list.
#[must_use]
pub fn stop_words(language: &str) -> std::collections::BTreeSet<String> {
    ops::stop_words_of(language)
}
