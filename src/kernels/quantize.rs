//! f32 rows to int8 and a scale a row: symmetric, as compressed-tensors computes it.

use rayon::prelude::*;

use super::{
    isa::{Isa, multiversion},
    math::round_half_even,
};

/// Rows that one task works on.
const ROWS: usize = 16;

/// Quantises each row of `x`, `[rows, width]`: `scale = max|x| / 127.5`, or 2⁻²³ where the row is zero;
/// `q = round_half_even(clamp(x / scale, −128, 127))`. Weights have a row an output, activations a row a token.
///
/// # Panics
/// When the shapes do not fit.
pub fn rows(x: &[f32], width: usize, q: &mut [i8], scales: &mut [f32]) {
    assert!(x.len() == q.len() && x.len() == width * scales.len(), "there is a scale for each row");
    if x.is_empty() {
        return scales.fill(f32::EPSILON);
    }
    let isa = Isa::detect();
    q.par_chunks_mut(ROWS * width)
        .zip(x.par_chunks(ROWS * width))
        .zip(scales.par_chunks_mut(ROWS))
        .for_each(|((q, x), scales)| block(isa, x, width, q, scales));
}

/// `out[i] = q[i] · scale`.
pub fn dequantize(q: &[i8], scale: f32, out: &mut [f32]) {
    for (out, &q) in out.iter_mut().zip(q) {
        *out = f32::from(q) * scale;
    }
}

multiversion!(fn block(x: &[f32], width: usize, q: &mut [i8], scales: &mut [f32]) = block_body);

#[inline(always)]
fn block_body<const FUSED: bool>(x: &[f32], width: usize, q: &mut [i8], scales: &mut [f32]) {
    for ((x, q), scale) in x.chunks_exact(width).zip(q.chunks_exact_mut(width)).zip(scales) {
        *scale = scale_of(x);
        for (q, &x) in q.iter_mut().zip(x) {
            *q = one(x, *scale) as i8;
        }
    }
}

/// The scale of a row.
#[inline(always)]
pub(super) fn scale_of(x: &[f32]) -> f32 {
    const LANES: usize = 16;
    // A maximum is the same in any order.
    let mut greatest = [0.0_f32; LANES];
    let chunks = x.chunks_exact(LANES);
    for &x in chunks.remainder() {
        greatest[0] = if x.abs() > greatest[0] { x.abs() } else { greatest[0] };
    }
    for chunk in chunks {
        for (greatest, x) in greatest.iter_mut().zip(chunk) {
            *greatest = if x.abs() > *greatest { x.abs() } else { *greatest };
        }
    }
    scale_of_greatest(greatest.into_iter().fold(0.0, f32::max))
}

/// The scale of a row from the greatest magnitude in it.
#[inline(always)]
pub(super) fn scale_of_greatest(greatest: f32) -> f32 {
    let scale = greatest / 127.5;
    if scale == 0.0 { f32::EPSILON } else { scale }
}

/// The quantised value of one number. The division is not turned into a product with the reciprocal: that would round
/// some values the other way.
#[inline(always)]
pub(super) fn one(x: f32, scale: f32) -> i32 {
    let y = x / scale;
    let y = if y > -128.0 { y } else { -128.0 };
    let y = if y < 127.0 { y } else { 127.0 };
    let rounded = round_half_even(y);
    // SAFETY: the value is between −128 and 127: the clamp also turns NaN into −128.
    unsafe { rounded.to_int_unchecked::<i32>() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::reference::noise;

    #[test]
    fn rounds_as_the_formula_says() {
        let mut x = noise(33 * 50, 1);
        x[..50].fill(0.0);
        // The greatest is 127.5 scales: it is clamped on the right, and rounds to the even −128 on the left.
        x[50] = 3.0;
        x[100] = -3.0;
        for isa in Isa::all() {
            let (mut q, mut scales) = (vec![0; x.len()], vec![0.0; 33]);
            block(isa, &x, 50, &mut q, &mut scales);
            for ((x, q), scale) in x.chunks(50).zip(q.chunks(50)).zip(&scales) {
                let amax = x.iter().fold(0.0_f32, |a, x| a.max(x.abs()));
                assert_eq!(*scale, if amax == 0.0 { 1.192_092_9e-7 } else { amax / 127.5 });
                for (x, q) in x.iter().zip(q) {
                    assert_eq!(f32::from(*q), (x / scale).clamp(-128.0, 127.0).round_ties_even());
                }
            }
            assert_eq!((q[50], q[100]), (127, -128));
        }
        let mut q = [1];
        rows(&[f32::NAN], 1, &mut q, &mut [0.0]);
    }
}
