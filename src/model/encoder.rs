//! One forward pass: embeddings, layers, head, over a packed batch.

use std::sync::Arc;

use candle_core::Tensor;

use super::{
    EncoderSpec, Keep, Model, ModelError, Output, Packed, embeddings, heads, layer, linear,
    memory::TrainingMemory,
    network::missing,
    ops::{self, Route, Sequences},
};
use crate::kernels::dropout::Mask;

/// A forward pass that is under way: what every part of the encoder needs to know.
pub(super) struct Pass<'a> {
    pub(super) model: &'a Model,
    pub(super) batch: Packed<'a>,
    pub(super) keep: Keep,
    pub(super) route: Route,
    offsets: Arc<[usize]>,
    /// The tokens that see, and are seen by, their whole sequences where attention has windows.
    pub(super) globals: Arc<[usize]>,
}

/// Where dropout happens; each place of a step has a mask of its own.
#[derive(Clone, Copy)]
pub(super) enum Site {
    Embeddings,
    Attention(usize),
    AttentionOutput(usize),
    FeedForward(usize),
    GlobalAttention(usize),
    ClassifierInput,
    Classifier,
}

impl Site {
    fn number(self) -> u64 {
        match self {
            Self::Embeddings => 0,
            Self::Classifier => 1,
            Self::ClassifierInput => 2,
            Self::Attention(layer) => 4 * layer as u64 + 4,
            Self::AttentionOutput(layer) => 4 * layer as u64 + 5,
            Self::FeedForward(layer) => 4 * layer as u64 + 6,
            Self::GlobalAttention(layer) => 4 * layer as u64 + 7,
        }
    }
}

impl<'a> Pass<'a> {
    /// Checks the batch against the model.
    pub(super) fn new(model: &'a Model, batch: Packed<'a>, keep: Keep, route: Route) -> Result<Self, ModelError> {
        batch.check(&model.spec)?;
        if !model.int8.is_empty() && !model.device.is_cpu() {
            return Err(ModelError::Device("int8 models run on `cpu` only".to_owned()));
        }
        let globals = model.globals(batch.offsets).into();
        Ok(Self { model, batch, keep, route, offsets: Arc::from(batch.offsets), globals })
    }

    pub(super) fn run(&self) -> Result<Output, ModelError> {
        let mut x = embeddings::forward(self)?; // [tokens, hidden]
        if let Some(memory) = self.memory() {
            return self.run_collecting(x, memory);
        }
        let (mut hidden_states, mut attentions) = (Vec::new(), Vec::new());
        for index in 0..self.model.spec.n_layers() {
            if self.keep.hidden_states {
                hidden_states.push(x.clone());
            }
            let (out, attention) = layer::forward(self, index, &x)?;
            attentions.extend(attention);
            x = out;
        }
        if self.keep.hidden_states {
            hidden_states.push(x.clone());
        }
        let logits = heads::forward(self, &x)?;
        Ok(Output { last_hidden_state: x, logits, hidden_states, attentions })
    }

    /// The layers as one operation, or one each where their results are kept.
    fn run_collecting(&self, embedded: Tensor, memory: &TrainingMemory) -> Result<Output, ModelError> {
        let blocks = (0..self.model.spec.n_layers()).map(|index| layer::block(self, index));
        let mut x = embedded;
        let mut hidden_states = Vec::new();
        if self.keep.hidden_states {
            for block in blocks {
                hidden_states.push(x.clone());
                x = ops::layers(&x, vec![block?], memory)?;
            }
            hidden_states.push(x.clone());
        } else {
            x = ops::layers(&x, blocks.collect::<Result<_, _>>()?, memory)?;
        }
        let logits = heads::forward(self, &x)?;
        Ok(Output { last_hidden_state: x, logits, hidden_states, attentions: Vec::new() })
    }

    /// Where gradients go, in a pass that trains and keeps nothing from within its layers.
    pub(super) fn memory(&self) -> Option<&'a TrainingMemory> {
        let trains = self.keep.dropout_seed.is_some() && !self.keep.attentions && self.route == Route::Fused;
        let is_plain = self.model.spec.layers.iter().all(|layer| layer.reach.is_none());
        self.model.memory.as_ref().filter(|_| trains && is_plain)
    }

    /// A parameter by name.
    pub(super) fn parameter(&self, name: &str) -> Result<&'a Tensor, ModelError> {
        self.model.params.get(name).ok_or_else(|| missing(name))
    }

    /// The linear layer of a module, f32 or int8.
    pub(super) fn linear(&self, module: &str, x: &Tensor) -> Result<Tensor, ModelError> {
        linear::forward(self, module, x)
    }

    /// The layer norm of a module.
    pub(super) fn norm(&self, module: &str, x: &Tensor) -> Result<Tensor, ModelError> {
        let scale = self.parameter(&format!("{module}.weight"))?;
        let shift = self.parameter(&format!("{module}.bias"))?;
        Ok(ops::layer_norm(x, scale, shift, self.model.spec.layer_norm_eps, self.route)?)
    }

    /// The mask of what attention gives.
    pub(super) fn attention_output_mask(&self, layer: usize) -> Option<Mask> {
        let spec = &self.model.spec;
        let rate = if spec.drops_attention_output { spec.hidden_dropout } else { 0.0 };
        self.mask(rate, Site::AttentionOutput(layer))
    }

    /// The mask of a place; none outside training or at rate 0.
    pub(super) fn mask(&self, rate: f64, site: Site) -> Option<Mask> {
        self.keep.dropout_seed.filter(|_| rate > 0.0).map(|seed| Mask::new(rate, seed, site.number()))
    }

    /// The sequences of the batch, cut into the heads of a layer.
    pub(super) fn sequences(&self, layer: usize) -> Sequences {
        let spec = &self.model.spec;
        let shape = spec.layers[layer];
        Sequences {
            offsets: Arc::clone(&self.offsets),
            heads: shape.heads,
            head_dim: spec.head_dim,
            reach: shape.reach,
            globals: if shape.reach.is_some() { Arc::clone(&self.globals) } else { Arc::default() },
        }
    }
}

impl Packed<'_> {
    /// Checks a batch against the shape of a model.
    ///
    /// # Errors
    /// When its offsets are wrong, a sequence is longer than the model takes, or an id is out of range.
    pub fn check(&self, spec: &EncoderSpec) -> Result<(), ModelError> {
        let wrong = |what: String| Err(ModelError::Checkpoint(what));
        let tokens = self.input_ids.len();
        let covers = self.offsets.first() == Some(&0) && self.offsets.last() == Some(&tokens);
        if !covers || !self.offsets.is_sorted() || self.type_ids.len() != tokens {
            return wrong(format!("a batch of {tokens} tokens has wrong offsets or token types"));
        }
        for (row, ends) in self.offsets.windows(2).enumerate() {
            let len = ends[1] - ends[0];
            if len == 0 {
                return wrong(format!("row {row} of the batch has no tokens"));
            }
            if len > spec.max_positions {
                let most = spec.max_positions;
                return wrong(format!("row {row} of the batch has {len} tokens; the model takes at most {most}"));
            }
        }
        let bound = |what: &str, ids: &[u32], n: usize| match ids.iter().find(|id| **id as usize >= n) {
            Some(id) => wrong(format!("the {what} {id} is out of range: the model has {n}")),
            None => Ok(()),
        };
        bound("token id", self.input_ids, spec.vocab_size)?;
        // A family that has one type, or no types, has none to tell apart.
        if spec.type_vocab_size < 2 { Ok(()) } else { bound("token type", self.type_ids, spec.type_vocab_size) }
    }
}
