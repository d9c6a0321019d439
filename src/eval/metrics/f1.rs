//! `macro_f1`: F1 of each label, averaged with equal weights.

use super::Metric;
use crate::eval::Counts;

/// The mean over labels of `2 tp / (2 tp + fp + fn)`, as scikit-learn's `f1_score(average="macro")`: labels that occur
/// neither among the true nor among the predicted ones do not count.
pub static MACRO_F1: Metric = Metric { name: "macro_f1", is_share: true, score: macro_f1 };

fn macro_f1(counts: &Counts) -> f64 {
    let of_label = |label| {
        let occurrences = counts.of_truth(label) + counts.of_predicted(label);
        // 2 tp + fp + fn is how often the label occurs on either side.
        (occurrences > 0).then(|| 2.0 * counts.cell(label, label) as f64 / occurrences as f64)
    };
    let scores: Vec<f64> = (0..counts.n_labels()).filter_map(of_label).collect();
    if scores.is_empty() { 0.0 } else { scores.iter().sum::<f64>() / scores.len() as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_scikit_learn() {
        // sklearn.metrics.f1_score([0,1,2,0,1,2], [0,2,1,0,0,1], average="macro") of its own documentation: 0.26666…
        let counts = Counts::of(&[0, 1, 2, 0, 1, 2], &[0, 2, 1, 0, 0, 1], 3);
        assert!((macro_f1(&counts) - 0.266_666_666_666_666_66).abs() < 1e-12);
        // A label that never occurs changes nothing.
        let wider = Counts::of(&[0, 1, 2, 0, 1, 2], &[0, 2, 1, 0, 0, 1], 4);
        assert_eq!(macro_f1(&counts), macro_f1(&wider));
    }
}
