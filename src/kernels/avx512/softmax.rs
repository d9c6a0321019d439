//! A step of a running softmax.

use std::arch::x86_64::{
    __m512, _mm512_add_epi32, _mm512_add_ps, _mm512_castps_si512, _mm512_castsi512_ps, _mm512_fmadd_ps, _mm512_max_ps,
    _mm512_reduce_add_ps, _mm512_reduce_max_ps, _mm512_set1_ps, _mm512_setzero_ps, _mm512_slli_epi32, _mm512_sub_ps,
};

use super::{LANES, in_chains, load, store};
use crate::kernels::math::{EXP2, ROUNDER};

/// Sums that do not wait for each other.
const CHAINS: usize = 4;

/// Turns scores into powers of two relative to the greatest of them and `greatest`; returns the greatest and the sum.
#[target_feature(enable = "avx512f")]
#[inline]
pub(in crate::kernels) fn powers(lines: &mut [[f32; LANES]], greatest: f32) -> (f32, f32) {
    let [a, b, c, d] = in_chains(lines, _mm512_set1_ps(greatest), |greatest, x| _mm512_max_ps(greatest, x));
    let greatest = _mm512_reduce_max_ps(_mm512_max_ps(_mm512_max_ps(a, b), _mm512_max_ps(c, d)));
    let above = _mm512_set1_ps(greatest);
    let mut sums = [_mm512_setzero_ps(); CHAINS];
    let (blocks, rest) = lines.as_chunks_mut::<CHAINS>();
    for block in blocks {
        for (sum, line) in sums.iter_mut().zip(block) {
            *sum = _mm512_add_ps(*sum, power(line, above));
        }
    }
    for (sum, line) in sums.iter_mut().zip(rest) {
        *sum = _mm512_add_ps(*sum, power(line, above));
    }
    let [a, b, c, d] = sums;
    (greatest, _mm512_reduce_add_ps(_mm512_add_ps(_mm512_add_ps(a, b), _mm512_add_ps(c, d))))
}

/// `2^(x − above)`, as [`crate::kernels::math::exp2_of_negative`] computes it.
#[target_feature(enable = "avx512f")]
#[inline]
fn power(line: &mut [f32; LANES], above: __m512) -> __m512 {
    let x = _mm512_max_ps(_mm512_sub_ps(load(line), above), _mm512_set1_ps(-126.0));
    let shifted = _mm512_add_ps(x, _mm512_set1_ps(ROUNDER));
    let f = _mm512_sub_ps(x, _mm512_sub_ps(shifted, _mm512_set1_ps(ROUNDER)));
    let mut p = _mm512_set1_ps(EXP2[0]);
    for c in &EXP2[1..] {
        p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(*c));
    }
    let exponent = _mm512_slli_epi32::<23>(_mm512_castps_si512(shifted));
    let y = _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(p), exponent));
    store(line, y);
    y
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{isa::Isa, reference::noise};

    #[test]
    fn agrees_with_double_precision() {
        if !Isa::all().contains(&Isa::Avx512) {
            return;
        }
        for n in 1..12 {
            let scores: Vec<f32> = noise(n * LANES, n as u32).iter().map(|x| x * 80.0).collect();
            let mut lines = scores.clone();
            // SAFETY: the processor has it.
            let (greatest, sum) = unsafe { powers(lines.as_chunks_mut().0, -3.0) };
            assert_eq!(greatest, scores.iter().copied().fold(-3.0, f32::max));
            // The difference is rounded before the power is taken, here as there.
            let expected = |x: f32| f64::from(x - greatest).exp2();
            for (x, y) in scores.iter().zip(&lines) {
                assert!((f64::from(*y) - expected(*x)).abs() <= 3e-7 * expected(*x) + 2e-38, "{x} {greatest}: {y}");
            }
            let total: f64 = scores.iter().map(|x| expected(*x)).sum();
            assert!((f64::from(sum) / total - 1.0).abs() < 1e-6, "{n}");
        }
    }
}
