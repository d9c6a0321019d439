//! Positions as turns of queries and keys (Su et al., 2021, `RoFormer`, section 3.4.2).

/// The angle by which each pair of a head's numbers turns a position: `theta^(−2i / head_dim)` for pair `i`.
#[must_use]
pub fn frequencies(theta: f64, head_dim: usize) -> Vec<f32> {
    // Rounded step by step as models were trained, since far positions multiply what is rounded otherwise; a power in single
    // precision is not everywhere rounded to nearest, one in double precision then is.
    let power = |pair: usize| theta.powf(f64::from((2 * pair) as f32 / head_dim as f32)) as f32;
    (0..head_dim / 2).map(|pair| 1.0 / power(pair)).collect()
}

/// Turns the heads of one row by the angles of its position, in place: numbers `i` and `i + head_dim / 2` of each head are a
/// pair. `turns` is room for as many cosines and sines as there are frequencies, twice.
///
/// # Panics
/// When heads are not whole.
pub fn turn(frequencies: &[f32], position: usize, turns: &mut Vec<f32>, heads: &mut [f32]) {
    let half = frequencies.len();
    assert!(half > 0 && heads.len().is_multiple_of(2 * half), "heads are whole");
    turns.resize(2 * half, 0.0);
    let (cosines, sines) = turns.split_at_mut(half);
    for ((cosine, sine), frequency) in cosines.iter_mut().zip(&mut *sines).zip(frequencies) {
        (*sine, *cosine) = (position as f32 * frequency).sin_cos();
    }
    for head in heads.chunks_exact_mut(2 * half) {
        let (first, second) = head.split_at_mut(half);
        for (((a, b), cosine), sine) in first.iter_mut().zip(second).zip(&*cosines).zip(&*sines) {
            (*a, *b) = (*a * cosine - *b * sine, *b * cosine + *a * sine);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_depend_on_distances_alone() {
        let frequencies = frequencies(100.0, 6);
        let (query, key) = ([0.3_f32, -1.0, 0.5, 2.0, 0.1, -0.7], [1.0_f32, 0.2, -0.4, 0.6, -1.5, 0.9]);
        let product = |i: usize, j: usize| {
            let (mut q, mut k, mut room) = (query, key, Vec::new());
            turn(&frequencies, i, &mut room, &mut q);
            turn(&frequencies, j, &mut room, &mut k);
            q.iter().zip(&k).map(|(q, k)| q * k).sum::<f32>()
        };
        assert!((product(0, 0) - query.iter().zip(&key).map(|(q, k)| q * k).sum::<f32>()).abs() < 1e-6);
        for (i, j) in [(3, 1), (40, 38), (502, 500)] {
            assert!((product(i, j) - product(2, 0)).abs() < 1e-4, "{i} {j}");
        }
        assert!((product(5, 0) - product(0, 5)).abs() > 0.1);
    }
}
