//! One transformer block: attention and feed-forward nets, with residuals and norms.

use candle_core::Tensor;

use super::{
    ModelError,
    attention::{self, Kept, Sources},
    encoder::Pass,
    ops::{self, Block, Global, Masks, Module},
};

/// A block of the model's kind; also what its attention keeps.
///
/// # Shapes
/// `[tokens, hidden]` → the same.
pub(super) fn forward(pass: &Pass<'_>, index: usize, x: &Tensor) -> Result<(Tensor, Kept), ModelError> {
    let prefix = pass.model.spec.prefix(index);
    if pass.model.spec.pre_norm { pre_norm(pass, index, &prefix, x) } else { post_norm(pass, index, &prefix, x) }
}

/// `x = Norm(x + dropout(attention(x)))`, then `Norm(x + dropout(W₂ f(W₁ x)))` (Vaswani et al., 2017, 3.1), as often as there
/// are feed-forward nets. With a bottleneck all of it happens in a narrower `x`, and the result is brought back to the width
/// and added to what came in (Sun et al., 2020, figure 1).
fn post_norm(pass: &Pass<'_>, index: usize, prefix: &str, x: &Tensor) -> Result<(Tensor, Kept), ModelError> {
    let (spec, route) = (&pass.model.spec, pass.route);
    let narrow = |name: &str| {
        let narrowed = pass.linear(&format!("{prefix}.bottleneck.{name}.dense"), x)?;
        pass.norm(&format!("{prefix}.bottleneck.{name}.LayerNorm"), &narrowed)
    };
    let mut inner = if spec.bottleneck.is_some() { narrow("input")? } else { x.clone() };
    let sources = match spec.bottleneck {
        Some(bottleneck) if bottleneck.shares_keys => Sources { queries_and_keys: &narrow("attention")?, values: x },
        _ => Sources::all(&inner),
    };
    let (attended, kept) = attention::forward(pass, index, prefix, sources)?;
    let projected = pass.linear(&format!("{prefix}.attention.output.dense"), &attended)?;
    inner = ops::drop_out_and_add(&projected, &inner, pass.attention_output_mask(index), route)?;
    inner = pass.norm(&format!("{prefix}.attention.output.LayerNorm"), &inner)?;
    for net in spec.feed_forward_modules() {
        let outer = feed_forward(pass, &format!("{prefix}{net}"), &inner)?;
        let is_last = net.is_empty() && spec.bottleneck.is_none();
        let mask = if is_last { pass.feed_forward_mask(index) } else { None };
        inner = ops::drop_out_and_add(&outer, &inner, mask, route)?;
        inner = pass.norm(&format!("{prefix}{net}.output.LayerNorm"), &inner)?;
    }
    if spec.bottleneck.is_some() {
        let widened = pass.linear(&format!("{prefix}.output.bottleneck.dense"), &inner)?;
        inner = ops::drop_out_and_add(&widened, x, pass.feed_forward_mask(index), route)?;
        inner = pass.norm(&format!("{prefix}.output.bottleneck.LayerNorm"), &inner)?;
    }
    Ok((inner, kept))
}

/// `x = x + dropout(attention(Norm(x)))`, then `x + dropout(W₂ f(W₁ Norm(x)))`; the first layer's attention has no norm
/// before it, as the embeddings have one behind them (Warner et al., 2024, section 2.1.1).
fn pre_norm(pass: &Pass<'_>, index: usize, prefix: &str, x: &Tensor) -> Result<(Tensor, Kept), ModelError> {
    let normed = if index == 0 { x.clone() } else { pass.norm(&format!("{prefix}.attention.LayerNorm"), x)? };
    let (attended, kept) = attention::forward(pass, index, prefix, Sources::all(&normed))?;
    let projected = pass.linear(&format!("{prefix}.attention.output.dense"), &attended)?;
    let x = ops::drop_out_and_add(&projected, x, pass.attention_output_mask(index), pass.route)?;
    let normed = pass.norm(&format!("{prefix}.intermediate.LayerNorm"), &x)?;
    let outer = feed_forward(pass, prefix, &normed)?;
    Ok((ops::drop_out_and_add(&outer, &x, pass.feed_forward_mask(index), pass.route)?, kept))
}

/// `W₂ f(W₁ x)`, or `W₂ (f(W₁ x) · V x)` with a gate.
fn feed_forward(pass: &Pass<'_>, prefix: &str, x: &Tensor) -> Result<Tensor, ModelError> {
    let inner = pass.linear(&format!("{prefix}.intermediate.dense"), x)?;
    let mut inner = ops::activation(&inner, pass.model.spec.activation, pass.route)?;
    if pass.model.spec.gated {
        inner = (inner * pass.linear(&format!("{prefix}.intermediate.gate"), x)?)?;
    }
    pass.linear(&format!("{prefix}.output.dense"), &inner)
}

/// The same block as it is trained in one operation, where it is BERT's.
pub(super) fn block(pass: &Pass<'_>, index: usize) -> Result<Block, ModelError> {
    let prefix = pass.model.spec.prefix(index);
    let module = |name: &str| -> Result<Module, ModelError> {
        let name = format!("{prefix}.{name}");
        let weight = pass.parameter(&format!("{name}.weight"))?.clone();
        let bias = pass.parameter(&format!("{name}.bias"))?.clone();
        Ok(Module { name, weight, bias })
    };
    let spec = &pass.model.spec;
    let sequences = pass.sequences(index);
    let global = if sequences.globals.is_empty() {
        None
    } else {
        let [query, key, value] = ["query_global", "key_global", "value_global"];
        let of = |name: &str| module(&format!("attention.self.{name}"));
        Some(Global { modules: [of(query)?, of(key)?, of(value)?], mask: pass.global_attention_mask(index) })
    };
    Ok(Block {
        modules: [
            module("attention.self.query")?,
            module("attention.self.key")?,
            module("attention.self.value")?,
            module("attention.output.dense")?,
            module("attention.output.LayerNorm")?,
            module("intermediate.dense")?,
            module("output.dense")?,
            module("output.LayerNorm")?,
        ],
        sequences,
        global,
        masks: Masks {
            attention: pass.attention_mask(index),
            attention_output: pass.attention_output_mask(index),
            feed_forward: pass.feed_forward_mask(index),
        },
        activation: spec.activation.function(),
        eps: spec.layer_norm_eps as f32,
    })
}
