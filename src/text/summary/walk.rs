//! Power iteration: the scores of a random walk over a graph that jumps now and then.

/// The share of steps that follow a link; the others jump anywhere. The paper of `LexRank` calls jumps of 0.1 to 0.2
/// usual, that of `TextRank` sets 0.85.
pub(super) const DAMPING: f64 = 0.85;
/// How far all scores together may be from the fixed point, as a share of what they would sum up to were each its base.
const TOLERANCE: f64 = 1e-12;
/// More rounds than are needed, whatever the graph: the first change is at most twice the sum, each next one at most
/// 0.85 of the one before, and `2 · 0.85¹⁸⁵ · 0.85 / 0.15 < 1e-12`.
const MOST_ROUNDS: usize = 200;

/// The fixed point of `score = (1 − DAMPING) · base + DAMPING · spread(score)` for `n` scores.
///
/// `spread(scores, received)` adds to `received`, which is zero, what each score passes on: as much as there was, or
/// less. Then changes shrink by the factor `DAMPING` a round at least, and a change bounds what is left by
/// `DAMPING / (1 − DAMPING)` times itself. Sums are in the order of the sentences.
pub(super) fn walk(n: usize, base: f64, mut spread: impl FnMut(&[f64], &mut [f64])) -> Vec<f64> {
    let (mut scores, mut received) = (vec![base; n], vec![0.0; n]);
    for _ in 0..MOST_ROUNDS {
        received.fill(0.0);
        spread(&scores, &mut received);
        let mut change = 0.0;
        for (score, received) in scores.iter_mut().zip(&received) {
            let next = (1.0 - DAMPING) * base + DAMPING * received;
            change += (next - *score).abs();
            *score = next;
        }
        if change * DAMPING / (1.0 - DAMPING) <= TOLERANCE * base * n as f64 {
            break;
        }
    }
    scores
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_in_a_star() {
        // The middle passes half of its score to each end, an end all of its to the middle: with a jump of 0.15,
        // middle = 0.05 + 0.85 · 2 · end, and end = 0.05 + 0.85 · middle / 2.
        let scores = walk(3, 1.0 / 3.0, |scores, received| {
            received[0] += scores[1] + scores[2];
            received[1] += scores[0] / 2.0;
            received[2] += scores[0] / 2.0;
        });
        let middle = 0.05 * (1.0 + 1.7) / (1.0 - 0.85 * 0.85);
        for (score, expected) in scores.iter().zip([middle, 0.05 + 0.425 * middle, 0.05 + 0.425 * middle]) {
            assert!((score - expected).abs() < 1e-12, "{score} {expected}");
        }
        assert_eq!(walk(0, 1.0, |_, _| ()), [0.0; 0]);
    }
}
