//! Linear layers of a model that answers and does not learn: weights packed once in the order in which the kernel reads
//! them, and what follows the product (dequantising, bias, activation, residual) done while its sums are at hand.
//!
//! All of it runs on the calling thread; whoever has several cuts the rows. A row's result does not depend on the others.

mod after;
mod f32;
mod int8;

pub use after::After;
pub use int8::Quantized;

use super::isa::Isa;

/// A packed linear layer, `[tokens, inputs]` → `[tokens, outputs]`.
pub struct Linear {
    inputs: usize,
    outputs: usize,
    bias: Vec<f32>,
    weights: Weights,
    isa: Isa,
}

enum Weights {
    F32(f32::Panels),
    Int8(int8::Panels),
}

impl Linear {
    /// Packs f32 weights, `[outputs, inputs]`, and a bias, `[outputs]`.
    ///
    /// # Panics
    /// When the lengths do not fit.
    #[must_use]
    pub fn from_f32(weights: &[f32], bias: &[f32]) -> Self {
        Self::from_f32_on(Isa::detect(), weights, bias)
    }

    fn from_f32_on(isa: Isa, weights: &[f32], bias: &[f32]) -> Self {
        let (inputs, outputs) = shape(weights.len(), bias.len());
        let weights = Weights::F32(f32::Panels::new(isa, weights, outputs, inputs));
        Self { inputs, outputs, bias: bias.to_vec(), weights, isa }
    }

    /// Packs int8 weights, `[outputs, inputs]`, with a scale and a bias an output, `[outputs]`. Activations are quantised
    /// row by row as [`super::quantize::rows`] does it; sums are exact.
    ///
    /// # Panics
    /// When the lengths do not fit.
    #[must_use]
    pub fn from_int8(weights: &[i8], scales: &[f32], bias: &[f32]) -> Self {
        Self::from_int8_on(Isa::detect(), weights, scales, bias)
    }

    fn from_int8_on(isa: Isa, weights: &[i8], scales: &[f32], bias: &[f32]) -> Self {
        let (inputs, outputs) = shape(weights.len(), bias.len());
        assert_eq!(scales.len(), outputs, "each output has a scale");
        let weights = Weights::Int8(int8::Panels::new(isa, weights, scales, inputs));
        Self { inputs, outputs, bias: bias.to_vec(), weights, isa }
    }

    /// How many numbers a row has before the layer.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// How many numbers a row has after the layer.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// `out = after(x · Wᵀ + b)`; `scratch` keeps the quantised rows of an int8 layer, and grows to what they need.
    ///
    /// # Panics
    /// When the shapes do not fit.
    pub fn forward(&self, x: &[f32], scratch: &mut Quantized, after: After, out: &mut [f32]) {
        let rows = x.len() / self.inputs.max(1);
        assert!(x.len() == rows * self.inputs && out.len() == rows * self.outputs, "rows are whole");
        match &self.weights {
            Weights::F32(panels) => panels.forward(self.isa, x, &self.bias, after, out),
            Weights::Int8(panels) => {
                panels.quantize(self.isa, x, scratch);
                panels.forward(self.isa, scratch, &self.bias, after, out);
            }
        }
    }
}

/// The name of the int8 kernel of this processor.
#[must_use]
pub fn int8_kernel_name() -> &'static str {
    int8::kernel_name()
}

