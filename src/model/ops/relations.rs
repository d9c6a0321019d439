//! How alike tokens of a sequence are, as a probability.

use std::sync::Arc;

use candle_core::{Result, Tensor, bail};

use super::{Route, Sequences, probabilities};

/// `softmax(x xᵀ / √d)` of each sequence, with `x` cut into `heads` of width `d` (Wang et al., 2021, `MiniLMv2`, section 3.1):
/// how much each token's queries, keys or values relate to the others'. It has gradients.
///
/// # Shapes
/// `[tokens, heads · d]` and where each sequence starts, and the end → `[Σ heads · len²]`.
///
/// # Errors
/// When the heads do not divide the width, or a computation fails.
pub fn relations(x: &Tensor, offsets: &[usize], heads: usize) -> Result<Tensor> {
    let (_, width) = x.dims2()?;
    if heads == 0 || !width.is_multiple_of(heads) {
        bail!("{heads} heads do not divide a width of {width}")
    }
    let (offsets, globals) = (Arc::from(offsets), Arc::default());
    let sequences = Sequences { offsets, heads, head_dim: width / heads, reach: None, globals };
    probabilities(x, x, &sequences, Route::of(x.device()))
}
