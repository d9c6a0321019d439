//! Sums over the rows of a matrix: the gradient of a bias.

use rayon::prelude::*;

use super::isa::{Isa, multiversion};

/// Rows that one task adds up.
const ROWS: usize = 64;

/// `out[c] = Σ_r x[r, c]`; rows are added in blocks of a fixed size, and the blocks in order.
///
/// # Panics
/// When `x` is not whole rows of `out`'s width.
pub fn sum(x: &[f32], out: &mut [f32]) {
    let width = out.len();
    out.fill(0.0);
    if width == 0 {
        return;
    }
    assert!(x.len().is_multiple_of(width), "whole rows are summed");
    let isa = Isa::detect();
    let partial: Vec<Vec<f32>> = x
        .par_chunks(ROWS * width)
        .map(|rows| {
            let mut sum = vec![0.0; width];
            for row in rows.chunks_exact(width) {
                add(isa, row, &mut sum);
            }
            sum
        })
        .collect();
    for rows in &partial {
        add(isa, rows, out);
    }
}

/// Rows that one task of [`gradients`] works on.
const TASK_ROWS: usize = 32;

/// The gradients of an operation with a scale and a shift a column: `rows` writes that of the input of some rows, and adds to
/// those of scale and shift, which are the result. Rows are in blocks of a fixed size, and the blocks are added in order.
pub(super) fn gradients(
    [x, gradient]: [&[f32]; 2],
    of_x: &mut [f32],
    width: usize,
    rows: impl Fn([&[f32]; 2], &mut [f32], [&mut [f32]; 2]) + Sync,
) -> [Vec<f32>; 2] {
    let block = TASK_ROWS * width;
    let partial: Vec<[Vec<f32>; 2]> = of_x
        .par_chunks_mut(block)
        .zip(x.par_chunks(block))
        .zip(gradient.par_chunks(block))
        .map(|((of_x, x), gradient)| {
            let (mut of_scale, mut of_shift) = (vec![0.0; width], vec![0.0; width]);
            rows([x, gradient], of_x, [&mut of_scale, &mut of_shift]);
            [of_scale, of_shift]
        })
        .collect();
    let isa = Isa::detect();
    let mut sums = [vec![0.0; width], vec![0.0; width]];
    for part in &partial {
        for (sum, part) in sums.iter_mut().zip(part) {
            add(isa, part, sum);
        }
    }
    sums
}

multiversion!(
    /// `out[i] += x[i]`.
    pub(super) fn add(x: &[f32], out: &mut [f32]) = add_body
);

#[inline(always)]
fn add_body<const FUSED: bool>(x: &[f32], out: &mut [f32]) {
    for (out, &x) in out.iter_mut().zip(x) {
        *out += x;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_each_column() {
        for (rows, width) in [(0, 3), (1, 5), (63, 7), (64, 1), (200, 33)] {
            let x: Vec<f32> = (0..rows * width).map(|i| (i % 17) as f32).collect();
            let mut out = vec![9.0; width];
            sum(&x, &mut out);
            for (c, y) in out.iter().enumerate() {
                let expected: f32 = (0..rows).map(|r| x[r * width + c]).sum();
                assert_eq!(*y, expected, "{rows}×{width} column {c}");
            }
        }
    }
}
