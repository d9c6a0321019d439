//! An encoder and a decoder that writes (Lewis et al., 2020; Beltagy et al., 2020, section 7): the text is read once, and
//! each step gives the logits of the next token of all beams.
//!
//! Keys and values of the text are packed once and shared by the beams. Those of what was written are kept a row for each
//! token of each beam, and a beam is a list of such rows: beams that go on from one another copy numbers of rows, no rows.

mod layer;
mod weights;
mod wide;

use candle_core::Tensor;

use self::{
    layer::{Layer, Written},
    weights::{Norm, Weights},
    wide::{Scratch, Wide},
};
use super::{Engine, arena::grow};
use crate::{
    kernels::{flash::Kept, linear::After},
    model::{DecoderSpec, Int8Weight, Led, Model, ModelError, Packed},
};

/// How the weights of linear layers are kept, and what their products are computed in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// f32.
    #[default]
    F32,
    /// int8 a row of weights and a token, both symmetric, as [`crate::kernels::linear::Linear`] has it. Embeddings, norms,
    /// attention and the projections of global tokens stay f32.
    Int8,
}

/// A LED that is ready to write.
pub struct Writer {
    encoder: Engine,
    decoder: Decoder,
}

/// The decoder, packed.
struct Decoder {
    spec: DecoderSpec,
    positions: Vec<f32>,
    norm: Norm,
    layers: Vec<Layer>,
    head: Wide,
}

/// A text that is being written about.
pub struct Draft<'a> {
    writer: &'a Writer,
    /// Keys and values of the text, a layer each.
    text: Vec<Kept>,
    /// Those of what was written.
    written: Vec<Written>,
    /// Rows of these.
    rows: u32,
    /// The rows that each beam sees, one a token.
    seen: Vec<Vec<u32>>,
    room: Room,
}

/// Memory that is kept from step to step.
#[derive(Default)]
struct Room {
    x: Vec<f32>,
    qkv: Vec<f32>,
    context: Vec<f32>,
    by_head: Vec<f32>,
    wide: Vec<f32>,
    scores: Vec<Vec<f32>>,
    scratch: Scratch,
}

impl Writer {
    /// Packs a checkpoint, which is taken apart as it goes.
    ///
    /// # Errors
    /// When a parameter is missing.
    pub fn new(led: Led, precision: Precision) -> Result<Self, ModelError> {
        let Led { mut encoder, decoder: spec, params, .. } = led;
        let mut weights = Weights { params, precision };
        let words = encoder.params.get("bert.embeddings.word_embeddings.weight");
        let head = match weights.params.remove("lm_head.weight") {
            Some(own) => own,
            None => words.cloned().ok_or_else(|| ModelError::Checkpoint("the encoder has no words".to_owned()))?,
        };
        let bias = match weights.params.remove("final_logits_bias") {
            Some(bias) => bias.flatten_all()?.to_vec1()?,
            None => vec![0.0; spec.vocab_size],
        };
        let head = Wide::new(&[head], &[bias], precision)?;
        if precision == Precision::Int8 {
            quantize(&mut encoder)?;
        }
        let decoder = Decoder {
            positions: weights.numbers("led.decoder.embed_positions.weight")?,
            norm: weights.norm("led.decoder.layernorm_embedding", &spec)?,
            layers: (0..spec.layers).map(|index| Layer::new(&spec, index, &mut weights)).collect::<Result<_, _>>()?,
            head,
            spec,
        };
        Ok(Self { encoder: Engine::with_globals(encoder)?, decoder })
    }

    /// How many tokens a text may have.
    #[must_use]
    pub fn max_text(&self) -> usize {
        self.encoder.spec.max_positions
    }

    /// How many tokens may be written, the one that the decoder begins with among them: the last is not read again.
    #[must_use]
    pub fn max_written(&self) -> usize {
        self.decoder.spec.max_positions + 1
    }

    /// How many tokens there are.
    #[must_use]
    pub fn vocab_size(&self) -> usize {
        self.decoder.spec.vocab_size
    }

