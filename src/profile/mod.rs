//! What is in a dataset: lengths, labels, repeats, languages, words, and what changed from one to another.

mod changes;
mod lengths;
mod odd;
mod profiler;
mod repeats;
mod sample;
mod vocabulary;

use serde::{Deserialize, Serialize};

pub use changes::{AddedRow, ChangedRow, Changes, LabelChange, RemovedRow, SplitChange, compare};
pub use lengths::{Bin, Lengths};
pub use odd::Odd;
pub use profiler::Options;
pub use repeats::Repeats;
pub use vocabulary::Vocabulary;

/// The version of a profile's form.
const VERSION: u32 = 1;
/// What rows without splits are called.
pub const ALL: &str = "all";

/// What is in a dataset. A row's text is, of pair tasks, both of its texts together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// The version of this form.
    pub version: u32,
    /// The splits, in order; one called `all` where there are none.
    pub splits: Vec<SplitProfile>,
    /// Rows of plain files that could not be read.
    pub unread: u64,
    /// What the numbers do not cover.
    pub notes: Vec<String>,
}

/// What is in a split.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitProfile {
    /// Its name.
    pub name: String,
    /// Its rows.
    pub rows: u64,
    /// Lengths in characters (Unicode scalar values).
    pub characters: Lengths,
    /// Lengths in words (UAX #29), of the text in its compatible form (NFKC).
    pub words: Lengths,
    /// Lengths in tokens, special ones included, where there is a tokenizer; of a sample that is spread evenly where there are more
    /// than 131,072 rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<Tokens>,
    /// Rows by label, in the order of the labels; of rows without one, an empty label.
    pub labels: Vec<LabelCount>,
    /// Texts that repeat.
    pub repeats: Repeats,
    /// Languages.
    pub languages: Languages,
    /// Words.
    pub vocabulary: Vocabulary,
    /// What is odd.
    pub odd: Odd,
}

/// Lengths in tokens.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tokens {
    /// Of the rows that were looked at.
    pub lengths: Lengths,
    /// Tokens that a model reads, where that is known, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_length: Option<u64>,
    /// … and the rows among those looked at that are longer.
    #[serde(default)]
    pub longer: u64,
}

/// A label and its rows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelCount {
    /// The label.
    pub label: String,
    /// Its rows.
    pub rows: u64,
}

/// The languages of some texts, found on a sample that is spread evenly over the rows: all of up to 8,192.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Languages {
    /// Rows that were looked at.
    pub rows: u64,
    /// Rows by ISO 639-1 code, the most first; those whose language is at least 90 % sure.
    pub sure: Vec<(String, u64)>,
    /// Rows whose language is less sure: texts of few words, or of several languages.
    pub unsure: u64,
    /// Rows without a letter.
    pub none: u64,
}

impl Profile {
    /// Reads what [`Profile`] is written as.
    ///
    /// # Errors
    /// When it is something else, or of another version, in words.
    pub fn from_json(json: &str) -> Result<Self, String> {
        let profile: Self = serde_json::from_str(json).map_err(|error| error.to_string())?;
        if profile.version == VERSION {
            Ok(profile)
        } else {
            Err(format!("version {} of a profile, this program reads {VERSION}", profile.version))
        }
    }

    /// All rows.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.splits.iter().map(|split| split.rows).sum()
    }

    /// The split of a name.
    #[must_use]
    pub fn split(&self, name: &str) -> Option<&SplitProfile> {
        self.splits.iter().find(|split| split.name == name)
    }
}

#[cfg(test)]
mod tests;
