//! One transformer block: attention and feed-forward net, each with residual and norm after it.

use candle_core::Tensor;

use super::{
    ModelError, attention,
    encoder::{Pass, Site},
    ops::{self, Block, Masks, Module},
};

/// `x = LayerNorm(x + dropout(attention(x)))`, then `LayerNorm(x + dropout(W₂ f(W₁ x)))` (Vaswani et al., 2017, 3.1);
/// also the attention probabilities where they are kept.
///
/// # Shapes
/// `[tokens, hidden]` → the same.
pub(super) fn forward(pass: &Pass<'_>, index: usize, x: &Tensor) -> Result<(Tensor, Option<Tensor>), ModelError> {
    let prefix = format!("bert.encoder.layer.{index}");
    let (spec, route) = (&pass.model.spec, pass.route);
    let (attended, attention) = attention::forward(pass, index, &prefix, x)?;
    let projected = pass.linear(&format!("{prefix}.attention.output.dense"), &attended)?;
    let mask = pass.attention_output_mask(index);
    let x = ops::drop_out_and_add(&projected, x, mask, route)?;
    let x = pass.norm(&format!("{prefix}.attention.output.LayerNorm"), &x)?;
    let inner = pass.linear(&format!("{prefix}.intermediate.dense"), &x)?;
    let inner = ops::activation(&inner, spec.activation, route)?;
    let outer = pass.linear(&format!("{prefix}.output.dense"), &inner)?;
    let mask = pass.mask(spec.hidden_dropout, Site::FeedForward(index));
    let x = ops::drop_out_and_add(&outer, &x, mask, route)?;
    Ok((pass.norm(&format!("{prefix}.output.LayerNorm"), &x)?, attention))
}

/// The same block as it is trained in one operation.
pub(super) fn block(pass: &Pass<'_>, index: usize) -> Result<Block, ModelError> {
    let prefix = format!("bert.encoder.layer.{index}");
    let module = |name: &str| -> Result<Module, ModelError> {
        let name = format!("{prefix}.{name}");
        let weight = pass.parameter(&format!("{name}.weight"))?.clone();
        let bias = pass.parameter(&format!("{name}.bias"))?.clone();
        Ok(Module { name, weight, bias })
    };
    let spec = &pass.model.spec;
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
        sequences: pass.sequences(index),
        masks: Masks {
            attention: pass.mask(spec.attention_dropout, Site::Attention(index)),
            attention_output: pass.attention_output_mask(index),
            feed_forward: pass.mask(spec.hidden_dropout, Site::FeedForward(index)),
        },
        activation: spec.activation.function(),
        eps: spec.layer_norm_eps as f32,
    })
}
