//! `Arena`: the memory of a pass, kept from pass to pass so that none is allocated a layer.

use super::layer::Room;
use crate::kernels::{flash, linear::Quantized};

/// Everything that a pass writes to but its result.
#[derive(Default)]
pub(super) struct Arena {
    /// Hidden states, `[tokens, hidden_size]`.
    pub(super) x: Vec<f32>,
    /// Queries, keys and values of a layer, `[tokens, qkv_width]`.
    pub(super) qkv: Vec<f32>,
    /// Those of the next layer.
    pub(super) next: Vec<f32>,
    /// What attention gives, `[rows, heads · head_dim]`.
    pub(super) context: Vec<f32>,
    /// Rows as a part of a layer sees them, where that is not as they are.
    pub(super) narrow: Vec<f32>,
    /// The gates of feed-forward nets, `[rows, intermediate_size]`; the turns of a position.
    pub(super) gate: Vec<f32>,
    /// Between the layers of a feed-forward net, `[rows, intermediate_size]`; what a head needs in between.
    pub(super) wide: Vec<f32>,
    /// Rows as a linear layer's int8 kernel reads them.
    pub(super) quantized: Quantized,
    /// Blocks of attention.
    pub(super) attention: flash::Scratch,
    /// Where the sequences of a chunk start.
    pub(super) offsets: Vec<usize>,
    /// The tokens of a chunk that see everything where attention has windows.
    pub(super) globals: Vec<usize>,
    /// Those of one sequence, by their places in it.
    pub(super) places: Vec<usize>,
    /// Memory of other threads that work on the same chunk.
    pub(super) others: Vec<Self>,
}

impl Arena {
    /// Makes hidden states and projections fit so many tokens.
    pub(super) fn make_room(&mut self, hidden_size: usize, qkv_width: usize, tokens: usize, labels: usize) {
        grow(&mut self.x, tokens * hidden_size);
        grow(&mut self.qkv, tokens * qkv_width);
        grow(&mut self.next, tokens * qkv_width);
        grow(&mut self.wide, labels);
    }
}

impl Arena {
    pub(super) fn room(&mut self) -> Room<'_> {
        let Self { narrow, wide, gate, quantized, .. } = self;
        Room { narrow, wide, gate, quantized }
    }
}

/// Makes a vector at least that long.
pub(super) fn grow(vector: &mut Vec<f32>, len: usize) {
    if vector.len() < len {
        vector.resize(len, 0.0);
    }
}
