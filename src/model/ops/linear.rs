//! The linear layer: `x wᵀ + b`.

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};

use super::{Route, given::given, tensor, values, with_values};
use crate::kernels::{
    columns,
    gemm::{Matrix, Start, product},
};

/// `x wᵀ + b`.
///
/// # Shapes
/// `x` `[tokens, in]`, `weight` `[out, in]`, `bias` `[out]` → `[tokens, out]`.
pub(in crate::model) fn linear(x: &Tensor, weight: &Tensor, bias: &Tensor, route: Route) -> Result<Tensor> {
    match route {
        Route::Fused => x.contiguous()?.apply_op3(weight, bias, Linear),
        Route::Given => {
            let out = x.detach().matmul(&weight.detach().t()?)?.broadcast_add(&bias.detach())?;
            let wanted = [x, weight, bias].map(Tensor::track_op);
            let (x0, weight0) = (x.detach(), weight.detach());
            given([x, weight, bias], out, move |gradient| {
                let [of_x, of_weight, of_bias] = wanted;
                Ok([
                    of_x.then(|| gradient.matmul(&weight0)).transpose()?,
                    of_weight.then(|| gradient.t()?.matmul(&x0)).transpose()?,
                    of_bias.then(|| gradient.sum(0)).transpose()?,
                ])
            })
        }
        Route::Composed => x.matmul(&weight.t()?)?.broadcast_add(bias),
    }
}

struct Linear;

impl CustomOp3 for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let ((tokens, inputs), (outputs, _)) = (x_layout.shape().dims2()?, weight_layout.shape().dims2()?);
        let x = Matrix::new(values(x, x_layout)?, tokens, inputs);
        let weight = Matrix::new(values(weight, weight_layout)?, outputs, inputs);
        let mut out = vec![0.0; tokens * outputs];
        product(x, weight.transpose(), Start::Bias(values(bias, bias_layout)?), &mut out);
        Ok((CpuStorage::F32(out), (tokens, outputs).into()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let ((tokens, inputs), (outputs, _)) = (x.dims2()?, weight.dims2()?);
        with_values([x, weight, gradient], |[x_values, weight_values, gradient]| {
            let gradient_matrix = Matrix::new(gradient, tokens, outputs);
            // Whatever asks for no gradient gets none: a frozen layer costs no product.
            let multiply = |like: &Tensor, a: Matrix<'_>, b: Matrix<'_>| {
                like.track_op().then(|| {
                    let mut out = vec![0.0; like.elem_count()];
                    product(a, b, Start::Nothing, &mut out);
                    out
                })
            };
            let of_x = multiply(x, gradient_matrix, Matrix::new(weight_values, outputs, inputs));
            let of_weight = multiply(weight, gradient_matrix.transpose(), Matrix::new(x_values, tokens, inputs));
            let of_bias = bias.track_op().then(|| {
                let mut sums = vec![0.0; outputs];
                columns::sum(gradient, &mut sums);
                sums
            });
            let give = |values: Option<Vec<f32>>, like| values.map(|values| tensor(values, like)).transpose();
            Ok((give(of_x, x)?, give(of_weight, weight)?, give(of_bias, bias)?))
        })
    }
}
