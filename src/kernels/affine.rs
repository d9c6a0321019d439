//! A scale and a shift a column, forward and backward: what stands for a norm in models that have none (Sun et al., 2020,
//! `MobileBERT`, section 3.3).

use rayon::prelude::*;

use super::{
    columns,
    isa::{Isa, multiversion},
};

/// Rows that one task works on.
const ROWS: usize = 32;

/// `out = x · scale + shift` over each row.
///
/// # Panics
/// When the shapes do not fit.
pub fn forward(x: &[f32], scale: &[f32], shift: &[f32], out: &mut [f32]) {
    let width = check(x, scale, out);
    assert_eq!(shift.len(), width, "each column has a shift");
    let isa = Isa::detect();
    let tasks = out.par_chunks_mut(ROWS * width).zip(x.par_chunks(ROWS * width));
    tasks.for_each(|(out, x)| rows(isa, x, scale, shift, out));
}

/// The same in place, on the calling thread.
///
/// # Panics
/// When the shapes do not fit.
pub fn in_place(x: &mut [f32], scale: &[f32], shift: &[f32]) {
    assert!(!scale.is_empty() && shift.len() == scale.len(), "each column has a scale and a shift");
    assert!(x.len().is_multiple_of(scale.len()), "rows are whole");
    rows_in_place(Isa::detect(), x, scale, shift);
}

/// The gradients, from the input and the gradient of the output: that of the input into `of_x`, those of scale and shift as
/// the result.
///
/// # Panics
/// When the shapes do not fit.
pub fn backward(x: &[f32], scale: &[f32], gradient: &[f32], of_x: &mut [f32]) -> [Vec<f32>; 2] {
    let width = check(x, scale, of_x);
    assert_eq!(gradient.len(), x.len(), "a gradient has the shape of what it is of");
    let isa = Isa::detect();
    columns::gradients([x, gradient], of_x, width, |[x, gradient], of_x, sums| {
        rows_backward(isa, x, scale, gradient, of_x, sums);
    })
}

fn check(x: &[f32], scale: &[f32], out: &[f32]) -> usize {
    assert!(!scale.is_empty() && x.len() == out.len(), "a scale keeps the shape");
    assert!(x.len().is_multiple_of(scale.len()), "rows are whole");
    scale.len()
}

multiversion!(fn rows(x: &[f32], scale: &[f32], shift: &[f32], out: &mut [f32]) = rows_body);
multiversion!(fn rows_in_place(x: &mut [f32], scale: &[f32], shift: &[f32]) = rows_in_place_body);
multiversion!(
    fn rows_backward(
        x: &[f32],
        scale: &[f32],
        gradient: &[f32],
        out: &mut [f32],
        sums: [&mut [f32]; 2],
    ) = rows_backward_body
);

#[inline(always)]
fn rows_body<const FUSED: bool>(x: &[f32], scale: &[f32], shift: &[f32], out: &mut [f32]) {
    let width = scale.len();
    for (x, out) in x.chunks_exact(width).zip(out.chunks_exact_mut(width)) {
        for (((out, x), scale), shift) in out.iter_mut().zip(x).zip(scale).zip(shift) {
            *out = x * scale + shift;
        }
    }
}

#[inline(always)]
fn rows_in_place_body<const FUSED: bool>(x: &mut [f32], scale: &[f32], shift: &[f32]) {
    for x in x.chunks_exact_mut(scale.len()) {
        for ((x, scale), shift) in x.iter_mut().zip(scale).zip(shift) {
            *x = *x * scale + shift;
        }
    }
}

#[inline(always)]
fn rows_backward_body<const FUSED: bool>(
    x: &[f32],
    scale: &[f32],
    gradient: &[f32],
    out: &mut [f32],
    [of_scale, of_shift]: [&mut [f32]; 2],
) {
    let width = scale.len();
    let rows = x.chunks_exact(width).zip(gradient.chunks_exact(width)).zip(out.chunks_exact_mut(width));
    for ((x, gradient), out) in rows {
        for i in 0..width {
            of_scale[i] += gradient[i] * x[i];
            of_shift[i] += gradient[i];
            out[i] = gradient[i] * scale[i];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::reference::noise;

    #[test]
    fn agrees_with_loops() {
        for (n_rows, width) in [(1, 1), (3, 5), (33, 128), (70, 30)] {
            let (x, gradient) = (noise(n_rows * width, 1), noise(n_rows * width, 2));
            let (scale, shift) = (noise(width, 3), noise(width, 4));
            let (mut out, mut of_x) = (vec![0.0; x.len()], vec![0.0; x.len()]);
            forward(&x, &scale, &shift, &mut out);
            let mut same = x.clone();
            in_place(&mut same, &scale, &shift);
            assert_eq!(out, same);
            let [of_scale, of_shift] = backward(&x, &scale, &gradient, &mut of_x);
            for column in 0..width {
                let (mut scale_sum, mut shift_sum) = (0.0_f64, 0.0_f64);
                for at in (column..x.len()).step_by(width) {
                    assert!((out[at] - (x[at] * scale[column] + shift[column])).abs() < 1e-6);
                    assert_eq!(of_x[at], gradient[at] * scale[column]);
                    scale_sum += f64::from(gradient[at]) * f64::from(x[at]);
                    shift_sum += f64::from(gradient[at]);
                }
                assert!((f64::from(of_scale[column]) - scale_sum).abs() < 1e-5);
                assert!((f64::from(of_shift[column]) - shift_sum).abs() < 1e-5);
            }
        }
    }
}
