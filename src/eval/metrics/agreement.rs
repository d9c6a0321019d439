//! `agreement`: the share of rows on which two models say the same.

use super::{Metric, accuracy::share_right};

/// The share of rows on which a model predicts what another predicts; rows of the matrix are the other's labels.
pub static AGREEMENT: Metric = Metric { name: "agreement", is_share: true, score: share_right };

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::Counts;

    #[test]
    fn two_models_that_are_wrong_together_agree() {
        assert_eq!((AGREEMENT.score)(&Counts::of(&[1, 1, 0], &[1, 1, 1], 2)), 2.0 / 3.0);
    }
}
