//! `Dataset`: Arrow record batches by split, with column roles.

use std::{collections::BTreeMap, path::Path};

use arrow::{
    array::{Array, StringArray},
    record_batch::RecordBatch,
};
use serde::{Deserialize, Serialize};

use super::{
    DataError, columns,
    files::{DatasetReader, DatasetWriter, no_split},
};

/// A part of a dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// What models are trained on.
    Train,
    /// What decisions during training are made on.
    Validation,
    /// What results are measured on; no stage trains or chooses on it.
    Test,
}

/// Which column means what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Roles {
    /// The text.
    pub text: String,
    /// A second text, of pair tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pair: Option<String>,
    /// The label, a string column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// What `dataset.json` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Meta {
    /// The version of this file's form.
    pub version: u32,
    /// Which column means what.
    pub roles: Roles,
    /// The labels, sorted; a label's number is its place here.
    pub labels: Vec<String>,
    /// Rows by split.
    pub rows: BTreeMap<Split, usize>,
    /// Where the data came from, as the recipe says it.
    #[serde(default)]
    pub source: String,
    /// The licence, as the recipe says it.
    #[serde(default)]
    pub license: String,
}

/// A dataset in memory: one record batch a split, all of one schema.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// Roles, labels, origin.
    pub meta: Meta,
    /// The splits that there are.
    pub splits: BTreeMap<Split, RecordBatch>,
}

/// The rows of a split as plain values.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    /// The texts.
    pub texts: Vec<String>,
    /// The second texts, of pair tasks.
    pub pairs: Option<Vec<String>>,
    /// The labels' numbers, where there is a label column.
    pub labels: Option<Vec<u32>>,
    /// The ids, or the row numbers where there is no id column.
    pub ids: Vec<String>,
}

impl Rows {
    /// The first rows, at most so many.
    #[must_use]
    pub fn first(mut self, n: usize) -> Self {
        self.texts.truncate(n);
        self.ids.truncate(n);
        if let Some(pairs) = &mut self.pairs {
            pairs.truncate(n);
        }
        if let Some(labels) = &mut self.labels {
            labels.truncate(n);
        }
        self
    }
}

impl Split {
    /// All splits, in order.
    pub const ALL: [Self; 3] = [Self::Train, Self::Validation, Self::Test];

    /// `train`, `validation` or `test`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }
}

impl Roles {
    /// The columns that have a role, with the role's name.
    pub fn columns(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [
            ("text", Some(&self.text)),
            ("pair", self.pair.as_ref()),
            ("label", self.label.as_ref()),
            ("id", self.id.as_ref()),
        ]
        .into_iter()
        .filter_map(|(role, column)| Some((role, column?.as_str())))
    }
}

impl Dataset {
    /// Reads a dataset artifact whole.
    ///
    /// # Errors
    /// When a file is missing, damaged or of another form.
    pub fn open(dir: &Path) -> Result<Self, DataError> {
        let reader = DatasetReader::open(dir)?;
        let whole = |&split: &Split| Ok((split, reader.whole(split)?));
        let splits = reader.meta().rows.keys().map(whole).collect::<Result<_, DataError>>()?;
        Ok(Self { meta: reader.meta().clone(), splits })
    }

    /// Writes `dataset.json` and one Arrow IPC file a split; the same dataset gives the same bytes.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&self, dir: &Path) -> Result<(), DataError> {
        let mut writer = DatasetWriter::create(dir, self.meta.clone());
        for (split, batch) in &self.splits {
            writer.append(*split, batch)?;
        }
        writer.finish().map(drop)
    }

    /// The rows of a split.
    ///
    /// # Errors
    /// When the dataset has no such split, or a label is not among [`Meta::labels`].
    pub fn rows(&self, split: Split) -> Result<Rows, DataError> {
        let batch = self.batch(split)?;
        let roles = &self.meta.roles;
        let own = |column: &str| -> Result<Vec<String>, DataError> {
            let array = columns::strings(batch, column)?;
            Ok((0..array.len()).map(|row| array.value(row).to_owned()).collect())
        };
        let labels = match &roles.label {
            None => None,
            Some(column) => Some(self.label_numbers(split, columns::strings(batch, column)?)?),
        };
        Ok(Rows {
            texts: own(&roles.text)?,
            pairs: roles.pair.as_deref().map(own).transpose()?,
            labels,
            ids: match &roles.id {
                Some(column) => own(column)?,
                None => (0..batch.num_rows()).map(|row| row.to_string()).collect(),
            },
        })
    }

    /// A column of texts of a split; rows without a text have an empty one.
    ///
    /// # Errors
    /// When there is no such split or column, or it does not hold texts.
    pub fn texts(&self, split: Split, column: &str) -> Result<Vec<String>, DataError> {
        let batch =
            self.splits.get(&split).ok_or_else(|| DataError::content(format!("there is no {} split", split.name())))?;
        let texts = columns::strings(batch, column)?;
        Ok((0..texts.len()).map(|row| texts.value(row).to_owned()).collect())
    }

    /// The record batch of a split.
    pub(super) fn batch(&self, split: Split) -> Result<&RecordBatch, DataError> {
        self.splits.get(&split).ok_or_else(|| no_split(split, self.splits.keys()))
    }

    fn label_numbers(&self, split: Split, labels: &StringArray) -> Result<Vec<u32>, DataError> {
        let numbers: BTreeMap<&str, u32> =
            (0..).zip(&self.meta.labels).map(|(number, label)| (label.as_str(), number)).collect();
        let number = |row: usize| {
            numbers.get(labels.value(row)).copied().ok_or_else(|| {
                let label = labels.value(row);
                DataError::content(format!("{}: row {}: unknown label `{label}`", split.name(), row + 1))
            })
        };
        (0..labels.len()).map(number).collect()
    }
}
