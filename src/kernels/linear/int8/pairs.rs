//! The exact kernel: two 16-bit numbers in one 32-bit word, multiplied and added in pairs.
//!
//! AVX2's 8-bit product adds two products into 16 bits and saturates; its 16-bit product adds two into 32 bits and does
//! not, at the same number of instructions for each multiplication once signs are corrected.

use crate::kernels::isa::Isa;

/// Outputs of a panel.
pub(super) const WIDTH: usize = 16;
/// Tokens of a tile.
pub(super) const HEIGHT: usize = 6;

/// The sums of a tile.
pub(super) type Sums = [[i32; WIDTH]; HEIGHT];

/// Two numbers in one word, the first in the low half.
#[inline(always)]
pub(super) fn pair(low: i32, high: i32) -> i32 {
    low & 0xffff | high << 16
}

/// Packs `[outputs, inputs]` as panels of 16 outputs: for each pair of inputs, the pair of each output. What is missing
/// at the edges is 0.
pub(super) fn pack(weights: &[i8], outputs: usize, inputs: usize) -> Vec<i32> {
    let depth = inputs.div_ceil(2);
    let mut packed = vec![0; outputs.div_ceil(WIDTH) * depth * WIDTH];
    for output in 0..outputs {
        let row = &weights[output * inputs..(output + 1) * inputs];
        let panel = &mut packed[output / WIDTH * depth * WIDTH..][..depth * WIDTH];
        for (p, two) in row.chunks(2).enumerate() {
            let high = two.get(1).copied().unwrap_or(0);
            panel[p * WIDTH + output % WIDTH] = pair(i32::from(two[0]), i32::from(high));
        }
    }
    packed
}

/// The sums of up to [`HEIGHT`] tokens, `q` `[tokens, depth]`, with a panel, `[depth, WIDTH]`.
///
/// # Panics
/// When the shapes do not fit.
pub(super) fn tile(isa: Isa, q: &[i32], depth: usize, panel: &[i32]) -> Sums {
    let rows = q.len().checked_div(depth).unwrap_or(0);
    assert!(panel.len() == depth * WIDTH && q.len() == rows * depth && rows <= HEIGHT, "a tile is whole");
    let mut sums = [[0; WIDTH]; HEIGHT];
    #[cfg(target_arch = "x86_64")]
    if isa.min(Isa::detect()) >= Isa::Avx2 {
        // SAFETY: `Isa::detect` gives `Avx2` and above only where the processor has AVX2.
        unsafe { avx2::tile(q, depth, panel, rows, &mut sums) };
        return sums;
    }
    let _ = isa;
    portable(q, depth, panel, &mut sums);
    sums
}

fn portable(q: &[i32], depth: usize, panel: &[i32], sums: &mut Sums) {
    for (q, sums) in q.chunks_exact(depth).zip(sums) {
        for (&q, weights) in q.iter().zip(panel.chunks_exact(WIDTH)) {
            let (low, high) = (q << 16 >> 16, q >> 16);
            for (sum, &w) in sums.iter_mut().zip(weights) {
                *sum += low * (w << 16 >> 16) + high * (w >> 16);
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[expect(clippy::cast_ptr_alignment, reason = "the loads and stores used need no alignment")]
mod avx2 {
    use std::arch::x86_64::{
        __m256i, _mm256_add_epi32, _mm256_loadu_si256, _mm256_madd_epi16, _mm256_set1_epi32, _mm256_setzero_si256,
        _mm256_storeu_si256,
    };

    use super::{HEIGHT, Sums, WIDTH};

    #[target_feature(enable = "avx2")]
    pub(super) fn tile(q: &[i32], depth: usize, panel: &[i32], rows: usize, sums: &mut Sums) {
        match rows {
            6 => rows_of::<6>(q, depth, panel, sums),
            5 => rows_of::<5>(q, depth, panel, sums),
            4 => rows_of::<4>(q, depth, panel, sums),
            3 => rows_of::<3>(q, depth, panel, sums),
            2 => rows_of::<2>(q, depth, panel, sums),
            1 => rows_of::<1>(q, depth, panel, sums),
            _ => {}
        }
    }

    #[target_feature(enable = "avx2")]
    fn rows_of<const ROWS: usize>(q: &[i32], depth: usize, panel: &[i32], sums: &mut Sums) {
        const { assert!(ROWS <= HEIGHT) };
        let mut lanes = [[_mm256_setzero_si256(); 2]; ROWS];
        for (p, weights) in panel.as_chunks::<WIDTH>().0.iter().enumerate() {
            // SAFETY: a panel's row is 16 words long: two vectors; loads need no alignment.
            let low = unsafe { _mm256_loadu_si256(weights.as_ptr().cast::<__m256i>()) };
            let upper = &weights[WIDTH / 2..];
            // SAFETY: as above; this is the second half.
            let high = unsafe { _mm256_loadu_si256(upper.as_ptr().cast::<__m256i>()) };
            for (row, lanes) in lanes.iter_mut().enumerate() {
                // SAFETY: `tile` of the parent module checked that `q` has `rows · depth` words, and ROWS = rows,
                // p < depth.
                let q = _mm256_set1_epi32(unsafe { *q.get_unchecked(row * depth + p) });
                lanes[0] = _mm256_add_epi32(lanes[0], _mm256_madd_epi16(low, q));
                lanes[1] = _mm256_add_epi32(lanes[1], _mm256_madd_epi16(high, q));
            }
        }
        for (sums, lanes) in sums.iter_mut().zip(&lanes) {
            let (low, high) = sums.split_at_mut(WIDTH / 2);
            // SAFETY: half a row of sums is 8 words, one vector; stores need no alignment.
            unsafe { _mm256_storeu_si256(low.as_mut_ptr().cast::<__m256i>(), lanes[0]) };
            // SAFETY: as above; this is the second half.
            unsafe { _mm256_storeu_si256(high.as_mut_ptr().cast::<__m256i>(), lanes[1]) };
        }
    }
}
