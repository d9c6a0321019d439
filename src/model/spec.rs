//! `EncoderSpec`: every axis on which the families differ.

/// An activation function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// `x Φ(x)`, with the exact error function: Hugging Face's `gelu`.
    Gelu,
    /// The tanh approximation: `gelu_new`, `gelu_pytorch_tanh`.
    GeluTanh,
    /// `max(0, x)`.
    Relu,
}

/// The shape of an encoder.
#[derive(Clone, Debug, PartialEq)]
pub struct EncoderSpec {
    /// `hidden_size`.
    pub hidden_size: usize,
    /// Heads of each layer that are left; as many as layers.
    pub heads: Vec<usize>,
    /// The width of a head; pruning heads does not change it.
    pub head_dim: usize,
    /// The width of each layer's feed-forward net; as many as layers.
    pub intermediate_size: Vec<usize>,
    /// `vocab_size`.
    pub vocab_size: usize,
    /// `max_position_embeddings`.
    pub max_positions: usize,
    /// `type_vocab_size`.
    pub type_vocab_size: usize,
    /// `layer_norm_eps`.
    pub layer_norm_eps: f64,
    /// `hidden_act`.
    pub activation: Activation,
    /// `hidden_dropout_prob`.
    pub hidden_dropout: f64,
    /// `attention_probs_dropout_prob`.
    pub attention_dropout: f64,
    /// `initializer_range`.
    pub initializer_range: f64,
    /// Whether there is a pooler (`tanh(W h₀ + b)`).
    pub pooler: bool,
}

impl EncoderSpec {
    /// The number of layers.
    #[must_use]
    pub fn n_layers(&self) -> usize {
        self.heads.len()
    }
}
