//! What changed from one dataset to another, row by row.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::ALL;
use crate::{
    data::{DataError, RowBatch, RowSource, Split},
    text,
};

/// Rows that are compared at most: 32 bytes each.
const MOST: usize = 1 << 24;
/// Labels that are told apart at most.
const LABELS: usize = 4_096;
/// What is said of rows without a label.
const NO_LABEL: &str = "";

/// What changed from one dataset to another.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Changes {
    /// Whether rows were matched by their ids; by their places in their splits otherwise.
    pub by_id: bool,
    /// Rows before that have the id of an earlier one; they are matched in their order.
    pub repeated_ids: u64,
    /// Rows that are as they were.
    pub same: u64,
    /// Rows with another text.
    pub changed: u64,
    /// Rows with another label.
    pub relabelled: u64,
    /// Rows that are in another split.
    pub moved: u64,
    /// Rows that are there now and were not.
    pub added: u64,
    /// Of them, those that say which operation made them, by operation.
    pub added_by: Vec<(String, u64)>,
    /// Rows that were there and are not now.
    pub removed: u64,
    /// The splits of both.
    pub splits: Vec<SplitChange>,
    /// The labels of both.
    pub labels: Vec<LabelChange>,
    /// The first changed rows.
    pub changed_rows: Vec<ChangedRow>,
    /// The first added rows.
    pub added_rows: Vec<AddedRow>,
    /// The first removed rows.
    pub removed_rows: Vec<RemovedRow>,
}

/// A split before and after.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitChange {
    /// Its name.
    pub name: String,
    /// Rows.
    pub rows: [u64; 2],
    /// Words, on average (UAX #29).
    pub words: [f64; 2],
    /// Characters, on average.
    pub characters: [f64; 2],
}

/// The rows of a label before and after.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelChange {
    /// The label.
    pub label: String,
    /// Its rows.
    pub rows: [u64; 2],
}

/// A row with another text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangedRow {
    /// Its id, or its number in its split.
    pub name: String,
    /// Its split now.
    pub split: String,
    /// Its text before.
    pub before: String,
    /// Its text now.
    pub after: String,
}

/// A row that was not there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddedRow {
    /// Its id, or its number in its split.
    pub name: String,
    /// Its split.
    pub split: String,
    /// The row that it was made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// What made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub op: Option<String>,
    /// Its text.
    pub text: String,
}

/// A row that is not there any more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemovedRow {
    /// Its id, or its number in its split.
    pub name: String,
    /// The split that it was in.
    pub split: String,
    /// Its text.
    pub text: String,
}

/// What is kept of a row of the dataset before. Those of the same key stand in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Kept {
    key: u64,
    split: Split,
    row: u32,
    label: u32,
    text: u64,
}

/// What is added up of one of the two.
#[derive(Default)]
struct Sums {
    /// Rows, words and characters.
    splits: BTreeMap<Split, [u64; 3]>,
    labels: BTreeMap<String, u64>,
}

