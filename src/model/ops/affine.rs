//! A scale and a shift.

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};

use super::{Route, tensor, values, with_values};
use crate::kernels::affine;

/// `x · scale + shift` over the last axis.
///
/// # Shapes
/// `x` `[tokens, width]`, `scale` and `shift` `[width]` → `[tokens, width]`.
pub(in crate::model) fn affine(x: &Tensor, scale: &Tensor, shift: &Tensor, route: Route) -> Result<Tensor> {
    match route {
        Route::Fused => x.contiguous()?.apply_op3(scale, shift, Affine),
        Route::Composed => x.broadcast_mul(scale)?.broadcast_add(shift),
    }
}

struct Affine;

impl CustomOp3 for Affine {
    fn name(&self) -> &'static str {
        "affine"
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
        affine::forward(x, values(scale, scale_layout)?, values(shift, shift_layout)?, &mut out);
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
            let [of_scale, of_shift] = affine::backward(x_values, scale_values, gradient, &mut of_x);
            Ok((Some(tensor(of_x, x)?), Some(tensor(of_scale, scale)?), Some(tensor(of_shift, shift)?)))
        })
    }
}
