//! Norms of rows.

use super::{arena::grow, weights::Weights};
use crate::{
    kernels::{affine, norm},
    model::{EncoderSpec, ModelError},
};

/// A layer norm, or a scale and a shift alone.
pub(super) struct Norm {
    scale: Vec<f32>,
    shift: Vec<f32>,
    /// Of a layer norm.
    eps: Option<f32>,
}

impl Norm {
    pub(super) fn new(spec: &EncoderSpec, module: &str, weights: &mut Weights) -> Result<Self, ModelError> {
        let scale = weights.take(&format!("{module}.weight"))?;
        let shift = weights.bias(module, scale.len())?;
        Ok(Self { scale, shift, eps: spec.norm_eps(module).map(|eps| eps as f32) })
    }

    /// How many numbers a row has.
    pub(super) fn width(&self) -> usize {
        self.scale.len()
    }

    /// Normalises rows in place.
    pub(super) fn in_place(&self, x: &mut [f32]) {
        if let Some(eps) = self.eps {
            return norm::in_place(x, &self.scale, &self.shift, eps);
        }
        affine::in_place(x, &self.scale, &self.shift);
    }

    /// The rows normalised, in `room`.
    pub(super) fn copied<'a>(&self, x: &[f32], room: &'a mut Vec<f32>) -> &'a mut [f32] {
        grow(room, x.len());
        let normed = &mut room[..x.len()];
        normed.copy_from_slice(x);
        self.in_place(normed);
        normed
    }
}
