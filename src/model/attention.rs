//! Full self-attention within each sequence.

use candle_core::Tensor;

use super::{
    ModelError,
    encoder::{Pass, Site},
    ops,
};

/// The heads' outputs side by side, and the probabilities where they are kept. These are taken before dropout, so that a
/// student can learn from them; kept ones have gradients too.
///
/// # Shapes
/// `[tokens, hidden]` → `[tokens, heads · head_dim]`, `[Σ heads · len²]`.
pub(super) fn forward(
    pass: &Pass<'_>,
    index: usize,
    prefix: &str,
    x: &Tensor,
) -> Result<(Tensor, Option<Tensor>), ModelError> {
    let project = |name: &str| pass.linear(&format!("{prefix}.attention.self.{name}"), x);
    let (q, k, v) = (project("query")?, project("key")?, project("value")?);
    let sequences = pass.sequences(index);
    let mask = pass.mask(pass.model.spec.attention_dropout, Site::Attention(index));
    if !pass.keep.attentions {
        return Ok((ops::attend(&q, &k, &v, &sequences, mask, pass.route)?, None));
    }
    let probabilities = ops::probabilities(&q, &k, &sequences, pass.route)?;
    let dropped = ops::drop_out(&probabilities, mask, pass.route)?;
    Ok((ops::context(&dropped, &v, &sequences, pass.route)?, Some(probabilities)))
}
