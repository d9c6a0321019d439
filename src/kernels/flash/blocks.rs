//! A block of queries over the blocks of keys that they see, with a running softmax.

use std::ops::Range;

use super::{Job, KEYS, Panels, QUERIES};
#[cfg(target_arch = "x86_64")]
use crate::kernels::avx512::powers;
use crate::kernels::{
    aligned::OnLine,
    math::{exp2_of_negative, multiply_add},
    tile::{Kernel, MAX_HEIGHT, MAX_WIDTH, Operands},
};

/// Numbers that are treated at once; the scores that a query sees are padded to whole ones.
const LANES: usize = 16;

/// Some queries of a head.
#[derive(Clone, Copy)]
pub(super) struct Queries {
    pub(super) first: usize,
    pub(super) count: usize,
    pub(super) head: usize,
}

/// The keys of a block that a query sees, by their places in the block.
#[derive(Clone, PartialEq, Eq)]
struct Sight {
    keys: Range<usize>,
    /// Keys among these that it does not see.
    hole: Range<usize>,
}

/// How far the softmax of some queries has come.
struct Running<'a> {
    /// The greatest score so far of each.
    greatest: [f32; QUERIES],
    /// The total of the weights.
    totals: [f32; QUERIES],
    /// Values, weighted and added up.
    sums: &'a mut [f32],
    /// Scores of one block of keys.
    scores: OnLine<[f32; MAX_HEIGHT * KEYS]>,
}

/// Attention of some queries; the near keys are packed from row `base` of the sequence on.
#[inline(always)]
pub(super) fn attend<K: Kernel>(
    job: Job<'_>,
    queries: Queries,
    base: usize,
    [near_keys, global_keys]: [&Panels; 2],
    sums: &mut [f32],
    out: &mut [f32],
) {
    let dim = job.heads.dim;
    let (width, padded) = (job.heads.count * dim, dim.next_multiple_of(K::VECTOR));
    let sums = &mut sums[..queries.count * padded];
    sums.fill(0.0);
    let mut running = Running {
        greatest: [f32::NEG_INFINITY; QUERIES],
        totals: [0.0; QUERIES],
        sums,
        scores: OnLine([0.0; MAX_HEIGHT * KEYS]),
    };
    for row in queries.first + queries.count..queries.first + 2 * queries.count {
        job.queries.prefetch(row, queries.head, dim);
    }
    let globals = job.window.globals;
    for block in (0..globals.len()).step_by(KEYS) {
        let part = &globals[block..globals.len().min(block + KEYS)];
        // Global keys that are near are counted among the near ones.
        let sight = |query| {
            let near = job.window.near(query, job.len);
            let below = |end: usize| part.partition_point(|place| *place < end);
            Sight { keys: 0..part.len(), hole: below(near.start)..below(near.end) }
        };
        block_of_keys::<K>(job, queries, global_keys, block, sight, &mut running);
    }
    let (first, last) = (queries.first, queries.first + queries.count - 1);
    let blocks = job.window.near(first, job.len).start / KEYS * KEYS..job.window.near(last, job.len).end;
    for block in blocks.step_by(KEYS) {
        let sight = |query| {
            let near = job.window.near(query, job.len);
            let within = |key: usize| key.clamp(block, block + KEYS) - block;
            Sight { keys: within(near.start)..within(near.end), hole: 0..0 }
        };
        block_of_keys::<K>(job, queries, near_keys, block - base, sight, &mut running);
    }
    for (query, (sums, out)) in running.sums.chunks_exact(padded).zip(out.chunks_exact_mut(width)).enumerate() {
        let whole = 1.0 / running.totals[query];
        for (out, sum) in out[queries.head * dim..][..dim].iter_mut().zip(sums) {
            *out = sum * whole;
        }
    }
}

