//! Tiles of NEON.

use std::arch::aarch64::{vdupq_n_f32, vfmaq_n_f32, vld1q_f32, vst1q_f32};

use super::{Kernel, Operands, check, pick};

/// Numbers in a register.
const LANES: usize = 4;

#[target_feature(enable = "neon")]
fn tile<const ROWS: usize, const VECTORS: usize>(operands: Operands<'_>, out: &mut [f32], out_stride: usize) {
    let Operands { x, x_stride, w, w_stride, depth } = operands;
    let mut sums = [[vdupq_n_f32(0.0); VECTORS]; ROWS];
    for i in 0..depth {
        let mut columns = [vdupq_n_f32(0.0); VECTORS];
        for (v, columns) in columns.iter_mut().enumerate() {
            // SAFETY: `check` has found row `i` of `w` to have that many columns.
            let at = unsafe { w.as_ptr().add(i * w_stride + v * LANES) };
            // SAFETY: as above; loads need no alignment.
            *columns = unsafe { vld1q_f32(at) };
        }
        for (row, sums) in sums.iter_mut().enumerate() {
            // SAFETY: `check` has found row `row` of `x` to have `depth` numbers.
            let x = unsafe { *x.get_unchecked(row * x_stride + i) };
            for (sum, columns) in sums.iter_mut().zip(columns) {
                *sum = vfmaq_n_f32(*sum, columns, x);
            }
        }
    }
    for (row, sums) in sums.into_iter().enumerate() {
        for (v, sum) in sums.into_iter().enumerate() {
            // SAFETY: `check` has found row `row` of `out` to have that many columns.
            let at = unsafe { out.as_mut_ptr().add(row * out_stride + v * LANES) };
            // SAFETY: as above; stores need no alignment.
            unsafe { vst1q_f32(at, sum) };
        }
    }
}

#[target_feature(enable = "neon")]
fn dispatch(operands: Operands<'_>, rows: usize, vectors: usize, out: &mut [f32], out_stride: usize) {
    pick!(tile, rows, vectors, [8 7 6 5 4 3 2 1], [3 2 1], (operands, out, out_stride));
}

/// 8 × 12: 24 of 32 registers hold sums.
pub(in crate::kernels) struct Neon;

// SAFETY: `tile` uses NEON alone.
unsafe impl Kernel for Neon {
    const VECTOR: usize = LANES;
    const WIDTH: usize = 12;
    const HEIGHT: usize = 8;
    const FUSED: bool = true;

    #[inline(always)]
    unsafe fn tile(operands: Operands<'_>, rows: usize, columns: usize, out: &mut [f32], out_stride: usize) {
        check(operands, rows, columns, out, out_stride);
        // SAFETY: the caller promises that the processor has NEON.
        unsafe { dispatch(operands, rows, columns / LANES, out, out_stride) };
    }
}
