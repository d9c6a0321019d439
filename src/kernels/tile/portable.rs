//! Tiles in plain loops, which the compiler turns into what the target promises.

use super::{Kernel, Operands, check};
use crate::kernels::math;

/// 4 × 16, a row at a time.
pub(in crate::kernels) struct Portable;

// SAFETY: it needs nothing of the processor.
unsafe impl Kernel for Portable {
    const VECTOR: usize = 8;
    const WIDTH: usize = 16;
    const HEIGHT: usize = 4;
    const FUSED: bool = cfg!(target_arch = "aarch64");

    unsafe fn tile(operands: Operands<'_>, rows: usize, columns: usize, out: &mut [f32], out_stride: usize) {
        check(operands, rows, columns, out, out_stride);
        let Operands { x, x_stride, w, w_stride, depth } = operands;
        for row in 0..rows {
            let mut sums = [0.0_f32; Self::WIDTH];
            for (i, &x) in x[row * x_stride..][..depth].iter().enumerate() {
                for (sum, &w) in sums.iter_mut().zip(&w[i * w_stride..][..columns]) {
                    *sum = math::multiply_add::<{ Self::FUSED }>(x, w, *sum);
                }
            }
            out[row * out_stride..][..columns].copy_from_slice(&sums[..columns]);
        }
    }
}
