//! What a report shows of a dataset.

/// What is in a dataset, beside what was in another before.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DataProfile {
    /// The stage that looked.
    pub stage: String,
    /// The dataset.
    pub data: String,
    /// The dataset before, where one was looked at.
    pub before: Option<String>,
    /// Tokens that a model reads, where that is known.
    pub max_length: Option<u64>,
    /// The splits, in order.
    pub splits: Vec<DataSplit>,
    /// What the numbers do not cover.
    pub notes: Vec<String>,
}

/// A split, and what it was before.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DataSplit {
    /// Its name.
    pub name: String,
    /// What is in it.
    pub now: DataSide,
    /// What was in it before.
    pub before: Option<DataSide>,
}

/// What is in a split of one dataset.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DataSide {
    /// Rows.
    pub rows: u64,
    /// Lengths in words.
    pub words: LengthShape,
    /// Lengths in tokens, where there was a tokenizer.
    pub tokens: Option<LengthShape>,
    /// Rows among those tokenised that a model does not read to their end.
    pub longer: Option<u64>,
    /// Rows by label, in the order of the labels.
    pub labels: Vec<(String, u64)>,
    /// Rows whose language was looked for.
    pub identified: u64,
    /// Of them, those whose language is sure, by language, the most first.
    pub languages: Vec<(String, u64)>,
    /// Of them, those whose language is unsure.
    pub unsure: u64,
    /// Rows with a text that an earlier row of the split has.
    pub duplicates: u64,
    /// Rows with a text that an earlier split has.
    pub leaks: u64,
    /// Distinct words.
    pub distinct: u64,
    /// The most frequent words that are no stop words.
    pub frequent: Vec<String>,
    /// Rows with nothing but blanks.
    pub empty: u64,
    /// Rows with characters that no one wrote.
    pub odd: u64,
}

/// How long the rows of a split are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LengthShape {
    /// The rows that were measured.
    pub rows: u64,
    /// The mean.
    pub mean: f64,
    /// The median.
    pub median: f64,
    /// 95 % are no longer.
    pub p95: f64,
    /// 99 % are no longer.
    pub p99: f64,
    /// The longest.
    pub max: u64,
    /// A histogram: from, up to below, rows. Two have the same bins where they overlap.
    pub bins: Vec<(u64, u64, u64)>,
}

impl DataProfile {
    /// The sides of all splits: now, or before.
    pub(in crate::report) fn sides(&self, is_now: bool) -> impl Iterator<Item = &DataSide> {
        self.splits.iter().filter_map(move |split| if is_now { Some(&split.now) } else { split.before.as_ref() })
    }
}
