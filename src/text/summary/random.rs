//! Random scores: what any other method must beat.

use super::Document;
use crate::base::rng;

/// Scores in `[0, 1)`, no two alike, in an order that is drawn from the seed and from which of many documents this is,
/// so that documents may be worked on in any order.
#[must_use]
pub fn random(document: &Document, seed: u64, index: u64) -> Vec<f64> {
    let mut scores: Vec<f64> = (0..document.len()).map(|rank| rank as f64 / document.len() as f64).collect();
    rng::shuffle(&mut rng::item_stream(seed, "summary", index), &mut scores);
    scores
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawn_by_seed_and_document() {
        let text = Document::new(&vec![vec!["a"]; 50]);
        let scores = random(&text, 7, 0);
        assert_eq!(scores, random(&text, 7, 0));
        assert_ne!(scores, random(&text, 8, 0));
        assert_ne!(scores, random(&text, 7, 1));
        let mut sorted = scores;
        sorted.sort_by(f64::total_cmp);
        assert!(sorted.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(random(&Document::default(), 7, 0), [0.0; 0]);
    }
}
