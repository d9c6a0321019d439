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
    /// `tanh(x)`.
    Tanh,
}

/// The shape of one layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayerShape {
    /// Heads that are left.
    pub heads: usize,
    /// The width of the feed-forward net.
    pub intermediate_size: usize,
    /// How far a token sees each way, half of what Hugging Face calls `attention_window`; all tokens without one.
    pub reach: Option<usize>,
}

/// How the rows of the position table are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Positions {
    /// From 0.
    FromZero,
    /// From behind the row of the padding token, which has its own row wherever it stands, and is not counted
    /// (`RoBERTa`).
    AfterPadding(u32),
}

impl Positions {
    /// Rows before that of a sequence's first token.
    #[must_use]
    pub fn offset(self) -> usize {
        match self {
            Self::FromZero => 0,
            Self::AfterPadding(padding) => padding as usize + 1,
        }
    }

    /// The row of each token of a sequence.
    pub fn rows(self, input_ids: &[u32]) -> impl Iterator<Item = usize> + '_ {
        let mut next = self.offset();
        input_ids.iter().map(move |&id| match self {
            Self::AfterPadding(padding) if id == padding => padding as usize,
            _ => {
                next += 1;
                next - 1
            }
        })
    }
}

/// What a sequence classifier does with the first token's hidden state before its last linear layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClassifierHead {
    /// It takes the encoder's pooler (BERT).
    Pooler,
    /// A linear layer of its own, `classifier.dense`, and an activation.
    Dense {
        /// The activation.
        activation: Activation,
        /// Whether the hidden state is dropped out before the layer, too.
        drops_input: bool,
    },
}

/// The shape of an encoder.
#[derive(Clone, Debug, PartialEq)]
pub struct EncoderSpec {
    /// `hidden_size`.
    pub hidden_size: usize,
    /// The width of the embeddings where a linear layer brings them to `hidden_size`; else they have that width.
    pub embedding_size: Option<usize>,
    /// Each layer's shape.
    pub layers: Vec<LayerShape>,
    /// The width of a head; pruning heads does not change it.
    pub head_dim: usize,
    /// `vocab_size`.
    pub vocab_size: usize,
    /// Tokens that a sequence may have.
    pub max_positions: usize,
    /// How rows of the position table are counted.
    pub positions: Positions,
    /// `type_vocab_size`; 0 where there are no token types.
    pub type_vocab_size: usize,
    /// `layer_norm_eps`.
    pub layer_norm_eps: f64,
    /// `hidden_act`.
    pub activation: Activation,
    /// `hidden_dropout_prob`.
    pub hidden_dropout: f64,
    /// Whether what attention gives is dropped out, too.
    pub drops_attention_output: bool,
    /// The rate of a classifier; the encoder's without it.
    pub classifier_dropout: Option<f64>,
    /// `attention_probs_dropout_prob`.
    pub attention_dropout: f64,
    /// `initializer_range`.
    pub initializer_range: f64,
    /// Whether there is a pooler (`tanh(W h₀ + b)`).
    pub pooler: bool,
    /// What stands before the last layer of a classifier.
    pub classifier: ClassifierHead,
    /// Whether tokens that see the whole sequence have projections of their own (`Longformer`).
    pub global_projections: bool,
    /// The activation of the masked-LM head.
    pub masked_lm_activation: Activation,
}

impl EncoderSpec {
    /// BERT's, with what its config has where it says nothing (Devlin et al., 2019).
    #[must_use]
    pub fn bert(hidden_size: usize, head_dim: usize, layers: Vec<LayerShape>) -> Self {
        Self {
            hidden_size,
            embedding_size: None,
            layers,
            head_dim,
            vocab_size: 30_522,
            max_positions: 512,
            positions: Positions::FromZero,
            type_vocab_size: 2,
            layer_norm_eps: 1e-12,
            activation: Activation::Gelu,
            hidden_dropout: 0.1,
            drops_attention_output: true,
            classifier_dropout: None,
            attention_dropout: 0.1,
            initializer_range: 0.02,
            pooler: true,
            classifier: ClassifierHead::Pooler,
            global_projections: false,
            masked_lm_activation: Activation::Gelu,
        }
    }

    /// The number of layers.
    #[must_use]
    pub fn n_layers(&self) -> usize {
        self.layers.len()
    }

    /// The width of the embedding tables.
    #[must_use]
    pub fn embedding_width(&self) -> usize {
        self.embedding_size.unwrap_or(self.hidden_size)
    }

    /// The projections of a layer's attention.
    #[must_use]
    pub fn projections(&self) -> &'static [&'static str] {
        const ALL: [&str; 6] = ["query", "key", "value", "query_global", "key_global", "value_global"];
        if self.global_projections { &ALL } else { &ALL[..3] }
    }
}
