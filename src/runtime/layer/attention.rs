//! Attention of a layer: projections, windows, tokens that see everything.

use std::ops::Range;

use super::global::Global;
use crate::{
    kernels::{
        flash::{self, Heads, Rows, Window},
        linear::{After, Linear, Quantized},
        rotary,
    },
    model::{EncoderSpec, ModelError},
    runtime::{
        Chunk,
        arena::{Arena, grow},
        weights::{self, Stored, Weights},
    },
};

/// `softmax(q kᵀ / √dim) v` of what each token sees.
pub(in crate::runtime) struct Attention {
    hidden_size: usize,
    heads: Heads,
    /// How far a token sees each way; all of its sequence without it.
    reach: Option<usize>,
    /// Queries, keys and values, and what global tokens need of every token: in one product, or some by some where they are
    /// stored differently or see different rows.
    projections: Vec<Projection>,
    /// The angles by which each position turns queries and keys.
    frequencies: Option<Vec<f32>>,
    global: Option<Global>,
}

/// Some of the projections, side by side.
struct Projection {
    linear: Linear,
    /// Whether it sees the layer's input, where others see something else.
    of_hidden: bool,
}

impl Attention {
    pub(super) fn new(
        spec: &EncoderSpec,
        index: usize,
        prefix: &str,
        has_globals: bool,
        weights: &mut Weights,
    ) -> Result<Self, ModelError> {
        let module = format!("{prefix}.attention.self");
        let shape = spec.layers[index];
        let has_globals = has_globals && shape.reach.is_some();
        let heads = Heads { count: shape.heads, dim: spec.head_dim };
        let global = has_globals.then(|| Global::new(&module, heads, weights)).transpose()?;
        let more = global.as_ref().map_or(&[][..], Global::projected);
        let mut projections = Vec::new();
        let values_differ = spec.bottleneck.is_some_and(|bottleneck| bottleneck.shares_keys);
        let of_seen = if values_differ { vec!["query", "key"] } else { [&["query", "key", "value"], more].concat() };
        let of_hidden: &[&str] = if values_differ { &["value"] } else { &[] };
        for (names, of_hidden) in [(of_seen.as_slice(), false), (of_hidden, true)] {
            let linear = side_by_side(&module, names, weights)?;
            projections.extend(linear.into_iter().map(|linear| Projection { linear, of_hidden }));
        }
        Ok(Self {
            hidden_size: spec.hidden_size,
            heads,
            reach: shape.reach,
            projections,
            frequencies: spec.theta(index).map(|theta| rotary::frequencies(theta, spec.head_dim)),
            global,
        })
    }

    /// Numbers a token has between projection and attention.
    pub(in crate::runtime) fn qkv_width(&self) -> usize {
        3 * self.width() + self.global.as_ref().map_or(0, Global::width)
    }

    /// Numbers a token has after attention.
    pub(in crate::runtime) fn width(&self) -> usize {
        self.heads.count * self.heads.dim
    }

    /// Queries, keys and values of some rows, from what is seen of them and from the rows themselves, and behind them what
    /// global tokens need of every token.
    pub(super) fn project(
        &self,
        [seen, x]: [&[f32]; 2],
        wide: &mut Vec<f32>,
        quantized: &mut Quantized,
        qkv: &mut [f32],
    ) {
        let stride = self.qkv_width();
        if let [Projection { linear, of_hidden: false }] = self.projections.as_slice()
            && linear.outputs() == stride
        {
            return linear.forward(seen, quantized, After::default(), qkv);
        }
        let rows = qkv.len() / stride;
        let mut column = 0;
        for Projection { linear, of_hidden } in &self.projections {
            grow(wide, rows * linear.outputs());
            let out = &mut wide[..rows * linear.outputs()];
            linear.forward(if *of_hidden { x } else { seen }, quantized, After::default(), out);
            put(out, linear.outputs(), qkv, column..stride);
            column += linear.outputs();
        }
        self.pass(x, qkv);
    }

