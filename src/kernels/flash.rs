//! Attention for answering: scores, softmax and weighted values in blocks that stay in the caches, nothing of the size of
//! `len²` kept (Dao et al., 2022, `FlashAttention`, algorithm 1; the running softmax of Milakov and Gimelshein, 2018).
//!
//! All of it runs on the calling thread; whoever has several cuts the queries. A query's result does not depend on the cut.

use std::ops::Range;

use super::{
    aligned::OnLine,
    isa::Isa,
    math::{exp2_of_negative, multiply_add},
    tile::{Kernel, MAX_HEIGHT, MAX_WIDTH, Operands, with_kernel},
};

/// Keys of a block: a multiple of the width of every tile.
const KEYS: usize = 192;
/// Queries that share a block of keys while it is in the first cache.
const QUERIES: usize = 64;
/// Numbers that are treated at once; a row of scores is padded to whole ones.
const LANES: usize = 16;

/// How rows are cut into heads.
#[derive(Clone, Copy, Debug)]
pub struct Heads {
    /// How many.
    pub count: usize,
    /// The width of each.
    pub dim: usize,
}

/// Memory that is kept from call to call.
#[derive(Default)]
pub struct Scratch {
    /// The keys of a head, transposed in panels.
    keys: Vec<f32>,
    /// The values of a head, rows padded to whole registers.
    values: Vec<f32>,
    /// Weighted sums of values, as the values are laid out.
    sums: Vec<f32>,
}

/// What one call works on.
#[derive(Clone, Copy)]
struct Job<'a> {
    qkv: &'a [f32],
    len: usize,
    first: usize,
    heads: Heads,
}

/// `softmax(q kᵀ / √dim) v` of the queries `rows` of one sequence over all of its keys (Vaswani et al., 2017, eq. 1).
///
/// `qkv` is `[len, 3 · heads · dim]`: queries, keys and values side by side. `out` is `[rows, heads · dim]`.
///
/// # Panics
/// When the shapes do not fit.
pub fn forward(qkv: &[f32], heads: Heads, rows: Range<usize>, scratch: &mut Scratch, out: &mut [f32]) {
    forward_on(Isa::detect(), qkv, heads, rows, scratch, out);
}

