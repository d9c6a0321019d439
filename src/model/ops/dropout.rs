//! Dropout, alone and together with a residual.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Device, Layout, Result, Shape, Tensor};

use super::{Route, tensor, values, with_values};
use crate::kernels::dropout::{Mask, apply};

/// `x` with elements dropped by a mask over their flat index; `x` itself without one.
pub(in crate::model) fn drop_out(x: &Tensor, mask: Option<Mask>, route: Route) -> Result<Tensor> {
    match (mask, route) {
        (None, _) => Ok(x.clone()),
        (Some(mask), Route::Fused) => x.contiguous()?.apply_op1(Dropout(mask)),
        (Some(mask), Route::Composed) => x * factors(mask, x.shape(), x.device())?,
    }
}

/// `drop_out(x) + residual`.
pub(in crate::model) fn drop_out_and_add(
    x: &Tensor,
    residual: &Tensor,
    mask: Option<Mask>,
    route: Route,
) -> Result<Tensor> {
    match route {
        Route::Fused => x.contiguous()?.apply_op2(&residual.contiguous()?, DropoutAdd(mask)),
        Route::Composed => drop_out(x, mask, route)? + residual,
    }
}

/// What each element is multiplied by, as a tensor.
fn factors(mask: Mask, shape: &Shape, device: &Device) -> Result<Tensor> {
    let factors: Vec<f32> = (0..shape.elem_count()).map(|i| mask.factor(i as u32)).collect();
    Tensor::from_vec(factors, shape, device)
}

struct Dropout(Mask);

impl CustomOp1 for Dropout {
    fn name(&self) -> &'static str {
        "dropout"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = values(x, layout)?;
        let mut out = vec![0.0; x.len()];
        apply(Some(self.0), x, None, &mut out);
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        masked(self.0, gradient).map(Some)
    }
}

struct DropoutAdd(Option<Mask>);

impl CustomOp2 for DropoutAdd {
    fn name(&self) -> &'static str {
        "dropout-add"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        residual: &CpuStorage,
        residual_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let x = values(x, x_layout)?;
        let mut out = vec![0.0; x.len()];
        apply(self.0, x, Some(values(residual, residual_layout)?), &mut out);
        Ok((CpuStorage::F32(out), x_layout.shape().clone()))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let of_x = self.0.map_or_else(|| Ok(gradient.clone()), |mask| masked(mask, gradient))?;
        Ok((Some(of_x), Some(gradient.clone())))
    }
}

fn masked(mask: Mask, gradient: &Tensor) -> Result<Tensor> {
    with_values([gradient], |[values]| {
        let mut out = vec![0.0; values.len()];
        apply(Some(mask), values, None, &mut out);
        tensor(out, gradient)
    })
}
