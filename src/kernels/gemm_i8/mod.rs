//! int8 linear layers: per-channel weights, dynamic per-token activations, exact integer sums, fused dequantisation.
//!
//! Two kernels: rten's, where the processor has 8-bit dot products that do not saturate (AVX-512 VNNI, ARM), and our own
//! on pairs of 16-bit numbers, which is exact on every processor.

mod pairs;

use rayon::prelude::*;
use rten_gemm::{GemmExecutor, GemmInputA, GemmInputB, GemmUninitOptions, PackedBMatrix, QuantParams};
use rten_tensor::NdTensorView;

use super::{
    isa::{Isa, multiversion},
    quantize,
    shared::Shared,
};

/// rten's kernel for this processor: a choice made from cached processor flags, which cannot be shared by threads.
fn dot() -> GemmExecutor<u8, i8, i32> {
    GemmExecutor::new()
}

/// The zero point of activations as unsigned numbers.
const ZERO: u8 = 128;
/// Tokens that one task works on.
const TOKENS: usize = 96;
/// Panels of outputs that one task works on.
const PANELS: usize = 8;

/// The weights of a linear layer in the order that the kernel reads them.
pub struct Packed {
    outputs: usize,
    inputs: usize,
    weights: Weights,
}

enum Weights {
    Dot(PackedBMatrix<i8>),
    Pairs(Vec<i32>),
}

/// The name of the kernel that this processor runs.
pub fn kernel_name() -> &'static str {
    match (has_dot(), Isa::detect()) {
        (true, _) => "int8 dot product",
        (false, Isa::Generic) => "int16 pairs, portable",
        (false, _) => "int16 pairs, avx2",
    }
}

fn has_dot() -> bool {
    // rten's portable kernel does not saturate either, but it is no faster than ours.
    let forced = cfg!(target_arch = "x86_64") && Isa::detect() == Isa::Generic;
    !forced && !dot().may_saturate() && !dot().kernel_name().contains("generic")
}

impl Packed {
    /// Packs weights `[outputs, inputs]`.
    ///
    /// # Panics
    /// When the length does not fit.
    pub fn new(weights: &[i8], outputs: usize, inputs: usize) -> Self {
        Self::with(weights, outputs, inputs, has_dot())
    }

    fn with(weights: &[i8], outputs: usize, inputs: usize, with_dot: bool) -> Self {
        assert_eq!(weights.len(), outputs * inputs, "there is a weight for each pair of output and input");
        let weights = if with_dot {
            let view = NdTensorView::from_data([outputs, inputs], weights);
            Weights::Dot(dot().prepack_b(view.permuted([1, 0])))
        } else {
            Weights::Pairs(pairs::pack(weights, outputs, inputs))
        };
        Self { outputs, inputs, weights }
    }

    /// `out[t, o] = Σ_i q(x)[t, i] · w[o, i] · scale(x)[t] · scales[o] + bias[o]`, where `q(x)` and `scale(x)` are what
    /// [`quantize::rows`] gives. `x` is `[tokens, inputs]`, the result `[tokens, outputs]`.
    ///
    /// # Panics
    /// When the shapes do not fit.
    pub fn linear(&self, x: &[f32], scales: &[f32], bias: Option<&[f32]>) -> Vec<f32> {
        self.linear_on(Isa::detect(), x, scales, bias)
    }

    fn linear_on(&self, isa: Isa, x: &[f32], scales: &[f32], bias: Option<&[f32]>) -> Vec<f32> {
        let (inputs, outputs) = (self.inputs, self.outputs);
        assert!(inputs > 0 && x.len().is_multiple_of(inputs), "tokens have as many values as the layer has inputs");
        assert!(scales.len() == outputs && bias.is_none_or(|bias| bias.len() == outputs), "each output has a scale");
        let tokens = x.len() / inputs;
        if tokens == 0 || outputs == 0 {
            return Vec::new();
        }
        let zeros = if bias.is_none() { vec![0.0; outputs] } else { Vec::new() };
        let bias = bias.unwrap_or(&zeros);
        match &self.weights {
            Weights::Dot(weights) => self.dot(isa, weights, x, tokens, scales, bias),
            Weights::Pairs(weights) => self.pairs(isa, weights, x, tokens, scales, bias),
        }
    }

