//! Activation functions.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

use super::{Route, tensor, values, with_values};
use crate::{
    kernels::activation::{self, Function},
    model::Activation,
};

/// `f(x)`, element by element.
pub(in crate::model) fn activation(x: &Tensor, activation: Activation, route: Route) -> Result<Tensor> {
    match (route, activation) {
        (Route::Fused, activation) => x.contiguous()?.apply_op1(Apply(activation.function())),
        (_, Activation::Gelu) => x.gelu_erf(),
        (_, Activation::GeluTanh) => x.gelu(),
        (_, Activation::Relu) => x.relu(),
        (_, Activation::Tanh) => x.tanh(),
    }
}

impl Activation {
    /// The kernel's name for it.
    pub(crate) fn function(self) -> Function {
        match self {
            Self::Gelu => Function::Gelu,
            Self::GeluTanh => Function::GeluTanh,
            Self::Relu => Function::Relu,
            Self::Tanh => Function::Tanh,
        }
    }
}

struct Apply(Function);

impl CustomOp1 for Apply {
    fn name(&self) -> &'static str {
        "activation"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = values(x, layout)?;
        let mut out = vec![0.0; x.len()];
        activation::forward(self.0, x, &mut out);
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        with_values([x, gradient], |[values, gradient]| {
            let mut out = vec![0.0; values.len()];
            activation::backward(self.0, values, gradient, &mut out);
            tensor(out, x).map(Some)
        })
    }
}
