//! One layer: attention over whole sequences, everything else row by row.

use std::ops::Range;

use super::{
    Chunk,
    arena::{Arena, grow},
    global::Global,
    weights::{self, Stored, Weights},
};
use crate::{
    kernels::{
        flash::{self, Heads, Rows, Window},
        linear::{After, Linear, Quantized},
        norm,
    },
    model::{EncoderSpec, ModelError},
};

/// `x = LayerNorm(x + attention(x))`, then `LayerNorm(x + W₂ f(W₁ x))` (Vaswani et al., 2017, 3.1).
pub(super) struct Layer {
    heads: Heads,
    /// How far a token sees each way; all of its sequence without it.
    reach: Option<usize>,
    /// Queries, keys and values, and what global tokens need of every token: in one product, or one by one where some are
    /// int8 and some are not.
    projections: Vec<Linear>,
    global: Option<Global>,
    output: Linear,
    output_norm: (Vec<f32>, Vec<f32>),
    up: Linear,
    down: Linear,
    down_norm: (Vec<f32>, Vec<f32>),
    after_up: After,
    eps: f32,
}

/// What a layer needs beside the rows it works on.
pub(super) struct Room<'a> {
    pub(super) wide: &'a mut Vec<f32>,
    pub(super) quantized: &'a mut Quantized,
}

impl Layer {
    /// `has_globals` says whether any token sees everything where attention has windows.
    pub(super) fn new(
        spec: &EncoderSpec,
        index: usize,
        has_globals: bool,
        weights: &mut Weights,
    ) -> Result<Self, ModelError> {
        let prefix = format!("bert.encoder.layer.{index}");
        let attention = format!("{prefix}.attention.self");
        let shape = spec.layers[index];
        let has_globals = has_globals && shape.reach.is_some();
        let heads = Heads { count: shape.heads, dim: spec.head_dim };
        let global = has_globals.then(|| Global::new(&attention, heads, weights)).transpose()?;
        let more = global.as_ref().map_or(&[][..], Global::projected);
        Ok(Self {
            heads,
            reach: shape.reach,
            projections: projections(&attention, &[&["query", "key", "value"], more].concat(), weights)?,
            global,
            output: weights.linear(&format!("{prefix}.attention.output.dense"))?,
            output_norm: weights.norm(&format!("{prefix}.attention.output.LayerNorm"))?,
            up: weights.linear(&format!("{prefix}.intermediate.dense"))?,
            down: weights.linear(&format!("{prefix}.output.dense"))?,
            down_norm: weights.norm(&format!("{prefix}.output.LayerNorm"))?,
            after_up: After { activation: Some(spec.activation.function()), add: false },
            eps: spec.layer_norm_eps as f32,
        })
    }

    /// Numbers a token has between projection and attention.
    pub(super) fn qkv_width(&self) -> usize {
        3 * self.width() + self.global.as_ref().map_or(0, Global::width)
    }

    /// Numbers a token has after attention.
    pub(super) fn width(&self) -> usize {
        self.heads.count * self.heads.dim
    }

    /// Queries, keys and values of some rows, and behind them what global tokens need of every token.
    pub(super) fn project(&self, x: &[f32], room: Room<'_>, qkv: &mut [f32]) {
        let Room { wide, quantized } = room;
        let stride = self.qkv_width();
        if let [all] = self.projections.as_slice()
            && all.outputs() == stride
        {
            return all.forward(x, quantized, After::default(), qkv);
        }
        let rows = qkv.len() / stride;
        let mut column = 0;
        for linear in &self.projections {
            grow(wide, rows * linear.outputs());
            let out = &mut wide[..rows * linear.outputs()];
            linear.forward(x, quantized, After::default(), out);
            put(out, linear.outputs(), qkv, column..stride);
            column += linear.outputs();
        }
        self.pass(x, qkv);
    }

    /// Hidden states of some rows where global tokens need them; all that [`Self::attend_firsts`] needs of a layer whose
    /// [`Self::firsts_need_hidden_states_alone`].
    pub(super) fn pass(&self, x: &[f32], qkv: &mut [f32]) {
        if self.global.as_ref().is_some_and(Global::reads_hidden_states) {
            put(x, self.output.outputs(), qkv, 3 * self.width()..self.qkv_width());
        }
    }

    /// Whether first tokens, which are global where any token is, attend by hidden states.
    pub(super) fn firsts_need_hidden_states_alone(&self) -> bool {
        self.global.as_ref().is_some_and(Global::reads_hidden_states)
    }

    /// Attention of some rows of a chunk, whose hidden states are in `x`, over what they see of their sequences; the result
    /// is left in `arena.context`.
    pub(super) fn attend(&self, chunk: Chunk<'_>, qkv: &[f32], rows: Range<usize>, x: &[f32], arena: &mut Arena) {
        let width = self.width();
        grow(&mut arena.context, rows.len() * width);
        let first = chunk.offsets.partition_point(|offset| *offset <= rows.start).saturating_sub(1);
        for ends in chunk.offsets[first..].windows(2) {
            let (start, end) = (ends[0].max(rows.start), ends[1].min(rows.end));
            if start >= end {
                break;
            }
            let sequence = self.sequence(chunk, ends, qkv, arena);
            self.attend_near(sequence, start - ends[0]..end - ends[0], start - rows.start, arena);
            for &token in chunk.globals_of(ends).iter().filter(|token| (start..end).contains(*token)) {
                self.attend_all(sequence, token - rows.start, x, arena);
            }
        }
    }