    /// Turns queries and keys of some rows of a chunk by their positions, where they are turned.
    pub(super) fn turn(&self, chunk: Chunk<'_>, rows: Range<usize>, room: &mut Vec<f32>, qkv: &mut [f32]) {
        let Some(frequencies) = &self.frequencies else { return };
        let mut sequence = chunk.offsets.partition_point(|offset| *offset <= rows.start).saturating_sub(1);
        for (row, qkv) in rows.zip(qkv.chunks_exact_mut(self.qkv_width())) {
            if row >= chunk.offsets[sequence + 1] {
                sequence += 1;
            }
            let queries_and_keys = &mut qkv[..2 * self.width()];
            rotary::turn(frequencies, row - chunk.offsets[sequence], room, queries_and_keys);
        }
    }

    /// Hidden states of some rows where global tokens need them; all that [`Self::attend_firsts`] needs of a layer whose
    /// [`Self::firsts_need_hidden_states_alone`].
    pub(in crate::runtime) fn pass(&self, x: &[f32], qkv: &mut [f32]) {
        if self.global.as_ref().is_some_and(Global::reads_hidden_states) {
            put(x, self.hidden_size, qkv, 3 * self.width()..self.qkv_width());
        }
    }

    /// Whether first tokens that are global attend by hidden states.
    pub(in crate::runtime) fn firsts_need_hidden_states_alone(&self) -> bool {
        self.global.as_ref().is_some_and(Global::reads_hidden_states)
    }

    /// Attention of some rows of a chunk, whose hidden states are in `x`, over what they see of their sequences; the result
    /// is left in `arena.context`.
    pub(in crate::runtime) fn attend(
        &self,
        chunk: Chunk<'_>,
        qkv: &[f32],
        rows: Range<usize>,
        x: &[f32],
        arena: &mut Arena,
    ) {
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
    pub(in crate::runtime) fn attend_firsts(&self, chunk: Chunk<'_>, qkv: &[f32], x: &[f32], arena: &mut Arena) {
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
            let hidden = self.hidden_size;
            global.attend(&x[row * hidden..][..hidden], sequence.from(3 * self.width()), row, arena);
        }
    }
}

/// Copies rows of some width to columns of wider rows, `columns.end` wide.
fn put(from: &[f32], width: usize, to: &mut [f32], columns: Range<usize>) {
    for (to, from) in to.chunks_exact_mut(columns.end).zip(from.chunks_exact(width)) {
        to[columns.start..][..width].copy_from_slice(from);
    }
}

/// Projections in one product where they are stored alike, else one by one.
fn side_by_side(module: &str, names: &[&str], weights: &mut Weights) -> Result<Vec<Linear>, ModelError> {
    let mut parts = Vec::with_capacity(names.len());
    for name in names {
        let module = format!("{module}.{name}");
        let weight = weights.take_weight(&module)?;
        parts.push((weights.bias(&module, weight.rows())?, weight));
    }
    let bias: Vec<f32> = parts.iter().flat_map(|(bias, _)| bias.iter().copied()).collect();
    let weights: Vec<&Stored> = parts.iter().map(|(_, weight)| weight).collect();
    let f32: Vec<_> = weights.iter().filter_map(|weight| weight.as_f32()).collect();
    let int8: Vec<_> = weights.iter().filter_map(|weight| weight.as_int8()).collect();
    Ok(if parts.is_empty() {
        Vec::new()
    } else if f32.len() == parts.len() {
        vec![Linear::from_f32(&f32.concat(), &bias)]
    } else if int8.len() == parts.len() {
        let values: Vec<_> = int8.iter().map(|weight| weight.values()).collect();
        let scales: Vec<_> = int8.iter().map(|weight| weight.scales()).collect();
        vec![Linear::from_int8(&values.concat(), &scales.concat(), &bias)]
    } else {
        parts.iter().map(|(bias, weight)| weights::pack(weight, bias)).collect()
    })
}
