//! `Copied`: what the second reading of a table has written so far.

use std::collections::BTreeMap;

use arrow::{
    array::{BooleanArray, RecordBatch},
    compute::filter_record_batch,
};
use xxhash_rust::xxh3::xxh3_64;

use super::COMPARED;
use crate::{
    base::plural,
    data::{DataError, DatasetWriter, Roles, Split, columns},
};

/// Where each row goes.
pub(super) struct Places {
    pub(super) splits: Vec<Split>,
    /// The numbers of the rows of a split that are kept, where not all are.
    pub(super) kept: BTreeMap<Split, Vec<u32>>,
    pub(super) labels: Vec<String>,
}

/// What the second reading has written so far.
pub(super) struct Copied<'a> {
    pub(super) writer: DatasetWriter,
    roles: &'a Roles,
    places: &'a Places,
    pub(super) rows: usize,
    /// Rows of each split so far, whether kept or not.
    seen: [u32; 3],
    counts: [Vec<u64>; 3],
    /// The hashes of the texts of each split.
    texts: [Vec<u64>; 3],
}

impl<'a> Copied<'a> {
    pub(super) fn new(writer: DatasetWriter, roles: &'a Roles, places: &'a Places) -> Self {
        let counts = Split::ALL.map(|_| vec![0; places.labels.len()]);
        Self { writer, roles, places, rows: 0, seen: [0; 3], counts, texts: Default::default() }
    }

    pub(super) fn add(&mut self, rows: &RecordBatch, good: &[bool]) -> Result<(), DataError> {
        let texts = columns::strings(rows, &self.roles.text)?;
        let pairs = self.roles.pair.as_ref().map(|pair| columns::strings(rows, pair)).transpose()?;
        let labels = self.roles.label.as_ref().map(|label| columns::strings(rows, label)).transpose()?;
        let mut marks = Split::ALL.map(|_| vec![false; rows.num_rows()]);
        for row in (0..rows.num_rows()).filter(|&row| good[row]) {
            let split = self.places.splits.get(self.rows).copied().unwrap_or(Split::Train);
            let number = self.seen[split as usize];
            self.rows += 1;
            self.seen[split as usize] += 1;
            if self.places.kept.get(&split).is_some_and(|kept| kept.binary_search(&number).is_err()) {
                continue;
            }
            marks[split as usize][row] = true;
            if let Some(labels) = labels
                && let Some(label) = self.places.labels.iter().position(|label| label == labels.value(row))
            {
                self.counts[split as usize][label] += 1;
            }
            if self.texts[split as usize].len() <= COMPARED {
                let hash = xxh3_64(texts.value(row).as_bytes());
                let pair = pairs.map_or(0, |pairs| xxh3_64(pairs.value(row).as_bytes()));
                self.texts[split as usize].push(hash ^ pair.rotate_left(32));
            }
        }
        for (split, marks) in Split::ALL.into_iter().zip(marks) {
            let kept = marks.iter().filter(|mark| **mark).count();
            if kept == rows.num_rows() {
                self.writer.append(split, rows)?;
            } else if kept > 0 {
                let rows = filter_record_batch(rows, &BooleanArray::from(marks));
                self.writer.append(split, &rows.map_err(|error| DataError::content(error.to_string()))?)?;
            }
        }
        Ok(())
    }

    pub(super) fn counts_by_split(&self) -> BTreeMap<Split, Vec<u64>> {
        Split::ALL.into_iter().zip(self.counts.clone()).collect()
    }

    /// Texts that are in `train` and in a split that measures: what is measured there is partly memory.
    pub(super) fn leaks(&mut self) -> Vec<String> {
        if self.texts.iter().any(|texts| texts.len() > COMPARED) {
            return vec![format!(
                "whether texts of `train` are in other splits was not looked at, since there are more than {COMPARED} rows; \
                 `deduplicate` does it"
            )];
        }
        let [train, measured @ ..] = &mut self.texts;
        train.sort_unstable();
        let mut warnings = Vec::new();
        for (split, texts) in [Split::Validation, Split::Test].into_iter().zip(measured) {
            let count = texts.iter().filter(|text| train.binary_search(text).is_ok()).count();
            if count > 0 {
                let (rows, name) = (plural::count(count, "row"), split.name());
                warnings.push(format!("`{name}`: {rows} with a text that is in `train` too"));
            }
        }
        warnings
    }
}
