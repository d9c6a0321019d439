//! `Dataset`: Arrow record batches by split, with column roles.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, StringArray},
    record_batch::RecordBatch,
};
use serde::{Deserialize, Serialize};

use super::{DataError, columns, table};
use crate::base::{digest::Digest, fs, plural};

/// The version of `dataset.json` that this program writes and reads.
const VERSION: u32 = 1;
/// The key of `dataset.json` that holds the digest of each split's file.
const DIGESTS: &str = "digests";

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
    /// Reads a dataset artifact.
    ///
    /// # Errors
    /// When a file is missing, damaged or of another form.
    pub fn open(dir: &Path) -> Result<Self, DataError> {
        let path = dir.join("dataset.json");
        let wrong = |what: String| DataError::content(format!("`{}`: {what}", path.display()));
        let mut json: serde_json::Value =
            serde_json::from_slice(&fs::read(&path)?).map_err(|error| wrong(format!("not JSON: {error}")))?;
        match json.get("version").and_then(serde_json::Value::as_u64) {
            Some(version) if version == u64::from(VERSION) => {}
            Some(version) => {
                return Err(wrong(format!("version {version} of a dataset, this program reads {VERSION}")));
            }
            None => return Err(wrong("`version` is missing".to_owned())),
        }
        let digests = json.as_object_mut().and_then(|map| map.remove(DIGESTS)).unwrap_or_default();
        let meta = Meta::deserialize(json).map_err(|error| wrong(error.to_string()))?;
        let mut splits = BTreeMap::new();
        for (&split, &rows) in &meta.rows {
            let path = dir.join(format!("{}.arrow", split.name()));
            let wrong = |what: String| DataError::content(format!("`{}`: {what}", path.display()));
            let bytes = fs::read(&path)?;
            if digests.get(split.name()).and_then(serde_json::Value::as_str) != Some(&Digest::of(&bytes).to_string()) {
                return Err(wrong("damaged: its content is not what `dataset.json` says".to_owned()));
            }
            let batch = table::from_bytes(&path, &bytes)?;
            if batch.num_rows() != rows {
                let rows = plural::count(rows, "row");
                return Err(wrong(format!("{} where `dataset.json` says {rows}", batch.num_rows())));
            }
            for (role, column) in meta.roles.columns() {
                columns::strings(&batch, column).map_err(|error| wrong(format!("{role} column: {error}")))?;
            }
            splits.insert(split, batch);
        }
        Ok(Self { meta, splits })
    }

    /// Writes `dataset.json` and one Arrow IPC file a split; the same dataset gives the same bytes.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&self, dir: &Path) -> Result<(), DataError> {
        let mut digests = serde_json::Map::new();
        for (split, batch) in &self.splits {
            let path = dir.join(format!("{}.arrow", split.name()));
            let bytes = table::to_bytes(batch)
                .map_err(|error| DataError::content(format!("cannot write `{}`: {error}", path.display())))?;
            digests.insert(split.name().to_owned(), Digest::of(&bytes).to_string().into());
            fs::write_atomic(&path, &bytes)?;
        }
        let meta = Meta {
            version: VERSION,
            rows: self.splits.iter().map(|(split, batch)| (*split, batch.num_rows())).collect(),
            ..self.meta.clone()
        };
        let mut json = serde_json::to_value(&meta).expect("plain data serialises to JSON");
        json[DIGESTS] = digests.into();
        let mut json = serde_json::to_vec_pretty(&json).expect("plain data serialises to JSON");
        json.push(b'\n');
        fs::write_atomic(&dir.join("dataset.json"), &json)?;
        Ok(())
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

    /// The same dataset with other texts in some splits (roles `text`, `pair` replaced, all other columns kept).
    ///
    /// # Errors
    /// When the number of texts is not the number of rows.
    pub fn with_texts(&self, split: Split, texts: Vec<String>, pairs: Option<Vec<String>>) -> Result<Self, DataError> {
        let batch = self.batch(split)?;
        let mut arrays = batch.columns().to_vec();
        let roles = &self.meta.roles;
        let replaced = [(Some(&roles.text), Some(texts)), (roles.pair.as_ref(), pairs)];
        for (column, texts) in replaced {
            let (Some(column), Some(texts)) = (column, texts) else { continue };
            if texts.len() != batch.num_rows() {
                return Err(DataError::content(format!(
                    "{} for {} of `{}`",
                    plural::count(texts.len(), "text"),
                    plural::count(batch.num_rows(), "row"),
                    split.name()
                )));
            }
            let at = columns::position(batch, column)?;
            arrays[at] = Arc::new(StringArray::from(texts)) as ArrayRef;
        }
        let mut new = self.clone();
        let batch =
            RecordBatch::try_new(batch.schema(), arrays).map_err(|error| DataError::content(error.to_string()))?;
        new.splits.insert(split, batch);
        Ok(new)
    }

    /// The record batch of a split.
    pub(super) fn batch(&self, split: Split) -> Result<&RecordBatch, DataError> {
        self.splits.get(&split).ok_or_else(|| {
            let names: Vec<_> = self.splits.keys().map(|split| split.name()).collect();
            DataError::content(format!("the dataset has no `{}` split, only {}", split.name(), plural::list(&names)))
        })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_is_found_at_once() {
        let text = Arc::new(StringArray::from(vec!["a", "b"])) as ArrayRef;
        let batch = RecordBatch::try_from_iter([("text", text)]).unwrap();
        let roles = Roles { text: "text".into(), pair: None, label: None, id: None };
        let (rows, labels) = (BTreeMap::from([(Split::Train, 2)]), Vec::new());
        let meta = Meta { version: VERSION, roles, labels, rows, source: String::new(), license: String::new() };
        let dataset = Dataset { meta, splits: BTreeMap::from([(Split::Train, batch)]) };
        let dir = tempfile::tempdir().unwrap();
        dataset.write(dir.path()).unwrap();
        let read = Dataset::open(dir.path()).unwrap();
        assert_eq!(read.rows(Split::Train).unwrap().ids, ["0", "1"]);
        assert_eq!(read.rows(Split::Test).unwrap_err().to_string(), "the dataset has no `test` split, only `train`");
        let arrow = dir.path().join("train.arrow");
        let mut bytes = fs::read(&arrow).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write_atomic(&arrow, &bytes).unwrap();
        let told = |dir: &Path| Dataset::open(dir).unwrap_err().to_string();
        assert!(told(dir.path()).contains("train.arrow`: damaged"), "{}", told(dir.path()));
        for (json, expected) in [
            ("{", "not JSON"),
            ("{}", "`version` is missing"),
            ("{\"version\": 2}", "version 2 of a dataset, this program reads 1"),
            ("{\"version\": 1}", "missing field"),
        ] {
            fs::write_atomic(&dir.path().join("dataset.json"), json.as_bytes()).unwrap();
            assert!(told(dir.path()).contains(expected), "{}", told(dir.path()));
        }
    }
}
