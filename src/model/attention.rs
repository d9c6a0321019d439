//! Self-attention within each sequence: full, or of windows and tokens that see everything.

use candle_core::Tensor;

use super::{ModelError, encoder::Pass, ops};

/// What queries, keys and values are projected from, `[tokens, width]` each.
#[derive(Clone, Copy)]
pub(super) struct Sources<'a> {
    pub(super) queries_and_keys: &'a Tensor,
    pub(super) values: &'a Tensor,
}

impl<'a> Sources<'a> {
    /// One for all.
    pub(super) fn all(x: &'a Tensor) -> Self {
        Self { queries_and_keys: x, values: x }
    }
}

/// What a layer's attention keeps on request.
#[derive(Default)]
pub(super) struct Kept {
    /// The probabilities, `[Σ heads · len²]`.
    pub(super) probabilities: Option<Tensor>,
    /// Queries, keys and values, `[tokens, heads · head_dim]` each.
    pub(super) projections: Option<[Tensor; 3]>,
}

/// The heads' outputs side by side, and what is kept. Probabilities are taken before dropout, so that a
/// student can learn from them; kept ones have gradients too. Of a token that sees everything they are those of its window.
///
/// # Shapes
/// `[tokens, …]` → `[tokens, heads · head_dim]`.
pub(super) fn forward(
    pass: &Pass<'_>,
    index: usize,
    prefix: &str,
    sources: Sources<'_>,
) -> Result<(Tensor, Kept), ModelError> {
    let x = sources.queries_and_keys;
    let project = |name: &str, x: &Tensor| pass.linear(&format!("{prefix}.attention.self.{name}"), x);
    let (mut q, mut k, v) = (project("query", x)?, project("key", x)?, project("value", sources.values)?);
    let sequences = pass.sequences(index);
    if let Some(turns) = pass.turns(index) {
        (q, k) = (turns.apply(&q)?, turns.apply(&k)?);
    }
    let mask = pass.attention_mask(index);
    let mut kept = Kept::default();
    let context = if pass.keep.attentions {
        let probabilities = ops::probabilities(&q, &k, &sequences, pass.route)?;
        let dropped = ops::drop_out(&probabilities, mask, pass.route)?;
        kept.probabilities = Some(probabilities);
        ops::context(&dropped, &v, &sequences, pass.route)?
    } else {
        ops::attend(&q, &k, &v, &sequences, mask, pass.route)?
    };
    if pass.keep.projections {
        kept.projections = Some([q, k, v]);
    }
    if pass.globals.is_empty() || sequences.reach.is_none() {
        return Ok((context, kept));
    }
    // Tokens that see everything have projections of their own for it (Beltagy et al., 2020, section 3.1); what the windows
    // gave them is not used.
    let rows = Tensor::new(pass.globals.iter().map(|&row| row as u32).collect::<Vec<_>>(), x.device())?;
    let query = pass.linear(&format!("{prefix}.attention.self.query_global"), &x.index_select(&rows, 0)?)?;
    let (key, value) = (project("key_global", x)?, project("value_global", x)?);
    let global = ops::cross(&query, [&key, &value], &sequences, pass.global_attention_mask(index))?;
    let mut source: Vec<u32> = (0..pass.batch.input_ids.len() as u32).collect();
    for (at, &row) in pass.globals.iter().enumerate() {
        source[row] = (pass.batch.input_ids.len() + at) as u32;
    }
    let both = Tensor::cat(&[context, global], 0)?;
    Ok((both.index_select(&Tensor::new(source, x.device())?, 0)?, kept))
}
