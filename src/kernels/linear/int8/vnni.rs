//! AVX-512 VNNI: four products of 8-bit numbers added to a 32-bit sum in one instruction, without saturating.

use std::arch::x86_64::{
    __m512i, _mm512_dpbusd_epi32, _mm512_loadu_si512, _mm512_set1_epi32, _mm512_storeu_si512, _mm512_sub_epi32,
};

use super::{Compiled, Dequantized, ZERO};
use crate::kernels::{
    aligned::{Aligned, OnLine},
    isa::Isa,
};

/// Outputs of a panel: three registers.
const WIDTH: usize = 48;
/// Rows of a tile: 24 of 32 registers hold sums.
const HEIGHT: usize = 8;
/// Numbers that one instruction adds up.
const QUAD: usize = 4;
/// Bytes of a block of rows: with a panel, they stay in the second cache while all panels pass.
const BLOCK: usize = 256 * 1024;

/// Whether the processor has it.
pub(super) fn is_there() -> bool {
    Isa::detect() >= Isa::Avx512 && is_x86_feature_detected!("avx512vnni")
}

/// Weights `[outputs, inputs]`, for each panel of outputs: for each four inputs, the four weights of each output.
pub(super) struct Panels {
    values: Aligned<i8>,
    /// What the zero point adds to each output's sum, a panel after the other.
    offsets: Aligned<i32>,
    quads: usize,
}

type Sums = [i32; HEIGHT * WIDTH];

impl Panels {
    pub(super) fn new(weights: &[i8], outputs: usize, inputs: usize) -> Self {
        let (quads, n_panels) = (inputs.div_ceil(QUAD), outputs.div_ceil(WIDTH));
        let mut values = Aligned::zeros(n_panels * quads * QUAD * WIDTH);
        let mut offsets = Aligned::zeros(n_panels * WIDTH);
        for (output, row) in weights.chunks_exact(inputs.max(1)).take(outputs).enumerate() {
            let panel = &mut values[output / WIDTH * quads * QUAD * WIDTH..][..quads * QUAD * WIDTH];
            for (input, &weight) in row.iter().enumerate() {
                panel[(input / QUAD * WIDTH + output % WIDTH) * QUAD + input % QUAD] = weight;
            }
            offsets[output] = i32::from(ZERO) * row.iter().map(|weight| i32::from(*weight)).sum::<i32>();
        }
        Self { values, offsets, quads }
    }

    /// `x` is `[rows, quads · 4]`, `scales` that of each row.
    pub(super) fn forward(&self, x: &[u8], scales: &[f32], dequantized: Dequantized<'_>, out: &mut [f32]) {
        assert!(is_there(), "packed for a processor that this one is not");
        assert!(x.len() == scales.len() * self.quads * QUAD, "rows are whole");
        // SAFETY: the processor has AVX-512 F, BW, DQ, VL (`Isa::detect`) and VNNI, as was just checked.
        unsafe { forward(self, x, scales, dequantized, out) };
    }
}

#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn forward(panels: &Panels, x: &[u8], scales: &[f32], dequantized: Dequantized<'_>, out: &mut [f32]) {
    let (rows, outputs) = (scales.len(), dequantized.bias.len());
    let stride = panels.quads * QUAD;
    let block = (BLOCK / stride.max(1) / HEIGHT * HEIGHT).clamp(2 * HEIGHT, 32 * HEIGHT);
    let mut sums = OnLine([0; HEIGHT * WIDTH]);
    let sums = &mut sums.0;
    for first in (0..rows).step_by(block) {
        let end = (first + block).min(rows);
        let offsets = panels.offsets.chunks_exact(WIDTH);
        for (p, (panel, offsets)) in panels.values.chunks_exact((stride * WIDTH).max(1)).zip(offsets).enumerate() {
            let columns = WIDTH.min(outputs - p * WIDTH);
            let mut row = first;
            while row < end {
                let height = HEIGHT.min(end - row);
                tile(&x[row * stride..(row + height) * stride], stride, height, panel, offsets, sums);
                for (line, sums) in sums.chunks_exact(WIDTH).take(height).enumerate() {
                    let out = &mut out[(row + line) * outputs + p * WIDTH..][..columns];
                    dequantized.write(Compiled::Avx512, &sums[..columns], p * WIDTH, scales[row + line], out);
                }
                row += height;
            }
        }
    }
}

#[target_feature(enable = "avx512f,avx512vnni")]
fn tile(x: &[u8], stride: usize, rows: usize, panel: &[i8], offsets: &[i32], sums: &mut Sums) {
    assert!(x.len() == rows * stride && panel.len() == stride * WIDTH && offsets.len() == WIDTH, "a tile is whole");
    match rows {
        8 => rows_of::<8>(x, stride, panel, offsets, sums),
        7 => rows_of::<7>(x, stride, panel, offsets, sums),
        6 => rows_of::<6>(x, stride, panel, offsets, sums),
        5 => rows_of::<5>(x, stride, panel, offsets, sums),
        4 => rows_of::<4>(x, stride, panel, offsets, sums),
        3 => rows_of::<3>(x, stride, panel, offsets, sums),
        2 => rows_of::<2>(x, stride, panel, offsets, sums),
        1 => rows_of::<1>(x, stride, panel, offsets, sums),
        _ => {}
    }
}

/// The sums of `ROWS` rows with a panel, the offsets taken off.
#[target_feature(enable = "avx512f,avx512vnni")]
#[expect(clippy::cast_ptr_alignment, reason = "the loads and stores used need no alignment")]
fn rows_of<const ROWS: usize>(x: &[u8], stride: usize, panel: &[i8], offsets: &[i32], sums: &mut Sums) {
    const { assert!(ROWS <= HEIGHT) };
    let load = |at: *const i8| {
        // SAFETY: callers pass the place of 64 bytes of a panel.
        unsafe { _mm512_loadu_si512(at.cast::<__m512i>()) }
    };
    let mut lanes = [[_mm512_set1_epi32(0); 3]; ROWS];
    for (quad, weights) in panel.as_chunks::<{ QUAD * WIDTH }>().0.iter().enumerate() {
        let weights = [load(weights.as_ptr()), load(weights[64..].as_ptr()), load(weights[128..].as_ptr())];
        for (row, lanes) in lanes.iter_mut().enumerate() {
            // SAFETY: `tile` has found `x` to have `rows · stride` bytes, and a panel has `stride / 4` quads.
            let at = unsafe { x.as_ptr().add(row * stride + quad * QUAD) };
            // SAFETY: four bytes of the row are left from here.
            let x = _mm512_set1_epi32(unsafe { at.cast::<i32>().read_unaligned() });
            for (lane, weights) in lanes.iter_mut().zip(weights) {
                *lane = _mm512_dpbusd_epi32(*lane, x, weights);
            }
        }
    }
    for (sums, lanes) in sums.chunks_exact_mut(WIDTH).zip(lanes) {
        for ((sums, offsets), lane) in sums.chunks_exact_mut(16).zip(offsets.chunks_exact(16)).zip(lanes) {
            // SAFETY: sixteen offsets are 64 bytes.
            let offsets = unsafe { _mm512_loadu_si512(offsets.as_ptr().cast::<__m512i>()) };
            let exact = _mm512_sub_epi32(lane, offsets);
            // SAFETY: sixteen sums are 64 bytes; stores need no alignment.
            unsafe { _mm512_storeu_si512(sums.as_mut_ptr().cast::<__m512i>(), exact) };
        }
    }
}
