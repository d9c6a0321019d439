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
    /// There is no table: attention turns queries and keys by their positions ([`Rotary`]).
    NoTable,
}

impl Positions {
    /// Rows before that of a sequence's first token.
    #[must_use]
    pub fn offset(self) -> usize {
        match self {
            Self::FromZero | Self::NoTable => 0,
            Self::AfterPadding(padding) => padding as usize + 1,
        }
    }

    /// Rows of the table.
    #[must_use]
    pub fn table_rows(self, max_positions: usize) -> usize {
        if self == Self::NoTable { 0 } else { max_positions + self.offset() }
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

/// How embeddings come to the width of the layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Embedding {
    /// They have it.
    Plain,
    /// They have this one; their normalised sum goes through a linear layer (ELECTRA, ALBERT).
    Projected(usize),
    /// Words alone have another, and go through a linear layer before the sum (`MobileBERT`).
    Words {
        /// The width of a word's embedding.
        size: usize,
        /// Whether the layer sees the next and the previous token's, too.
        trigrams: bool,
    },
}

/// What normalises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Norm {
    /// `(x − mean) / √(variance + eps) · scale + shift`.
    Layer,
    /// `x · scale + shift`: `NoNorm` (Sun et al., 2020, section 3.3).
    Affine,
}

/// Layers that are narrower within (Sun et al., 2020, `MobileBERT`, section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bottleneck {
    /// Their width within, `true_hidden_size`.
    pub size: usize,
    /// Whether queries and keys come from a linear layer of their own, and values from the wide hidden state; else all three
    /// from what enters the layer.
    pub shares_keys: bool,
}

/// Positions as turns of queries and keys (Su et al., 2021, `RoFormer`, section 3.4.2).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rotary {
    /// The base of the angles.
    pub theta: f64,
    /// That of layers with windows.
    pub local_theta: f64,
}

/// Which parts have biases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each part has biases or not")]
pub struct Biases {
    /// The linear layers of attention.
    pub attention: bool,
    /// Those of feed-forward nets.
    pub feed_forward: bool,
    /// Norms.
    pub norms: bool,
    /// The linear layer of the masked-LM head before its norm.
    pub transform: bool,
    /// The decoder of the masked LM.
    pub decoder: bool,
}

impl Biases {
    /// All of them.
    pub const ALL: Self = Self { attention: true, feed_forward: true, norms: true, transform: true, decoder: true };
}

/// What a sequence classifier does with the first token's hidden state before its last linear layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClassifierHead {
    /// It takes the encoder's pooler (BERT).
    Pooler,
    /// Nothing (`MobileBERT` on request).
    First,
    /// It takes the transform of the masked-LM head (`ModernBERT`).
    Transform {
        /// Whether it takes the mean of all tokens' hidden states instead of the first one's.
        of_mean: bool,
    },
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
#[expect(clippy::struct_excessive_bools, reason = "families differ in parts that are there or not")]
pub struct EncoderSpec {
    /// `hidden_size`.
    pub hidden_size: usize,
    /// How embeddings come to that width.
    pub embedding: Embedding,
    /// Each layer's shape.
    pub layers: Vec<LayerShape>,
    /// How many layers have weights of their own, where neighbours share them (ALBERT).
    pub layer_groups: Option<usize>,
    /// Where layers are narrower within.
    pub bottleneck: Option<Bottleneck>,
    /// Feed-forward nets of a layer, one behind the other.
    pub feed_forwards: usize,
    /// Whether the first half of a feed-forward net's width is multiplied by a second (Shazeer, 2020, GLU variants, eq. 6).
    pub gated: bool,
    /// Whether norms stand before attention and feed-forward nets and behind the last layer, instead of after each sum.
    pub pre_norm: bool,
    /// What normalises.
    pub norm: Norm,
    /// Positions as turns of queries and keys.
    pub rotary: Option<Rotary>,
    /// Which parts have biases.
    pub biases: Biases,
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
    /// The same of the norms of embeddings and of each layer's last feed-forward net, where it is another.
    pub output_norm_eps: Option<f64>,
    /// `hidden_act`.
    pub activation: Activation,
    /// `hidden_dropout_prob`.
    pub hidden_dropout: f64,
    /// Whether what attention gives is dropped out, too.
    pub drops_attention_output: bool,
    /// Whether what a feed-forward net gives is dropped out, too.
    pub drops_feed_forward: bool,
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
            embedding: Embedding::Plain,
            layers,
            layer_groups: None,
            bottleneck: None,
            feed_forwards: 1,
            gated: false,
            pre_norm: false,
            norm: Norm::Layer,
            rotary: None,
            biases: Biases::ALL,
            head_dim,
            vocab_size: 30_522,
            max_positions: 512,
            positions: Positions::FromZero,
            type_vocab_size: 2,
            layer_norm_eps: 1e-12,
            output_norm_eps: None,
            activation: Activation::Gelu,
            hidden_dropout: 0.1,
            drops_attention_output: true,
            drops_feed_forward: true,
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

