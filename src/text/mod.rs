//! Plain-text tools; `&str` in, values out, no I/O.

mod language;
pub mod ops;
pub mod perturb;
mod segment;
mod sentences;
pub mod summary;
mod synonyms;

pub use segment::{count_words, normal_form};
pub use sentences::sentences;
pub use synonyms::Lexicon;

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
