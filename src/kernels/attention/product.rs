//! Small matrix products whose rows are padded to whole vectors, in register tiles.

use crate::kernels::{
    isa::{Isa, multiversion},
    math::multiply_add,
};

/// Columns of a tile: two AVX2 vectors, one of AVX-512.
const COLUMNS: usize = 16;
/// Rows of a tile: with 6 × 2 vectors AVX2's 16 registers hold the sums, two vectors of `b` and one of `a`.
const ROWS: usize = 6;

/// The length of a row in memory: whole tiles.
pub(super) fn padded(columns: usize) -> usize {
    columns.next_multiple_of(COLUMNS)
}

/// A left factor with strides, `[rows, depth]`.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) values: &'a [f32],
    pub(super) row_stride: usize,
    pub(super) depth_stride: usize,
    pub(super) rows: usize,
    pub(super) depth: usize,
}

/// `c = a · b`: `b` is `[depth, width]`, `c` `[rows, width]`, the width whole tiles.
///
/// # Panics
/// When the shapes do not fit.
pub(super) fn product(isa: Isa, a: Source<'_>, b: &[f32], c: &mut [f32]) {
    if a.rows == 0 || c.is_empty() {
        return;
    }
    let width = c.len() / a.rows;
    assert!(c.len() == a.rows * width && width.is_multiple_of(COLUMNS), "rows are whole tiles");
    assert_eq!(b.len(), a.depth * width, "the factors fit");
    if a.depth == 0 {
        return c.fill(0.0);
    }
    let last = (a.rows - 1) * a.row_stride + (a.depth - 1) * a.depth_stride;
    assert!(last < a.values.len(), "the left factor has all its elements");
    tiles(isa, a, b, width, c);
}

multiversion!(fn tiles(a: Source<'_>, b: &[f32], width: usize, c: &mut [f32]) = tiles_body);

#[inline(always)]
fn tiles_body<const FUSED: bool>(a: Source<'_>, b: &[f32], width: usize, c: &mut [f32]) {
    // Columns outside: their slice of `b`, depth × 64 bytes, stays in the first-level cache over all rows.
    for column in (0..width).step_by(COLUMNS) {
        let mut row = 0;
        while row + ROWS <= a.rows {
            tile::<FUSED, ROWS>(a, b, width, c, row, column);
            row += ROWS;
        }
        while row + 2 <= a.rows {
            tile::<FUSED, 2>(a, b, width, c, row, column);
            row += 2;
        }
        if row < a.rows {
            tile::<FUSED, 1>(a, b, width, c, row, column);
        }
    }
}

#[inline(always)]
fn tile<const FUSED: bool, const HEIGHT: usize>(
    a: Source<'_>,
    b: &[f32],
    width: usize,
    c: &mut [f32],
    row: usize,
    column: usize,
) {
    let mut sums = [[0.0_f32; COLUMNS]; HEIGHT];
    for p in 0..a.depth {
        let b: &[f32; COLUMNS] =
            b[p * width + column..].first_chunk().expect("`product` checked that the width is whole tiles");
        for (r, sums) in sums.iter_mut().enumerate() {
            // SAFETY: `product` checked that the element of the last row and depth is in the slice, and strides are
            // not negative, so every other element is too.
            let a = unsafe { *a.values.get_unchecked((row + r) * a.row_stride + p * a.depth_stride) };
            for (sum, &b) in sums.iter_mut().zip(b) {
                *sum = multiply_add::<FUSED>(a, b, *sum);
            }
        }
    }
    for (r, sums) in sums.iter().enumerate() {
        c[(row + r) * width + column..][..COLUMNS].copy_from_slice(sums);
    }
}
