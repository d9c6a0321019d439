//! One transformer block: attention and feed-forward nets, each with residual and norm.

use super::{
    activation,
    attention::{self, Sources},
    builder::Builder,
    graph::Value,
    linear,
    mask::Masks,
};
use crate::export::ExportError;

/// A block of the model's kind.
///
/// # Shapes
/// `[batch, sequence, hidden]` → the same.
pub(super) fn forward(b: &mut Builder<'_>, masks: &mut Masks, index: usize, x: &Value) -> Result<Value, ExportError> {
    let prefix = b.model.spec.prefix(index);
    if b.model.spec.pre_norm { pre_norm(b, masks, index, &prefix, x) } else { post_norm(b, masks, index, &prefix, x) }
}

/// `x = Norm(x + attention(x))`, then `Norm(x + W₂ f(W₁ x))` (Vaswani et al., 2017, 3.1) for each feed-forward net; with a
/// bottleneck in a narrower `x` (Sun et al., 2020, figure 1).
fn post_norm(
    b: &mut Builder<'_>,
    masks: &mut Masks,
    index: usize,
    prefix: &str,
    x: &Value,
) -> Result<Value, ExportError> {
    let bottleneck = b.model.spec.bottleneck;
    let narrow = |b: &mut Builder<'_>, name: &str| {
        let place = format!("{prefix}.bottleneck.{name}");
        let narrowed = linear::forward(b, &format!("{place}.dense"), x)?;
        linear::norm(b, &format!("{place}.LayerNorm"), &narrowed)
    };
    let mut inner = if bottleneck.is_some() { narrow(b, "input")? } else { x.clone() };
    let shared = if bottleneck.is_some_and(|it| it.shares_keys) { Some(narrow(b, "attention")?) } else { None };
    let sources = match &shared {
        Some(shared) => Sources { queries_and_keys: shared, values: x },
        None => Sources { queries_and_keys: &inner, values: &inner },
    };
    let attended = attention::forward(b, masks, index, prefix, sources)?;
    inner = after(b, &format!("{prefix}.attention.output"), &attended, &inner)?;
    for net in b.model.spec.feed_forward_modules() {
        let place = format!("{prefix}{net}");
        let wide = widened(b, &place, &inner)?;
        inner = after(b, &format!("{place}.output"), &wide, &inner)?;
    }
    if bottleneck.is_none() { Ok(inner) } else { after(b, &format!("{prefix}.output.bottleneck"), &inner, x) }
}

/// `x = x + attention(Norm(x))`, then `x + W₂ f(W₁ Norm(x))` (Warner et al., 2024, section 2.1.1).
fn pre_norm(
    b: &mut Builder<'_>,
    masks: &mut Masks,
    index: usize,
    prefix: &str,
    x: &Value,
) -> Result<Value, ExportError> {
    let normed = if index == 0 { x.clone() } else { linear::norm(b, &format!("{prefix}.attention.LayerNorm"), x)? };
    let sources = Sources { queries_and_keys: &normed, values: &normed };
    let attended = attention::forward(b, masks, index, prefix, sources)?;
    let place = format!("{prefix}.attention.output");
    let projected = linear::forward(b, &format!("{place}.dense"), &attended)?;
    let x = b.graph.op(&place, "Add", &[&projected, x]);
    let normed = linear::norm(b, &format!("{prefix}.intermediate.LayerNorm"), &x)?;
    let wide = widened(b, prefix, &normed)?;
    let place = format!("{prefix}.output");
    let projected = linear::forward(b, &format!("{place}.dense"), &wide)?;
    Ok(b.graph.op(&place, "Add", &[&projected, &x]))
}

/// `f(W x)`, or `f(W x) · V x` with a gate.
fn widened(b: &mut Builder<'_>, prefix: &str, x: &Value) -> Result<Value, ExportError> {
    let place = format!("{prefix}.intermediate");
    let inner = linear::forward(b, &format!("{place}.dense"), x)?;
    let activation = b.model.spec.activation;
    let inner = activation::forward(b, &place, activation, &inner);
    if !b.model.spec.gated {
        return Ok(inner);
    }
    let gate = linear::forward(b, &format!("{place}.gate"), x)?;
    Ok(b.graph.op(&place, "Mul", &[&inner, &gate]))
}

/// `Norm(W y + x)`.
fn after(b: &mut Builder<'_>, place: &str, y: &Value, x: &Value) -> Result<Value, ExportError> {
    let projected = linear::forward(b, &format!("{place}.dense"), y)?;
    let sum = b.graph.op(place, "Add", &[&projected, x]);
    linear::norm(b, &format!("{place}.LayerNorm"), &sum)
}
