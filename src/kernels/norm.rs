//! Layer normalisation (Ba, Kiros and Hinton, 2016), forward and backward.

use rayon::prelude::*;

use super::{
    columns,
    isa::{Isa, multiversion},
    math::{multiply_add, sum_of_lanes},
};

/// Rows that one task works on.
const ROWS: usize = 32;
/// Partial sums of a row; they are added in a fixed order, so all instruction sets add in the same order.
const LANES: usize = 16;

/// `out = (x − mean) / √(variance + eps) · scale + shift` over each row.
///
/// # Panics
/// When the shapes do not fit.
pub fn forward(x: &[f32], scale: &[f32], shift: &[f32], eps: f32, out: &mut [f32]) {
    let width = scale.len();
    assert!(width > 0 && x.len() == out.len() && shift.len() == width, "a norm keeps the shape");
    assert!(x.len().is_multiple_of(width), "whole rows are normalised");
    let isa = Isa::detect();
    out.par_chunks_mut(ROWS * width)
        .zip(x.par_chunks(ROWS * width))
        .for_each(|(out, x)| rows(isa, x, scale, shift, eps, out));
}

/// The same in place, on the calling thread.
///
/// # Panics
/// When the shapes do not fit.
pub fn in_place(x: &mut [f32], scale: &[f32], shift: &[f32], eps: f32) {
    let width = scale.len();
    assert!(width > 0 && shift.len() == width && x.len().is_multiple_of(width), "whole rows are normalised");
    let isa = Isa::detect();
    #[cfg(target_arch = "x86_64")]
    if isa >= Isa::Avx512 && width.is_multiple_of(16) {
        // SAFETY: `Isa::detect` gives `Avx512` only where the processor has it.
        return unsafe { super::avx512::norm_in_place(x, scale, shift, eps) };
    }
    rows_in_place(isa, x, scale, shift, eps);
}

/// The gradients, from the input and the gradient of the output: that of the input into `of_x`, those of scale and shift
/// as the result. Mean and variance are computed again.
///
/// # Panics
/// When the shapes do not fit.
pub fn backward(x: &[f32], scale: &[f32], eps: f32, gradient: &[f32], of_x: &mut [f32]) -> [Vec<f32>; 2] {
    let width = scale.len();
    assert!(width > 0 && x.len() == gradient.len() && x.len() == of_x.len(), "a norm keeps the shape");
    assert!(x.len().is_multiple_of(width), "whole rows are normalised");
    let isa = Isa::detect();
    columns::gradients([x, gradient], of_x, width, |[x, gradient], of_x, sums| {
        rows_backward(isa, x, scale, eps, gradient, of_x, sums);
    })
}

multiversion!(fn rows(x: &[f32], scale: &[f32], shift: &[f32], eps: f32, out: &mut [f32]) = rows_body);
multiversion!(fn rows_in_place(x: &mut [f32], scale: &[f32], shift: &[f32], eps: f32) = rows_in_place_body);
multiversion!(
    fn rows_backward(
        x: &[f32],
        scale: &[f32],
        eps: f32,
        gradient: &[f32],
        out: &mut [f32],
        sums: [&mut [f32]; 2],
    ) = rows_backward_body
);

#[inline(always)]
fn rows_body<const FUSED: bool>(x: &[f32], scale: &[f32], shift: &[f32], eps: f32, out: &mut [f32]) {
    let width = scale.len();
    for (x, out) in x.chunks_exact(width).zip(out.chunks_exact_mut(width)) {
        let (mean, inverse) = moments::<FUSED>(x, eps);
        for (((out, &x), &scale), &shift) in out.iter_mut().zip(x).zip(scale).zip(shift) {
            *out = multiply_add::<FUSED>((x - mean) * inverse, scale, shift);
        }
    }
}

#[inline(always)]
fn rows_in_place_body<const FUSED: bool>(x: &mut [f32], scale: &[f32], shift: &[f32], eps: f32) {
    for x in x.chunks_exact_mut(scale.len()) {
        let (mean, inverse) = moments::<FUSED>(x, eps);
        for ((x, &scale), &shift) in x.iter_mut().zip(scale).zip(shift) {
            *x = multiply_add::<FUSED>((*x - mean) * inverse, scale, shift);
        }
    }
}

