//! Token, position and type embeddings, and their norm.

use std::ops::Range;

use super::{
    Chunk,
    arena::grow,
    layer::Room,
    weights::{Stored, Weights},
};
use crate::{
    kernels::{
        linear::{After, Linear},
        norm, quantize,
    },
    model::{EncoderSpec, ModelError, PROJECTION, Positions},
};

/// `LayerNorm(word + position + type)`; positions are counted in each sequence.
pub(super) struct Embeddings {
    words: Stored,
    positions: Stored,
    counted: Positions,
    types: Option<Stored>,
    n_types: usize,
    norm: (Vec<f32>, Vec<f32>),
    /// What brings them to the width of the layers, where they have another.
    projection: Option<Linear>,
    eps: f32,
}

impl Embeddings {
    pub(super) fn new(spec: &EncoderSpec, weights: &mut Weights) -> Result<Self, ModelError> {
        Ok(Self {
            words: weights.take_weight("bert.embeddings.word_embeddings")?,
            positions: weights.take_weight("bert.embeddings.position_embeddings")?,
            counted: spec.positions,
            n_types: spec.type_vocab_size,
            types: (spec.type_vocab_size > 0)
                .then(|| weights.take_weight("bert.embeddings.token_type_embeddings"))
                .transpose()?,
            norm: weights.norm("bert.embeddings.LayerNorm")?,
            projection: spec.embedding_size.is_some().then(|| weights.linear(PROJECTION)).transpose()?,
            eps: spec.layer_norm_eps as f32,
        })
    }

    /// The embeddings of some tokens of a chunk, `x` `[rows, hidden_size]`.
    pub(super) fn run(&self, chunk: Chunk<'_>, rows: Range<usize>, room: Room<'_>, x: &mut [f32]) {
        let Some(projection) = &self.projection else { return self.look_up(chunk, rows, x) };
        let Room { wide, quantized } = room;
        grow(wide, rows.len() * projection.inputs());
        let embedded = &mut wide[..rows.len() * projection.inputs()];
        self.look_up(chunk, rows, embedded);
        projection.forward(embedded, quantized, After::default(), x);
    }

    /// The same before the projection.
    fn look_up(&self, chunk: Chunk<'_>, rows: Range<usize>, x: &mut [f32]) {
        let width = self.norm.0.len();
        let mut sequence = chunk.offsets.partition_point(|offset| *offset <= rows.start).saturating_sub(1);
        let mut x_rows = x.chunks_exact_mut(width);
        while sequence + 1 < chunk.offsets.len() && chunk.offsets[sequence] < rows.end {
            let (start, end) = (chunk.offsets[sequence], chunk.offsets[sequence + 1].min(rows.end));
            let positions = self.counted.rows(&chunk.input_ids[start..end]);
            // Positions are counted from the sequence's start, which another thread may have.
            let skipped = rows.start.saturating_sub(start);
            for ((token, position), x) in (start..end).zip(positions).skip(skipped).zip(&mut x_rows) {
                read(&self.words, chunk.input_ids[token] as usize, x);
                add(&self.positions, position, x);
                if let Some(types) = &self.types {
                    // A family that has one type has none to tell apart.
                    add(types, if self.n_types == 1 { 0 } else { chunk.type_ids[token] as usize }, x);
                }
            }
            sequence += 1;
        }
        norm::in_place(x, &self.norm.0, &self.norm.1, self.eps);
    }
}

fn read(table: &Stored, row: usize, out: &mut [f32]) {
    let width = out.len();
    match table {
        Stored::F32(values) => out.copy_from_slice(&values[row * width..][..width]),
        Stored::Int8(weight) => {
            quantize::dequantize(&weight.values()[row * width..][..width], weight.scales()[row], out);
        }
    }
}

fn add(table: &Stored, row: usize, out: &mut [f32]) {
    let width = out.len();
    match table {
        Stored::F32(values) => {
            for (out, value) in out.iter_mut().zip(&values[row * width..][..width]) {
                *out += value;
            }
        }
        Stored::Int8(weight) => {
            let scale = weight.scales()[row];
            for (out, &value) in out.iter_mut().zip(&weight.values()[row * width..][..width]) {
                *out += f32::from(value) * scale;
            }
        }
    }
}
