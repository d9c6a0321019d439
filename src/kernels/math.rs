//! `exp`, the error function and `tanh` without branches, so that loops over them become vector code.

/// `a · b + c`, in one rounding where the processor has an instruction for it.
#[inline(always)]
pub(super) fn multiply_add<const FUSED: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FUSED { a.mul_add(b, c) } else { a * b + c }
}

/// The sum of partial sums, halves added to halves: in the same order on all instruction sets.
#[inline(always)]
pub(super) fn sum_of_lanes<const LANES: usize>(mut lanes: [f32; LANES]) -> f32 {
    const { assert!(LANES.is_power_of_two(), "halves of halves") };
    let mut half = LANES;
    while half > 1 {
        half /= 2;
        for lane in 0..half {
            lanes[lane] += lanes[lane + half];
        }
    }
    lanes[0]
}

/// 1.5 · 2²³: added to a number below 2²² in magnitude it leaves no bits for the fraction, so the sum is rounded to the
/// nearest whole number, ties to even, and its low bits are that number.
pub(super) const ROUNDER: f32 = 12_582_912.0;

/// Rounds to the nearest whole number, ties to even; exact below 2²².
#[inline(always)]
pub(super) fn round_half_even(x: f32) -> f32 {
    (x + ROUNDER) - ROUNDER
}

/// `eˣ`, relative error below 2·10⁻⁷; inputs outside ±87 are clamped.
///
/// `x = n ln 2 + r` with `|r| ≤ ½ ln 2`, then a polynomial (Cephes `expf`, Moshier 1992) and the exponent's bits.
#[inline(always)]
pub(super) fn exp<const FUSED: bool>(x: f32) -> f32 {
    // `max` and `min` of the standard library handle NaN with extra instructions; a NaN must come out as one.
    let x = if x < -87.0 { -87.0 } else { x };
    let x = if x > 87.0 { 87.0 } else { x };
    let shifted = multiply_add::<FUSED>(x, std::f32::consts::LOG2_E, ROUNDER);
    let n = shifted - ROUNDER;
    let r = multiply_add::<FUSED>(n, -0.693_359_4, x);
    let r = multiply_add::<FUSED>(n, 2.121_944_4e-4, r);
    let mut p = 1.987_569_1e-4;
    for c in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
        p = multiply_add::<FUSED>(p, r, c);
    }
    let y = multiply_add::<FUSED>(p * r, r, r) + 1.0;
    let exponent = shifted.to_bits().wrapping_sub(ROUNDER.to_bits()).wrapping_add(127) << 23;
    y * f32::from_bits(exponent)
}

/// Of `2ᶠ` on `|f| ≤ ½`: least squares of the relative error on Chebyshev nodes, the highest power first.
pub(super) const EXP2: [f32; 6] = [0.001_326_697, 0.009_675_46, 0.055_507_425, 0.240_221_23, 0.693_146_94, 1.000_000_1];

/// `2ˣ` of `x ≤ 0`, relative error below 2.5·10⁻⁷; about 2⁻¹²⁶ below −126.
///
/// `x = n + f` with `|f| ≤ ½`, a polynomial for `2ᶠ`, and `n` added to the exponent.
#[inline(always)]
pub(super) fn exp2_of_negative<const FUSED: bool>(x: f32) -> f32 {
    let x = if x < -126.0 { -126.0 } else { x };
    let shifted = x + ROUNDER;
    let f = x - (shifted - ROUNDER);
    let mut p = EXP2[0];
    for c in &EXP2[1..] {
        p = multiply_add::<FUSED>(p, f, *c);
    }
    f32::from_bits(p.to_bits().wrapping_add(shifted.to_bits() << 23))
}

/// The normal distribution function `Φ(x)` and `exp(−x²/2)`, absolute error below 3·10⁻⁷.
///
/// `erfc(z) = t(a₁ + t(a₂ + …)) exp(−z²)`, `t = 1 / (1 + 0.3275911 z)` (Abramowitz and Stegun 1964, 7.1.26): the tail
/// is computed itself, not as a difference from one, so that it keeps its relative accuracy.
#[inline(always)]
pub(super) fn normal<const FUSED: bool>(x: f32) -> (f32, f32) {
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    // e^(−x²/2) as a power of two.
    let bell = exp2_of_negative::<FUSED>(-0.5 * std::f32::consts::LOG2_E * x * x);
    let t = 1.0 / multiply_add::<FUSED>(0.327_591_1, z, 1.0);
    let mut p = 1.061_405_4;
    for c in [-1.453_152, 1.421_413_7, -0.284_496_74, 0.254_829_6] {
        p = multiply_add::<FUSED>(p, t, c);
    }
    let tail = 0.5 * p * t * bell;
    (if x < 0.0 { tail } else { 1.0 - tail }, bell)
}

/// `tanh(x)`, absolute error below 3·10⁻⁷.
#[inline(always)]
pub(super) fn tanh<const FUSED: bool>(x: f32) -> f32 {
    // tanh is odd and 1 in single precision from 9 on: the exponential of −2|x| neither overflows nor loses.
    let e = exp::<FUSED>(-2.0 * x.abs());
    let y = (1.0 - e) / (1.0 + e);
    if x < 0.0 { -y } else { y }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::reference::erf;

    fn check<const FUSED: bool>() {
        for i in -4000..=4000 {
            let x = i as f32 / 400.0;
            let wide = f64::from(x);
            let exp = f64::from(exp::<FUSED>(x)) / wide.exp();
            assert!((exp - 1.0).abs() < 2e-7, "exp {x}: {exp}");
            let (phi, bell) = normal::<FUSED>(x);
            let expected = 0.5 + 0.5 * erf(wide * std::f64::consts::FRAC_1_SQRT_2);
            assert!((f64::from(phi) - expected).abs() < 3e-7, "Φ {x}: {phi} {expected}");
            assert!((f64::from(bell) - (-wide * wide / 2.0).exp()).abs() < 3e-7, "bell {x}");
            assert!((f64::from(tanh::<FUSED>(x)) - wide.tanh()).abs() < 3e-7, "tanh {x}");
            let power = x.min(0.0) * 12.0;
            let exp2 = f64::from(exp2_of_negative::<FUSED>(power)) / f64::from(power).exp2();
            assert!((exp2 - 1.0).abs() < 2.5e-7, "2ˣ {x}: {exp2}");
        }
    }

    #[test]
    fn functions_are_accurate() {
        check::<false>();
        check::<true>();
        assert!(exp2_of_negative::<true>(f32::NEG_INFINITY) < 2e-38 && exp2_of_negative::<true>(f32::NAN).is_nan());
        assert!(exp::<false>(f32::NAN).is_nan() && exp::<true>(-1e30) < 1e-37);
        for (x, rounded) in [(0.5, 0.0), (1.5, 2.0), (-2.5, -2.0), (127.5, 128.0), (-0.2, 0.0), (3.7, 4.0)] {
            assert_eq!(round_half_even(x), rounded);
        }
    }
}