/// Compares two datasets, and keeps the first `examples` of the rows that changed, came and went.
///
/// Rows are matched by their ids where both have them, by their places otherwise; of rows of one id, the first is matched with the
/// first.
///
/// # Errors
/// When something cannot be read, or there are more than 16,777,216 rows before.
pub fn compare(before: &RowSource, after: &RowSource, examples: usize) -> Result<Changes, DataError> {
    let by_id = before.roles().id.is_some() && after.roles().id.is_some();
    let mut changes = Changes { by_id, ..Changes::default() };
    let (was, mut kept) = index(before, by_id)?;
    kept.par_sort_unstable();
    let mut taken = vec![0; kept.len()];
    let mut is = Sums::default();
    // Where the texts before are of the changed rows that are shown, in their order.
    let mut wanted: Vec<(Split, u64)> = Vec::new();
    let mut by_operation = BTreeMap::<String, u64>::new();
    let name_of = |source: &RowSource, split: Split| if source.is_split() { split.name() } else { ALL };
    after.each(None, |rows| {
        let found = is.add(&rows, by_id);
        for (row, now) in found.into_iter().enumerate() {
            let split = name_of(after, rows.split()).to_owned();
            let Some(place) = matching(&kept, &mut taken, now.key) else {
                changes.added += 1;
                let origin = rows.origin(row);
                if let Some((_, op)) = origin {
                    *by_operation.entry(op.to_owned()).or_default() += 1;
                }
                if changes.added_rows.len() < examples {
                    let (parent, op) = origin.map(|(parent, op)| (parent.to_owned(), op.to_owned())).unzip();
                    changes.added_rows.push(AddedRow {
                        name: rows.name(row),
                        split,
                        parent,
                        op,
                        text: shown(&rows, row),
                    });
                }
                continue;
            };
            let then = kept[place];
            let (is_changed, is_relabelled) = (then.text != now.text, then.label != now.label);
            let is_moved = before.is_split() && after.is_split() && then.split != rows.split();
            changes.changed += u64::from(is_changed);
            changes.relabelled += u64::from(is_relabelled);
            changes.moved += u64::from(is_moved);
            changes.same += u64::from(!is_changed && !is_relabelled && !is_moved);
            if is_changed && changes.changed_rows.len() < examples {
                wanted.push((then.split, u64::from(then.row)));
                let (name, after) = (rows.name(row), shown(&rows, row));
                changes.changed_rows.push(ChangedRow { name, split, before: String::new(), after });
            }
        }
        Ok(true)
    })?;
    changes.added_by = by_operation.into_iter().collect();
    changes.added_by.sort_by_key(|(_, rows)| std::cmp::Reverse(*rows));
    let mut gone: Vec<(Split, u64)> = Vec::new();
    let mut first = 0;
    for of_key in kept.chunk_by(|a, b| a.key == b.key) {
        changes.repeated_ids += of_key.len() as u64 - 1;
        for kept in &of_key[taken[first] as usize..] {
            changes.removed += 1;
            gone.push((kept.split, u64::from(kept.row)));
        }
        first += of_key.len();
    }
    gone.sort_unstable();
    gone.truncate(examples);
    let texts = texts(before, wanted.iter().chain(&gone))?;
    for (row, place) in changes.changed_rows.iter_mut().zip(&wanted) {
        row.before = texts.get(place).map(|(_, text)| text.clone()).unwrap_or_default();
    }
    for place in &gone {
        let split = name_of(before, place.0).to_owned();
        if let Some((name, text)) = texts.get(place) {
            changes.removed_rows.push(RemovedRow { name: name.clone(), split, text: text.clone() });
        }
    }
    (changes.splits, changes.labels) = beside(&was, &is, before, after);
    Ok(changes)
}

/// What is kept of the rows before.
fn index(source: &RowSource, by_id: bool) -> Result<(Sums, Vec<Kept>), DataError> {
    let (mut sums, mut kept) = (Sums::default(), Vec::new());
    source.each(None, |rows| {
        kept.extend(sums.add(&rows, by_id));
        if kept.len() > MOST {
            return Err(DataError::Content(format!("more than {MOST} rows: compare a part of them")));
        }
        Ok(true)
    })?;
    Ok((sums, kept))
}

impl Sums {
    /// Adds some rows, and says what is to be kept of each.
    fn add(&mut self, rows: &RowBatch, by_id: bool) -> Vec<Kept> {
        let looked: Vec<(Kept, u64, u64)> = (0..rows.len())
            .into_par_iter()
            .with_min_len(64)
            .map(|row| {
                let (text, pair, number) = (rows.text(row), rows.pair(row), rows.first_row() + row as u64);
                let key = match rows.id(row).filter(|_| by_id) {
                    Some(id) => xxh3_64(id.as_bytes()),
                    None => ((rows.split() as u64) << 56) | number,
                };
                let kept = Kept {
                    key,
                    split: rows.split(),
                    row: number as u32,
                    label: xxh3_64(rows.label(row).unwrap_or(NO_LABEL).as_bytes()) as u32,
                    text: xxh3_64(text.as_bytes()) ^ pair.map_or(0, |pair| xxh3_64(pair.as_bytes()).rotate_left(32)),
                };
                let both = || std::iter::once(text).chain(pair);
                let words = both().map(text::count_words).sum::<usize>();
                let characters = both().map(|text| text.chars().count()).sum::<usize>();
                (kept, words as u64, characters as u64)
            })
            .collect();
        let sums = self.splits.entry(rows.split()).or_default();
        for (_, words, characters) in &looked {
            sums[0] += 1;
            sums[1] += words;
            sums[2] += characters;
        }
        for label in (0..rows.len()).filter_map(|row| rows.label(row)) {
            if let Some(count) = self.labels.get_mut(label) {
                *count += 1;
            } else if self.labels.len() < LABELS {
                self.labels.insert(label.to_owned(), 1);
            }
        }
        looked.into_iter().map(|(kept, ..)| kept).collect()
    }
}

