//! int8 weights, activations quantised row by row, exact sums in 32 bits.
//!
//! Three kernels: AVX-512's 8-bit dot product on panels of our own; rten's, where an ARM processor has such a product; and
//! pairs of 16-bit numbers, exact on every processor (AVX2's 8-bit product saturates).

mod dot;
mod pairs;
#[cfg(target_arch = "x86_64")]
mod vnni;

use super::{
    After,
    after::{self, Compiled},
};
#[cfg(target_arch = "x86_64")]
use crate::kernels::avx512;
use crate::kernels::{
    aligned::OnLine,
    isa::{Isa, multiversion},
    quantize,
};

/// Rows of pairs that stay in the second cache while all panels pass.
const BLOCK: usize = 16 * pairs::HEIGHT;
/// Columns that are finished together.
const PART: usize = 48;
/// The zero point of activations as unsigned numbers.
const ZERO: u8 = 128;

/// Rows of activations, quantised, in the form that a kernel reads; kept from call to call so that nothing is allocated.
#[derive(Default)]
pub struct Quantized {
    rows: usize,
    /// Numbers from 0 to 255 around [`ZERO`], rows padded to whole words of four.
    bytes: Vec<u8>,
    /// Numbers from −128 to 127, two in a word.
    pairs: Vec<i32>,
    /// A scale a row.
    scales: Vec<f32>,
    /// Sums of a kernel that does not finish its own.
    sums: Vec<i32>,
}

/// Packed weights and a scale an output.
pub(super) struct Panels {
    inputs: usize,
    scales: Vec<f32>,
    weights: Weights,
}

enum Weights {
    #[cfg(target_arch = "x86_64")]
    Vnni(vnni::Panels),
    Dot(dot::Matrix),
    Pairs(Vec<i32>),
}

/// Which kernel an instruction set is served by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    Vnni,
    #[cfg_attr(all(target_arch = "x86_64", not(test)), expect(dead_code, reason = "our own kernels serve x86"))]
    Dot,
    Pairs,
}

fn which(isa: Isa) -> Which {
    #[cfg(target_arch = "x86_64")]
    return if isa >= Isa::Avx512 && vnni::is_there() { Which::Vnni } else { Which::Pairs };
    #[cfg(not(target_arch = "x86_64"))]
    {
        let _ = isa;
        if dot::is_there() { Which::Dot } else { Which::Pairs }
    }
}

pub(super) fn kernel_name() -> &'static str {
    match (which(Isa::detect()), Isa::detect()) {
        (Which::Vnni, _) => "int8 dot product, avx512-vnni",
        (Which::Dot, _) => "int8 dot product",
        (Which::Pairs, Isa::Generic | Isa::Neon) => "int16 pairs, portable",
        (Which::Pairs, _) => "int16 pairs, avx2",
    }
}

impl Panels {
    pub(super) fn new(isa: Isa, weights: &[i8], scales: &[f32], inputs: usize) -> Self {
        Self::with(which(isa), weights, scales, inputs)
    }

    fn with(which: Which, weights: &[i8], scales: &[f32], inputs: usize) -> Self {
        let outputs = scales.len();
        let weights = match which {
            #[cfg(target_arch = "x86_64")]
            Which::Vnni => Weights::Vnni(vnni::Panels::new(weights, outputs, inputs)),
            Which::Dot => Weights::Dot(dot::Matrix::new(weights, outputs, inputs)),
            _ => Weights::Pairs(pairs::pack(weights, outputs, inputs)),
        };
        Self { inputs, scales: scales.to_vec(), weights }
    }

    /// Quantises rows of `x` in the form that these weights are multiplied with.
    pub(super) fn quantize(&self, isa: Isa, x: &[f32], scratch: &mut Quantized) {
        let inputs = self.inputs;
        let rows = x.len().checked_div(inputs).unwrap_or(0);
        scratch.rows = rows;
        grow(&mut scratch.scales, rows);
        if let Weights::Pairs(_) = self.weights {
            let depth = inputs.div_ceil(2);
            grow(&mut scratch.pairs, rows * depth);
            in_pairs(isa, x, inputs, &mut scratch.pairs[..rows * depth], &mut scratch.scales[..rows]);
        } else {
            let stride = self.stride();
            grow(&mut scratch.bytes, rows * stride);
            let (bytes, scales) = (&mut scratch.bytes[..rows * stride], &mut scratch.scales[..rows]);
            match isa {
                #[cfg(target_arch = "x86_64")]
                // SAFETY: `Isa::detect`, of which `isa` is at most, gives `Avx512` only where the processor has it.
                Isa::Avx512 => unsafe { in_bytes_512(x, inputs, stride, bytes, scales) },
                _ => in_bytes(isa, x, inputs, stride, bytes, scales),
            }
        }
    }

