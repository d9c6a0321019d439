//! LED's `config.json`: the shapes of encoder and decoder, and the tokens that begin and end what is written.

use crate::model::{
    Activation, EncoderSpec, LayerShape, ModelError,
    checkpoint::Fields,
    families::{activation, windows},
};

/// The shape of a decoder (Lewis et al., 2020, BART, section 2.1): post-norm layers of causal self-attention, attention to
/// the encoder's hidden states, and a feed-forward net.
#[derive(Clone, Debug, PartialEq)]
pub struct DecoderSpec {
    /// `d_model`, the encoder's, too.
    pub hidden_size: usize,
    /// `decoder_layers`.
    pub layers: usize,
    /// `decoder_attention_heads`.
    pub heads: usize,
    /// `decoder_ffn_dim`.
    pub intermediate_size: usize,
    /// `max_decoder_position_embeddings`: tokens that it may be given.
    pub max_positions: usize,
    /// `vocab_size`.
    pub vocab_size: usize,
    /// `activation_function`.
    pub activation: Activation,
    /// That of every norm.
    pub layer_norm_eps: f64,
}

/// `PyTorch`'s own, as no key of the config names another.
const LAYER_NORM_EPS: f64 = 1e-5;

/// More layers than any model has.
const MOST_LAYERS: usize = 1000;

/// The encoder: a Longformer whose positions are counted from 0, without token types and pooler (Beltagy et al., 2020,
/// section 7).
pub(super) fn encoder(config: &Fields<'_>) -> Result<EncoderSpec, ModelError> {
    let (hidden_size, heads) = heads(config, "encoder_attention_heads")?;
    let n_layers = layers(config, "encoder_layers")?;
    let intermediate_size = config.positive("encoder_ffn_dim")?;
    let layers = windows(config, n_layers)?
        .into_iter()
        .map(|window| LayerShape { heads, intermediate_size, reach: Some(window / 2) })
        .collect();
    let activation = activation(config, "activation_function", "gelu")?;
    Ok(EncoderSpec {
        vocab_size: config.positive("vocab_size")?,
        max_positions: config.positive("max_encoder_position_embeddings")?,
        type_vocab_size: 0,
        layer_norm_eps: LAYER_NORM_EPS,
        activation,
        masked_lm_activation: activation,
        hidden_dropout: config.rate_or("dropout", 0.1)?,
        attention_dropout: config.rate_or("attention_dropout", 0.0)?,
        initializer_range: config.number_or("init_std", 0.02)?,
        pooler: false,
        global_projections: true,
        ..EncoderSpec::bert(hidden_size, hidden_size / heads, layers)
    })
}

/// The decoder.
pub(super) fn decoder(config: &Fields<'_>) -> Result<DecoderSpec, ModelError> {
    let (hidden_size, heads) = heads(config, "decoder_attention_heads")?;
    Ok(DecoderSpec {
        hidden_size,
        layers: layers(config, "decoder_layers")?,
        heads,
        intermediate_size: config.positive("decoder_ffn_dim")?,
        max_positions: config.positive("max_decoder_position_embeddings")?,
        vocab_size: config.positive("vocab_size")?,
        activation: activation(config, "activation_function", "gelu")?,
        layer_norm_eps: LAYER_NORM_EPS,
    })
}

/// The width, and the number of heads that part it.
fn heads(config: &Fields<'_>, key: &str) -> Result<(usize, usize), ModelError> {
    let (width, heads) = (config.positive("d_model")?, config.positive(key)?);
    if width.is_multiple_of(heads) {
        return Ok((width, heads));
    }
    Err(config.fault(&format!("`{key}` ({heads}) does not divide `d_model` ({width})")))
}

fn layers(config: &Fields<'_>, key: &str) -> Result<usize, ModelError> {
    let layers = config.positive(key)?;
    if layers <= MOST_LAYERS {
        return Ok(layers);
    }
    Err(config.fault(&format!("`{key}` is {layers}; no model has more than {MOST_LAYERS}")))
}
