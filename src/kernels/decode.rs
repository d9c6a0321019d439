//! Attention of a token over those before it, whose keys and values stand in rows that several beams share.

use super::{
    flash::Heads,
    isa::{Isa, multiversion},
    math::{exp, multiply_add},
};

/// Numbers that are added side by side; their sums are added in a fixed order.
const LANES: usize = 16;

/// What a token attends to.
#[derive(Clone, Copy)]
pub struct Past<'a> {
    /// `[rows, heads · dim]`.
    pub keys: &'a [f32],
    /// `[rows, heads · dim]`.
    pub values: &'a [f32],
    /// The rows that it sees.
    pub rows: &'a [u32],
}

/// `softmax(q kᵀ / √dim) v` of one query over the rows that it sees (Vaswani et al., 2017, eq. 1). `query` and `out` are
/// `[heads · dim]`; `scores` is room for a number a row.
///
/// # Panics
/// When the shapes do not fit, it sees nothing, or a row that is not there.
pub fn attend(query: &[f32], past: Past<'_>, heads: Heads, scores: &mut Vec<f32>, out: &mut [f32]) {
    let width = heads.count * heads.dim;
    assert!(query.len() == width && out.len() == width && !past.rows.is_empty(), "a query sees something");
    scores.resize(past.rows.len(), 0.0);
    attend_on(Isa::detect(), query, past, heads, scores, out);
}

multiversion!(fn attend_on(query: &[f32], past: Past<'_>, heads: Heads, scores: &mut [f32], out: &mut [f32]) = body);

#[inline(always)]
fn body<const FUSED: bool>(query: &[f32], past: Past<'_>, heads: Heads, scores: &mut [f32], out: &mut [f32]) {
    let (dim, width) = (heads.dim, heads.count * heads.dim);
    let scale = 1.0 / (dim as f32).sqrt();
    for (head, (query, out)) in query.chunks_exact(dim).zip(out.chunks_exact_mut(dim)).enumerate() {
        let of = |matrix: &'_ [f32], row: u32| {
            let start = row as usize * width + head * dim;
            start..(start + dim).min(matrix.len())
        };
        let mut greatest = f32::NEG_INFINITY;
        for (score, &row) in scores.iter_mut().zip(past.rows) {
            *score = scale * dot::<FUSED>(query, &past.keys[of(past.keys, row)]);
            greatest = if *score > greatest { *score } else { greatest };
        }
        let mut total = 0.0;
        for score in &mut *scores {
            *score = exp::<FUSED>(*score - greatest);
            total += *score;
        }
        out.fill(0.0);
        for (&score, &row) in scores.iter().zip(past.rows) {
            let weight = score / total;
            for (out, &value) in out.iter_mut().zip(&past.values[of(past.values, row)]) {
                *out = multiply_add::<FUSED>(weight, value, *out);
            }
        }
    }
}

#[inline(always)]
fn dot<const FUSED: bool>(a: &[f32], b: &[f32]) -> f32 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut lanes = [0.0; LANES];
    for (a, b) in a.iter().zip(b) {
        for ((lane, &a), &b) in lanes.iter_mut().zip(a).zip(b) {
            *lane = multiply_add::<FUSED>(a, b, *lane);
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    let mut half = LANES;
    while half > 1 {
        half /= 2;
        for lane in 0..half {
            lanes[lane] += lanes[lane + half];
        }
    }
    lanes[0] + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::reference::{assert_close, noise};

    #[test]
    fn it_is_a_softmax_over_the_rows_that_are_seen() {
        for (dim, count) in [(1, 1), (6, 3), (16, 2), (64, 2), (33, 1)] {
            let width = dim * count;
            let (query, keys, values) = (noise(width, 1), noise(9 * width, 2), noise(9 * width, 3));
            for rows in [&[4][..], &[8, 0, 3], &[1, 2, 3, 4, 5, 6, 7, 8, 0]] {
                let mut expected = vec![0.0; width];
                for head in 0..count {
                    let at =
                        |matrix: &[f32], row: u32, i: usize| f64::from(matrix[row as usize * width + head * dim + i]);
                    let score = |&row: &u32| {
                        let dot: f64 = (0..dim).map(|i| f64::from(query[head * dim + i]) * at(&keys, row, i)).sum();
                        (dot / (dim as f64).sqrt()).exp()
                    };
                    let total: f64 = rows.iter().map(score).sum();
                    for i in 0..dim {
                        expected[head * dim + i] =
                            rows.iter().map(|row| score(row) / total * at(&values, *row, i)).sum();
                    }
                }
                for isa in Isa::all() {
                    let (mut scores, mut out) = (vec![0.0; rows.len()], vec![9.0; width]);
                    let past = Past { keys: &keys, values: &values, rows };
                    attend_on(isa, &query, past, Heads { count, dim }, &mut scores, &mut out);
                    assert_close(&out, &expected, 1e-5);
                }
            }
        }
    }
}
