//! AVX-512 VNNI: four products of 8-bit numbers added to a 32-bit sum in one instruction, without saturating.

use std::arch::x86_64::{
    __m512, __m512i, _MM_HINT_T0, _mm_prefetch, _mm512_add_ps, _mm512_cvtepi32_ps, _mm512_dpbusd_epi32,
    _mm512_loadu_ps, _mm512_loadu_si512, _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps, _mm512_mul_ps,
    _mm512_set1_epi32, _mm512_set1_ps, _mm512_storeu_ps, _mm512_sub_epi32,
};

use super::{Dequantized, ZERO};
use crate::kernels::{
    activation::{self, Function},
    aligned::Aligned,
    avx512::gelu,
    isa::Isa,
};

/// Numbers of 32 bits in a register.
const LANES: usize = 16;
/// Outputs of a panel: three registers.
const WIDTH: usize = 48;
/// Rows of a tile: 24 of 32 registers hold sums.
const HEIGHT: usize = 8;
/// Numbers that one instruction adds up.
const QUAD: usize = 4;
/// Bytes of a cache line.
const LINE: usize = 64;
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
    assert!(out.len() == rows * outputs && dequantized.scales.len() == outputs, "each row has all outputs");
    let stride = panels.quads * QUAD;
    let block = (BLOCK / stride.max(1) / HEIGHT * HEIGHT).clamp(2 * HEIGHT, 32 * HEIGHT);
    for first in (0..rows).step_by(block) {
        let end = (first + block).min(rows);
        let offsets = panels.offsets.as_chunks::<WIDTH>().0;
        for (p, (panel, offsets)) in panels.values.chunks_exact((stride * WIDTH).max(1)).zip(offsets).enumerate() {
            // The weights of a model are larger than the second cache: while a panel is at work, the next one comes.
            let mut next = panels.values[(p + 1) * stride * WIDTH..].chunks_exact((panels.quads * LINE).max(1));
            for row in (first..end).step_by(HEIGHT) {
                let height = HEIGHT.min(end - row);
                let tile = Tile {
                    x: &x[row * stride..(row + height) * stride],
                    stride,
                    panel,
                    offsets,
                    // A tile asks for a line in each of its steps; three tiles ask for a whole panel.
                    next: next.next().unwrap_or(&panel[..panels.quads * LINE]),
                    scales: &scales[row..row + height],
                    column: p * WIDTH,
                    dequantized,
                };
                let out = &mut out[row * outputs..(row + height) * outputs];
                match height {
                    8 => tile.rows::<8>(out),
                    7 => tile.rows::<7>(out),
                    6 => tile.rows::<6>(out),
                    5 => tile.rows::<5>(out),
                    4 => tile.rows::<4>(out),
                    3 => tile.rows::<3>(out),
                    2 => tile.rows::<2>(out),
                    _ => tile.rows::<1>(out),
                }
            }
        }
    }
}

/// Some rows and a panel.
struct Tile<'a> {
    /// `[rows, stride]`.
    x: &'a [u8],
    stride: usize,
    panel: &'a [i8],
    offsets: &'a [i32; WIDTH],
    /// What the caches will be asked for, a line a step.
    next: &'a [i8],
    /// Of the rows.
    scales: &'a [f32],
    /// The panel's first output.
    column: usize,
    dequantized: Dequantized<'a>,
}