#[inline(always)]
fn rows_backward_body<const FUSED: bool>(
    x: &[f32],
    scale: &[f32],
    eps: f32,
    gradient: &[f32],
    out: &mut [f32],
    [of_scale, of_shift]: [&mut [f32]; 2],
) {
    let width = scale.len();
    let rows = x.chunks_exact(width).zip(gradient.chunks_exact(width)).zip(out.chunks_exact_mut(width));
    for ((x, gradient), out) in rows {
        let (mean, inverse) = moments::<FUSED>(x, eps);
        // With x̂ the normalised row and g = gradient · scale: dx = (g − mean(g) − x̂ mean(g x̂)) / σ.
        let of_mean = sum(width, |i| gradient[i] * scale[i]) / width as f32;
        let of_deviation = sum(width, |i| gradient[i] * scale[i] * ((x[i] - mean) * inverse)) / width as f32;
        for i in 0..width {
            let normalised = (x[i] - mean) * inverse;
            of_scale[i] = multiply_add::<FUSED>(gradient[i], normalised, of_scale[i]);
            of_shift[i] += gradient[i];
            out[i] = inverse * (gradient[i] * scale[i] - of_mean - normalised * of_deviation);
        }
    }
}

/// The mean of a row and `1 / √(variance + eps)`; the variance from the deviations, not from the squares, which cancel.
#[inline(always)]
fn moments<const FUSED: bool>(x: &[f32], eps: f32) -> (f32, f32) {
    let n = x.len() as f32;
    let mean = sum(x.len(), |i| x[i]) / n;
    let variance = sum(x.len(), |i| (x[i] - mean) * (x[i] - mean)) / n;
    (mean, 1.0 / (variance + eps).sqrt())
}

/// `Σ f(i)`, in lanes.
#[inline(always)]
fn sum(n: usize, f: impl Fn(usize) -> f32) -> f32 {
    let mut lanes = [0.0; LANES];
    let whole = n - n % LANES;
    for start in (0..whole).step_by(LANES) {
        for (lane, sum) in lanes.iter_mut().enumerate() {
            *sum += f(start + lane);
        }
    }
    for i in whole..n {
        lanes[i - whole] += f(i);
    }
    sum_of_lanes(lanes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::reference::{self, assert_close, noise};

    #[test]
    fn agrees_with_plain_loops_on_every_isa() {
        for (n, width) in [(1, 1), (3, 5), (33, 30), (70, 384)] {
            let (x, gradient) = (noise(n * width, 1), noise(n * width, 2));
            let (scale, shift) = (noise(width, 3), noise(width, 4));
            let eps = 1e-5;
            let expected = reference::layer_norm(&x, &scale, &shift, f64::from(eps));
            for isa in Isa::all() {
                let mut out = vec![0.0; x.len()];
                rows(isa, &x, &scale, &shift, eps, &mut out);
                assert_close(&out, &expected, 1e-5);
                let mut in_place = x.clone();
                rows_in_place(isa, &mut in_place, &scale, &shift, eps);
                assert_eq!(in_place, out);
            }
            let mut of_x = vec![9.0; x.len()];
            let [of_scale, of_shift] = backward(&x, &scale, eps, &gradient, &mut of_x);
            // A row of one element has no slope, and the differences would only show noise.
            if width > 1 {
                let loss = |x: &[f32], scale: &[f32], shift: &[f32]| {
                    let y = reference::layer_norm(x, scale, shift, f64::from(eps));
                    y.iter().zip(&gradient).map(|(y, g)| y * f64::from(*g)).sum::<f64>()
                };
                reference::check_gradient(&x, &of_x, 2e-3, |x| loss(x, &scale, &shift));
                reference::check_gradient(&scale, &of_scale, 2e-3, |scale| loss(&x, scale, &shift));
                reference::check_gradient(&shift, &of_shift, 2e-3, |shift| loss(&x, &scale, shift));
            }
        }
    }
}
