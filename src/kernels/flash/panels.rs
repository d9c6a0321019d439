//! `Panels`: keys of a head transposed in the order of a kernel's tiles, and their values beside them.

use std::ops::Range;

use super::Job;
use crate::kernels::{tile::Kernel, transpose::transposed};

/// Keys and values of a head.
#[derive(Default)]
pub(super) struct Panels {
    /// Keys, transposed in panels as wide as a tile.
    pub(super) keys: Vec<f32>,
    /// Values, rows padded to whole registers.
    pub(super) values: Vec<f32>,
}

/// How many rows ahead the next ones are asked for: long enough for memory to answer.
const AHEAD: usize = 16;

impl Panels {
    /// Packs the keys at `places`, scaled so that scores are powers of two instead of e, and their values; `row` says
    /// which row of the sequence belongs at a place. Places before are left as they are.
    #[inline(always)]
    pub(super) fn pack<K: Kernel>(
        &mut self,
        job: Job<'_>,
        head: usize,
        places: Range<usize>,
        row: impl Fn(usize) -> usize,
    ) {
        if places.is_empty() {
            return;
        }
        let dim = job.heads.dim;
        let padded = dim.next_multiple_of(K::VECTOR);
        let scale = std::f32::consts::LOG2_E / (dim as f32).sqrt();
        grow(&mut self.keys, places.end.div_ceil(K::WIDTH) * dim * K::WIDTH);
        grow(&mut self.values, places.end * padded);
        let values = self.values[places.start * padded..places.end * padded].chunks_exact_mut(padded);
        let last = places.end - 1;
        for (place, values) in places.clone().zip(values) {
            job.values.prefetch(row(last.min(place + AHEAD)), head, dim);
            values[..dim].copy_from_slice(job.values.of_head(row(place), head, dim));
            values[dim..].fill(0.0);
        }
        // Four keys at once: a store of four numbers for each.
        for place in (places.start / 4 * 4..places.end).step_by(4) {
            let panel = &mut self.keys[place / K::WIDTH * dim * K::WIDTH..][..dim * K::WIDTH];
            let column = place % K::WIDTH;
            let key = |at: usize| job.keys.of_head(row(place + at), head, dim);
            if place + 4 <= places.end {
                for at in AHEAD..AHEAD + 4 {
                    job.keys.prefetch(row(last.min(place + at)), head, dim);
                }
                let keys = [key(0), key(1), key(2), key(3)];
                let whole = keys.map(|key| key.as_chunks::<4>().0);
                for (block, lines) in panel.chunks_exact_mut(4 * K::WIDTH).enumerate() {
                    let block = transposed(whole.map(|key| &key[block]), scale);
                    for (line, numbers) in lines.chunks_exact_mut(K::WIDTH).zip(block) {
                        line[column..column + 4].copy_from_slice(&numbers);
                    }
                }
                for (i, line) in panel.chunks_exact_mut(K::WIDTH).enumerate().skip(dim / 4 * 4) {
                    line[column..column + 4].copy_from_slice(&keys.map(|key| key[i] * scale));
                }
            } else {
                for at in 0..places.end - place {
                    for (line, x) in panel.chunks_exact_mut(K::WIDTH).zip(key(at)) {
                        line[column + at] = x * scale;
                    }
                }
            }
        }
    }
}

fn grow(vector: &mut Vec<f32>, len: usize) {
    if vector.len() < len {
        vector.resize(len, 0.0);
    }
}
