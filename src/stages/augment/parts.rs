//! Which copies are made together: so many that what is in memory does not grow with their number.

use std::ops::Range;

/// Copies that are made together, for each row of a batch: batches hold few long rows or many short ones.
const COPIES: usize = 4;

/// How many copies of each row are wanted.
pub(super) enum Wanted {
    /// The same number of each.
    OfEach(usize),
    /// Row by row.
    By(Vec<usize>),
}

impl Wanted {
    pub(super) fn of(&self, row: usize) -> usize {
        match self {
            Self::OfEach(copies) => *copies,
            Self::By(rows) => rows.get(row).copied().unwrap_or_default(),
        }
    }
}

/// Rows of a batch whose copies become one batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// The number of the batch in its split.
    pub(super) batch: usize,
    /// The rows' places in it.
    pub(super) rows: Range<usize>,
    /// The number in the split of the row behind the last.
    pub(super) end: u64,
}

/// The parts of a split, in order; `ends` says behind which row each of its batches ends.
pub(super) fn parts(ends: &[u64], wanted: &Wanted) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut first = 0;
    for (batch, &end) in ends.iter().enumerate() {
        let most = COPIES * (end - first) as usize;
        let (mut start, mut copies) = (first, 0);
        for row in first..end {
            let more = wanted.of(row as usize);
            if row > start && copies + more > most {
                parts.push(part(batch, first, start..row));
                (start, copies) = (row, 0);
            }
            copies += more;
        }
        parts.push(part(batch, first, start..end));
        first = end;
    }
    parts
}

fn part(batch: usize, first: u64, rows: Range<u64>) -> Part {
    let place = |row: u64| (row - first) as usize;
    Part { batch, rows: place(rows.start)..place(rows.end), end: rows.end }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_holds_few_copies_of_many_rows_or_many_of_few() {
        let part = |batch, rows, end| Part { batch, rows, end };
        let whole = [part(0, 0..3, 3), part(1, 0..2, 5)];
        assert_eq!(parts(&[3, 5], &Wanted::OfEach(4)), whole);
        assert_eq!(parts(&[3, 5], &Wanted::OfEach(0)), whole);
        let found = parts(&[3, 5], &Wanted::By(vec![100, 0, 6, 6, 9]));
        assert_eq!(found, [part(0, 0..1, 1), part(0, 1..3, 3), part(1, 0..1, 4), part(1, 1..2, 5)]);
        assert_eq!(parts(&[0], &Wanted::OfEach(1)), [part(0, 0..0, 0)]);
    }
}
