//! f32 weights in panels of as many outputs as a tile has columns.

use super::{
    After,
    after::{self, Compiled},
};
use crate::kernels::{
    aligned::{Aligned, OnLine},
    isa::Isa,
    tile::{self, Kernel, MAX_HEIGHT, MAX_WIDTH, Operands, with_kernel},
};

/// Numbers of a block of rows: with a panel, they stay in the second cache while all panels pass.
const BLOCK: usize = 64 * 1024;

/// Weights `[outputs, inputs]`, for each panel of outputs: for each input, the weight of each output of the panel. Outputs
/// that are missing in the last panel are 0.
pub(super) struct Panels {
    values: Aligned<f32>,
    inputs: usize,
    width: usize,
}

impl Panels {
    pub(super) fn new(isa: Isa, weights: &[f32], outputs: usize, inputs: usize) -> Self {
        let width = tile::width(isa);
        let mut values = Aligned::zeros(outputs.div_ceil(width) * inputs * width);
        for (output, row) in weights.chunks_exact(inputs.max(1)).take(outputs).enumerate() {
            let panel = &mut values[output / width * inputs * width..][..inputs * width];
            for (input, &weight) in row.iter().enumerate() {
                panel[input * width + output % width] = weight;
            }
        }
        Self { values, inputs, width }
    }

    pub(super) fn forward(&self, isa: Isa, x: &[f32], bias: &[f32], after: After, out: &mut [f32]) {
        let panels = self;
        with_kernel!(isa, forward(panels: &Panels, x: &[f32], bias: &[f32], after: After, out: &mut [f32]));
    }
}

#[inline(always)]
fn forward<K: Kernel>(panels: &Panels, x: &[f32], bias: &[f32], after: After, out: &mut [f32]) {
    let (inputs, outputs) = (panels.inputs, bias.len());
    assert!(panels.width == K::WIDTH, "weights are packed for the instruction set that they are used with");
    let rows = out.len() / outputs.max(1);
    let block = (BLOCK / inputs.max(1) / K::HEIGHT * K::HEIGHT).clamp(2 * K::HEIGHT, 32 * K::HEIGHT);
    let compiled = match (K::IS_AVX512, K::FUSED) {
        (true, _) => Compiled::Avx512,
        (false, true) => Compiled::Fused,
        (false, false) => Compiled::Plain,
    };
    let mut sums = OnLine([0.0; MAX_HEIGHT * MAX_WIDTH]);
    let sums = &mut sums.0;
    for first in (0..rows).step_by(block) {
        let end = (first + block).min(rows);
        for (p, panel) in panels.values.chunks_exact((inputs * K::WIDTH).max(1)).enumerate() {
            let columns = K::WIDTH.min(outputs - p * K::WIDTH);
            let bias = &bias[p * K::WIDTH..][..columns];
            let mut row = first;
            while row < end {
                let height = K::HEIGHT.min(end - row);
                let x = &x[row * inputs..(row + height) * inputs];
                let operands = Operands { x, x_stride: inputs, w: panel, w_stride: K::WIDTH, depth: inputs };
                let vectors = columns.div_ceil(K::VECTOR) * K::VECTOR;
                // SAFETY: the caller was compiled for the instruction set of `K`, and runs where the processor has it.
                unsafe { K::tile(operands, height, vectors, sums, K::WIDTH) };
                for (line, sums) in sums.chunks_exact_mut(K::WIDTH).take(height).enumerate() {
                    let out = &mut out[(row + line) * outputs + p * K::WIDTH..][..columns];
                    let y = &mut sums[..columns];
                    for (y, &bias) in y.iter_mut().zip(bias) {
                        *y += bias;
                    }
                    after::write(compiled, y, after, out);
                }
                row += height;
            }
        }
    }
}
