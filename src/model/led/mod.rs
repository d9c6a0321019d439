//! LED, the Longformer Encoder-Decoder (Beltagy et al., 2020, section 7): an encoder with windows, and BART's decoder (Lewis
//! et al., 2020).
//!
//! The encoder is a [`Model`] as any other, under our names; the decoder's parameters keep theirs. Nothing of it is trained
//! or written here.

mod config;
mod names;
mod writing;

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use candle_core::{Device, Tensor};
use serde_json::Value;

pub use self::{
    config::DecoderSpec,
    writing::{EarlyStopping, Writing},
};
use super::{
    Head, Model, ModelError, Quantized,
    checkpoint::{self, Fields, Raw, Reader, Values},
    params::{Parameter, parameters},
};

/// `model_type` in `config.json`.
pub(super) const MODEL_TYPE: &str = "led";

/// A checkpoint of LED.
#[derive(Debug)]
pub struct Led {
    /// The encoder, without a head.
    pub encoder: Model,
    /// The shape of the decoder.
    pub decoder: DecoderSpec,
    /// The decoder's parameters under LED's names (`led.decoder.layers.0.fc1.weight`, `[out, in]`), `lm_head.weight` where it
    /// is not the encoder's table of words, and `final_logits_bias`, `[1, vocab_size]`, where there is one.
    pub params: BTreeMap<String, Tensor>,
    /// The tokens with a meaning of their own, and how the checkpoint proposes to write.
    pub writing: Writing,
    /// What a user should know about how it was read.
    pub notes: Vec<String>,
}

/// Whether a directory says that it holds a LED; nothing else of it is looked at.
#[must_use]
pub fn is_led(dir: &Path) -> bool {
    checkpoint::read_config(dir).is_ok_and(|(_, object)| object.get("model_type").is_some_and(|it| it == MODEL_TYPE))
}

/// Why a LED is not read as an encoder.
pub(super) fn refusal() -> String {
    "the model is a LED, an encoder and a decoder that write summaries: `lmpipe summarize` and the stage `summarize` take it, \
     and no command trains, compresses, times or exports it"
        .to_owned()
}

impl Led {
    /// Reads a Hugging Face directory: `config.json`, `generation_config.json` if there is one, and weights (safetensors or a
    /// pickle, in one file or several) of `LEDForConditionalGeneration` or `LEDModel`, with the prefixes `led.` or `model.` or
    /// none.
    ///
    /// # Errors
    /// When a file is missing or damaged, it is no LED, or a tensor is missing or of another shape than the config says.
    pub fn load(dir: &Path) -> Result<Self, ModelError> {
        let (file, object) = checkpoint::read_config(dir)?;
        let config = Fields::new(&file, &object);
        match config.text("model_type")? {
            Some(MODEL_TYPE) => {}
            Some(other) => {
                return Err(config.fault(&format!("`model_type` is `{other}`; what writes texts is a `led`")));
            }
            None => return Err(config.fault("`model_type` is missing")),
        }
        if config.value("quantization_config").is_some() {
            return Err(config.fault("there is a `quantization_config`; a LED is read in f32, f16 or bf16 only"));
        }
        let (spec, decoder) = (config::encoder(&config)?, config::decoder(&config)?);
        let writing = writing::read(dir, &object, decoder.vocab_size)?;
        let is_tied = config.flag("tie_word_embeddings")?.unwrap_or(true);

        let raw = renamed(checkpoint::read_weights(dir)?, is_tied)?;
        let of_encoder = parameters(&spec, &Head::None);
        let of_decoder = decoder_parameters(&decoder, is_tied);
        let their = |parameter: &Parameter| Parameter { name: names::theirs(&parameter.name), ..parameter.clone() };
        let mut wanted: Vec<_> = of_encoder.iter().map(their).chain(of_decoder).collect();
        let mut reader = Reader::new(raw, &Device::Cpu, &Quantized::No);
        reader.require_all(&wanted, dir)?;
        // Checkpoints without it add nothing.
        wanted.push(Parameter { name: names::LOGITS_BIAS.to_owned(), shape: vec![1, decoder.vocab_size] });
        for parameter in &wanted {
            reader.take(parameter)?;
        }
        let Reader { raw, mut params, int8, .. } = reader;
        if !int8.is_empty() {
            return Err(config.fault("the weights are int8; a LED is read in f32, f16 or bf16 only"));
        }
        let notes = raw.keys().map(|name| format!("`{name}` is not used")).collect();
        let mut encoder = Model {
            spec,
            head: Head::None,
            config: Value::Object(object.clone()),
            params: BTreeMap::new(),
            int8: BTreeMap::new(),
            packed: BTreeMap::new(),
            quantized: Quantized::No,
            device: Device::Cpu,
            notes: Vec::new(),
            memory: None,
        };
        for Parameter { name, .. } in of_encoder {
            if let Some(tensor) = params.remove(&names::theirs(&name)) {
                encoder.params.insert(name, tensor);
            }
        }
        Ok(Self { encoder, decoder, params, writing, notes })
    }

