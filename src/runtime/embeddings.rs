//! Token, position and type embeddings, and their norm.

use std::ops::Range;

use super::{
    Chunk,
    arena::grow,
    layer::Room,
    norm::Norm,
    weights::{Stored, Weights},
};
use crate::{
    kernels::{
        linear::{After, Linear},
        quantize,
    },
    model::{Embedding, EncoderSpec, ModelError, PROJECTION, Positions},
};

/// `LayerNorm(word + position + type)`; positions are counted in each sequence.
pub(super) struct Embeddings {
    words: Stored,
    word_width: usize,
    positions: Option<Stored>,
    counted: Positions,
    types: Option<Stored>,
    n_types: usize,
    norm: Norm,
    /// What brings them to the width of the layers, where they have another.
    projection: Option<Projection>,
}

enum Projection {
    /// Of the normalised sum.
    OfSum(Linear),
    /// Of words, each with the next and the previous one where `trigrams`, before the sum.
    OfWords { linear: Linear, trigrams: bool },
}

impl Embeddings {
    pub(super) fn new(spec: &EncoderSpec, weights: &mut Weights) -> Result<Self, ModelError> {
        Ok(Self {
            words: weights.take_weight("bert.embeddings.word_embeddings")?,
            word_width: spec.word_width(),
            positions: (spec.positions != Positions::NoTable)
                .then(|| weights.take_weight("bert.embeddings.position_embeddings"))
                .transpose()?,
            counted: spec.positions,
            n_types: spec.type_vocab_size,
            types: (spec.type_vocab_size > 0)
                .then(|| weights.take_weight("bert.embeddings.token_type_embeddings"))
                .transpose()?,
            norm: Norm::new(spec, "bert.embeddings.LayerNorm", weights)?,
            projection: match spec.embedding {
                Embedding::Plain => None,
                Embedding::Projected(_) => Some(Projection::OfSum(weights.linear(PROJECTION)?)),
                Embedding::Words { trigrams, .. } => {
                    Some(Projection::OfWords { linear: weights.linear(PROJECTION)?, trigrams })
                }
            },
        })
    }

    /// The embeddings of some tokens of a chunk, `x` `[rows, hidden_size]`.
    pub(super) fn run(&self, chunk: Chunk<'_>, rows: Range<usize>, room: Room<'_>, x: &mut [f32]) {
        let Room { wide, quantized, .. } = room;
        match &self.projection {
            None => {
                self.look_up_words(chunk, rows.clone(), false, x);
                self.add_others(chunk, rows, x);
            }
            Some(Projection::OfSum(linear)) => {
                grow(wide, rows.len() * linear.inputs());
                let embedded = &mut wide[..rows.len() * linear.inputs()];
                self.look_up_words(chunk, rows.clone(), false, embedded);
                self.add_others(chunk, rows, embedded);
                linear.forward(embedded, quantized, After::default(), x);
            }
            Some(Projection::OfWords { linear, trigrams }) => {
                grow(wide, rows.len() * linear.inputs());
                let words = &mut wide[..rows.len() * linear.inputs()];
                self.look_up_words(chunk, rows.clone(), *trigrams, words);
                linear.forward(words, quantized, After::default(), x);
                self.add_others(chunk, rows, x);
            }
        }
    }

    /// The word embeddings of some rows, with `trigrams` each between the next one's and the previous one's, and zeros beyond
    /// the ends of its sequence.
    fn look_up_words(&self, chunk: Chunk<'_>, rows: Range<usize>, trigrams: bool, x: &mut [f32]) {
        let width = self.word_width;
        if !trigrams {
            for (&id, x) in chunk.input_ids[rows].iter().zip(x.chunks_exact_mut(width)) {
                read(&self.words, id as usize, x);
            }
            return;
        }
        let mut sequence = chunk.offsets.partition_point(|offset| *offset <= rows.start).saturating_sub(1);
        for (row, x) in rows.zip(x.chunks_exact_mut(3 * width)) {
            if row >= chunk.offsets[sequence + 1] {
                sequence += 1;
            }
            let (start, end) = (chunk.offsets[sequence], chunk.offsets[sequence + 1]);
            let next = (row + 1 < end).then_some(row + 1);
            let previous = (row > start).then(|| row - 1);
            for (x, token) in x.chunks_exact_mut(width).zip([next, Some(row), previous]) {
                match token {
                    Some(token) => read(&self.words, chunk.input_ids[token] as usize, x),
                    None => x.fill(0.0),
                }
            }
        }
    }

    /// The embedding of one word.
    pub(super) fn word(&self, id: u32, out: &mut [f32]) {
        read(&self.words, id as usize, out);
    }

    /// Adds the embeddings of positions and types, and normalises.
    fn add_others(&self, chunk: Chunk<'_>, rows: Range<usize>, x: &mut [f32]) {
        let width = self.norm.width();
        let mut sequence = chunk.offsets.partition_point(|offset| *offset <= rows.start).saturating_sub(1);
        let mut x_rows = x.chunks_exact_mut(width);
        while sequence + 1 < chunk.offsets.len() && chunk.offsets[sequence] < rows.end {
            let (start, end) = (chunk.offsets[sequence], chunk.offsets[sequence + 1].min(rows.end));
            let positions = self.counted.rows(&chunk.input_ids[start..end]);
            // Positions are counted from the sequence's start, which another thread may have.
            let skipped = rows.start.saturating_sub(start);
            for ((token, position), x) in (start..end).zip(positions).skip(skipped).zip(&mut x_rows) {
                if let Some(positions) = &self.positions {
                    add(positions, position, x);
                }
                if let Some(types) = &self.types {
                    // A family that has one type has none to tell apart.
                    add(types, if self.n_types == 1 { 0 } else { chunk.type_ids[token] as usize }, x);
                }
            }
            sequence += 1;
        }
        self.norm.in_place(x);
    }
}

fn read(table: &Stored, row: usize, out: &mut [f32]) {
    let width = out.len();
    match table {
        Stored::F32 { values, .. } => out.copy_from_slice(&values[row * width..][..width]),
        Stored::Int8(weight) => {
            quantize::dequantize(&weight.values()[row * width..][..width], weight.scales()[row], out);
        }
    }
}

fn add(table: &Stored, row: usize, out: &mut [f32]) {
    let width = out.len();
    match table {
        Stored::F32 { values, .. } => {
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
