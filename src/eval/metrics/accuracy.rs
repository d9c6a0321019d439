//! `accuracy`: the share of right answers.

use super::Metric;
use crate::eval::Counts;

/// The share of rows whose predicted label is the true one.
pub static ACCURACY: Metric = Metric { name: "accuracy", is_share: true, score: share_right };

pub(super) fn share_right(counts: &Counts) -> f64 {
    match counts.total() {
        0 => 0.0,
        total => counts.right() as f64 / total as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn share_of_the_diagonal() {
        assert_eq!((ACCURACY.score)(&Counts::of(&[0, 1, 1, 0], &[0, 1, 0, 0], 2)), 0.75);
        assert_eq!((ACCURACY.score)(&Counts::new(2)), 0.0);
    }
}
