//! One forward pass: embeddings, layers, head, over a packed batch.

use std::{borrow::Cow, sync::Arc};

use candle_core::{DType, Tensor};

use super::{
    EncoderSpec, Head, Keep, Model, ModelError, Output, Packed, Rotary, embeddings, heads, layer, linear,
    memory::TrainingMemory,
    network::missing,
    ops::{self, Route, Sequences, Turns},
    params::FINAL_NORM,
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
    /// By how much positions turn queries and keys: of layers that see everything, and of those with windows.
    turns: Option<[Turns; 2]>,
    /// What becomes of the input of a linear layer before it, by the name of its module.
    hook: Option<&'a Hook<'a>>,
}

/// A change of what a linear layer takes: the name of its module, and its input.
pub(super) type Hook<'a> = dyn Fn(&str, &Tensor) -> candle_core::Result<Tensor> + 'a;

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
        if !model.device.is_cpu() {
            check_size(&model.spec, &model.head, batch.offsets)?;
        }
        let chosen = || batch.globals.filter(|_| model.spec.global_projections).map(<[usize]>::to_vec);
        let globals = chosen().unwrap_or_else(|| model.globals(batch.offsets)).into();
        let head_dim = model.spec.head_dim;
        let turns = |theta: f64| Turns::new(batch.offsets, theta, head_dim, &model.device);
        let turns = match model.spec.rotary {
            Some(Rotary { theta, local_theta }) => Some([turns(theta)?, turns(local_theta)?]),
            None => None,
        };
        Ok(Self { model, batch, keep, route, offsets: Arc::from(batch.offsets), globals, turns, hook: None })
    }

    /// The same pass with a change of what linear layers take.
    pub(super) fn with_hook(self, hook: &'a Hook<'a>) -> Self {
        Self { hook: Some(hook), ..self }
    }

    /// What a linear layer takes.
    pub(super) fn before_linear<'x>(&self, module: &str, x: &'x Tensor) -> Result<Cow<'x, Tensor>, ModelError> {
        match self.hook {
            Some(hook) => Ok(Cow::Owned(hook(module, x)?)),
            None => Ok(Cow::Borrowed(x)),
        }
    }

    pub(super) fn run(&self) -> Result<Output, ModelError> {
        let mut x = embeddings::forward(self)?; // [tokens, hidden]
        if let Some(memory) = self.memory() {
            return self.run_collecting(x, memory);
        }
        let (mut hidden_states, mut attentions, mut projections) = (Vec::new(), Vec::new(), Vec::new());
        for index in 0..self.model.spec.n_layers() {
            if self.keep.hidden_states {
                hidden_states.push(x.clone());
            }
            let (out, kept) = layer::forward(self, index, &x)?;
            attentions.extend(kept.probabilities);
            projections.extend(kept.projections);
            x = out;
        }
        if self.keep.hidden_states {
            hidden_states.push(x.clone());
        }
        if self.model.spec.pre_norm {
            x = self.norm(FINAL_NORM, &x)?;
        }
        let logits = heads::forward(self, &x)?;
        Ok(Output { last_hidden_state: x, logits, hidden_states, attentions, projections })
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
        let (attentions, projections) = (Vec::new(), Vec::new());
        Ok(Output { last_hidden_state: x, logits, hidden_states, attentions, projections })
    }

    /// Where gradients go, in a pass that trains and keeps nothing from within its layers.
    pub(super) fn memory(&self) -> Option<&'a TrainingMemory> {
        let looks_within = self.keep.attentions || self.keep.projections;
        let trains = self.keep.dropout_seed.is_some() && !looks_within && self.route == Route::Fused;
        self.model.memory.as_ref().filter(|_| trains && self.model.spec.has_plain_layers())
    }

    /// A parameter by name.
    pub(super) fn parameter(&self, name: &str) -> Result<&'a Tensor, ModelError> {
        self.model.params.get(name).ok_or_else(|| missing(name))
    }

    /// The weight of a module as an f32 matrix, where there is one.
    pub(super) fn matrix(&self, module: &str) -> Result<Option<Cow<'a, Tensor>>, ModelError> {
        match (self.model.params.get(&format!("{module}.weight")), self.model.int8.get(module)) {
            (Some(weight), _) => Ok(Some(Cow::Borrowed(weight))),
            (None, Some(weight)) => Ok(Some(Cow::Owned(weight.dequantize()?))),
            (None, None) => Ok(None),
        }
    }

    /// The bias of a module; zeros where its family has none.
    pub(super) fn bias(&self, module: &str, width: usize) -> Result<Cow<'a, Tensor>, ModelError> {
        match self.model.params.get(&format!("{module}.bias")) {
            Some(bias) => Ok(Cow::Borrowed(bias)),
            None => Ok(Cow::Owned(Tensor::zeros(width, DType::F32, &self.model.device)?)),
        }
    }

    /// The linear layer of a module, f32 or int8.
    pub(super) fn linear(&self, module: &str, x: &Tensor) -> Result<Tensor, ModelError> {
        linear::forward(self, module, x)
    }

    /// The norm of a module.
    pub(super) fn norm(&self, module: &str, x: &Tensor) -> Result<Tensor, ModelError> {
        let scale = self.parameter(&format!("{module}.weight"))?;
        let shift = self.bias(module, scale.elem_count())?;
        let eps = self.model.spec.norm_eps(module);
        Ok(ops::normalize(x, scale, &shift, eps, self.route)?)
    }

    /// By how much positions turn the queries and keys of a layer.
    pub(super) fn turns(&self, layer: usize) -> Option<&Turns> {
        let is_local = self.model.spec.layers[layer].reach.is_some();
        self.turns.as_ref().map(|[whole, local]| if is_local { local } else { whole })
    }

    /// The mask of attention probabilities.
    pub(super) fn attention_mask(&self, layer: usize) -> Option<Mask> {
        self.mask(self.model.spec.attention_dropout, Site::Attention(layer))
    }

    /// The mask of what tokens that see everything pay attention to.
    pub(super) fn global_attention_mask(&self, layer: usize) -> Option<Mask> {
        self.mask(self.model.spec.attention_dropout, Site::GlobalAttention(layer))
    }

    /// The mask of what attention gives.
    pub(super) fn attention_output_mask(&self, layer: usize) -> Option<Mask> {
        let spec = &self.model.spec;
        let rate = if spec.drops_attention_output { spec.hidden_dropout } else { 0.0 };
        self.mask(rate, Site::AttentionOutput(layer))
    }

    /// The mask of what a layer's last linear layer gives.
    pub(super) fn feed_forward_mask(&self, layer: usize) -> Option<Mask> {
        let spec = &self.model.spec;
        let rate = if spec.drops_feed_forward { spec.hidden_dropout } else { 0.0 };
        self.mask(rate, Site::FeedForward(layer))
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

/// The most numbers of a tensor on a device: candle's kernels count them in 32 bits, and do not end where there are more.
const MOST_NUMBERS: usize = u32::MAX as usize;

/// Checks that what is computed of a batch on a device has no larger tensors: the probabilities of attention, padded, what is
/// widest in a layer, and a masked LM's logits.
fn check_size(spec: &EncoderSpec, head: &Head, offsets: &[usize]) -> Result<(), ModelError> {
    let rows = offsets.len().saturating_sub(1);
    let longest = offsets.windows(2).map(|ends| ends[1] - ends[0]).max().unwrap_or(0);
    let heads = spec.layers.iter().map(|layer| layer.heads).max().unwrap_or(0);
    let widths = spec.layers.iter().map(|layer| layer.intermediate_size).chain([spec.hidden_size]);
    let widest = widths.chain((*head == Head::MaskedLm).then_some(spec.vocab_size)).max().unwrap_or(0);
    let tokens = offsets.last().copied().unwrap_or(0);
    if (rows * heads * longest * longest).max(tokens * widest) <= MOST_NUMBERS {
        return Ok(());
    }
    Err(ModelError::Device(format!(
        "{rows} rows of up to {longest} tokens are too many at once for a device: a smaller `batch_size` (with as much more \
         `accumulate`, a training stays the same) or `max_length` is needed"
    )))
}

impl Packed<'_> {
    /// Checks a batch against the shape of a model.
    ///
    /// # Errors
    /// When its offsets or global tokens are wrong, a sequence is longer than the model takes, or an id is out of range.
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
        let globals = self.globals.unwrap_or_default();
        if !globals.is_sorted_by(|a, b| a < b) || globals.last().is_some_and(|last| *last >= tokens) {
            return wrong(format!("the tokens that all see must ascend and be among the {tokens} of the batch"));
        }
        let has_windows = spec.layers.iter().any(|layer| layer.reach.is_some());
        if !globals.is_empty() && has_windows && !spec.global_projections {
            return wrong("the model's family has windows, but no tokens that all see".to_owned());
        }
        bound("token id", self.input_ids, spec.vocab_size)?;
        // A family that has one type, or no types, has none to tell apart.
        if spec.type_vocab_size < 2 { Ok(()) } else { bound("token type", self.type_ids, spec.type_vocab_size) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::LayerShape;

    #[test]
    fn batches_that_would_never_end_are_refused() {
        let layer = LayerShape { heads: 12, intermediate_size: 1536, reach: None };
        let spec = EncoderSpec { vocab_size: 30_522, ..EncoderSpec::bert(384, 32, vec![layer; 6]) };
        let fits = |head: Head, rows: usize, longest: usize| {
            let offsets: Vec<usize> = (0..=rows).map(|row| row * longest).collect();
            check_size(&spec, &head, &offsets).map_err(|error| error.to_string())
        };
        assert_eq!(fits(Head::None, 5000, 256), Ok(()));
        let error = fits(Head::None, 6000, 256).unwrap_err();
        assert!(error.starts_with("6000 rows of up to 256 tokens are too many"), "{error}");
        assert_eq!(fits(Head::MaskedLm, 140_000, 1), Ok(()));
        assert!(fits(Head::MaskedLm, 141_000, 1).is_err());
    }
}
