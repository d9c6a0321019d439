//! One layer: attention over whole sequences, everything else row by row.

use std::ops::Range;

use super::{
    arena::{Arena, grow},
    weights::{self, Stored, Weights},
};
use crate::{
    kernels::{
        flash::{self, Heads},
        linear::{After, Linear},
        norm,
    },
    model::{EncoderSpec, ModelError},
};

/// `x = LayerNorm(x + attention(x))`, then `LayerNorm(x + W₂ f(W₁ x))` (Vaswani et al., 2017, 3.1).
pub(super) struct Layer {
    heads: Heads,
    qkv: Projection,
    output: Linear,
    output_norm: (Vec<f32>, Vec<f32>),
    up: Linear,
    down: Linear,
    down_norm: (Vec<f32>, Vec<f32>),
    after_up: After,
    eps: f32,
}

/// Queries, keys and values.
enum Projection {
    /// In one product.
    Together(Linear),
    /// One by one, where some are int8 and some are not.
    Apart(Box<[Linear; 3]>),
}

impl Layer {
    pub(super) fn new(spec: &EncoderSpec, index: usize, weights: &mut Weights) -> Result<Self, ModelError> {
        let prefix = format!("bert.encoder.layer.{index}");
        Ok(Self {
            heads: Heads { count: spec.heads[index], dim: spec.head_dim },
            qkv: Projection::new(&format!("{prefix}.attention.self"), weights)?,
            output: weights.linear(&format!("{prefix}.attention.output.dense"))?,
            output_norm: weights.norm(&format!("{prefix}.attention.output.LayerNorm"))?,
            up: weights.linear(&format!("{prefix}.intermediate.dense"))?,
            down: weights.linear(&format!("{prefix}.output.dense"))?,
            down_norm: weights.norm(&format!("{prefix}.output.LayerNorm"))?,
            after_up: After { activation: Some(spec.activation.function()), add: false },
            eps: spec.layer_norm_eps as f32,
        })
    }

    /// Numbers a token has between projection and attention.
    pub(super) fn qkv_width(&self) -> usize {
        3 * self.width()
    }

    fn width(&self) -> usize {
        self.heads.count * self.heads.dim
    }

    /// Queries, keys and values of some rows.
    pub(super) fn project(&self, x: &[f32], arena: &mut Arena, qkv: &mut [f32]) {
        match &self.qkv {
            Projection::Together(linear) => linear.forward(x, &mut arena.quantized, After::default(), qkv),
            Projection::Apart(linears) => {
                let width = self.width();
                let rows = qkv.len() / (3 * width);
                grow(&mut arena.wide, rows * width);
                for (part, linear) in linears.iter().enumerate() {
                    let out = &mut arena.wide[..rows * width];
                    linear.forward(x, &mut arena.quantized, After::default(), out);
                    for (qkv, out) in qkv.chunks_exact_mut(3 * width).zip(out.chunks_exact(width)) {
                        qkv[part * width..][..width].copy_from_slice(out);
                    }
                }
            }
        }
    }

    /// Attention of some rows of a chunk over the whole of their sequences; the result is left in `arena.context`.
    pub(super) fn attend(&self, offsets: &[usize], qkv: &[f32], rows: Range<usize>, arena: &mut Arena) {
        let width = self.width();
        grow(&mut arena.context, rows.len() * width);
        let first = offsets.partition_point(|offset| *offset <= rows.start).saturating_sub(1);
        for ends in offsets[first..].windows(2) {
            let (start, end) = (ends[0].max(rows.start), ends[1].min(rows.end));
            if start >= end {
                break;
            }
            let qkv = &qkv[ends[0] * 3 * width..ends[1] * 3 * width];
            let out = &mut arena.context[(start - rows.start) * width..(end - rows.start) * width];
            flash::forward(qkv, self.heads, start - ends[0]..end - ends[0], &mut arena.attention, out);
        }
    }

    /// The same for the first token of each sequence, one row a sequence.
    pub(super) fn attend_firsts(&self, offsets: &[usize], qkv: &[f32], arena: &mut Arena) {
        let width = self.width();
        grow(&mut arena.context, (offsets.len() - 1) * width);
        for (ends, out) in offsets.windows(2).zip(arena.context.chunks_exact_mut(width)) {
            let qkv = &qkv[ends[0] * 3 * width..ends[1] * 3 * width];
            flash::forward(qkv, self.heads, 0..1, &mut arena.attention, out);
        }
    }

    /// What follows attention, in place: `x` holds the layer's input, `arena.context` what attention gave for these rows.
    pub(super) fn finish(&self, x: &mut [f32], arena: &mut Arena) {
        let rows = x.len() / self.output.outputs();
        let residual = After { activation: None, add: true };
        let context = &arena.context[..rows * self.width()];
        self.output.forward(context, &mut arena.quantized, residual, x);
        norm::in_place(x, &self.output_norm.0, &self.output_norm.1, self.eps);
        let intermediate = self.up.outputs();
        grow(&mut arena.wide, rows * intermediate);
        let wide = &mut arena.wide[..rows * intermediate];
        self.up.forward(x, &mut arena.quantized, self.after_up, wide);
        self.down.forward(wide, &mut arena.quantized, residual, x);
        norm::in_place(x, &self.down_norm.0, &self.down_norm.1, self.eps);
    }
}

impl Projection {
    fn new(module: &str, weights: &mut Weights) -> Result<Self, ModelError> {
        let mut parts = Vec::with_capacity(3);
        for name in ["query", "key", "value"] {
            let module = format!("{module}.{name}");
            let bias = weights.take(&format!("{module}.bias"))?;
            parts.push((weights.take_weight(&module)?, bias));
        }
        let bias: Vec<f32> = parts.iter().flat_map(|(_, bias)| bias.iter().copied()).collect();
        let weights: Vec<&Stored> = parts.iter().map(|(weight, _)| weight).collect();
        Ok(match weights.as_slice() {
            [Stored::F32(q), Stored::F32(k), Stored::F32(v)] => {
                Self::Together(Linear::from_f32(&[q.as_slice(), k, v].concat(), &bias))
            }
            [Stored::Int8(q), Stored::Int8(k), Stored::Int8(v)] => {
                let values = [q, k, v].map(|weight| weight.values()).concat();
                let scales = [q, k, v].map(|weight| weight.scales()).concat();
                Self::Together(Linear::from_int8(&values, &scales, &bias))
            }
            _ => {
                let pack = |at: usize| weights::pack(&parts[at].0, &parts[at].1);
                Self::Apart(Box::new([pack(0), pack(1), pack(2)]))
            }
        })
    }
}