    /// The number of parameters; a table that is shared counts once.
    #[must_use]
    pub fn n_parameters(&self) -> usize {
        self.encoder.params.values().chain(self.params.values()).map(Tensor::elem_count).sum()
    }
}

/// The decoder's parameters, in the order of its computation; what a checkpoint may lack is not among them.
fn decoder_parameters(spec: &DecoderSpec, is_tied: bool) -> Vec<Parameter> {
    let (hidden, inner) = (spec.hidden_size, spec.intermediate_size);
    let mut list = Vec::new();
    let mut add = |name: String, shape: &[usize]| list.push(Parameter { name, shape: shape.to_vec() });
    add("led.decoder.embed_positions.weight".to_owned(), &[spec.max_positions, hidden]);
    let norm = |add: &mut dyn FnMut(String, &[usize]), module: String| {
        add(format!("{module}.weight"), &[hidden]);
        add(format!("{module}.bias"), &[hidden]);
    };
    norm(&mut add, "led.decoder.layernorm_embedding".to_owned());
    for layer in 0..spec.layers {
        let prefix = format!("led.decoder.layers.{layer}");
        for attention in ["self_attn", "encoder_attn"] {
            for projection in ["q_proj", "k_proj", "v_proj", "out_proj"] {
                add(format!("{prefix}.{attention}.{projection}.weight"), &[hidden, hidden]);
                add(format!("{prefix}.{attention}.{projection}.bias"), &[hidden]);
            }
            norm(&mut add, format!("{prefix}.{attention}_layer_norm"));
        }
        for (net, outputs, inputs) in [("fc1", inner, hidden), ("fc2", hidden, inner)] {
            add(format!("{prefix}.{net}.weight"), &[outputs, inputs]);
            add(format!("{prefix}.{net}.bias"), &[outputs]);
        }
        norm(&mut add, format!("{prefix}.final_layer_norm"));
    }
    if !is_tied {
        add(names::HEAD.to_owned(), &[spec.vocab_size, hidden]);
    }
    list
}

/// All tensors under LED's names with its prefix. The table of words stands there once, whatever names it has in the file.
///
/// # Errors
/// When a tensor is there under two names that mean one, and they differ.
fn renamed(tensors: BTreeMap<String, Raw>, is_tied: bool) -> Result<BTreeMap<String, Raw>, ModelError> {
    let mut renamed: BTreeMap<String, Raw> = BTreeMap::new();
    let tied: BTreeSet<&str> = names::TIED.into_iter().chain(is_tied.then_some(names::HEAD)).collect();
    for (stored, raw) in tensors {
        let mut name = names::canonical(&stored);
        if tied.contains(name.as_str()) {
            names::WORDS.clone_into(&mut name);
        }
        if let Some(other) = renamed.get(&name) {
            let is_same = match (&other.values, &raw.values) {
                (Values::F32(one), Values::F32(two)) => one == two && other.shape == raw.shape,
                _ => false,
            };
            if !is_same {
                return Err(ModelError::Checkpoint(format!(
                    "`{}`: `{stored}` is one tensor with `{name}` in LED, but the numbers differ",
                    raw.file.display()
                )));
            }
            continue;
        }
        renamed.insert(name, raw);
    }
    Ok(renamed)
}
