//! `Wide`: a linear layer for few rows, cut by its outputs so that several threads read its weights.

use candle_core::Tensor;
use rayon::prelude::*;

use super::Precision;
use crate::{
    kernels::linear::{After, Linear, Quantized},
    model::{Int8Weight, ModelError},
    runtime::arena::grow,
};

/// Outputs of a part: whole panels of every kernel, and at 768 inputs half a megabyte of f32, so that waking a thread pays.
const LEAST: usize = 192;
/// Most parts that a layer is cut into.
const PARTS: usize = 32;

/// A linear layer, `[rows, inputs]` → `[rows, outputs]`. How it is cut depends on its shape alone.
pub(super) struct Wide {
    parts: Vec<Linear>,
    inputs: usize,
    outputs: usize,
}

/// What a part writes to before it is put in its place.
#[derive(Default)]
pub(super) struct Scratch(Vec<(Vec<f32>, Quantized)>);

impl Wide {
    /// Packs weights, `[outputs, inputs]` each, that stand one above the other, with their biases.
    pub(super) fn new(weights: &[Tensor], biases: &[Vec<f32>], precision: Precision) -> Result<Self, ModelError> {
        let weight = match weights {
            [one] => one.clone(),
            several => Tensor::cat(several, 0)?,
        };
        let (bias, (outputs, inputs)) = (biases.concat(), weight.dims2()?);
        let size = outputs.div_ceil(PARTS).next_multiple_of(48).max(LEAST);
        let mut parts = Vec::with_capacity(outputs.div_ceil(size));
        for (part, bias) in bias.chunks(size).enumerate() {
            let weight = weight.narrow(0, part * size, bias.len())?;
            parts.push(match precision {
                Precision::F32 => Linear::from_f32(&weight.flatten_all()?.to_vec1::<f32>()?, bias),
                Precision::Int8 => {
                    let weight = Int8Weight::from_f32(&weight)?;
                    Linear::from_int8(weight.values(), weight.scales(), bias)
                }
            });
        }
        Ok(Self { parts, inputs, outputs })
    }

    pub(super) fn outputs(&self) -> usize {
        self.outputs
    }

    /// `out = after(x · Wᵀ + b)`, parts side by side on the threads of the current pool.
    pub(super) fn forward(&self, x: &[f32], after: After, scratch: &mut Scratch, out: &mut [f32]) {
        let rows = x.len() / self.inputs;
        if let [part] = self.parts.as_slice() {
            scratch.0.resize_with(scratch.0.len().max(1), Default::default);
            return part.forward(x, &mut scratch.0[0].1, after, out);
        }
        scratch.0.resize_with(scratch.0.len().max(self.parts.len()), Default::default);
        let product = After { add: false, ..after };
        self.parts.par_iter().zip(&mut scratch.0).with_max_len(1).for_each(|(part, (room, quantized))| {
            grow(room, rows * part.outputs());
            part.forward(x, quantized, product, &mut room[..rows * part.outputs()]);
        });
        let mut column = 0;
        for (part, (room, _)) in self.parts.iter().zip(&scratch.0) {
            let width = part.outputs();
            for (out, room) in out.chunks_exact_mut(self.outputs).zip(room.chunks_exact(width)).take(rows) {
                let out = &mut out[column..column + width];
                if after.add {
                    out.iter_mut().zip(room).for_each(|(out, x)| *out += x);
                } else {
                    out.copy_from_slice(room);
                }
            }
            column += width;
        }
    }
}