    fn dot(
        &self,
        isa: Isa,
        weights: &PackedBMatrix<i8>,
        x: &[f32],
        tokens: usize,
        scales: &[f32],
        bias: &[f32],
    ) -> Vec<f32> {
        let (mut q, mut token_scales) = (vec![0_u8; x.len()], vec![0.0; tokens]);
        q.par_chunks_mut(self.inputs)
            .zip(x.par_chunks(self.inputs))
            .zip(&mut token_scales)
            .for_each(|((q, x), scale)| unsigned(isa, x, q, scale));
        let zeros = vec![ZERO; tokens];
        let mut sums = Vec::with_capacity(tokens * self.outputs);
        let options =
            GemmUninitOptions { a_quant: Some(QuantParams { zero_point: &zeros }), ..GemmUninitOptions::default() };
        let spare = &mut sums.spare_capacity_mut()[..tokens * self.outputs];
        let a = NdTensorView::from_data([tokens, self.inputs], q.as_slice());
        dot()
            .gemm_uninit(spare, GemmInputA::Unpacked(a), GemmInputB::Packed(weights), options)
            .expect("the shapes were checked above");
        // SAFETY: `gemm_uninit` has initialised all elements of the spare capacity that it was given.
        unsafe { sums.set_len(tokens * self.outputs) };
        let mut out = vec![0.0; sums.len()];
        out.par_chunks_mut(self.outputs)
            .zip(sums.par_chunks(self.outputs))
            .zip(&token_scales)
            .for_each(|((out, sums), &scale)| dequantize(isa, sums, scale, scales, bias, out));
        out
    }

    fn pairs(&self, isa: Isa, weights: &[i32], x: &[f32], tokens: usize, scales: &[f32], bias: &[f32]) -> Vec<f32> {
        let depth = self.inputs.div_ceil(2);
        let (mut q, mut token_scales) = (vec![0_i32; tokens * depth], vec![0.0; tokens]);
        q.par_chunks_mut(depth)
            .zip(x.par_chunks(self.inputs))
            .zip(&mut token_scales)
            .with_min_len(8)
            .for_each(|((q, x), scale)| paired(isa, x, q, scale));
        let mut out = vec![0.0; tokens * self.outputs];
        let shared = Shared::new(&mut out);
        let n_panels = self.outputs.div_ceil(pairs::WIDTH);
        let (n_blocks, n_groups) = (tokens.div_ceil(TOKENS), n_panels.div_ceil(PANELS));
        (0..n_blocks * n_groups).into_par_iter().for_each(|task| {
            let (block, group) = (task / n_groups, task % n_groups);
            for panel in group * PANELS..((group + 1) * PANELS).min(n_panels) {
                let weights = &weights[panel * depth * pairs::WIDTH..][..depth * pairs::WIDTH];
                let first = panel * pairs::WIDTH;
                let columns = first..(first + pairs::WIDTH).min(self.outputs);
                let mut token = block * TOKENS;
                let end = (token + TOKENS).min(tokens);
                while token < end {
                    let rows = pairs::HEIGHT.min(end - token);
                    let sums = pairs::tile(isa, &q[token * depth..(token + rows) * depth], depth, weights);
                    for (row, sums) in sums.iter().take(rows).enumerate() {
                        // SAFETY: a token belongs to one block and a panel's outputs to one group: tasks write to
                        // disjoint parts, and a task to one part after another.
                        let out = unsafe { shared.part((token + row) * self.outputs + columns.start, columns.len()) };
                        let (scales, bias) = (&scales[columns.clone()], &bias[columns.clone()]);
                        dequantize(isa, &sums[..columns.len()], token_scales[token + row], scales, bias, out);
                    }
                    token += rows;
                }
            }
        });
        out
    }
}

multiversion!(fn unsigned(x: &[f32], q: &mut [u8], scale: &mut f32) = unsigned_body);
multiversion!(fn paired(x: &[f32], q: &mut [i32], scale: &mut f32) = paired_body);
multiversion!(
    fn dequantize(sums: &[i32], scale: f32, scales: &[f32], bias: &[f32], out: &mut [f32]) = dequantize_body
);

