//! f32 and int8 linear layers behind one function.

use candle_core::Tensor;

use super::{ModelError, encoder::Pass, ops};

/// `x wᵀ + b` with the module's parameters.
///
/// # Shapes
/// `[tokens, in]` → `[tokens, out]`.
pub(super) fn forward(pass: &Pass<'_>, module: &str, x: &Tensor) -> Result<Tensor, ModelError> {
    let x = pass.before_linear(module, x)?;
    if let Some(weight) = pass.model.int8.get(module) {
        return Ok(weight.linear(&x, pass.model.params.get(&format!("{module}.bias")))?);
    }
    let weight = pass.parameter(&format!("{module}.weight"))?;
    let bias = pass.bias(module, weight.dim(0)?)?;
    Ok(ops::linear(&x, weight, &bias, pass.route)?)
}
