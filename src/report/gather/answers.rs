//! What a report is told beside records: answers and summaries, row by row.

use std::collections::BTreeMap;

use crate::report::model::DataProfile;

/// What stages left behind row by row, by stage.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    /// Which rows an evaluation answered right.
    pub right: BTreeMap<String, BTreeMap<String, bool>>,
    /// What is in the datasets that were looked at.
    pub data: BTreeMap<String, DataProfile>,
    /// What a method made of each text.
    pub summaries: BTreeMap<String, Vec<Summary>>,
}

/// A summary and its score.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// The row's id.
    pub id: String,
    /// The summary that somebody wrote.
    pub reference: String,
    /// The first sentences, a sentence a line.
    pub lead: String,
    /// The summary, a sentence a line.
    pub text: String,
    /// The ROUGE-1 of the summary, a share.
    pub score: f64,
    /// The ROUGE-1 of the first sentences.
    pub lead_score: f64,
}
