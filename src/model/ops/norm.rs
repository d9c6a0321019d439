//! Layer normalisation.

use candle_core::{CpuStorage, CustomOp3, D, Layout, Result, Shape, Tensor};

use super::{Route, tensor, values, with_values};
use crate::kernels::norm;

/// `(x − mean) / √(variance + eps) · scale + shift` over the last axis.
///
/// # Shapes
/// `x` `[tokens, width]`, `scale` and `shift` `[width]` → `[tokens, width]`.
pub(in crate::model) fn layer_norm(
    x: &Tensor,
    scale: &Tensor,
    shift: &Tensor,
    eps: f64,
    route: Route,
) -> Result<Tensor> {
    match route {
        Route::Fused => x.contiguous()?.apply_op3(scale, shift, LayerNorm { eps: eps as f32 }),
        Route::Composed => {
            let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
            let variance = centred.sqr()?.mean_keepdim(D::Minus1)?;
            centred.broadcast_div(&(variance + eps)?.sqrt()?)?.broadcast_mul(scale)?.broadcast_add(shift)
        }
    }
}

struct LayerNorm {
    eps: f32,
}

impl CustomOp3 for LayerNorm {
    fn name(&self) -> &'static str {
        "layer-norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        scale: &CpuStorage,
        scale_layout: &Layout,
        shift: &CpuStorage,
        shift_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let x = values(x, x_layout)?;
        let mut out = vec![0.0; x.len()];
        norm::forward(x, values(scale, scale_layout)?, values(shift, shift_layout)?, self.eps, &mut out);
        Ok((CpuStorage::F32(out), x_layout.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        scale: &Tensor,
        shift: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        with_values([x, scale, gradient], |[x_values, scale_values, gradient]| {
            let mut of_x = vec![0.0; x_values.len()];
            let [of_scale, of_shift] = norm::backward(x_values, scale_values, self.eps, gradient, &mut of_x);
            Ok((Some(tensor(of_x, x)?), Some(tensor(of_scale, scale)?), Some(tensor(of_shift, shift)?)))
        })
    }
}
