//! What stands on the encoder: pooler and classifier, or the masked-LM head.

use super::{
    Chunk, Engine,
    arena::{Arena, grow},
    weights::Weights,
};
use crate::{
    kernels::{
        linear::{After, Linear},
        norm,
    },
    model::{Activation, ClassifierHead, EncoderSpec, Head, ModelError},
};

/// A head, packed.
pub(super) enum Answer {
    None,
    Classify(Box<Classifier>),
    PredictTokens(Box<TokenHead>),
}

/// `W f(W₀ h₀ + b₀) + b`, `h₀` the hidden state of each sequence's first token; before it the encoder's pooler, or a layer of
/// the head's own.
pub(super) struct Classifier {
    dense: Linear,
    after: After,
    output: Linear,
}

/// `E LayerNorm(f(W h + b)) + c`, `E` the word embeddings (Devlin et al., 2019), or a decoder of its own where the
/// checkpoint has one.
pub(super) struct TokenHead {
    transform: Linear,
    after: After,
    norm: (Vec<f32>, Vec<f32>),
    eps: f32,
    decoder: Linear,
}

impl Answer {
    pub(super) fn new(spec: &EncoderSpec, head: &Head, weights: &mut Weights) -> Result<Self, ModelError> {
        match head {
            Head::None => Ok(Self::None),
            Head::SequenceClassification { .. } => {
                let (dense, activation) = match spec.classifier {
                    ClassifierHead::Pooler => ("bert.pooler.dense", Activation::Tanh),
                    ClassifierHead::Dense { activation, .. } => ("classifier.dense", activation),
                };
                Ok(Self::Classify(Box::new(Classifier {
                    dense: weights.linear(dense)?,
                    after: After { activation: Some(activation.function()), add: false },
                    output: weights.linear("classifier")?,
                })))
            }
            Head::MaskedLm => {
                let own = "cls.predictions.decoder";
                let decoder = if weights.has(&format!("{own}.weight")) {
                    weights.peek(own)?
                } else {
                    weights.peek("bert.embeddings.word_embeddings")?
                };
                Ok(Self::PredictTokens(Box::new(TokenHead {
                    transform: weights.linear("cls.predictions.transform.dense")?,
                    after: After { activation: Some(spec.masked_lm_activation.function()), add: false },
                    norm: weights.norm("cls.predictions.transform.LayerNorm")?,
                    eps: spec.layer_norm_eps as f32,
                    decoder: Linear::from_f32(&decoder, &weights.take("cls.predictions.bias")?),
                })))
            }
        }
    }

    /// The logits of a chunk whose last hidden state is in `arena.x`: of first tokens for a classifier, of all else.
    pub(super) fn run(&self, engine: &Engine, chunk: Chunk<'_>, arena: &mut Arena, out: &mut [f32]) {
        let hidden = engine.spec.hidden_size;
        match self {
            Self::None => {}
            Self::Classify(head) => {
                let rows = chunk.offsets.len() - 1;
                grow(&mut arena.wide, rows * hidden);
                let pooled = &mut arena.wide[..rows * hidden];
                head.dense.forward(&arena.x[..rows * hidden], &mut arena.quantized, head.after, pooled);
                head.output.forward(pooled, &mut arena.quantized, After::default(), out);
            }
            Self::PredictTokens(head) => {
                let tokens = chunk.input_ids.len();
                let width = head.transform.outputs();
                grow(&mut arena.wide, tokens * width);
                let transformed = &mut arena.wide[..tokens * width];
                head.transform.forward(&arena.x[..tokens * hidden], &mut arena.quantized, head.after, transformed);
                norm::in_place(transformed, &head.norm.0, &head.norm.1, head.eps);
                head.decoder.forward(transformed, &mut arena.quantized, After::default(), out);
            }
        }
    }
}
