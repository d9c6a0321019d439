//! Rows that cannot be used, and how many of them a table may have.

use std::path::Path;

use arrow::array::{Array, RecordBatch};
use serde_json::json;

use crate::{
    base::fs,
    data::{
        DataError, Roles, Split, columns,
        readers::{BadRow, Portion},
        split,
    },
};

/// The file of a dataset that says which rows were left out, and why.
pub const REJECTED: &str = "rejected.jsonl";

/// The rows that were left out.
pub(in crate::data) struct Rejects {
    /// How many there may be.
    most: usize,
    /// File and row.
    all: Vec<(String, BadRow)>,
}

/// What a row must have.
pub(in crate::data) struct Rules<'a> {
    pub(in crate::data) roles: &'a Roles,
    /// The column that names the split, where one does.
    pub(in crate::data) split: Option<&'a str>,
}

impl Rules<'_> {
    /// Which rows of a portion keep to them, and the split that each names; those that do not join the bad ones.
    pub(in crate::data) fn judge(&self, portion: &mut Portion) -> Result<(Vec<bool>, Vec<Split>), DataError> {
        let rows = &portion.rows;
        let mut good = vec![true; rows.num_rows()];
        let mut splits = Vec::new();
        if rows.num_rows() == 0 {
            return Ok((good, splits));
        }
        let mut wrong: Vec<(usize, String)> = missing(rows, self.roles)?;
        for (row, _) in &wrong {
            good[*row] = false;
        }
        if let Some(column) = self.split {
            let values = columns::strings(rows, column)?;
            for (row, good) in good.iter_mut().enumerate() {
                splits.push(split::of_row(values, row, column).unwrap_or_else(|reason| {
                    if *good {
                        wrong.push((row, reason));
                    }
                    *good = false;
                    Split::Train
                }));
            }
        }
        portion.bad.extend(wrong.into_iter().map(|(row, reason)| {
            let number = portion.numbers[row];
            BadRow { number, place: format!("row {number}"), reason, content: String::new() }
        }));
        portion.bad.sort_by_key(|row| row.number);
        Ok((good, splits))
    }
}

/// The rows that lack a text, a pair, a label or an id, and which; each once.
fn missing(rows: &RecordBatch, roles: &Roles) -> Result<Vec<(usize, String)>, DataError> {
    let mut seen = vec![false; rows.num_rows()];
    let mut missing = Vec::new();
    for (_, column) in roles.columns() {
        let values = columns::strings(rows, column)?;
        for (row, seen) in seen.iter_mut().enumerate() {
            if !*seen && (values.is_null(row) || values.value(row).trim().is_empty()) {
                *seen = true;
                missing.push((row, format!("`{column}` is empty")));
            }
        }
    }
    Ok(missing)
}

/// No text, pair, label or id may be missing.
pub(in crate::data) fn check_values(rows: &RecordBatch, roles: &Roles) -> Result<(), DataError> {
    let missing = missing(rows, roles)?;
    match missing.first() {
        None => Ok(()),
        Some((row, reason)) => Err(DataError::content(format!("row {}: {reason}{}", row + 1, more(missing.len() - 1)))),
    }
}

fn more(others: usize) -> String {
    if others == 0 { String::new() } else { format!(" (and {others} more)") }
}

impl Rejects {
    pub(in crate::data) fn new(most: usize) -> Self {
        Self { most, all: Vec::new() }
    }

    pub(super) fn count(&self) -> usize {
        self.all.len()
    }

    /// Leaves rows out; fails where they become too many.
    pub(in crate::data) fn add(&mut self, file: &str, bad: Vec<BadRow>) -> Result<(), DataError> {
        if let Some(last) = bad.get(self.most - self.all.len()) {
            let others = bad.len() - 1 - (self.most - self.all.len());
            let told = format!("{}: {}{}", last.place, last.reason, more(others));
            return Err(DataError::content(match self.most {
                0 => told,
                most => format!("{told}; {most} were left out before, and `max_rejected` is {most}"),
            }));
        }
        self.all.extend(bad.into_iter().map(|row| (file.to_owned(), row)));
        Ok(())
    }

    /// Writes them into a folder, a line each, if there are any.
    pub(super) fn write(&self, dir: &Path) -> Result<(), DataError> {
        if self.all.is_empty() {
            return Ok(());
        }
        let mut text = String::new();
        for (file, BadRow { place, reason, content, .. }) in &self.all {
            text += &json!({"file": file, "row": place, "reason": reason, "content": content}).to_string();
            text.push('\n');
        }
        Ok(fs::write_atomic(&dir.join(REJECTED), text.as_bytes())?)
    }
}
