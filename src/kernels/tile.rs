//! The innermost loop of every f32 product: a few rows times a few vectors of columns, all sums in registers.

/// Rows that a tile may have.
pub(super) const MAX_HEIGHT: usize = 8;
/// Columns that a tile may have.
pub(super) const MAX_WIDTH: usize = 48;

/// `out[r, c] = Σ_i x[r, i] · w[i, c]`: rows of `x` stand `x_stride` apart, rows of `w` and of `out` `w_stride` and
/// `out_stride`.
#[derive(Clone, Copy)]
pub(super) struct Operands<'a> {
    pub(super) x: &'a [f32],
    pub(super) x_stride: usize,
    pub(super) w: &'a [f32],
    pub(super) w_stride: usize,
    pub(super) depth: usize,
}

/// What an instruction set does: how large its tiles are, and how one is computed.
///
/// # Safety
/// `tile` may be called only where the processor has the instruction set.
pub(super) unsafe trait Kernel {
    /// Numbers in a register.
    const VECTOR: usize;
    /// Columns of a whole tile: a multiple of [`Self::VECTOR`].
    const WIDTH: usize;
    /// Rows of a whole tile.
    const HEIGHT: usize;
    /// Whether a fused multiply-add is one instruction.
    const FUSED: bool;
    /// Whether it has all of AVX-512 that [`super::isa::Isa::Avx512`] stands for.
    const IS_AVX512: bool = false;

    /// A tile of `rows ≤ HEIGHT` rows and `columns ≤ WIDTH` columns, a multiple of [`Self::VECTOR`].
    ///
    /// # Safety
    /// The processor has the instruction set.
    ///
    /// # Panics
    /// When the shapes do not fit.
    unsafe fn tile(operands: Operands<'_>, rows: usize, columns: usize, out: &mut [f32], out_stride: usize);
}

/// Checks that a tile reads and writes within its slices.
#[inline(always)]
fn check(operands: Operands<'_>, rows: usize, columns: usize, out: &[f32], out_stride: usize) {
    let Operands { x, x_stride, w, w_stride, depth } = operands;
    let last = |rows: usize, stride: usize, width: usize| rows.saturating_sub(1) * stride + width;
    assert!(
        x.len() >= last(rows, x_stride, depth)
            && (depth == 0 || w.len() >= last(depth, w_stride, columns))
            && out.len() >= last(rows, out_stride, columns),
        "a tile lies in its matrices"
    );
}

/// Plain loops, which the compiler turns into what the target promises.
pub(super) struct Portable;

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
                    *sum = super::math::multiply_add::<{ Self::FUSED }>(x, w, *sum);
                }
            }
            out[row * out_stride..][..columns].copy_from_slice(&sums[..columns]);
        }
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) use x86::{Avx2, Avx512};

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_set1_ps, _mm256_setzero_ps, _mm256_storeu_ps, _mm512_fmadd_ps,
        _mm512_loadu_ps, _mm512_set1_ps, _mm512_setzero_ps, _mm512_storeu_ps,
    };

    use super::{Kernel, Operands, check};

    /// Picks the tile of a number of rows and vectors, both known when it is compiled.
    macro_rules! pick {
        ($tile:ident, $rows:expr, $vectors:expr, [$($r:literal)*], $v:tt, $arguments:tt) => {
            match $rows {
                $($r => pick!(@ $tile, $r, $vectors, $v, $arguments),)*
                _ => {}
            }
        };
        (@ $tile:ident, $r:literal, $vectors:expr, [$($v:literal)*], $arguments:tt) => {
            match $vectors {
                $($v => $tile::<$r, $v> $arguments,)*
                _ => {}
            }
        };
    }

    macro_rules! tile {
        ($name:ident, $features:literal, $lanes:literal, $zero:ident, $load:ident, $set1:ident, $fma:ident, $store:ident) => {
            #[target_feature(enable = $features)]
            fn $name<const ROWS: usize, const VECTORS: usize>(
                operands: Operands<'_>,
                out: &mut [f32],
                out_stride: usize,
            ) {
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

    tile!(
        tile_512,
        "avx512f",
        16,
        _mm512_setzero_ps,
        _mm512_loadu_ps,
        _mm512_set1_ps,
        _mm512_fmadd_ps,
        _mm512_storeu_ps
    );
    tile!(
        tile_256,
        "avx2,fma",
        8,
        _mm256_setzero_ps,
        _mm256_loadu_ps,
        _mm256_set1_ps,
        _mm256_fmadd_ps,
        _mm256_storeu_ps
    );

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
}

/// Runs `body::<K>(…)` with the kernel of an instruction set, compiled with its features.
macro_rules! with_kernel {
    ($isa:expr, $body:ident($($argument:ident: $type:ty),* $(,)?)) => {{
        #[cfg(target_arch = "x86_64")]
        {
            use $crate::kernels::{isa::Isa, tile};
            #[target_feature(enable = "avx2,fma")]
            fn avx2($($argument: $type),*) {
                $body::<tile::Avx2>($($argument),*);
            }
            #[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
            fn avx512($($argument: $type),*) {
                $body::<tile::Avx512>($($argument),*);
            }
            match $isa.min(Isa::detect()) {
                Isa::Generic => $body::<tile::Portable>($($argument),*),
                // SAFETY: `Isa::detect` gives `Avx2` and above only where the processor has AVX2 and FMA.
                Isa::Avx2 => unsafe { avx2($($argument),*) },
                // SAFETY: `Isa::detect` gives `Avx512` only where the processor has all of these features.
                Isa::Avx512 => unsafe { avx512($($argument),*) },
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        {
            let _ = $isa;
            $body::<$crate::kernels::tile::Portable>($($argument),*);
        }
    }};
}

pub(super) use with_kernel;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{isa::Isa, reference::noise};

    #[test]
    fn tiles_of_every_size_are_products() {
        fn check<K: Kernel>() {
            for rows in 1..=K::HEIGHT {
                for columns in (K::VECTOR..=K::WIDTH).step_by(K::VECTOR) {
                    for depth in [0, 1, 7, 32] {
                        let (x_stride, w_stride, out_stride) = (depth + 3, columns + 5, columns + 1);
                        let (x, w) = (noise(rows * x_stride, 1), noise(depth.max(1) * w_stride, 2));
                        let mut out = vec![9.0; rows * out_stride];
                        let operands = Operands { x: &x, x_stride, w: &w, w_stride, depth };
                        // SAFETY: the test asks for the kernels of this processor alone.
                        unsafe { K::tile(operands, rows, columns, &mut out, out_stride) };
                        for row in 0..rows {
                            for column in 0..columns {
                                let sum: f64 = (0..depth)
                                    .map(|i| f64::from(x[row * x_stride + i]) * f64::from(w[i * w_stride + column]))
                                    .sum();
                                assert!((f64::from(out[row * out_stride + column]) - sum).abs() < 1e-5);
                            }
                            assert_eq!(out[row * out_stride + columns], 9.0, "nothing beyond the tile is written");
                        }
                    }
                }
            }
        }
        check::<Portable>();
        for isa in Isa::all() {
            match isa {
                Isa::Generic => {}
                #[cfg(target_arch = "x86_64")]
                Isa::Avx2 => check::<Avx2>(),
                #[cfg(target_arch = "x86_64")]
                Isa::Avx512 => check::<Avx512>(),
                #[cfg(not(target_arch = "x86_64"))]
                _ => {}
            }
        }
    }
}