    /// The width of word embeddings.
    #[must_use]
    pub fn word_width(&self) -> usize {
        match self.embedding {
            Embedding::Plain => self.hidden_size,
            Embedding::Projected(size) | Embedding::Words { size, .. } => size,
        }
    }

    /// The width of the sum of word, position and type embeddings, and of the masked-LM head's transform.
    #[must_use]
    pub fn embedding_width(&self) -> usize {
        if let Embedding::Projected(size) = self.embedding { size } else { self.hidden_size }
    }

    /// The width of what attention is added to, within a layer.
    #[must_use]
    pub fn inner_size(&self) -> usize {
        self.bottleneck.map_or(self.hidden_size, |bottleneck| bottleneck.size)
    }

    /// How many layers have weights of their own.
    #[must_use]
    pub fn n_stored_layers(&self) -> usize {
        self.layer_groups.unwrap_or(self.layers.len())
    }

    /// The layer under whose number the weights of a layer are stored.
    #[must_use]
    pub fn stored_layer(&self, layer: usize) -> usize {
        match self.layer_groups {
            None => layer,
            // As Hugging Face computes it, roundings included.
            Some(groups) => (layer as f64 / (self.layers.len() as f64 / groups as f64)) as usize,
        }
    }

    /// The first layer that has the weights of a stored one.
    #[must_use]
    pub fn first_layer_of(&self, stored: usize) -> usize {
        (0..self.layers.len()).find(|&layer| self.stored_layer(layer) == stored).unwrap_or(stored)
    }

    /// The prefix of the names of a layer's modules.
    #[must_use]
    pub fn prefix(&self, layer: usize) -> String {
        format!("bert.encoder.layer.{}", self.stored_layer(layer))
    }

    /// The prefixes of all feed-forward nets with weights of their own, in order, each with its layer.
    #[must_use]
    pub fn nets(&self) -> Vec<(usize, String)> {
        let layers = (0..self.n_stored_layers()).map(|stored| self.first_layer_of(stored));
        let nets = self.feed_forward_modules();
        layers.flat_map(|layer| nets.iter().map(move |net| (layer, format!("{}{net}", self.prefix(layer))))).collect()
    }

    /// The modules of a layer's feed-forward nets behind its prefix, in order: `intermediate.dense` and `output.dense` stand
    /// behind these.
    #[must_use]
    pub fn feed_forward_modules(&self) -> Vec<String> {
        (0..self.feed_forwards - 1).map(|net| format!(".ffn.{net}")).chain([String::new()]).collect()
    }

    /// The base of the angles of a layer, where queries and keys are turned.
    #[must_use]
    pub fn theta(&self, layer: usize) -> Option<f64> {
        let is_local = self.layers[layer].reach.is_some();
        self.rotary.map(|rotary| if is_local { rotary.local_theta } else { rotary.theta })
    }

    /// The epsilon of the layer norm of a module; none where it only scales and shifts.
    #[must_use]
    pub fn norm_eps(&self, module: &str) -> Option<f64> {
        let is_of_head = module.starts_with("cls.");
        if self.norm == Norm::Affine && !is_of_head {
            return None;
        }
        let layer = module.strip_prefix("bert.encoder.layer.").and_then(|rest| rest.split_once('.'));
        let is_output = layer.map_or(module == "bert.embeddings.LayerNorm", |(_, name)| name == "output.LayerNorm");
        Some(self.output_norm_eps.filter(|_| is_output).unwrap_or(self.layer_norm_eps))
    }

    /// Whether layers are those of BERT but for their widths and windows.
    #[must_use]
    pub fn has_plain_layers(&self) -> bool {
        let Self { bottleneck, feed_forwards, gated, pre_norm, norm, rotary, biases, output_norm_eps, .. } = self;
        let is_wider = bottleneck.is_some() || *feed_forwards > 1 || *gated || rotary.is_some();
        !is_wider && !pre_norm && *norm == Norm::Layer && *biases == Biases::ALL && output_norm_eps.is_none()
    }

    /// The projections of a layer's attention.
    #[must_use]
    pub fn projections(&self) -> &'static [&'static str] {
        const ALL: [&str; 6] = ["query", "key", "value", "query_global", "key_global", "value_global"];
        if self.global_projections { &ALL } else { &ALL[..3] }
    }
}