/// The first row of a key that is not taken. Rows of a key are taken in their order, so that how many are is kept at its first.
fn matching(kept: &[Kept], taken: &mut [u32], key: u64) -> Option<usize> {
    let first = kept.partition_point(|row| row.key < key);
    let place = first + *taken.get(first)? as usize;
    let is_there = kept.get(place).is_some_and(|row| row.key == key);
    taken[first] += u32::from(is_there);
    is_there.then_some(place)
}

/// A row's text; of pair tasks, both, a line each.
fn shown(rows: &RowBatch, row: usize) -> String {
    match rows.pair(row) {
        Some(pair) => format!("{}\n{pair}", rows.text(row)),
        None => rows.text(row).to_owned(),
    }
}

/// Names and texts by split and number.
type Named = BTreeMap<(Split, u64), (String, String)>;

/// The names and texts of rows at some places.
fn texts<'a>(source: &RowSource, places: impl Iterator<Item = &'a (Split, u64)>) -> Result<Named, DataError> {
    let mut wanted: BTreeSet<(Split, u64)> = places.copied().collect();
    let mut texts = BTreeMap::new();
    for split in source.splits() {
        if !wanted.iter().any(|place| place.0 == split) {
            continue;
        }
        source.each(Some(split), |rows| {
            let (first, split) = (rows.first_row(), rows.split());
            let here: Vec<_> = wanted.range((split, first)..(split, first + rows.len() as u64)).copied().collect();
            for place in here {
                let row = (place.1 - first) as usize;
                texts.insert(place, (rows.name(row), shown(&rows, row)));
                wanted.remove(&place);
            }
            Ok(wanted.iter().any(|place| place.0 == split))
        })?;
    }
    Ok(texts)
}

/// Splits and labels of both, side by side.
fn beside(was: &Sums, is: &Sums, before: &RowSource, after: &RowSource) -> (Vec<SplitChange>, Vec<LabelChange>) {
    // Where one of the two is not split, there is nothing to tell apart.
    let is_split = before.is_split() && after.is_split();
    let in_all = |sums: &Sums| {
        let mut all = [0; 3];
        for (at, sum) in all.iter_mut().enumerate() {
            *sum = sums.splits.values().map(|sums| sums[at]).sum();
        }
        BTreeMap::from([(Split::Train, all)])
    };
    let parts = [was, is].map(|sums| if is_split { sums.splits.clone() } else { in_all(sums) });
    let names: BTreeSet<Split> = parts.iter().flat_map(|part| part.keys().copied()).collect();
    let splits = names.into_iter().map(|split| {
        let sums = [0, 1].map(|side: usize| parts[side].get(&split).copied().unwrap_or_default());
        let mean = |at: usize| sums.map(|sums| if sums[0] == 0 { 0.0 } else { sums[at] as f64 / sums[0] as f64 });
        SplitChange {
            name: if is_split { split.name() } else { ALL }.to_owned(),
            rows: sums.map(|sums| sums[0]),
            words: mean(1),
            characters: mean(2),
        }
    });
    let order: Vec<&String> = before.labels().iter().chain(after.labels()).collect();
    let known: BTreeSet<&String> = was.labels.keys().chain(is.labels.keys()).collect();
    let mut labels: Vec<&String> = known.into_iter().collect();
    // Those of no dataset stand behind, in the order of their names.
    labels.sort_by_key(|label| order.iter().position(|other| other == label).unwrap_or(order.len()));
    let count = |sums: &Sums, label: &String| sums.labels.get(label).copied().unwrap_or_default();
    let change = |label: &String| LabelChange { label: label.clone(), rows: [count(was, label), count(is, label)] };
    (splits.collect(), labels.into_iter().map(change).collect())
}
