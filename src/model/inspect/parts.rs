//! The parts of a model: what each has of its parameters, bytes and zeros.

use std::{collections::BTreeMap, fmt};

use candle_core::{Device, Tensor};

use crate::model::{
    Head, Model, ModelError,
    checkpoint::{DECODER, Stored},
    families::Family,
    parameters,
    params::FINAL_NORM,
};

/// A part of a model, in the order of the computation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The tables, their norm, and what brings them to the layers' width.
    Embeddings,
    /// A part of the layer under whose number its weights are stored.
    Layer(usize, Within),
    /// The norm behind the last layer.
    FinalNorm,
    /// The pooler.
    Pooler,
    /// The classifier or the masked-LM head.
    Head,
}

/// A part of a layer, with its norm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Within {
    /// What makes it narrow, and wide again.
    Bottleneck,
    /// Attention.
    Attention,
    /// The feed-forward nets.
    FeedForward,
}

impl Within {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Bottleneck => "bottleneck",
            Self::Attention => "attention",
            Self::FeedForward => "feed-forward",
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embeddings => f.write_str("embeddings"),
            Self::Layer(layer, within) => write!(f, "layer {layer} {}", within.name()),
            Self::FinalNorm => f.write_str("final norm"),
            Self::Pooler => f.write_str("pooler"),
            Self::Head => f.write_str("head"),
        }
    }
}

impl Place {
    /// Where a parameter is, by its name.
    fn of(name: &str) -> Self {
        let layer = name.strip_prefix("bert.encoder.layer.").and_then(|rest| rest.split_once('.'));
        if let Some((number, module)) = layer
            && let Ok(number) = number.parse()
        {
            let is_bottleneck = module.starts_with("bottleneck.") || module.starts_with("output.bottleneck.");
            let is_attention = module.starts_with("attention.");
            let else_within = if is_attention { Within::Attention } else { Within::FeedForward };
            return Self::Layer(number, if is_bottleneck { Within::Bottleneck } else { else_within });
        }
        match name {
            _ if name.starts_with("bert.embeddings") => Self::Embeddings,
            _ if name.starts_with(FINAL_NORM) => Self::FinalNorm,
            _ if name.starts_with("bert.pooler.") => Self::Pooler,
            _ => Self::Head,
        }
    }
}

/// What a part has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Which it is.
    pub place: Place,
    /// Its parameters; int8 weights count, their scales do not.
    pub parameters: u64,
    /// How many of these are exactly zero.
    pub zeros: u64,
    /// The bytes of its tensors in the files, scales included.
    pub bytes: u64,
}

impl Part {
    /// The share of zeros.
    #[must_use]
    pub fn sparsity(&self) -> f64 {
        self.zeros as f64 / self.parameters.max(1) as f64
    }
}

/// The parts of a model, and the bytes of stored tensors that are in none.
///
/// # Errors
/// When a tensor cannot be read.
pub(super) fn measure(model: &Model, family: &Family, stored: &[Stored]) -> Result<(Vec<Part>, u64), ModelError> {
    let mut parts: BTreeMap<Place, Part> = BTreeMap::new();
    let mut count = |name: &str, parameters: usize, zeros: usize, bytes: u64| {
        let place = Place::of(name);
        let part = parts.entry(place).or_insert(Part { place, parameters: 0, zeros: 0, bytes: 0 });
        part.parameters += parameters as u64;
        part.zeros += zeros as u64;
        part.bytes += bytes;
    };
    for (name, tensor) in &model.params {
        count(name, tensor.elem_count(), zeros(tensor)?, 0);
    }
    for (module, weight) in &model.int8 {
        let values = weight.values();
        count(&format!("{module}.weight"), values.len(), values.iter().filter(|value| **value == 0).count(), 0);
    }
    let mut unused = 0;
    for tensor in stored {
        match taken(model, family, stored, &tensor.name) {
            Some(name) => count(&name, 0, 0, tensor.bytes),
            None => unused += tensor.bytes,
        }
    }
    Ok((parts.into_values().collect(), unused))
}

fn zeros(tensor: &Tensor) -> Result<usize, ModelError> {
    let values = tensor.to_device(&Device::Cpu)?.flatten_all()?.to_vec1::<f32>()?;
    Ok(values.iter().filter(|value| **value == 0.0).count())
}

/// Our name of a stored tensor that the model is made of.
fn taken(model: &Model, family: &Family, stored: &[Stored], theirs: &str) -> Option<String> {
    if family.drops(theirs) {
        return None;
    }
    // Of modules that are stored as one, all are of the same part.
    let classifies_tokens = matches!(model.head, Head::TokenClassification { .. });
    let name = family.ours(theirs, classifies_tokens).into_iter().next()?;
    for suffix in [".weight_scale", ".weight_packed", ".weight_shape"] {
        if let Some(module) = name.strip_suffix(suffix) {
            let is_scale = suffix == ".weight_scale" && model.int8.contains_key(module);
            return (is_scale || model.packed.contains_key(module)).then_some(name);
        }
    }
    let has_bias =
        || stored.iter().any(|tensor| family.ours(&tensor.name, false).contains(&"cls.predictions.bias".to_owned()));
    let is_taken = match name.as_str() {
        DECODER => model.params.contains_key(DECODER),
        // Old writers store the tied bias under the decoder's name.
        "cls.predictions.decoder.bias" => model.params.contains_key("cls.predictions.bias") && !has_bias(),
        _ => parameters(&model.spec, &model.head).iter().any(|parameter| parameter.name == name),
    };
    is_taken.then_some(name)
}
