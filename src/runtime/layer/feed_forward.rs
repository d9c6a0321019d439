//! A feed-forward net: two linear layers, an activation between, which may be gated.

use super::RESIDUAL;
use crate::{
    kernels::linear::{After, Linear, Quantized},
    model::{EncoderSpec, ModelError},
    runtime::{arena::grow, norm::Norm, weights::Weights},
};

/// `W₂ f(W₁ x)`, or `W₂ (f(W₁ x) · V x)` with a gate (Shazeer, 2020, eq. 6).
pub(super) struct FeedForward {
    up: Linear,
    gate: Option<Linear>,
    down: Linear,
    after_up: After,
    /// The norm of the sum, where norms stand behind sums.
    norm: Option<Norm>,
}

impl FeedForward {
    pub(super) fn new(spec: &EncoderSpec, prefix: &str, weights: &mut Weights) -> Result<Self, ModelError> {
        let gate = format!("{prefix}.intermediate.gate");
        let norm = format!("{prefix}.output.LayerNorm");
        Ok(Self {
            up: weights.linear(&format!("{prefix}.intermediate.dense"))?,
            gate: spec.gated.then(|| weights.linear(&gate)).transpose()?,
            down: weights.linear(&format!("{prefix}.output.dense"))?,
            after_up: After { activation: Some(spec.activation.function()), add: false },
            norm: (!spec.pre_norm).then(|| Norm::new(spec, &norm, weights)).transpose()?,
        })
    }

    /// `x = Norm(x + net(x))`.
    pub(super) fn add_to_itself(&self, room: [&mut Vec<f32>; 2], quantized: &mut Quantized, x: &mut [f32]) {
        let inner = self.inner(x, room, quantized);
        self.down.forward(inner, quantized, RESIDUAL, x);
        if let Some(norm) = &self.norm {
            norm.in_place(x);
        }
    }

    /// `x = x + net(seen)`.
    pub(super) fn add(&self, seen: &[f32], room: [&mut Vec<f32>; 2], quantized: &mut Quantized, x: &mut [f32]) {
        let inner = self.inner(seen, room, quantized);
        self.down.forward(inner, quantized, RESIDUAL, x);
    }

    fn inner<'a>(&self, x: &[f32], [wide, gate]: [&'a mut Vec<f32>; 2], quantized: &mut Quantized) -> &'a [f32] {
        let len = x.len() / self.up.inputs() * self.up.outputs();
        grow(wide, len);
        let inner = &mut wide[..len];
        self.up.forward(x, quantized, self.after_up, inner);
        if let Some(linear) = &self.gate {
            grow(gate, len);
            linear.forward(x, quantized, After::default(), &mut gate[..len]);
            inner.iter_mut().zip(&*gate).for_each(|(x, gate)| *x *= gate);
        }
        inner
    }
}
