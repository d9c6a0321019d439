//! Norms: layer normalisation, or a scale and a shift alone.

use candle_core::{CpuStorage, CustomOp3, D, Layout, Result, Shape, Tensor};

use super::{Route, given::given, tensor, values, with_values};
use crate::kernels::{affine, norm};

/// `(x − mean) / √(variance + eps) · scale + shift` over the last axis, or without an `eps` `x · scale + shift`.
///
/// # Shapes
/// `x` `[tokens, width]`, `scale` and `shift` `[width]` → `[tokens, width]`.
pub(in crate::model) fn normalize(
    x: &Tensor,
    scale: &Tensor,
    shift: &Tensor,
    eps: Option<f64>,
    route: Route,
) -> Result<Tensor> {
    match (route, eps) {
        (Route::Fused, _) => x.contiguous()?.apply_op3(scale, shift, Norm { eps: eps.map(|eps| eps as f32) }),
        (Route::Given, Some(eps)) => by_hand(x, scale, shift, eps),
        (Route::Composed, Some(eps)) => {
            let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
            let variance = centred.sqr()?.mean_keepdim(D::Minus1)?;
            centred.broadcast_div(&(variance + eps)?.sqrt()?)?.broadcast_mul(scale)?.broadcast_add(shift)
        }
        (Route::Given | Route::Composed, None) => x.broadcast_mul(scale)?.broadcast_add(shift),
    }
}

/// Layer normalisation of candle's ops. With `n = (x − mean) / σ` and `g` the gradient of what is scaled, that of `x` is
/// `(g − mean(g) − n · mean(g · n)) / σ`.
fn by_hand(x: &Tensor, scale: &Tensor, shift: &Tensor, eps: f64) -> Result<Tensor> {
    let (x0, scale0) = (x.detach(), scale.detach());
    let centred = x0.broadcast_sub(&x0.mean_keepdim(D::Minus1)?)?;
    let deviation = (centred.sqr()?.mean_keepdim(D::Minus1)? + eps)?.sqrt()?; // [tokens, 1]
    let normal = centred.broadcast_div(&deviation)?;
    let out = normal.broadcast_mul(&scale0)?.broadcast_add(&shift.detach())?;
    given([x, scale, shift], out, move |gradient| {
        let (of_scale, of_shift) = ((gradient * &normal)?.sum(0)?, gradient.sum(0)?);
        let g = gradient.broadcast_mul(&scale0)?;
        let along = normal.broadcast_mul(&(&g * &normal)?.mean_keepdim(D::Minus1)?)?;
        let of_x = (g.broadcast_sub(&g.mean_keepdim(D::Minus1)?)? - along)?.broadcast_div(&deviation)?;
        Ok([Some(of_x), Some(of_scale), Some(of_shift)])
    })
}

struct Norm {
    /// Of layer normalisation.
    eps: Option<f32>,
}

impl CustomOp3 for Norm {
    fn name(&self) -> &'static str {
        "norm"
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
        let (x, scale, shift) = (values(x, x_layout)?, values(scale, scale_layout)?, values(shift, shift_layout)?);
        let mut out = vec![0.0; x.len()];
        match self.eps {
            Some(eps) => norm::forward(x, scale, shift, eps, &mut out),
            None => affine::forward(x, scale, shift, &mut out),
        }
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
            let [of_scale, of_shift] = match self.eps {
                Some(eps) => norm::backward(x_values, scale_values, eps, gradient, &mut of_x),
                None => affine::backward(x_values, scale_values, gradient, &mut of_x),
            };
            Ok((Some(tensor(of_x, x)?), Some(tensor(of_scale, scale)?), Some(tensor(of_shift, shift)?)))
        })
    }
}
