//! What stands on the encoder: pooler and classifier, a classifier of tokens, or the masked-LM head.

use super::{
    Chunk, Engine,
    arena::{Arena, grow},
    norm::Norm,
    weights::Weights,
};
use crate::{
    kernels::linear::{After, Linear, Quantized},
    model::{
        Activation, ClassifierHead, DECODER_REST, EncoderSpec, Head, ModelError, TOKEN_CLASSIFIER, TRANSFORM,
        TRANSFORM_NORM,
    },
};

/// A head, packed.
pub(super) enum Answer {
    None,
    Classify(Box<Classifier>),
    ClassifyTokens(Box<TokenClassifier>),
    PredictTokens(Box<TokenHead>),
}

/// `W f(W₀ h₀ + b₀) + b`, `h₀` the hidden state of each sequence's first token, or the mean of all; before it the encoder's
/// pooler, a layer of the head's own, or nothing.
pub(super) struct Classifier {
    before: Before,
    of_mean: bool,
    output: Linear,
}

enum Before {
    Nothing,
    Dense(Linear, After),
    Transform(Transform),
}

/// `LayerNorm(f(W h + b))`.
struct Transform {
    dense: Linear,
    after: After,
    norm: Norm,
}

/// `W h + b` of every token, after the family's transform where it has one.
pub(super) struct TokenClassifier {
    transform: Option<Transform>,
    output: Linear,
}

/// `E LayerNorm(f(W h + b)) + c`, `E` the word embeddings (Devlin et al., 2019), or a decoder of its own where the
/// checkpoint has one.
pub(super) struct TokenHead {
    transform: Transform,
    decoder: Linear,
}

impl Transform {
    fn new(spec: &EncoderSpec, weights: &mut Weights) -> Result<Self, ModelError> {
        Ok(Self {
            dense: weights.linear(TRANSFORM)?,
            after: After { activation: Some(spec.masked_lm_activation.function()), add: false },
            norm: Norm::new(spec, TRANSFORM_NORM, weights)?,
        })
    }

    fn forward(&self, x: &[f32], quantized: &mut Quantized, out: &mut [f32]) {
        self.dense.forward(x, quantized, self.after, out);
        self.norm.in_place(out);
    }
}

impl Classifier {
    fn new(spec: &EncoderSpec, weights: &mut Weights) -> Result<Self, ModelError> {
        let dense = |module: &str, activation: Activation, weights: &mut Weights| {
            let after = After { activation: Some(activation.function()), add: false };
            Ok::<_, ModelError>(Before::Dense(weights.linear(module)?, after))
        };
        let before = match spec.classifier {
            ClassifierHead::Pooler => dense("bert.pooler.dense", Activation::Tanh, weights)?,
            ClassifierHead::Dense { activation, .. } => dense("classifier.dense", activation, weights)?,
            ClassifierHead::Transform { .. } => Before::Transform(Transform::new(spec, weights)?),
            ClassifierHead::First => Before::Nothing,
        };
        let of_mean = spec.classifier == (ClassifierHead::Transform { of_mean: true });
        Ok(Self { before, of_mean, output: weights.linear("classifier")? })
    }

    /// The logits of rows of pooled hidden states.
    fn forward(&self, pooled: &[f32], wide: &mut Vec<f32>, quantized: &mut Quantized, out: &mut [f32]) {
        grow(wide, pooled.len());
        let wide = &mut wide[..pooled.len()];
        match &self.before {
            Before::Nothing => return self.output.forward(pooled, quantized, After::default(), out),
            Before::Dense(dense, after) => dense.forward(pooled, quantized, *after, wide),
            Before::Transform(transform) => transform.forward(pooled, quantized, wide),
        }
        self.output.forward(wide, quantized, After::default(), out);
    }
}

impl TokenHead {
    /// The logits of some tokens of a chunk whose last hidden state is in `arena.x`.
    pub(super) fn at(&self, engine: &Engine, tokens: impl Iterator<Item = usize>, arena: &mut Arena, out: &mut [f32]) {
        let hidden = engine.spec.hidden_size;
        let Arena { x, wide, narrow, quantized, .. } = arena;
        narrow.clear();
        tokens.for_each(|token| narrow.extend_from_slice(&x[token * hidden..(token + 1) * hidden]));
        let rows = narrow.len() / hidden;
        let width = self.transform.norm.width();
        grow(wide, rows * width);
        let transformed = &mut wide[..rows * width];
        self.transform.forward(narrow, quantized, transformed);
        self.decoder.forward(transformed, quantized, After::default(), out);
    }
}

