//! Token, position and type embeddings, and their norm.

use std::ops::Range;

use super::{
    Chunk,
    weights::{Stored, Weights},
};
use crate::{
    kernels::{norm, quantize},
    model::{EncoderSpec, ModelError},
};

/// `LayerNorm(word + position + type)`; positions start at 0 in each sequence.
pub(super) struct Embeddings {
    words: Stored,
    positions: Stored,
    types: Stored,
    norm: (Vec<f32>, Vec<f32>),
    eps: f32,
}

impl Embeddings {
    pub(super) fn new(spec: &EncoderSpec, weights: &mut Weights) -> Result<Self, ModelError> {
        Ok(Self {
            words: weights.take_weight("bert.embeddings.word_embeddings")?,
            positions: weights.take_weight("bert.embeddings.position_embeddings")?,
            types: weights.take_weight("bert.embeddings.token_type_embeddings")?,
            norm: weights.norm("bert.embeddings.LayerNorm")?,
            eps: spec.layer_norm_eps as f32,
        })
    }

    /// The embeddings of some tokens of a chunk, `x` `[rows, hidden_size]`.
    pub(super) fn run(&self, chunk: Chunk<'_>, rows: Range<usize>, x: &mut [f32]) {
        let width = self.norm.0.len();
        let mut sequence = chunk.offsets.partition_point(|offset| *offset <= rows.start).saturating_sub(1);
        for (token, x) in rows.zip(x.chunks_exact_mut(width)) {
            while chunk.offsets[sequence + 1] <= token {
                sequence += 1;
            }
            read(&self.words, chunk.input_ids[token] as usize, x);
            add(&self.positions, token - chunk.offsets[sequence], x);
            add(&self.types, chunk.type_ids[token] as usize, x);
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