fn forward_on(isa: Isa, qkv: &[f32], heads: Heads, rows: Range<usize>, scratch: &mut Scratch, out: &mut [f32]) {
    let width = heads.count * heads.dim;
    let len = qkv.len().checked_div(3 * width).unwrap_or(0);
    assert!(qkv.len() == len * 3 * width && out.len() == rows.len() * width, "queries, keys and values stand together");
    assert!(rows.end <= len || rows.is_empty(), "queries are rows of the sequence");
    if out.is_empty() {
        return;
    }
    let job = Job { qkv, len, first: rows.start, heads };
    with_kernel!(isa, attend(job: Job<'_>, scratch: &mut Scratch, out: &mut [f32]));
}

#[inline(always)]
fn attend<K: Kernel>(job: Job<'_>, scratch: &mut Scratch, out: &mut [f32]) {
    let Heads { count, dim } = job.heads;
    let width = count * dim;
    let padded = dim.next_multiple_of(K::VECTOR);
    grow(&mut scratch.keys, job.len.div_ceil(K::WIDTH) * dim * K::WIDTH);
    grow(&mut scratch.values, job.len * padded);
    grow(&mut scratch.sums, QUERIES * padded);
    for head in 0..count {
        pack::<K>(job, head, padded, scratch);
        for (block, out) in out.chunks_mut(QUERIES * width).enumerate() {
            let queries = Queries { first: job.first + block * QUERIES, count: out.len() / width, head };
            block_of_queries::<K>(job, queries, padded, scratch, out);
        }
    }
}

/// The keys of a head as panels, scaled so that scores are powers of two instead of e, and its values as whole registers.
#[inline(always)]
fn pack<K: Kernel>(job: Job<'_>, head: usize, padded: usize, scratch: &mut Scratch) {
    let Heads { count, dim } = job.heads;
    let (width, scale) = (count * dim, std::f32::consts::LOG2_E / (dim as f32).sqrt());
    for (row, values) in job.qkv.chunks_exact(3 * width).zip(scratch.values.chunks_exact_mut(padded)) {
        values[..dim].copy_from_slice(&row[2 * width + head * dim..][..dim]);
        values[dim..].fill(0.0);
    }
    // Four keys at once: a store of four numbers for each.
    for (four, rows) in job.qkv.chunks(4 * 3 * width).enumerate() {
        let key = 4 * four;
        let panel = &mut scratch.keys[key / K::WIDTH * dim * K::WIDTH..][..dim * K::WIDTH];
        let column = key % K::WIDTH;
        let keys = |at: usize| &rows[at * 3 * width + width + head * dim..][..dim];
        if rows.len() == 4 * 3 * width {
            let fours = keys(0).iter().zip(keys(1)).zip(keys(2)).zip(keys(3));
            for (line, (((a, b), c), d)) in panel.chunks_exact_mut(K::WIDTH).zip(fours) {
                line[column..column + 4].copy_from_slice(&[a * scale, b * scale, c * scale, d * scale]);
            }
        } else {
            for at in 0..rows.len() / (3 * width) {
                for (line, x) in panel.chunks_exact_mut(K::WIDTH).zip(keys(at)) {
                    line[column + at] = x * scale;
                }
            }
        }
    }
}

/// Some queries of a head.
#[derive(Clone, Copy)]
struct Queries {
    first: usize,
    count: usize,
    head: usize,
}

#[inline(always)]
fn block_of_queries<K: Kernel>(job: Job<'_>, queries: Queries, padded: usize, scratch: &mut Scratch, out: &mut [f32]) {
    let Heads { count, dim } = job.heads;
    let width = count * dim;
    let (mut greatest, mut totals) = ([f32::NEG_INFINITY; QUERIES], [0.0_f32; QUERIES]);
    let mut scores = OnLine([0.0; MAX_HEIGHT * KEYS]);
    let scores = &mut scores.0;
    let sums = &mut scratch.sums[..queries.count * padded];
    sums.fill(0.0);
    for first_key in (0..job.len).step_by(KEYS) {
        let keys = KEYS.min(job.len - first_key);
        for first in (0..queries.count).step_by(K::HEIGHT) {
            let height = K::HEIGHT.min(queries.count - first);
            let x = &job.qkv[(queries.first + first) * 3 * width + queries.head * dim..];
            for key in (0..keys).step_by(K::WIDTH) {
                let w = &scratch.keys[(first_key + key) * dim..][..dim * K::WIDTH];
                let columns = K::WIDTH.min((keys - key).next_multiple_of(K::VECTOR));
                let operands = Operands { x, x_stride: 3 * width, w, w_stride: K::WIDTH, depth: dim };
                // SAFETY: the caller was compiled for the instruction set of `K`, and runs where the processor has it.
                unsafe { K::tile(operands, height, columns, &mut scores[key..], KEYS) };
            }
            for (line, scores) in scores.chunks_exact_mut(KEYS).take(height).enumerate() {
                let query = first + line;
                let shrink = soften(K::FUSED, scores, keys, &mut greatest[query], &mut totals[query]);
                if first_key > 0 {
                    for sum in &mut sums[query * padded..][..padded] {
                        *sum *= shrink;
                    }
                }
            }
            add_values::<K>(scores, &scratch.values[first_key * padded..], (height, keys), padded, first, sums);
        }
    }
    for (query, (sums, out)) in sums.chunks_exact(padded).zip(out.chunks_exact_mut(width)).enumerate() {
        let whole = 1.0 / totals[query];
        for (out, sum) in out[queries.head * dim..][..dim].iter_mut().zip(sums) {
            *out = sum * whole;
        }
    }
}

/// Adds the values of a block of keys, weighted.
#[inline(always)]
fn add_values<K: Kernel>(
    weights: &[f32],
    values: &[f32],
    (height, keys): (usize, usize),
    padded: usize,
    first: usize,
    sums: &mut [f32],
) {
    let mut part = OnLine([0.0; MAX_HEIGHT * MAX_WIDTH]);
    let part = &mut part.0;
    for column in (0..padded).step_by(K::WIDTH) {
        let columns = K::WIDTH.min(padded - column);
        let operands = Operands { x: weights, x_stride: KEYS, w: &values[column..], w_stride: padded, depth: keys };
        // SAFETY: the caller was compiled for the instruction set of `K`, and runs where the processor has it.
        unsafe { K::tile(operands, height, columns, part, K::WIDTH) };
        for (line, part) in part.chunks_exact(K::WIDTH).take(height).enumerate() {
            let sums = &mut sums[(first + line) * padded + column..][..columns];
            for (sum, part) in sums.iter_mut().zip(part) {
                *sum += part;
            }
        }
    }
}

/// Turns the first `keys` scores of a block into weights relative to the greatest score so far, which it brings up to date
/// with their total; returns what the weights of earlier blocks must shrink by.
#[inline(always)]
fn soften(fused: bool, scores: &mut [f32], keys: usize, greatest: &mut f32, total: &mut f32) -> f32 {
    let padded = keys.next_multiple_of(LANES);
    // A score of a key that is not there; its weight is below the smallest normal number.
    scores[keys..padded].fill(f32::MIN);
    let (lines, _) = scores[..padded].as_chunks_mut::<LANES>();
    let mut lanes = [*greatest; LANES];
    for line in &*lines {
        for (lane, &x) in lanes.iter_mut().zip(line) {
            *lane = if x > *lane { x } else { *lane };
        }
    }
    let new = fold(lanes, |a, b| if b > a { b } else { a });
    let power = |x: f32| if fused { exp2_of_negative::<true>(x - new) } else { exp2_of_negative::<false>(x - new) };
    let mut sums = [0.0; LANES];
    for line in lines {
        for (sum, x) in sums.iter_mut().zip(line) {
            *x = power(*x);
            *sum += *x;
        }
    }
    let sum = fold(sums, |a, b| a + b);
    let shrink = power(*greatest);
    *total = if fused { multiply_add::<true>(*total, shrink, sum) } else { *total * shrink + sum };
    *greatest = new;
    shrink
}

/// All lanes in one, by halves.
#[inline(always)]
fn fold(mut lanes: [f32; LANES], join: impl Fn(f32, f32) -> f32) -> f32 {
    let mut half = LANES;
    while half > 1 {
        half /= 2;
        for lane in 0..half {
            lanes[lane] = join(lanes[lane], lanes[lane + half]);
        }
    }
    lanes[0]
}

fn grow(vector: &mut Vec<f32>, len: usize) {
    if vector.len() < len {
        vector.resize(len, 0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::reference::{assert_close, noise};

    fn expected(qkv: &[f32], len: usize, heads: Heads) -> Vec<f64> {
        let width = heads.count * heads.dim;
        let at = |row: usize, part: usize, head: usize, i: usize| {
            f64::from(qkv[row * 3 * width + part * width + head * heads.dim + i])
        };
        let mut out = vec![0.0; len * width];
        for head in 0..heads.count {
            for query in 0..len {
                let scores: Vec<f64> = (0..len)
                    .map(|key| (0..heads.dim).map(|i| at(query, 0, head, i) * at(key, 1, head, i)).sum::<f64>())
                    .map(|score| score / (heads.dim as f64).sqrt())
                    .collect();
                let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let total: f64 = scores.iter().map(|score| (score - most).exp()).sum();
                for i in 0..heads.dim {
                    let sum: f64 = (0..len).map(|key| (scores[key] - most).exp() * at(key, 2, head, i)).sum();
                    out[query * width + head * heads.dim + i] = sum / total;
                }
            }
        }
        out
    }

    #[test]
    fn agrees_with_plain_loops_on_every_isa_however_it_is_cut() {
        let shapes = [(1, 1, 1), (5, 2, 6), (17, 3, 8), (65, 2, 32), (48, 1, 64), (193, 2, 12), (400, 1, 20)];
        for (len, count, dim) in shapes {
            let heads = Heads { count, dim };
            // Large scores: a softmax without the greatest taken off would overflow.
            let qkv: Vec<f32> = noise(len * 3 * count * dim, 1).iter().map(|x| x * 6.0).collect();
            let expected = expected(&qkv, len, heads);
            for isa in Isa::all() {
                let mut scratch = Scratch::default();
                let mut out = vec![9.0; len * count * dim];
                forward_on(isa, &qkv, heads, 0..len, &mut scratch, &mut out);
                assert_close(&out, &expected, 1e-4);
                let mut cut = Vec::new();
                for rows in [0..len / 3, len / 3..len / 2, len / 2..len] {
                    let mut part = vec![9.0; rows.len() * count * dim];
                    forward_on(isa, &qkv, heads, rows, &mut scratch, &mut part);
                    cut.extend(part);
                }
                assert_eq!(cut, out, "{len} {count} {dim} {isa:?}");
            }
        }
    }
}