impl Answer {
    pub(super) fn new(spec: &EncoderSpec, head: &Head, weights: &mut Weights) -> Result<Self, ModelError> {
        match head {
            Head::None => Ok(Self::None),
            Head::SequenceClassification { .. } => Ok(Self::Classify(Box::new(Classifier::new(spec, weights)?))),
            Head::TokenClassification { .. } => {
                let has_transform = matches!(spec.classifier, ClassifierHead::Transform { .. });
                let transform = has_transform.then(|| Transform::new(spec, weights)).transpose()?;
                let output = weights.linear(TOKEN_CLASSIFIER)?;
                Ok(Self::ClassifyTokens(Box::new(TokenClassifier { transform, output })))
            }
            Head::MaskedLm => {
                let transform = Transform::new(spec, weights)?;
                let bias = weights.bias("cls.predictions", spec.vocab_size)?;
                let decoder = Linear::from_f32(&decoder(spec, weights)?, &bias);
                Ok(Self::PredictTokens(Box::new(TokenHead { transform, decoder })))
            }
        }
    }

    /// Whether it needs the hidden states of all tokens.
    pub(super) fn needs_all_tokens(&self) -> bool {
        match self {
            Self::Classify(head) => head.of_mean,
            Self::None | Self::ClassifyTokens(_) | Self::PredictTokens(_) => true,
        }
    }

    /// The logits of a chunk whose last hidden state is in `arena.x`: of first tokens for a classifier that needs no other, of
    /// all else.
    pub(super) fn run(&self, engine: &Engine, chunk: Chunk<'_>, arena: &mut Arena, out: &mut [f32]) {
        let hidden = engine.spec.hidden_size;
        let Arena { x, wide, narrow, quantized, .. } = arena;
        match self {
            Self::None => {}
            Self::Classify(head) if head.of_mean => {
                means(chunk, x, hidden, narrow);
                head.forward(narrow, wide, quantized, out);
            }
            Self::Classify(head) => {
                let rows = chunk.offsets.len() - 1;
                head.forward(&x[..rows * hidden], wide, quantized, out);
            }
            Self::ClassifyTokens(head) => {
                let x = &x[..chunk.input_ids.len() * hidden];
                let Some(transform) = &head.transform else {
                    return head.output.forward(x, quantized, After::default(), out);
                };
                grow(wide, x.len());
                let transformed = &mut wide[..x.len()];
                transform.forward(x, quantized, transformed);
                head.output.forward(transformed, quantized, After::default(), out);
            }
            Self::PredictTokens(head) => {
                let tokens = chunk.input_ids.len();
                let width = head.transform.norm.width();
                grow(wide, tokens * width);
                let transformed = &mut wide[..tokens * width];
                head.transform.forward(&x[..tokens * hidden], quantized, transformed);
                head.decoder.forward(transformed, quantized, After::default(), out);
            }
        }
    }
}

/// The mean of each sequence's hidden states, `[rows, hidden]`.
fn means(chunk: Chunk<'_>, x: &[f32], hidden: usize, out: &mut Vec<f32>) {
    out.clear();
    for ends in chunk.offsets.windows(2) {
        let start = out.len();
        out.resize(start + hidden, 0.0);
        let mean = &mut out[start..];
        for x in x[ends[0] * hidden..ends[1] * hidden].chunks_exact(hidden) {
            mean.iter_mut().zip(x).for_each(|(sum, x)| *sum += x);
        }
        let n = (ends[1] - ends[0]) as f32;
        for sum in mean {
            *sum /= n;
        }
    }
}

/// The decoder of a masked LM, `[vocab_size, width]`: its own, or the word embeddings, with further columns where those are
/// too narrow.
fn decoder(spec: &EncoderSpec, weights: &mut Weights) -> Result<Vec<f32>, ModelError> {
    let own = "cls.predictions.decoder";
    let is_tied = !weights.has(&format!("{own}.weight"));
    let words = weights.peek(if is_tied { "bert.embeddings.word_embeddings" } else { own })?;
    let missing = spec.embedding_width() - spec.word_width();
    if missing == 0 {
        return Ok(words);
    }
    let (rest, vocab_size) = (weights.peek(DECODER_REST)?, spec.vocab_size);
    let mut decoder = Vec::with_capacity(vocab_size * spec.embedding_width());
    for (token, word) in words.chunks_exact(spec.word_width()).enumerate() {
        decoder.extend_from_slice(word);
        decoder.extend((0..missing).map(|column| rest[column * vocab_size + token]));
    }
    Ok(decoder)
}