    /// The encoder's last hidden state of a text, `[tokens]` → `[tokens, hidden]`; the first token sees, and is seen by, all
    /// (Beltagy et al., 2020, section 7). Time and memory grow with the tokens times the window.
    ///
    /// # Errors
    /// When the text has no tokens or too many, or an id is out of range.
    pub fn read(&self, input_ids: &[u32]) -> Result<Vec<f32>, ModelError> {
        let (types, offsets) = (vec![0; input_ids.len()], [0, input_ids.len()]);
        self.encoder.last_hidden_state(Packed::new(input_ids, &types, &offsets).with_globals(&[0]))
    }

    /// Projects a text, `[tokens, hidden]` as [`Self::read`] gives it, for the steps of [`Draft::step`].
    ///
    /// # Errors
    /// When the text has no tokens.
    pub fn draft(&self, text: &[f32]) -> Result<Draft<'_>, ModelError> {
        if text.is_empty() {
            return Err(ModelError::Checkpoint("a text without tokens cannot be written about".to_owned()));
        }
        let (layers, mut room) = (&self.decoder.layers, Room::default());
        Ok(Draft {
            writer: self,
            text: layers.iter().map(|layer| layer.keep(text, &mut room)).collect(),
            written: layers.iter().map(|_| Written::default()).collect(),
            rows: 0,
            seen: vec![Vec::new()],
            room,
        })
    }
}

impl Draft<'_> {
    /// The logits of what follows, `[beams, vocab_size]`, when beam `i` goes on from beam `parents[i]` of the step before with
    /// the token `tokens[i]`. Before the first step there is one beam, and it is empty.
    ///
    /// # Errors
    /// When there is no such beam or token, or no position is left.
    pub fn step(&mut self, parents: &[usize], tokens: &[u32], logits: &mut Vec<f32>) -> Result<(), ModelError> {
        let wrong = |what: String| Err(ModelError::Checkpoint(what));
        let Decoder { spec, positions, norm, layers, head } = &self.writer.decoder;
        let (hidden, beams) = (spec.hidden_size, tokens.len());
        if parents.len() != beams || beams == 0 || parents.iter().any(|parent| *parent >= self.seen.len()) {
            return wrong(format!("{beams} beams cannot go on from {parents:?} of {}", self.seen.len()));
        }
        if let Some(token) = tokens.iter().find(|token| **token as usize >= spec.vocab_size) {
            return wrong(format!("the token {token} is out of range: the model has {}", spec.vocab_size));
        }
        let position = self.seen[0].len();
        if position >= spec.max_positions {
            return wrong(format!("the decoder takes at most {} tokens", spec.max_positions));
        }
        self.seen = parents
            .iter()
            .zip(self.rows..)
            .map(|(&parent, row)| [self.seen[parent].as_slice(), &[row]].concat())
            .collect();
        self.rows += beams as u32;

        let mut x = std::mem::take(&mut self.room.x);
        grow(&mut x, beams * hidden);
        let states = &mut x[..beams * hidden];
        let at = &positions[position * hidden..][..hidden];
        for (&token, state) in tokens.iter().zip(states.chunks_exact_mut(hidden)) {
            self.writer.encoder.word(token, state);
            state.iter_mut().zip(at).for_each(|(x, at)| *x += at);
        }
        norm.in_place(states);
        for ((layer, text), written) in layers.iter().zip(&self.text).zip(&mut self.written) {
            layer.step(states, &self.seen, text, written, &mut self.room);
        }
        logits.resize(beams * spec.vocab_size, 0.0);
        head.forward(states, After::default(), &mut self.room.scratch, logits);
        self.room.x = x;
        Ok(())
    }
}

/// Makes the linear layers of an encoder's layers int8, but for the projections of global tokens: they are few.
fn quantize(encoder: &mut Model) -> Result<(), ModelError> {
    let is_linear = |(name, tensor): (&String, &Tensor)| {
        (name.starts_with("bert.encoder.layer.") && tensor.rank() == 2 && !name.contains("_global."))
            .then(|| name.clone())
    };
    for name in encoder.params.iter().filter_map(is_linear).collect::<Vec<_>>() {
        if let (Some(module), Some(tensor)) = (name.strip_suffix(".weight"), encoder.params.remove(&name)) {
            encoder.int8.insert(module.to_owned(), Int8Weight::from_f32(&tensor)?);
        }
    }
    Ok(())
}
