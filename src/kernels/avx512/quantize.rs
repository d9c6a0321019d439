//! A row of activations to bytes.

use std::arch::x86_64::{
    __m512, __m512i, _mm_set1_epi8, _mm_storeu_si128, _mm_xor_si128, _mm512_abs_ps, _mm512_cvtps_epi32,
    _mm512_cvtsepi32_epi8, _mm512_div_ps, _mm512_fmadd_ps, _mm512_fnmadd_ps, _mm512_max_ps, _mm512_mul_ps,
    _mm512_reduce_max_ps, _mm512_set1_ps, _mm512_setzero_ps,
};

use super::{LANES, in_chains, load};
use crate::kernels::quantize::{one, scale_of_greatest};

/// Scales whose reciprocals, and the remainders of divisions by them, are normal numbers.
const NORMAL: std::ops::RangeInclusive<f32> = 1e-20..=1e20;

/// Quantises a row as [`crate::kernels::quantize::rows`] does, to numbers around 128; returns the scale.
///
/// # Panics
/// When the shapes do not fit.
#[target_feature(enable = "avx512f")]
pub(in crate::kernels) fn quantize_row(x: &[f32], q: &mut [u8]) -> f32 {
    assert_eq!(x.len(), q.len(), "a byte for each number");
    let (lines, rest) = x.as_chunks::<LANES>();
    let scale = scale_of_greatest(rest.iter().fold(greatest(lines), |a, x| if x.abs() > a { x.abs() } else { a }));
    let by = _mm512_set1_ps(scale);
    let (q_lines, q_rest) = q.as_chunks_mut::<LANES>();
    if NORMAL.contains(&scale) {
        let inverse = _mm512_set1_ps(1.0 / scale);
        for (line, q) in lines.iter().zip(q_lines) {
            round(quotient(load(line), by, inverse), q);
        }
    } else {
        for (line, q) in lines.iter().zip(q_lines) {
            round(_mm512_div_ps(load(line), by), q);
        }
    }
    for (&x, q) in rest.iter().zip(q_rest) {
        *q = (one(x, scale) + 128) as u8;
    }
    scale
}

#[target_feature(enable = "avx512f")]
#[inline]
fn greatest(lines: &[[f32; LANES]]) -> f32 {
    // The second operand is taken where either is not a number, so the greatest stays one.
    let join = |greatest, x| _mm512_max_ps(_mm512_abs_ps(x), greatest);
    let [a, b, c, d] = in_chains(lines, _mm512_setzero_ps(), join);
    _mm512_reduce_max_ps(_mm512_max_ps(_mm512_max_ps(a, b), _mm512_max_ps(c, d)))
}

/// `x / by`, correctly rounded where that decides the byte: the first correction brings the quotient within half a unit in
/// the last place and a little, and the second leaves no doubt on which side of a half it lies (Markstein, 1990). A
/// division takes twice as long.
#[target_feature(enable = "avx512f")]
#[inline]
fn quotient(x: __m512, by: __m512, inverse: __m512) -> __m512 {
    let y = _mm512_mul_ps(x, inverse);
    let y = _mm512_fmadd_ps(_mm512_fnmadd_ps(y, by, x), inverse, y);
    _mm512_fmadd_ps(_mm512_fnmadd_ps(y, by, x), inverse, y)
}

/// Rounds halves to even, saturates, and moves to 128. What is not a number becomes the least.
#[target_feature(enable = "avx512f")]
#[inline]
fn round(y: __m512, q: &mut [u8; LANES]) {
    let whole: __m512i = _mm512_cvtps_epi32(y);
    // The bits of a number of 8 bits around 128 are those of the same around 0 with the highest one turned.
    let bytes = _mm_xor_si128(_mm512_cvtsepi32_epi8(whole), _mm_set1_epi8(i8::MIN));
    // SAFETY: a line is sixteen bytes; stores need no alignment.
    unsafe { _mm_storeu_si128(q.as_mut_ptr().cast(), bytes) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{isa::Isa, reference::noise};

    fn check(x: &[f32]) {
        let mut q = vec![7; x.len()];
        // SAFETY: the processor has it.
        let scale = unsafe { quantize_row(x, &mut q) };
        let greatest = x.iter().fold(0.0_f32, |a, x| if x.abs() > a { x.abs() } else { a });
        assert_eq!(scale, scale_of_greatest(greatest));
        for (x, q) in x.iter().zip(&q) {
            assert_eq!(i32::from(*q) - 128, one(*x, scale), "{x} / {scale}");
        }
    }

    #[test]
    fn bytes_are_those_of_the_formula() {
        if !Isa::all().contains(&Isa::Avx512) {
            return;
        }
        for n in [1, 15, 16, 17, 64, 150, 384] {
            for size in [1.0, 1e-30, 3e-39, 1e30, 0.0] {
                check(&noise(n, n as u32).iter().map(|x| x * size).collect::<Vec<_>>());
            }
        }
        check(&[f32::NAN, 1.0, -2.0, f32::INFINITY, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 1.0, 1.0]);
        check(&[f32::NAN, 1.0, -2.0, 0.5, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 1.0, 1.0]);
    }

    /// Numbers next to those whose quotient is a half: one unit in the last place decides.
    #[test]
    fn halves_are_rounded_on_the_right_side() {
        if !Isa::all().contains(&Isa::Avx512) {
            return;
        }
        for seed in 0..2000 {
            let greatest = 1.0 + noise(1, seed)[0].abs() * 3.0;
            let scale = scale_of_greatest(greatest);
            let mut x = vec![greatest];
            for k in -128..127_i32 {
                let half = (k as f32 + 0.5) * scale;
                x.extend([half, half.next_up(), half.next_down()].into_iter().filter(|x| x.abs() <= greatest));
            }
            check(&x);
        }
    }
}