    /// The same for the first token of each sequence, one row a sequence, `x` too.
    pub(super) fn attend_firsts(&self, chunk: Chunk<'_>, qkv: &[f32], x: &[f32], arena: &mut Arena) {
        grow(&mut arena.context, (chunk.offsets.len() - 1) * self.width());
        for (row, ends) in chunk.offsets.windows(2).enumerate() {
            let sequence = self.sequence(chunk, ends, qkv, arena);
            if self.global.is_some() && chunk.globals_of(ends).first() == Some(&ends[0]) {
                self.attend_all(sequence, row, x, arena);
            } else {
                self.attend_near(sequence, 0..1, row, arena);
            }
        }
    }

    /// The projections of a sequence; the places of its global tokens are left in `arena.places`.
    fn sequence<'a>(&self, chunk: Chunk<'_>, ends: &[usize], qkv: &'a [f32], arena: &mut Arena) -> Rows<'a> {
        arena.places.clear();
        arena.places.extend(chunk.globals_of(ends).iter().map(|token| token - ends[0]));
        let stride = self.qkv_width();
        Rows::new(&qkv[ends[0] * stride..ends[1] * stride], stride, 0)
    }

    /// Attention of some queries of a sequence over those near them and the global ones, into `arena.context` from `row` on.
    fn attend_near(&self, sequence: Rows<'_>, queries: Range<usize>, row: usize, arena: &mut Arena) {
        let width = self.width();
        let out = &mut arena.context[row * width..][..queries.len() * width];
        let window = self.reach.map_or(Window::ALL, |reach| Window { reach, globals: &arena.places });
        flash::forward(sequence, self.heads, window, queries, &mut arena.attention, out);
    }

    /// Attention of a global token over its whole sequence; `row` is its place in `x` and in `arena.context`.
    fn attend_all(&self, sequence: Rows<'_>, row: usize, x: &[f32], arena: &mut Arena) {
        if let Some(global) = &self.global {
            let hidden = self.output.outputs();
            global.attend(&x[row * hidden..][..hidden], sequence.from(3 * self.width()), row, arena);
        }
    }

    /// What follows attention, in place: `x` holds the layer's input, `context` what attention gave for these rows.
    pub(super) fn finish(&self, x: &mut [f32], context: &[f32], room: Room<'_>) {
        let Room { wide, quantized } = room;
        let residual = After { activation: None, add: true };
        self.output.forward(context, quantized, residual, x);
        norm::in_place(x, &self.output_norm.0, &self.output_norm.1, self.eps);
        let rows = x.len() / self.up.inputs();
        grow(wide, rows * self.up.outputs());
        let wide = &mut wide[..rows * self.up.outputs()];
        self.up.forward(x, quantized, self.after_up, wide);
        self.down.forward(wide, quantized, residual, x);
        norm::in_place(x, &self.down_norm.0, &self.down_norm.1, self.eps);
    }
}

/// Copies rows of some width to columns of wider rows, `columns.end` wide.
fn put(from: &[f32], width: usize, to: &mut [f32], columns: Range<usize>) {
    for (to, from) in to.chunks_exact_mut(columns.end).zip(from.chunks_exact(width)) {
        to[columns.start..][..width].copy_from_slice(from);
    }
}

/// Projections side by side in one product where they are stored alike, else one by one.
fn projections(module: &str, names: &[&str], weights: &mut Weights) -> Result<Vec<Linear>, ModelError> {
    let mut parts = Vec::with_capacity(names.len());
    for name in names {
        let module = format!("{module}.{name}");
        let bias = weights.take(&format!("{module}.bias"))?;
        parts.push((weights.take_weight(&module)?, bias));
    }
    let bias: Vec<f32> = parts.iter().flat_map(|(_, bias)| bias.iter().copied()).collect();
    let weights: Vec<&Stored> = parts.iter().map(|(weight, _)| weight).collect();
    let f32: Vec<_> = weights.iter().filter_map(|weight| weight.as_f32()).collect();
    let int8: Vec<_> = weights.iter().filter_map(|weight| weight.as_int8()).collect();
    Ok(if f32.len() == parts.len() {
        vec![Linear::from_f32(&f32.concat(), &bias)]
    } else if int8.len() == parts.len() {
        let values: Vec<_> = int8.iter().map(|weight| weight.values()).collect();
        let scales: Vec<_> = int8.iter().map(|weight| weight.scales()).collect();
        vec![Linear::from_int8(&values.concat(), &scales.concat(), &bias)]
    } else {
        parts.iter().map(|(weight, bias)| weights::pack(weight, bias)).collect()
    })
}
