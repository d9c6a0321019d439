//! Attention of tokens that see their whole sequence and have projections of their own (Beltagy et al., 2020, section 3.1).

use crate::{
    kernels::{
        flash::{self, Heads, Rows},
        linear::{After, Linear},
    },
    model::ModelError,
    runtime::{
        arena::{Arena, grow},
        weights::Weights,
    },
};

/// How the global tokens of a layer attend. Both read what stands behind the queries, keys and values of each token.
pub(super) struct Global {
    query: Linear,
    heads: Heads,
    form: Form,
}

enum Form {
    /// Keys and values of every token stand there, projected with the others: as the int8 formula has it.
    Projected,
    /// The hidden state stands there. With a query `q` of a head, `q · (K x) = (Kᵀ q) · x` and `Σ p (V x) = V Σ p x`: the
    /// projections pass from all tokens to the few that are global. The bias of the keys adds the same to all scores,
    /// which a softmax does not see.
    Folded { key: Vec<f32>, value: Vec<f32>, value_bias: Vec<f32> },
}

impl Global {
    /// Takes the projections of a layer's attention that are not projected with those of every token.
    pub(super) fn new(attention: &str, heads: Heads, weights: &mut Weights) -> Result<Self, ModelError> {
        let query = weights.linear(&format!("{attention}.query_global"))?;
        let [key, value] = ["key_global", "value_global"].map(|name| format!("{attention}.{name}"));
        if weights.is_int8(&key) || weights.is_int8(&value) {
            return Ok(Self { query, heads, form: Form::Projected });
        }
        weights.take(&format!("{key}.bias"))?;
        let form = Form::Folded {
            key: weights.take(&format!("{key}.weight"))?,
            value: weights.take(&format!("{value}.weight"))?,
            value_bias: weights.take(&format!("{value}.bias"))?,
        };
        Ok(Self { query, heads, form })
    }

    /// The projections of every token that it needs.
    pub(super) fn projected(&self) -> &'static [&'static str] {
        match self.form {
            Form::Projected => &["key_global", "value_global"],
            Form::Folded { .. } => &[],
        }
    }

    /// Whether the hidden state stands behind the queries, keys and values.
    pub(super) fn reads_hidden_states(&self) -> bool {
        matches!(self.form, Form::Folded { .. })
    }

    /// Numbers behind the queries, keys and values of a token.
    pub(super) fn width(&self) -> usize {
        match self.form {
            Form::Projected => 2 * self.query.outputs(),
            Form::Folded { .. } => self.query.inputs(),
        }
    }

    /// What a token whose hidden state is `x` sees in its sequence, into row `row` of `arena.context`; `behind` is what stands
    /// behind the projections of the sequence's tokens.
    pub(super) fn attend(&self, x: &[f32], behind: Rows<'_>, row: usize, arena: &mut Arena) {
        let Heads { count, dim } = self.heads;
        let (width, hidden) = (count * dim, self.query.inputs());
        grow(&mut arena.wide, width + 2 * count * hidden);
        let (query, rest) = arena.wide.split_at_mut(width);
        let (folded, rest) = rest.split_at_mut(count * hidden);
        let sums = &mut rest[..count * hidden];
        self.query.forward(x, &mut arena.quantized, After::default(), query);
        let out = &mut arena.context[row * width..][..width];
        let (key, value, value_bias) = match &self.form {
            Form::Projected => {
                let keys_and_values = [behind, behind.from(width)];
                return flash::cross(
                    Rows::new(query, width, 0),
                    keys_and_values,
                    self.heads,
                    &mut arena.attention,
                    out,
                );
            }
            Form::Folded { key, value, value_bias } => (key, value, value_bias),
        };
        // Attention divides by the square root of what is now the width of a query.
        let scale = (hidden as f32 / dim as f32).sqrt();
        folded.fill(0.0);
        for (at, (&q, weights)) in query.iter().zip(key.chunks_exact(hidden)).enumerate() {
            let folded = &mut folded[at / dim * hidden..][..hidden];
            folded.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += q * scale * weight);
        }
        let one = Heads { count: 1, dim: hidden };
        flash::cross(Rows::new(folded, hidden, 0), [behind, behind], one, &mut arena.attention, sums);
        for (at, (out, weights)) in out.iter_mut().zip(value.chunks_exact(hidden)).enumerate() {
            let sums = &sums[at / dim * hidden..][..hidden];
            *out = value_bias[at] + weights.iter().zip(sums).map(|(weight, sum)| weight * sum).sum::<f32>();
        }
    }
}
