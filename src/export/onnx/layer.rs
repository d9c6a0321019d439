//! One transformer block: attention and feed-forward net, each with residual and norm after it.

use super::{activation, attention, builder::Builder, graph::Value, linear, mask::Masks};
use crate::export::ExportError;

/// `x = LayerNorm(x + attention(x))`, then `LayerNorm(x + W₂ f(W₁ x))` (Vaswani et al., 2017, 3.1).
///
/// # Shapes
/// `[batch, sequence, hidden]` → the same.
pub(super) fn forward(b: &mut Builder<'_>, masks: &mut Masks, index: usize, x: &Value) -> Result<Value, ExportError> {
    let prefix = format!("bert.encoder.layer.{index}");
    let attended = attention::forward(b, masks, index, &prefix, x)?;
    let x = after(b, &format!("{prefix}.attention.output"), &attended, x)?;
    let inner = linear::forward(b, &format!("{prefix}.intermediate.dense"), &x)?;
    let activation = b.model.spec.activation;
    let inner = activation::forward(b, &format!("{prefix}.intermediate"), activation, &inner);
    after(b, &format!("{prefix}.output"), &inner, &x)
}

/// `LayerNorm(W y + x)`.
fn after(b: &mut Builder<'_>, place: &str, y: &Value, x: &Value) -> Result<Value, ExportError> {
    let projected = linear::forward(b, &format!("{place}.dense"), y)?;
    let sum = b.graph.op(place, "Add", &[&projected, x]);
    linear::norm(b, &format!("{place}.LayerNorm"), &sum)
}