    /// Bytes from one row of activations to the next.
    fn stride(&self) -> usize {
        match &self.weights {
            Weights::Dot(_) => self.inputs,
            _ => self.inputs.next_multiple_of(4),
        }
    }

    /// Multiplies what [`Self::quantize`] has left in `x`.
    pub(super) fn forward(&self, isa: Isa, x: &mut Quantized, bias: &[f32], after: After, out: &mut [f32]) {
        let dequantized = Dequantized { scales: &self.scales, bias, after };
        match &self.weights {
            #[cfg(target_arch = "x86_64")]
            Weights::Vnni(panels) => {
                let bytes = &x.bytes[..x.rows * self.stride()];
                panels.forward(bytes, &x.scales[..x.rows], dequantized, out);
            }
            Weights::Dot(matrix) => {
                grow(&mut x.sums, out.len());
                matrix.sums(&x.bytes[..x.rows * self.inputs], x.rows, &mut x.sums);
                finish(isa, &x.sums[..out.len()], &x.scales[..x.rows], dequantized, out);
            }
            Weights::Pairs(words) => {
                let q = &x.pairs[..x.rows * self.inputs.div_ceil(2)];
                forward_pairs(isa, isa, words, q, &x.scales[..x.rows], dequantized, out);
            }
        }
    }
}

/// Makes a vector at least that long.
fn grow<T: Copy + Default>(vector: &mut Vec<T>, len: usize) {
    if vector.len() < len {
        vector.resize(len, T::default());
    }
}

/// What turns sums into an output: `after(sum · scale(row) · scales + bias)`.
#[derive(Clone, Copy)]
struct Dequantized<'a> {
    scales: &'a [f32],
    bias: &'a [f32],
    after: After,
}

impl Dequantized<'_> {
    /// Writes the columns `first..first + sums.len()` of a row, at most [`PART`].
    #[inline(always)]
    fn write(&self, compiled: Compiled, sums: &[i32], first: usize, scale: f32, out: &mut [f32]) {
        let mut y = OnLine([0.0; PART]);
        let y = &mut y.0;
        let (scales, bias) = (&self.scales[first..][..sums.len()], &self.bias[first..][..sums.len()]);
        // A whole part has a length that the compiler knows: its loops become a few vector instructions.
        if let (Ok(sums), Ok(scales), Ok(bias), Ok(out)) = (
            <&[i32; PART]>::try_from(sums),
            <&[f32; PART]>::try_from(scales),
            <&[f32; PART]>::try_from(bias),
            <&mut [f32; PART]>::try_from(&mut *out),
        ) {
            dequantize(sums, scale, scales, bias, y);
            return after::write(compiled, y, self.after, out);
        }
        let y = &mut y[..sums.len()];
        dequantize(sums, scale, scales, bias, y);
        after::write(compiled, y, self.after, out);
    }
}

#[inline(always)]
fn compiled<const FUSED: bool>() -> Compiled {
    if FUSED { Compiled::Fused } else { Compiled::Plain }
}

#[inline(always)]
fn dequantize(sums: &[i32], scale: f32, scales: &[f32], bias: &[f32], y: &mut [f32]) {
    for (((y, &sum), &weight), &bias) in y.iter_mut().zip(sums).zip(scales).zip(bias) {
        // The product is rounded before the bias is added on every instruction set, so all give the same bits.
        *y = sum as f32 * (scale * weight) + bias;
    }
}

