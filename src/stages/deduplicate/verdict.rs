//! What becomes of rows that are the same or nearly so, and the receipts of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    Across, Params, Within,
    search::{Found, Places},
};
use crate::{data::Split, stage::StageError, stages::dataset::receipts::Receipts};

/// Rows of a cluster that a row is compared with to find which it is nearest to.
const MOST_COMPARED: usize = 64;

/// How alike two rows are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    /// They are the same.
    Exact,
    /// They are nearly so.
    Near,
}

/// A row that another one stands for, by their numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Finding {
    pub(super) row: u32,
    pub(super) kept: u32,
    pub(super) kind: Kind,
    pub(super) similarity: f64,
    pub(super) is_dropped: bool,
}

/// What becomes of all rows.
#[derive(Default)]
pub(super) struct Verdict {
    /// Rows that go, by their numbers.
    pub(super) is_dropped: Vec<bool>,
    /// Rows of `train` and `validation` that are in a split that measures, too.
    pub(super) leaks: Receipts<Finding>,
    /// Rows of `train` that an earlier one stands for.
    pub(super) repeats: Receipts<Finding>,
    /// How many of `train` are in `validation`, and how many of either in `test`.
    pub(super) leaked: [usize; 2],
    /// How many of `train` an earlier one of `train` stands for: that is the same, and nearly so.
    pub(super) repeated: [usize; 2],
    /// How many of `validation` and `test` an earlier one of the same split stands for; they stay.
    pub(super) left: [usize; 2],
}

impl Verdict {
    pub(super) fn of(found: &mut Found<'_>, places: &Places<'_>, params: &Params) -> Result<Self, StageError> {
        let rows = places.rows();
        let mut verdict = Self { is_dropped: vec![false; rows as usize], ..Self::default() };
        let mut has_others = vec![false; rows as usize];
        for row in 0..rows {
            let first = found.clusters.first(row);
            has_others[first as usize] |= first != row;
        }
        let mut members: Vec<(u32, u32)> = Vec::new();
        for row in 0..rows {
            let first = found.clusters.first(row);
            if has_others[first as usize] {
                members.push((first, row));
            }
        }
        drop(has_others);
        members.sort_unstable();
        let [_, validation, test] = Split::ALL.map(|split| places.of(split));
        for cluster in members.chunk_by(|a, b| a.0 == b.0) {
            let cluster: Vec<u32> = cluster.iter().map(|(_, row)| *row).collect();
            let from = |start: u32| cluster.partition_point(|row| *row < start);
            let (of_train, measured) = cluster.split_at(from(validation.start));
            let (of_validation, of_test) = measured.split_at(from(test.start) - of_train.len());
            verdict.judge(of_train, of_validation, of_test, found, params)?;
        }
        Ok(verdict)
    }

    fn judge(
        &mut self,
        train: &[u32],
        validation: &[u32],
        test: &[u32],
        found: &mut Found<'_>,
        params: &Params,
    ) -> Result<(), StageError> {
        let leaks_go = params.across == Across::Drop;
        let repeats_go = params.within == Within::Drop;
        let threshold = params.near.as_ref().map_or(1.0, |near| near.threshold);
        for (which, same) in [validation, test].into_iter().enumerate() {
            self.left[which] += same.len().saturating_sub(1);
        }
        let [validation, test] = [validation, test].map(|rows| Measured::new(rows, found));
        for &row in train {
            // What it equals says more than what it is near to, and `test` more than `validation`.
            let to_test = test.nearest(row, threshold, found)?;
            let to_validation = validation.nearest(row, threshold, found)?;
            let leak = match (to_test, to_validation) {
                (Some(near), Some(exact)) if near.kind == Kind::Near && exact.kind == Kind::Exact => Some((0, exact)),
                (Some(test), _) => Some((1, test)),
                (None, other) => other.map(|validation| (0, validation)),
            };
            if let Some((to, finding)) = leak {
                self.leaked[to] += 1;
                self.leaks.add(|| Finding { is_dropped: leaks_go, ..finding });
                self.is_dropped[row as usize] |= leaks_go;
            }
            // The first stays, unless all of them go.
            if row != train[0] && !(leak.is_some() && leaks_go) {
                let is_same = found.same.first(row) == found.same.first(train[0]);
                let kind = if is_same { Kind::Exact } else { Kind::Near };
                self.repeated[usize::from(!is_same)] += 1;
                self.repeats.try_add(|| {
                    let similarity = found.similarity(row, train[0])?;
                    Ok(Finding { row, kept: train[0], kind, similarity, is_dropped: repeats_go })
                })?;
                self.is_dropped[row as usize] |= repeats_go;
            }
        }
        for &row in validation.rows {
            if let Some(finding) = test.nearest(row, threshold, found)? {
                self.leaked[1] += 1;
                self.leaks.add(|| Finding { is_dropped: leaks_go, ..finding });
                self.is_dropped[row as usize] |= leaks_go;
            }
        }
        Ok(())
    }
}

/// The rows of a cluster in a split that measures.
struct Measured<'a> {
    rows: &'a [u32],
    /// The first of those that are the same, by what stands for them.
    first: BTreeMap<u32, u32>,
}

impl<'a> Measured<'a> {
    fn new(rows: &'a [u32], found: &mut Found<'_>) -> Self {
        let mut first = BTreeMap::new();
        for &row in rows {
            first.entry(found.same.first(row)).or_insert(row);
        }
        Self { rows, first }
    }

    /// Which of the rows a row equals, or is nearest to; none where it is near enough to none: others may stand between them.
    fn nearest(&self, row: u32, threshold: f64, found: &mut Found<'_>) -> Result<Option<Finding>, StageError> {
        let finding = |kept, kind, similarity| Finding { row, kept, kind, similarity, is_dropped: false };
        if let Some(&same) = self.first.get(&found.same.first(row)) {
            return Ok(Some(finding(same, Kind::Exact, 1.0)));
        }
        let mut best: Option<(u32, f64)> = None;
        for &other in self.first.values().take(MOST_COMPARED) {
            let similarity = found.similarity(row, other)?;
            if similarity >= threshold && best.is_none_or(|(_, most)| similarity > most) {
                best = Some((other, similarity));
            }
        }
        Ok(best.map(|(kept, similarity)| finding(kept, Kind::Near, similarity)))
    }
}
