//! A decoder layer: attention to what was written, attention to the text, a feed-forward net, each with a residual and a norm.

use rayon::prelude::*;

use super::{
    Room,
    weights::{Norm, Weights},
    wide::Wide,
};
use crate::{
    kernels::{
        decode::{self, Past},
        flash::{Heads, Kept, Rows},
        linear::After,
    },
    model::{DecoderSpec, ModelError},
    runtime::arena::grow,
};

/// What is added to what stands there.
const RESIDUAL: After = After { activation: None, add: true };

/// Rows of a text whose keys and values are projected at once.
const ROWS: usize = 256;

/// One layer (Vaswani et al., 2017, section 3.1, as BART has it: norms behind sums).
pub(super) struct Layer {
    heads: Heads,
    own: Wide,
    own_output: Wide,
    own_norm: Norm,
    query: Wide,
    keys_and_values: Wide,
    cross_output: Wide,
    cross_norm: Norm,
    up: Wide,
    after_up: After,
    down: Wide,
    norm: Norm,
}

/// Keys and values of what was written, a row for each token of each beam: `[rows, hidden]` each.
#[derive(Default)]
pub(super) struct Written {
    keys: Vec<f32>,
    values: Vec<f32>,
}

impl Layer {
    pub(super) fn new(spec: &DecoderSpec, index: usize, weights: &mut Weights) -> Result<Self, ModelError> {
        let prefix = format!("led.decoder.layers.{index}");
        let modules = |attention: &str, names: &[&str]| {
            names.iter().map(|name| format!("{prefix}.{attention}.{name}_proj")).collect::<Vec<_>>()
        };
        let net = |name: &str| [format!("{prefix}.{name}")];
        Ok(Self {
            heads: Heads { count: spec.heads, dim: spec.hidden_size / spec.heads },
            own: weights.linear(&modules("self_attn", &["q", "k", "v"]))?,
            own_output: weights.linear(&modules("self_attn", &["out"]))?,
            own_norm: weights.norm(&format!("{prefix}.self_attn_layer_norm"), spec)?,
            query: weights.linear(&modules("encoder_attn", &["q"]))?,
            keys_and_values: weights.linear(&modules("encoder_attn", &["k", "v"]))?,
            cross_output: weights.linear(&modules("encoder_attn", &["out"]))?,
            cross_norm: weights.norm(&format!("{prefix}.encoder_attn_layer_norm"), spec)?,
            up: weights.linear(&net("fc1"))?,
            after_up: After { activation: Some(spec.activation.function()), add: false },
            down: weights.linear(&net("fc2"))?,
            norm: weights.norm(&format!("{prefix}.final_layer_norm"), spec)?,
        })
    }

    /// Keys and values of a text, `[tokens, hidden]`, for every step that follows.
    pub(super) fn keep(&self, text: &[f32], room: &mut Room) -> Kept {
        let hidden = self.heads.count * self.heads.dim;
        let mut projected = vec![0.0; 2 * text.len()];
        for (x, out) in text.chunks(ROWS * hidden).zip(projected.chunks_mut(ROWS * 2 * hidden)) {
            self.keys_and_values.forward(x, After::default(), &mut room.scratch, out);
        }
        Kept::new([0, hidden].map(|column| Rows::new(&projected, 2 * hidden, column)), self.heads)
    }

    /// A token more of every beam, `x` `[beams, hidden]`, in place; `seen` are the rows of `written` that each beam sees, its
    /// new one, which is added here, last.
    pub(super) fn step(&self, x: &mut [f32], seen: &[Vec<u32>], text: &Kept, written: &mut Written, room: &mut Room) {
        let Room { qkv, context, by_head, wide, scores, scratch, .. } = room;
        let (heads, hidden, beams) = (self.heads, self.heads.count * self.heads.dim, seen.len());

        grow(qkv, beams * 3 * hidden);
        grow(context, beams * hidden);
        let (qkv, context) = (&mut qkv[..beams * 3 * hidden], &mut context[..beams * hidden]);
        self.own.forward(x, After::default(), scratch, qkv);
        for qkv in qkv.chunks_exact(3 * hidden) {
            written.keys.extend_from_slice(&qkv[hidden..2 * hidden]);
            written.values.extend_from_slice(&qkv[2 * hidden..]);
        }
        scores.resize_with(scores.len().max(beams), Vec::new);
        let past = |rows| Past { keys: &written.keys, values: &written.values, rows };
        let each =
            qkv.par_chunks_exact(3 * hidden).zip(context.par_chunks_exact_mut(hidden)).zip(seen).zip(&mut *scores);
        each.for_each(|(((qkv, out), rows), scores)| decode::attend(&qkv[..hidden], past(rows), heads, scores, out));
        self.own_output.forward(context, RESIDUAL, scratch, x);
        self.own_norm.in_place(x);

        let (queries, by_head_len) = (&mut qkv[..beams * hidden], beams * hidden);
        self.query.forward(x, After::default(), scratch, queries);
        grow(by_head, by_head_len);
        let by_head = &mut by_head[..by_head_len];
        let queries = Rows::new(queries, hidden, 0);
        by_head
            .par_chunks_exact_mut(beams * heads.dim)
            .with_max_len(1)
            .enumerate()
            .for_each(|(head, out)| text.attend(head, queries, out));
        for (head, by_head) in by_head.chunks_exact(beams * heads.dim).enumerate() {
            for (context, by_head) in context.chunks_exact_mut(hidden).zip(by_head.chunks_exact(heads.dim)) {
                context[head * heads.dim..][..heads.dim].copy_from_slice(by_head);
            }
        }
        self.cross_output.forward(context, RESIDUAL, scratch, x);
        self.cross_norm.in_place(x);

        grow(wide, beams * self.up.outputs());
        let wide = &mut wide[..beams * self.up.outputs()];
        self.up.forward(x, self.after_up, scratch, wide);
        self.down.forward(wide, RESIDUAL, scratch, x);
        self.norm.in_place(x);
    }
}
