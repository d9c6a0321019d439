//! Dropout, alone and together with a residual.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, DType, Device, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::{Route, given::given, tensor, values, with_values};
use crate::kernels::dropout::{Mask, apply, kept};

/// `x` with elements dropped by a mask over their flat index; `x` itself without one.
pub(in crate::model) fn drop_out(x: &Tensor, mask: Option<Mask>, route: Route) -> Result<Tensor> {
    match (mask, route) {
        (None, _) => Ok(x.clone()),
        (Some(mask), Route::Fused) => x.contiguous()?.apply_op1(Dropout(mask)),
        (Some(mask), Route::Given) => {
            let factors = factors(mask, x.shape(), x.device())?;
            given([x], (x.detach() * &factors)?, move |gradient| Ok([Some((gradient * &factors)?)]))
        }
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
        Route::Given | Route::Composed => drop_out(x, mask, route)? + residual,
    }
}

/// What each element is multiplied by, as a tensor.
fn factors(mask: Mask, shape: &Shape, device: &Device) -> Result<Tensor> {
    let mut is_kept = vec![0; shape.elem_count()];
    is_kept.par_chunks_mut(CHUNK).enumerate().for_each(|(i, part)| kept(mask, (i * CHUNK) as u32, part));
    factors_of(mask, is_kept, shape, device)
}

/// The same where it is known which elements are kept: bytes are a quarter of what has to be brought to a device.
pub(super) fn factors_of(mask: Mask, is_kept: Vec<u8>, shape: &Shape, device: &Device) -> Result<Tensor> {
    Tensor::from_vec(is_kept, shape, device)?.to_dtype(DType::F32)?.affine(f64::from(mask.scale()), 0.0)
}

/// Elements of a mask that a thread looks up at once.
const CHUNK: usize = 16 * 1024;

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
