//! `Receipts`: what became of single rows, as JSON lines beside a dataset.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::stream::Merge;
use crate::{base::fs, stage::StageError};

/// Receipts that are kept.
const MOST: usize = 10_000;

/// The first 10,000 receipts, and how many more there were.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::stages) struct Receipts<T> {
    kept: Vec<T>,
    more: usize,
}

impl<T> Default for Receipts<T> {
    fn default() -> Self {
        Self { kept: Vec::new(), more: 0 }
    }
}

impl<T> Receipts<T> {
    /// Adds one; it is made only if it is kept.
    pub(in crate::stages) fn add(&mut self, receipt: impl FnOnce() -> T) {
        if self.is_kept() {
            self.kept.push(receipt());
        }
    }

    /// The same, where it may fail to be made.
    pub(in crate::stages) fn try_add(
        &mut self,
        receipt: impl FnOnce() -> Result<T, StageError>,
    ) -> Result<(), StageError> {
        if self.is_kept() {
            self.kept.push(receipt()?);
        }
        Ok(())
    }

    /// Whether there is room for one more, which is counted where there is none.
    fn is_kept(&mut self) -> bool {
        let is_kept = self.kept.len() < MOST;
        self.more += usize::from(!is_kept);
        is_kept
    }

    /// Those that are kept.
    pub(in crate::stages) fn kept(&self) -> &[T] {
        &self.kept
    }

    /// Others made of them.
    pub(in crate::stages) fn map<U>(self, make: impl FnMut(T) -> U) -> Receipts<U> {
        Receipts { kept: self.kept.into_iter().map(make).collect(), more: self.more }
    }
}

impl<T: Serialize> Receipts<T> {
    /// Writes one a line; where there were more, the last line says how many: `{"more":123}`.
    pub(in crate::stages) fn write(self, path: &Path) -> Result<(), StageError> {
        let mut lines = Vec::new();
        for receipt in &self.kept {
            serde_json::to_writer(&mut lines, receipt)?;
            lines.push(b'\n');
        }
        if self.more > 0 {
            lines.extend(format!("{}\n", json!({"more": self.more})).into_bytes());
        }
        Ok(fs::write_atomic(path, &lines)?)
    }
}

impl<T: Send> Merge for Receipts<T> {
    fn merge(&mut self, next: Self) {
        let room = MOST - self.kept.len();
        self.more += next.more + next.kept.len().saturating_sub(room);
        self.kept.extend(next.kept.into_iter().take(room));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_is_counted() {
        let of = |numbers: std::ops::Range<usize>| {
            let mut receipts = Receipts::default();
            for n in numbers {
                receipts.add(|| n);
            }
            receipts
        };
        let mut all = of(0..6_000);
        all.merge(of(6_000..10_500));
        all.merge(of(10_500..21_000));
        assert_eq!((all.kept().len(), all.kept().last(), all.more), (MOST, Some(&(MOST - 1)), 11_000));
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rejected.jsonl");
        all.write(&path).unwrap();
        let lines = fs::read_text(&path).unwrap();
        assert!(lines.starts_with("0\n1\n") && lines.ends_with("9999\n{\"more\":11000}\n"));
        of(0..0).write(&path).unwrap();
        assert_eq!(fs::read_text(&path).unwrap(), "");
    }
}
