//! Tiles of AVX2 and AVX-512.

use std::arch::x86_64::{
    _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_set1_ps, _mm256_setzero_ps, _mm256_storeu_ps, _mm512_fmadd_ps,
    _mm512_loadu_ps, _mm512_set1_ps, _mm512_setzero_ps, _mm512_storeu_ps,
};

use super::{Kernel, Operands, check, pick};

macro_rules! tile {
    ($name:ident, $features:literal, $lanes:literal, $zero:ident, $load:ident, $set1:ident, $fma:ident, $store:ident) => {
        #[target_feature(enable = $features)]
        fn $name<const ROWS: usize, const VECTORS: usize>(operands: Operands<'_>, out: &mut [f32], out_stride: usize) {
            let Operands { x, x_stride, w, w_stride, depth } = operands;
            let mut sums = [[$zero(); VECTORS]; ROWS];
            for i in 0..depth {
                let mut columns = [$zero(); VECTORS];
                for (v, columns) in columns.iter_mut().enumerate() {
                    // SAFETY: `check` has found row `i` of `w` to have that many columns.
                    let at = unsafe { w.as_ptr().add(i * w_stride + v * $lanes) };
                    // SAFETY: as above; loads need no alignment.
                    *columns = unsafe { $load(at) };
                }
                for (row, sums) in sums.iter_mut().enumerate() {
                    // SAFETY: `check` has found row `row` of `x` to have `depth` numbers.
                    let x = $set1(unsafe { *x.get_unchecked(row * x_stride + i) });
                    for (sum, columns) in sums.iter_mut().zip(columns) {
                        *sum = $fma(x, columns, *sum);
                    }
                }
            }
            for (row, sums) in sums.into_iter().enumerate() {
                for (v, sum) in sums.into_iter().enumerate() {
                    // SAFETY: `check` has found row `row` of `out` to have that many columns.
                    let at = unsafe { out.as_mut_ptr().add(row * out_stride + v * $lanes) };
                    // SAFETY: as above; stores need no alignment.
                    unsafe { $store(at, sum) };
                }
            }
        }
    };
}

tile!(tile_512, "avx512f", 16, _mm512_setzero_ps, _mm512_loadu_ps, _mm512_set1_ps, _mm512_fmadd_ps, _mm512_storeu_ps);
tile!(tile_256, "avx2,fma", 8, _mm256_setzero_ps, _mm256_loadu_ps, _mm256_set1_ps, _mm256_fmadd_ps, _mm256_storeu_ps);

#[target_feature(enable = "avx512f")]
fn dispatch_512(operands: Operands<'_>, rows: usize, vectors: usize, out: &mut [f32], out_stride: usize) {
    pick!(tile_512, rows, vectors, [8 7 6 5 4 3 2 1], [3 2 1], (operands, out, out_stride));
}

#[target_feature(enable = "avx2,fma")]
fn dispatch_256(operands: Operands<'_>, rows: usize, vectors: usize, out: &mut [f32], out_stride: usize) {
    pick!(tile_256, rows, vectors, [6 5 4 3 2 1], [2 1], (operands, out, out_stride));
}

/// 8 × 48: 24 of 32 registers hold sums.
pub(in crate::kernels) struct Avx512;

// SAFETY: `tile` uses AVX-512F alone.
unsafe impl Kernel for Avx512 {
    const VECTOR: usize = 16;
    const WIDTH: usize = 48;
    const HEIGHT: usize = 8;
    const FUSED: bool = true;
    const IS_AVX512: bool = true;

    #[inline(always)]
    unsafe fn tile(operands: Operands<'_>, rows: usize, columns: usize, out: &mut [f32], out_stride: usize) {
        check(operands, rows, columns, out, out_stride);
        // SAFETY: the caller promises that the processor has AVX-512F.
        unsafe { dispatch_512(operands, rows, columns / 16, out, out_stride) };
    }
}

/// 6 × 16: 12 of 16 registers hold sums.
pub(in crate::kernels) struct Avx2;

// SAFETY: `tile` uses AVX2 and FMA alone.
unsafe impl Kernel for Avx2 {
    const VECTOR: usize = 8;
    const WIDTH: usize = 16;
    const HEIGHT: usize = 6;
    const FUSED: bool = true;

    #[inline(always)]
    unsafe fn tile(operands: Operands<'_>, rows: usize, columns: usize, out: &mut [f32], out_stride: usize) {
        check(operands, rows, columns, out, out_stride);
        // SAFETY: the caller promises that the processor has AVX2 and FMA.
        unsafe { dispatch_256(operands, rows, columns / 8, out, out_stride) };
    }
}