multiversion!(
    fn in_bytes(x: &[f32], inputs: usize, stride: usize, q: &mut [u8], scales: &mut [f32]) = in_bytes_body
);
multiversion!(fn in_pairs(x: &[f32], inputs: usize, q: &mut [i32], scales: &mut [f32]) = in_pairs_body);
multiversion!(
    fn finish(sums: &[i32], rows: &[f32], dequantized: Dequantized<'_>, out: &mut [f32]) = finish_body
);
multiversion!(
    fn forward_pairs(
        isa_of_tiles: Isa,
        words: &[i32],
        q: &[i32],
        rows: &[f32],
        dequantized: Dequantized<'_>,
        out: &mut [f32],
    ) = pairs_body
);

#[inline(always)]
fn in_bytes_body<const FUSED: bool>(x: &[f32], inputs: usize, stride: usize, q: &mut [u8], scales: &mut [f32]) {
    let rows = x.chunks_exact(inputs.max(1)).zip(q.chunks_exact_mut(stride.max(1)));
    for ((x, q), scale) in rows.zip(scales) {
        *scale = quantize::scale_of(x);
        // What pads a row meets weights of 0.
        for (q, &x) in q.iter_mut().zip(x) {
            *q = (quantize::one(x, *scale) + i32::from(ZERO)) as u8;
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn in_bytes_512(x: &[f32], inputs: usize, stride: usize, q: &mut [u8], scales: &mut [f32]) {
    let rows = x.chunks_exact(inputs.max(1)).zip(q.chunks_exact_mut(stride.max(1)));
    for ((x, q), scale) in rows.zip(scales) {
        *scale = avx512::quantize_row(x, &mut q[..inputs]);
    }
}

#[inline(always)]
fn in_pairs_body<const FUSED: bool>(x: &[f32], inputs: usize, q: &mut [i32], scales: &mut [f32]) {
    let rows = x.chunks_exact(inputs.max(1)).zip(q.chunks_exact_mut(inputs.div_ceil(2).max(1)));
    for ((x, q), scale) in rows.zip(scales) {
        *scale = quantize::scale_of(x);
        let (twos, last) = x.as_chunks::<2>();
        for (q, x) in q.iter_mut().zip(twos) {
            *q = pairs::pair(quantize::one(x[0], *scale), quantize::one(x[1], *scale));
        }
        if let (Some(x), Some(q)) = (last.first(), q.last_mut()) {
            *q = pairs::pair(quantize::one(*x, *scale), 0);
        }
    }
}

#[inline(always)]
fn finish_body<const FUSED: bool>(sums: &[i32], rows: &[f32], dequantized: Dequantized<'_>, out: &mut [f32]) {
    let outputs = dequantized.bias.len().max(1);
    for ((sums, out), &scale) in sums.chunks_exact(outputs).zip(out.chunks_exact_mut(outputs)).zip(rows) {
        for (p, (sums, out)) in sums.chunks(PART).zip(out.chunks_mut(PART)).enumerate() {
            dequantized.write(compiled::<FUSED>(), sums, p * PART, scale, out);
        }
    }
}

#[inline(always)]
fn pairs_body<const FUSED: bool>(
    isa: Isa,
    words: &[i32],
    q: &[i32],
    rows: &[f32],
    dequantized: Dequantized<'_>,
    out: &mut [f32],
) {
    let outputs = dequantized.bias.len();
    let depth = q.len().checked_div(rows.len()).unwrap_or(0);
    for first in (0..rows.len()).step_by(BLOCK) {
        let end = (first + BLOCK).min(rows.len());
        for (p, panel) in words.chunks_exact((depth * pairs::WIDTH).max(1)).enumerate() {
            let column = p * pairs::WIDTH;
            let columns = pairs::WIDTH.min(outputs - column);
            let mut row = first;
            while row < end {
                let height = pairs::HEIGHT.min(end - row);
                let sums = pairs::tile(isa, &q[row * depth..(row + height) * depth], depth, panel);
                for (line, sums) in sums.iter().take(height).enumerate() {
                    let row = row + line;
                    let out = &mut out[row * outputs + column..][..columns];
                    dequantized.write(compiled::<FUSED>(), &sums[..columns], column, rows[row], out);
                }
                row += height;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::reference::noise;

    #[test]
    fn the_kernel_for_arm_gives_the_same() {
        let (rows, inputs, outputs) = (9, 37, 50);
        let x = noise(rows * inputs, 1);
        // Small enough for kernels that saturate, which this processor may have.
        let weights: Vec<i8> = noise(outputs * inputs, 2).iter().map(|w| (w * 60.0).round() as i8).collect();
        let (scales, bias) = (vec![0.01; outputs], noise(outputs, 3));
        let run = |which| {
            let panels = Panels::with(which, &weights, &scales, inputs);
            let (mut scratch, mut out) = (Quantized::default(), vec![0.0; rows * outputs]);
            panels.quantize(Isa::detect(), &x, &mut scratch);
            panels.forward(Isa::detect(), &mut scratch, &bias, After::default(), &mut out);
            out
        };
        assert_eq!(run(Which::Dot), run(Which::Pairs));
    }
}
