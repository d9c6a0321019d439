//! Layer normalisation.

use std::arch::x86_64::{
    __m512, _mm512_add_ps, _mm512_fmadd_ps, _mm512_mul_ps, _mm512_reduce_add_ps, _mm512_set1_ps, _mm512_setzero_ps,
    _mm512_sub_ps,
};

use super::{LANES, in_chains, load, store};

/// `x = (x − mean) / √(variance + eps) · scale + shift` for each row.
///
/// # Panics
/// When a row is no whole registers, or the shapes do not fit.
#[target_feature(enable = "avx512f")]
pub(in crate::kernels) fn norm_in_place(x: &mut [f32], scale: &[f32], shift: &[f32], eps: f32) {
    let width = scale.len();
    assert!(width.is_multiple_of(LANES) && shift.len() == width, "a row is whole registers");
    let n = width as f32;
    let (scale, shift) = (scale.as_chunks::<LANES>().0, shift.as_chunks::<LANES>().0);
    for row in x.chunks_exact_mut(width.max(1)) {
        let row = row.as_chunks_mut::<LANES>().0;
        let mean = _mm512_set1_ps(total(row, |sum, x| _mm512_add_ps(sum, x)) / n);
        // From the deviations, not from the squares, which cancel.
        let variance = total(row, |sum, x| {
            let deviation = _mm512_sub_ps(x, mean);
            _mm512_fmadd_ps(deviation, deviation, sum)
        }) / n;
        let inverse = _mm512_set1_ps(1.0 / (variance + eps).sqrt());
        for ((x, scale), shift) in row.iter_mut().zip(scale).zip(shift) {
            let normalised = _mm512_mul_ps(_mm512_sub_ps(load(x), mean), inverse);
            let y = _mm512_fmadd_ps(normalised, load(scale), load(shift));
            store(x, y);
        }
    }
}

#[target_feature(enable = "avx512f")]
#[inline]
fn total(row: &[[f32; LANES]], add: impl Fn(__m512, __m512) -> __m512) -> f32 {
    let [a, b, c, d] = in_chains(row, _mm512_setzero_ps(), add);
    _mm512_reduce_add_ps(_mm512_add_ps(_mm512_add_ps(a, b), _mm512_add_ps(c, d)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{
        isa::Isa,
        reference::{assert_close, layer_norm, noise},
    };

    #[test]
    fn agrees_with_plain_loops() {
        if !Isa::all().contains(&Isa::Avx512) {
            return;
        }
        for width in [16, 32, 80, 384] {
            let (mut x, scale, shift) = (noise(7 * width, 1), noise(width, 2), noise(width, 3));
            let expected = layer_norm(&x, &scale, &shift, 1e-5);
            // SAFETY: the processor has it.
            unsafe { norm_in_place(&mut x, &scale, &shift, 1e-5) };
            assert_close(&x, &expected, 1e-5);
        }
    }
}
