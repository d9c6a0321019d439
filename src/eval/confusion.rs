//! `Counts`: how often which label was predicted for which; all metrics of a classifier are functions of it.

/// A confusion matrix: rows are true labels (or another model's), columns are predicted ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts {
    n_labels: usize,
    cells: Vec<u64>,
}

impl Counts {
    /// No rows yet.
    #[must_use]
    pub fn new(n_labels: usize) -> Self {
        Self { n_labels, cells: vec![0; n_labels * n_labels] }
    }

    /// Counts pairs of labels.
    ///
    /// # Panics
    /// When the slices differ in length or a label is not below `n_labels`: both are made by this module.
    #[must_use]
    pub fn of(truth: &[u32], predicted: &[u32], n_labels: usize) -> Self {
        assert_eq!(truth.len(), predicted.len(), "one prediction a row");
        let mut counts = Self::new(n_labels);
        for (&truth, &predicted) in truth.iter().zip(predicted) {
            counts.add(truth, predicted);
        }
        counts
    }

    /// Counts one row.
    pub fn add(&mut self, truth: u32, predicted: u32) {
        self.cells[truth as usize * self.n_labels + predicted as usize] += 1;
    }

    /// Forgets all rows.
    pub fn clear(&mut self) {
        self.cells.fill(0);
    }

    /// The number of labels.
    #[must_use]
    pub fn n_labels(&self) -> usize {
        self.n_labels
    }

    /// How many rows of `truth` were predicted as `predicted`.
    #[must_use]
    pub fn cell(&self, truth: usize, predicted: usize) -> u64 {
        self.cells[truth * self.n_labels + predicted]
    }

    /// How many rows there are.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.cells.iter().sum()
    }

    /// How many were predicted right.
    #[must_use]
    pub fn right(&self) -> u64 {
        (0..self.n_labels).map(|label| self.cell(label, label)).sum()
    }

    /// How many rows truly have a label.
    #[must_use]
    pub fn of_truth(&self, label: usize) -> u64 {
        (0..self.n_labels).map(|predicted| self.cell(label, predicted)).sum()
    }

    /// How many rows were predicted to have a label.
    #[must_use]
    pub fn of_predicted(&self, label: usize) -> u64 {
        (0..self.n_labels).map(|truth| self.cell(truth, label)).sum()
    }

    /// The matrix row by row.
    #[must_use]
    pub fn rows(&self) -> Vec<Vec<u64>> {
        self.cells.chunks(self.n_labels.max(1)).map(<[u64]>::to_vec).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_rows_by_truth_and_prediction() {
        let counts = Counts::of(&[0, 0, 1, 2], &[0, 1, 1, 0], 3);
        assert_eq!(counts.rows(), [[1, 1, 0], [0, 1, 0], [1, 0, 0]]);
        assert_eq!((counts.total(), counts.right()), (4, 2));
        assert_eq!((counts.of_truth(0), counts.of_predicted(0)), (2, 2));
    }
}
