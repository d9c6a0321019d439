//! Loops that are written by hand for AVX-512, because what the compiler makes of them takes up to five times as long.

mod gelu;
mod norm;
mod quantize;
mod softmax;

pub(super) use gelu::{gelu, gelu_in_place};
pub(super) use norm::norm_in_place;
pub(super) use quantize::quantize_row;
pub(super) use softmax::powers;

use std::arch::x86_64::{__m512, _mm512_loadu_ps, _mm512_storeu_ps};

/// Numbers in a register.
const LANES: usize = 16;

#[target_feature(enable = "avx512f")]
#[inline]
fn load(line: &[f32; LANES]) -> __m512 {
    // SAFETY: a line is sixteen numbers; loads need no alignment.
    unsafe { _mm512_loadu_ps(line.as_ptr()) }
}

/// Joins lines in four chains that do not wait for each other.
#[target_feature(enable = "avx512f")]
#[inline]
fn in_chains(lines: &[[f32; LANES]], start: __m512, join: impl Fn(__m512, __m512) -> __m512) -> [__m512; 4] {
    let mut chains = [start; 4];
    let (blocks, rest) = lines.as_chunks::<4>();
    for block in blocks {
        for (chain, line) in chains.iter_mut().zip(block) {
            *chain = join(*chain, load(line));
        }
    }
    for (chain, line) in chains.iter_mut().zip(rest) {
        *chain = join(*chain, load(line));
    }
    chains
}

#[target_feature(enable = "avx512f")]
#[inline]
fn store(line: &mut [f32; LANES], x: __m512) {
    // SAFETY: a line is sixteen numbers; stores need no alignment.
    unsafe { _mm512_storeu_ps(line.as_mut_ptr(), x) };
}
