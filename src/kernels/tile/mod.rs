//! The innermost loop of every f32 product: a few rows times a few vectors of columns, all sums in registers.

#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;
#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(target_arch = "aarch64")]
pub(super) use neon::Neon;
pub(super) use portable::Portable;
#[cfg(target_arch = "x86_64")]
pub(super) use x86::{Avx2, Avx512};

use super::isa::Isa;

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

/// Columns of a whole tile of an instruction set.
pub(super) fn width(isa: Isa) -> usize {
    match isa {
        #[cfg(target_arch = "aarch64")]
        Isa::Neon => Neon::WIDTH,
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => Avx2::WIDTH,
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => Avx512::WIDTH,
        _ => Portable::WIDTH,
    }
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

/// Picks the tile of a number of rows and vectors, both known when it is compiled.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
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
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use pick;

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
                Isa::Generic | Isa::Neon => $body::<tile::Portable>($($argument),*),
                // SAFETY: `Isa::detect` gives `Avx2` and above only where the processor has AVX2 and FMA.
                Isa::Avx2 => unsafe { avx2($($argument),*) },
                // SAFETY: `Isa::detect` gives `Avx512` only where the processor has all of these features.
                Isa::Avx512 => unsafe { avx512($($argument),*) },
            }
        }
        #[cfg(target_arch = "aarch64")]
        {
            use $crate::kernels::{isa::Isa, tile};
            #[target_feature(enable = "neon")]
            fn neon($($argument: $type),*) {
                $body::<tile::Neon>($($argument),*);
            }
            match $isa.min(Isa::detect()) {
                // SAFETY: `Isa::detect` gives `Neon` only where the processor has it.
                Isa::Neon => unsafe { neon($($argument),*) },
                _ => $body::<tile::Portable>($($argument),*),
            }
        }
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
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
    use crate::kernels::reference::noise;

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
                #[cfg(target_arch = "x86_64")]
                Isa::Avx2 => check::<Avx2>(),
                #[cfg(target_arch = "x86_64")]
                Isa::Avx512 => check::<Avx512>(),
                #[cfg(target_arch = "aarch64")]
                Isa::Neon => check::<Neon>(),
                _ => {}
            }
        }
    }
}