#[inline(always)]
fn unsigned_body<const FUSED: bool>(x: &[f32], q: &mut [u8], scale: &mut f32) {
    *scale = quantize::scale_of(x);
    for (q, &x) in q.iter_mut().zip(x) {
        *q = (quantize::one(x, *scale) + i32::from(ZERO)) as u8;
    }
}

#[inline(always)]
fn paired_body<const FUSED: bool>(x: &[f32], q: &mut [i32], scale: &mut f32) {
    *scale = quantize::scale_of(x);
    let chunks = x.chunks_exact(2);
    let last = chunks.remainder().first().copied();
    for (q, x) in q.iter_mut().zip(chunks) {
        *q = pairs::pair(quantize::one(x[0], *scale), quantize::one(x[1], *scale));
    }
    if let (Some(x), Some(q)) = (last, q.last_mut()) {
        *q = pairs::pair(quantize::one(x, *scale), 0);
    }
}

#[inline(always)]
fn dequantize_body<const FUSED: bool>(sums: &[i32], scale: f32, scales: &[f32], bias: &[f32], out: &mut [f32]) {
    for (((out, &sum), &weight), &bias) in out.iter_mut().zip(sums).zip(scales).zip(bias) {
        // The product is rounded before the bias is added on every instruction set, so all give the same bits.
        *out = sum as f32 * (scale * weight) + bias;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::reference::noise;

    /// The fake-quant formula with exact sums.
    fn expected(x: &[f32], weights: &[i8], scales: &[f32], bias: &[f32], inputs: usize) -> Vec<f32> {
        let tokens = x.len() / inputs;
        let (mut q, mut token_scales) = (vec![0; x.len()], vec![0.0; tokens]);
        quantize::rows(x, inputs, &mut q, &mut token_scales);
        let mut out = Vec::new();
        for (q, token_scale) in q.chunks(inputs).zip(&token_scales) {
            for ((weights, scale), bias) in weights.chunks(inputs).zip(scales).zip(bias) {
                let sum: i32 = q.iter().zip(weights).map(|(q, w)| i32::from(*q) * i32::from(*w)).sum();
                out.push(sum as f32 * (token_scale * scale) + bias);
            }
        }
        out
    }

    #[test]
    fn every_kernel_is_exact() {
        for (tokens, inputs, outputs) in [(1, 1, 1), (1, 384, 50), (7, 33, 17), (100, 150, 200)] {
            let (x, bias) = (noise(tokens * inputs, 1), noise(outputs, 2));
            let weights = noise(outputs * inputs, 3);
            let scales: Vec<f32> = noise(outputs, 4).iter().map(|x| x.abs() / 100.0).collect();
            // The extremes saturate a kernel that is not exact; rten's is asked to be exact where it promises to be.
            for (range, dot) in [(128.0, false), (60.0, true)] {
                let mut weights: Vec<i8> = weights.iter().map(|w| (w * range).round() as i8).collect();
                if !dot {
                    weights.iter_mut().step_by(3).for_each(|w| *w = -128);
                }
                let expected = expected(&x, &weights, &scales, &bias, inputs);
                let packed = Packed::with(&weights, outputs, inputs, dot);
                for isa in Isa::all() {
                    let found = packed.linear_on(isa, &x, &scales, Some(&bias));
                    assert_eq!(found, expected, "{tokens}×{inputs}×{outputs} {isa:?} dot: {dot}");
                }
            }
        }
    }

    #[test]
    fn a_layer_may_have_no_bias_or_no_tokens() {
        let packed = Packed::new(&[1, 2, 3, 4], 2, 2);
        assert_eq!(packed.linear(&[], &[1.0, 1.0], None), [0.0; 0]);
        // The scale is 1, and 127.5 is clamped to 127.
        assert_eq!(packed.linear(&[127.5, 0.0], &[1.0, 1.0], None), [127.0, 381.0]);
        assert!(!kernel_name().is_empty());
    }
}