fn shape(weights: usize, outputs: usize) -> (usize, usize) {
    let inputs = weights.checked_div(outputs).unwrap_or(0);
    assert_eq!(weights, outputs * inputs, "there is a weight for each pair of output and input");
    (inputs, outputs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{activation::Function, quantize, reference};

    const SHAPES: [(usize, usize, usize); 9] = [
        (1, 1, 1),
        (1, 384, 50),
        (2, 3, 48),
        (7, 33, 17),
        (8, 30, 50),
        (9, 312, 96),
        (31, 128, 49),
        (100, 150, 200),
        (3, 1536, 30),
    ];

    fn afters() -> Vec<After> {
        let functions =
            [None, Some(Function::Gelu), Some(Function::GeluTanh), Some(Function::Relu), Some(Function::Tanh)];
        functions.into_iter().flat_map(|activation| [false, true].map(|add| After { activation, add })).collect()
    }

    fn finish(sum: f64, after: After, was: f32) -> f64 {
        let y = after.activation.map_or(sum, |function| reference::activation(function, sum));
        if after.add { y + f64::from(was) } else { y }
    }

    #[test]
    fn f32_agrees_with_three_loops_on_every_isa() {
        for (rows, inputs, outputs) in SHAPES {
            let x = reference::noise(rows * inputs, 1);
            let weights: Vec<f32> = reference::noise(outputs * inputs, 2);
            let (bias, was) = (reference::noise(outputs, 3), reference::noise(rows * outputs, 4));
            for (isa, after) in
                Isa::all().into_iter().flat_map(|isa| afters().into_iter().map(move |after| (isa, after)))
            {
                let mut out = was.clone();
                let layer = Linear::from_f32_on(isa, &weights, &bias);
                layer.forward(&x, &mut Quantized::default(), after, &mut out);
                for (at, found) in out.iter().enumerate() {
                    let (row, output) = (at / outputs, at % outputs);
                    let dot: f64 = (0..inputs)
                        .map(|i| f64::from(x[row * inputs + i]) * f64::from(weights[output * inputs + i]))
                        .sum();
                    let expected = finish(dot + f64::from(bias[output]), after, was[at]);
                    let error = (f64::from(*found) - expected).abs();
                    assert!(
                        error < 1e-5 * (inputs as f64).sqrt().max(1.0),
                        "{rows}×{inputs}×{outputs} {isa:?}: {error}"
                    );
                }
            }
        }
    }

    #[test]
    fn int8_sums_are_exact_on_every_isa() {
        for (rows, inputs, outputs) in SHAPES {
            let x = reference::noise(rows * inputs, 1);
            let mut weights: Vec<i8> =
                reference::noise(outputs * inputs, 2).iter().map(|w| (w * 128.0).round() as i8).collect();
            // The extremes saturate a kernel that is not exact.
            weights.iter_mut().step_by(3).for_each(|w| *w = -128);
            let scales: Vec<f32> = reference::noise(outputs, 3).iter().map(|x| x.abs() / 100.0 + 1e-4).collect();
            let bias = reference::noise(outputs, 4);
            let (mut q, mut token_scales) = (vec![0; x.len()], vec![0.0; rows]);
            quantize::rows(&x, inputs, &mut q, &mut token_scales);
            let mut expected = Vec::new();
            for (q, token_scale) in q.chunks(inputs).zip(&token_scales) {
                for ((weights, scale), bias) in weights.chunks(inputs).zip(&scales).zip(&bias) {
                    let sum: i32 = q.iter().zip(weights).map(|(q, w)| i32::from(*q) * i32::from(*w)).sum();
                    expected.push(sum as f32 * (token_scale * scale) + bias);
                }
            }
            for isa in Isa::all() {
                let layer = Linear::from_int8_on(isa, &weights, &scales, &bias);
                let mut scratch = Quantized::default();
                let mut out = vec![9.0; rows * outputs];
                layer.forward(&x, &mut scratch, After::default(), &mut out);
                assert_eq!(out, expected, "{rows}×{inputs}×{outputs} {isa:?}");
                for after in afters() {
                    let mut out = vec![0.5; rows * outputs];
                    layer.forward(&x, &mut scratch, after, &mut out);
                    for (found, sum) in out.iter().zip(&expected) {
                        let expected = finish(f64::from(*sum), after, 0.5);
                        let error = (f64::from(*found) - expected).abs();
                        assert!(error < 2e-6 * (1.0 + expected.abs()), "{isa:?} {after:?}: {found}, not {expected}");
                    }
                }
            }
        }
    }

    /// What is not there is 0 to whoever reads beyond; nothing of one call is left for the next.
    #[test]
    fn scratch_may_be_used_again_for_anything() {
        let (wide, narrow) =
            (Linear::from_int8(&[1; 200], &[1.0; 2], &[0.0; 2]), Linear::from_int8(&[1; 3], &[1.0], &[0.0]));
        let mut scratch = Quantized::default();
        let mut out = [0.0; 2];
        wide.forward(&[1.0; 100], &mut scratch, After::default(), &mut out);
        let mut one = [0.0];
        narrow.forward(&[127.5, 0.0, 0.0], &mut scratch, After::default(), &mut one);
        assert_eq!(one, [127.0]);
        narrow.forward(&[], &mut scratch, After::default(), &mut []);
    }
}
