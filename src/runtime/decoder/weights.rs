//! Takes a decoder's parameters apart, name by name.

use std::collections::BTreeMap;

use candle_core::Tensor;

use super::{Precision, wide::Wide};
use crate::{
    kernels::norm,
    model::{DecoderSpec, ModelError},
};

/// What is left of a decoder while it is packed.
pub(super) struct Weights {
    pub(super) params: BTreeMap<String, Tensor>,
    pub(super) precision: Precision,
}

impl Weights {
    pub(super) fn tensor(&mut self, name: &str) -> Result<Tensor, ModelError> {
        let missing = || ModelError::Checkpoint(format!("the decoder has no tensor `{name}`"));
        self.params.remove(name).ok_or_else(missing)
    }

    pub(super) fn numbers(&mut self, name: &str) -> Result<Vec<f32>, ModelError> {
        Ok(self.tensor(name)?.flatten_all()?.to_vec1()?)
    }

    /// Linear layers side by side.
    pub(super) fn linear(&mut self, modules: &[String]) -> Result<Wide, ModelError> {
        let (mut weights, mut biases) = (Vec::new(), Vec::new());
        for module in modules {
            weights.push(self.tensor(&format!("{module}.weight"))?);
            biases.push(self.numbers(&format!("{module}.bias"))?);
        }
        Wide::new(&weights, &biases, self.precision)
    }

    pub(super) fn norm(&mut self, module: &str, spec: &DecoderSpec) -> Result<Norm, ModelError> {
        Ok(Norm {
            scale: self.numbers(&format!("{module}.weight"))?,
            shift: self.numbers(&format!("{module}.bias"))?,
            eps: spec.layer_norm_eps as f32,
        })
    }
}

/// A layer norm.
pub(super) struct Norm {
    scale: Vec<f32>,
    shift: Vec<f32>,
    eps: f32,
}

impl Norm {
    pub(super) fn in_place(&self, x: &mut [f32]) {
        norm::in_place(x, &self.scale, &self.shift, self.eps);
    }
}