/// Takes the keys of a block into the softmax of the queries that see them; they are packed from `first_key` on.
///
/// Keys that a query does not see weigh nothing in its sums, to the bit: which queries share a tile makes no difference.
#[inline(always)]
fn block_of_keys<K: Kernel>(
    job: Job<'_>,
    queries: Queries,
    panels: &Panels,
    first_key: usize,
    sight: impl Fn(usize) -> Sight,
    running: &mut Running<'_>,
) {
    let dim = job.heads.dim;
    let padded = dim.next_multiple_of(K::VECTOR);
    let scores = &mut running.scores.0;
    for first in (0..queries.count).step_by(K::HEIGHT) {
        let height = K::HEIGHT.min(queries.count - first);
        // What a query sees moves on with it, so all that a tile of them sees lies between the first and the last.
        let query = queries.first + first;
        let (top, bottom) = (sight(query), sight(query + height - 1));
        let (seen, even) = (top.keys.start..bottom.keys.end, top == bottom && top.hole.is_empty());
        if seen.is_empty() {
            continue;
        }
        let x = &job.queries.numbers[query * job.queries.stride + queries.head * dim..];
        let mut key = seen.start / K::VECTOR * K::VECTOR;
        while key < seen.end {
            let column = key % K::WIDTH;
            let columns = (K::WIDTH - column).min((seen.end - key).next_multiple_of(K::VECTOR));
            let w = &panels.keys[(first_key + key - column) * dim..][..dim * K::WIDTH][column..];
            let operands = Operands { x, x_stride: job.queries.stride, w, w_stride: K::WIDTH, depth: dim };
            // SAFETY: the caller was compiled for the instruction set of `K`, and runs where the processor has it.
            unsafe { K::tile(operands, height, columns, &mut scores[key..], KEYS) };
            key += columns;
        }
        for (line, scores) in scores.chunks_exact_mut(KEYS).take(height).enumerate() {
            let at = first + line;
            let (greatest, total) = (&mut running.greatest[at], &mut running.totals[at]);
            let begun = *total > 0.0;
            let shrink = if even {
                soften::<K>(scores, &seen, greatest, total)
            } else {
                let Sight { keys, hole } = sight(query + line);
                if keys.len() == hole.len() {
                    scores[seen.clone()].fill(0.0);
                    continue;
                }
                scores[hole.clone()].fill(f32::MIN);
                let shrink = soften::<K>(scores, &keys, greatest, total);
                scores[seen.start..keys.start].fill(0.0);
                scores[hole].fill(0.0);
                scores[keys.end..seen.end].fill(0.0);
                shrink
            };
            if begun {
                for sum in &mut running.sums[at * padded..][..padded] {
                    *sum *= shrink;
                }
            }
        }
        let values = &panels.values[(first_key + seen.start) * padded..];
        add_values::<K>(&scores[seen.start..], values, (height, seen.len()), padded, first, running.sums);
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

/// Turns the scores of the keys that a query sees into weights relative to the greatest score so far, which it brings up to
/// date with their total; returns what the weights of earlier blocks must shrink by.
#[inline(always)]
fn soften<K: Kernel>(scores: &mut [f32], keys: &Range<usize>, greatest: &mut f32, total: &mut f32) -> f32 {
    let padded = keys.start / LANES * LANES..keys.end.next_multiple_of(LANES);
    // Scores of keys that are not there; their weights are below the smallest normal number.
    scores[padded.start..keys.start].fill(f32::MIN);
    scores[keys.end..padded.end].fill(f32::MIN);
    let lines = scores[padded].as_chunks_mut::<LANES>().0;
    let (new, sum) = match lines {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the caller was compiled for AVX-512, and runs where the processor has it.
        lines if K::IS_AVX512 => unsafe { powers(lines, *greatest) },
        lines if K::FUSED => plain_powers::<true>(lines, *greatest),
        lines => plain_powers::<false>(lines, *greatest),
    };
    let shrink =
        if K::FUSED { exp2_of_negative::<true>(*greatest - new) } else { exp2_of_negative::<false>(*greatest - new) };
    *total = if K::FUSED { multiply_add::<true>(*total, shrink, sum) } else { *total * shrink + sum };
    *greatest = new;
    shrink
}

/// Turns scores into powers of two relative to the greatest of them and `greatest`; returns the greatest and the sum.
#[inline(always)]
fn plain_powers<const FUSED: bool>(lines: &mut [[f32; LANES]], greatest: f32) -> (f32, f32) {
    let mut lanes = [greatest; LANES];
    for line in &*lines {
        for (lane, &x) in lanes.iter_mut().zip(line) {
            *lane = if x > *lane { x } else { *lane };
        }
    }
    let greatest = fold(lanes, |a, b| if b > a { b } else { a });
    let mut sums = [0.0; LANES];
    for line in lines {
        for (sum, x) in sums.iter_mut().zip(line) {
            *x = exp2_of_negative::<FUSED>(*x - greatest);
            *sum += *x;
        }
    }
    (greatest, fold(sums, |a, b| a + b))
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