impl Tile<'_> {
    /// Multiplies, and finishes the sums while they are in registers: dequantised, with bias, activated, added.
    #[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    fn rows<const ROWS: usize>(&self, out: &mut [f32]) {
        let Dequantized { scales, bias, after } = self.dequantized;
        let outputs = bias.len();
        assert!(
            self.x.len() == ROWS * self.stride
                && self.panel.len() == self.stride * WIDTH
                && self.scales.len() == ROWS
                && out.len() == ROWS * outputs
                && scales.len() == outputs,
            "a tile is whole"
        );
        let lanes = self.products::<ROWS>();
        for v in 0..WIDTH / LANES {
            let first = self.column + v * LANES;
            let count = LANES.min(outputs.saturating_sub(first));
            if count == 0 {
                continue;
            }
            let there = u16::MAX >> (LANES - count);
            let load = |from: &[f32]| {
                // SAFETY: only the numbers that are there are read.
                unsafe { _mm512_maskz_loadu_ps(there, from[..count].as_ptr()) }
            };
            let (weights, bias) = (load(&scales[first..]), load(&bias[first..]));
            for (row, lanes) in lanes.iter().enumerate() {
                // The product is rounded before the bias is added on every instruction set, so all give the same bits.
                let scale = _mm512_mul_ps(_mm512_set1_ps(self.scales[row]), weights);
                let mut y = _mm512_add_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(lanes[v]), scale), bias);
                match after.activation {
                    None => {}
                    Some(Function::Gelu) => y = gelu(y),
                    Some(function) => y = other(function, y),
                }
                let out = &mut out[row * outputs + first..][..count];
                if after.add {
                    y = _mm512_add_ps(y, load(out));
                }
                if let Ok(line) = <&mut [f32; LANES]>::try_from(&mut *out) {
                    // SAFETY: a line is sixteen numbers; stores need no alignment.
                    unsafe { _mm512_storeu_ps(line.as_mut_ptr(), y) };
                } else {
                    // SAFETY: only the numbers that are there are written.
                    unsafe { _mm512_mask_storeu_ps(out.as_mut_ptr(), there, y) };
                }
            }
        }
    }

    /// The sums of the rows with the panel, the offsets taken off.
    #[target_feature(enable = "avx512f,avx512vnni")]
    #[inline]
    #[expect(clippy::cast_ptr_alignment, reason = "the loads used need no alignment")]
    fn products<const ROWS: usize>(&self) -> [[__m512i; WIDTH / LANES]; ROWS] {
        let load = |at: *const i8| {
            // SAFETY: callers pass the place of 64 bytes.
            unsafe { _mm512_loadu_si512(at.cast::<__m512i>()) }
        };
        let zero = _mm512_set1_epi32(0);
        let start = [0, 1, 2].map(|v| _mm512_sub_epi32(zero, load(self.offsets[v * LANES..][..LANES].as_ptr().cast())));
        let mut lanes = [start; ROWS];
        let lines = self.next.as_chunks::<LINE>().0;
        let quads = self.panel.as_chunks::<{ QUAD * WIDTH }>().0;
        assert!(self.x.len() >= (ROWS - 1) * self.stride + quads.len() * QUAD, "a row has a word for each step");
        for ((quad, weights), line) in quads.iter().enumerate().zip(lines) {
            _mm_prefetch::<_MM_HINT_T0>(line.as_ptr());
            let weights = [load(weights.as_ptr()), load(weights[64..].as_ptr()), load(weights[128..].as_ptr())];
            for (row, lanes) in lanes.iter_mut().enumerate() {
                // SAFETY: the words of all steps of the last row were found to be there.
                let at = unsafe { self.x.as_ptr().add(row * self.stride + quad * QUAD) };
                // SAFETY: four bytes of the row are left from here.
                let x = _mm512_set1_epi32(unsafe { at.cast::<i32>().read_unaligned() });
                for (lane, weights) in lanes.iter_mut().zip(weights) {
                    *lane = _mm512_dpbusd_epi32(*lane, x, weights);
                }
            }
        }
        lanes
    }
}

/// An activation that has no code of its own here.
#[inline(never)]
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
fn other(function: Function, y: __m512) -> __m512 {
    let mut line = [0.0; LANES];
    // SAFETY: a line is sixteen numbers; stores need no alignment.
    unsafe { _mm512_storeu_ps(line.as_mut_ptr(), y) };
    activation::in_place::<true>(function, &mut line);
    // SAFETY: as above, for loads.
    unsafe { _mm512_loadu_ps(line.as_ptr()) }
}
