//! f32 and int8 linear layers behind one function.

use candle_core::Tensor;

use super::{ModelError, encoder::Pass, ops};

/// `x wᵀ + b` with the module's parameters.
///
/// # Shapes
/// `[tokens, in]` → `[tokens, out]`.
pub(super) fn forward(pass: &Pass<'_>, module: &str, x: &Tensor) -> Result<Tensor, ModelError> {
    let bias = pass.parameter(&format!("{module}.bias"))?;
    if let Some(weight) = pass.model.int8.get(module) {
        return Ok(weight.linear(x, Some(bias))?);
    }
    let weight = pass.parameter(&format!("{module}.weight"))?;
    Ok(ops::linear(x, weight, bias, pass.route)?)
}
