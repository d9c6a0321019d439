//! `Clusters`: rows that are joined two by two (union–find).

/// Clusters of the rows 0, 1, …; each is named by its first row. Four bytes a row.
#[derive(Clone, Debug)]
pub struct Clusters {
    /// A row of the same cluster that is nearer to the first.
    parents: Vec<u32>,
}

impl Clusters {
    /// Every row alone.
    #[must_use]
    pub fn new(rows: u32) -> Self {
        Self { parents: (0..rows).collect() }
    }

    /// The first row of the cluster of a row.
    pub fn first(&mut self, row: u32) -> u32 {
        let mut at = row;
        while self.parents[at as usize] != at {
            // Each look halves the way for the next.
            let next = self.parents[self.parents[at as usize] as usize];
            self.parents[at as usize] = next;
            at = next;
        }
        at
    }

    /// Joins the clusters of two rows.
    pub fn join(&mut self, a: u32, b: u32) {
        let (a, b) = (self.first(a), self.first(b));
        self.parents[a.max(b) as usize] = a.min(b);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clusters_are_named_by_their_first() {
        let mut clusters = Clusters::new(8);
        for (a, b) in [(7, 5), (3, 2), (5, 3), (6, 6), (2, 7)] {
            clusters.join(a, b);
        }
        let firsts: Vec<_> = (0..8).map(|row| clusters.first(row)).collect();
        assert_eq!(firsts, [0, 1, 2, 2, 4, 2, 6, 2]);
        // A long chain.
        let mut clusters = Clusters::new(100_000);
        for row in (1..100_000).rev() {
            clusters.join(row, row - 1);
        }
        assert!((0..100_000).all(|row| clusters.first(row) == 0));
    }
}
