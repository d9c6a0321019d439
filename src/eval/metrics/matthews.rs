//! `matthews`: Matthews' correlation, for labels that are not balanced.

use super::Metric;
use crate::eval::Counts;

/// Matthews' correlation coefficient for any number of labels, −1 to 1 (Gorodkin, 2004, equation 8); 0 when one side
/// has a single label only.
pub static MATTHEWS: Metric = Metric { name: "matthews", is_share: false, score: matthews };

fn matthews(counts: &Counts) -> f64 {
    let total = counts.total() as f64;
    let right = counts.right() as f64;
    let (mut products, mut truths, mut predictions) = (0.0, 0.0, 0.0);
    for label in 0..counts.n_labels() {
        let (truth, predicted) = (counts.of_truth(label) as f64, counts.of_predicted(label) as f64);
        products += truth * predicted;
        truths += truth * truth;
        predictions += predicted * predicted;
    }
    let spread = ((total * total - predictions) * (total * total - truths)).sqrt();
    if spread > 0.0 { (right * total - products) / spread } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_scikit_learn() {
        // sklearn.metrics.matthews_corrcoef([1,1,1,-1], [1,-1,1,1]) of its own documentation: −0.33…
        let counts = Counts::of(&[1, 1, 1, 0], &[1, 0, 1, 1], 2);
        assert!((matthews(&counts) + 1.0 / 3.0).abs() < 1e-12);
        assert_eq!(matthews(&Counts::of(&[0, 1], &[0, 1], 2)), 1.0);
        assert_eq!(matthews(&Counts::of(&[0, 0], &[0, 1], 2)), 0.0);
    }
}
