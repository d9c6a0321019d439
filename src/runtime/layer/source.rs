//! What a part of a layer sees of its rows.

use std::sync::Arc;

use crate::{
    kernels::linear::{After, Linear, Quantized},
    model::{EncoderSpec, ModelError},
    runtime::{arena::grow, norm::Norm, weights::Weights},
};

/// What attention sees.
pub(super) enum Source {
    /// The rows as they are.
    Hidden,
    /// The rows normalised.
    Norm(Norm),
    /// The rows in another width.
    Resize(Arc<Resize>),
}

impl Source {
    /// What is seen of rows, which may be in `room`.
    pub(super) fn of<'a>(&self, x: &'a [f32], quantized: &mut Quantized, room: &'a mut Vec<f32>) -> &'a [f32] {
        match self {
            Self::Hidden => x,
            Self::Norm(norm) => norm.copied(x, room),
            Self::Resize(narrow) => narrow.of(x, quantized, room),
        }
    }
}

/// A linear layer to another width, and the norm behind it.
pub(super) struct Resize {
    pub(super) linear: Linear,
    pub(super) norm: Norm,
}

impl Resize {
    pub(super) fn new(spec: &EncoderSpec, module: &str, weights: &mut Weights) -> Result<Self, ModelError> {
        let linear = weights.linear(&format!("{module}.dense"))?;
        Ok(Self { linear, norm: Norm::new(spec, &format!("{module}.LayerNorm"), weights)? })
    }

    /// The rows in the other width, in `room`.
    pub(super) fn of<'a>(&self, x: &[f32], quantized: &mut Quantized, room: &'a mut Vec<f32>) -> &'a mut [f32] {
        let len = x.len() / self.linear.inputs() * self.linear.outputs();
        grow(room, len);
        let narrow = &mut room[..len];
        self.linear.forward(x, quantized, After::default(), narrow);
        self.norm.in_place(narrow);
        narrow
    }
}
