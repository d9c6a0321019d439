//! Takes tensors out of a checkpoint, each checked against what the config asks for.

use std::{collections::BTreeMap, path::Path};

use candle_core::{Device, Tensor};

use super::{
    DECODER,
    raw::{Raw, Values, first_not_finite},
};
use crate::{
    base::plural,
    model::{
        EncoderSpec, Int8Weight, ModelError, PackedWeight, Quantized,
        params::{EMBEDDINGS, Parameter},
    },
};

/// Takes tensors out of a checkpoint, checking each.
pub(in crate::model) struct Reader<'a> {
    pub(in crate::model) raw: BTreeMap<String, Raw>,
    device: &'a Device,
    quantized: &'a Quantized,
    pub(in crate::model) params: BTreeMap<String, Tensor>,
    pub(in crate::model) int8: BTreeMap<String, Int8Weight>,
    pub(super) packed: BTreeMap<String, PackedWeight>,
}

impl<'a> Reader<'a> {
    /// Nothing is taken yet.
    pub(in crate::model) fn new(raw: BTreeMap<String, Raw>, device: &'a Device, quantized: &'a Quantized) -> Self {
        let (params, int8, packed) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { raw, device, quantized, params, int8, packed }
    }

    /// Says all that is missing at once.
    pub(in crate::model) fn require_all(&self, wanted: &[Parameter], dir: &Path) -> Result<(), ModelError> {
        let missing: Vec<_> = wanted.iter().map(|parameter| &parameter.name).filter(|name| !self.has(name)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let shown = plural::list(&missing[..missing.len().min(4)]);
        let more = if missing.len() > 4 { format!(" and {} more", missing.len() - 4) } else { String::new() };
        Err(ModelError::Checkpoint(format!(
            "the weights in `{}` lack {shown}{more}, which `config.json` asks for",
            dir.display()
        )))
    }

    fn has(&self, name: &str) -> bool {
        self.raw.contains_key(name) || self.raw.contains_key(&format!("{name}_packed"))
    }

    /// Takes a parameter, whatever it is stored as.
    pub(in crate::model) fn take(&mut self, parameter: &Parameter) -> Result<(), ModelError> {
        let Some(raw) = self.raw.remove(&parameter.name) else { return self.take_packed(parameter) };
        expect_shape(&parameter.name, &raw, &parameter.shape)?;
        match (raw.values, parameter.name.strip_suffix(".weight")) {
            (Values::F32(values), _) => {
                expect_finite(&parameter.name, &values, &raw.file)?;
                let tensor = Tensor::from_vec(values, raw.shape, self.device)?;
                self.params.insert(parameter.name.clone(), tensor);
            }
            (Values::I8(values), Some(module)) if raw.shape.len() == 2 => {
                let (rows, columns) = (raw.shape[0], raw.shape[1]);
                let name = format!("{module}.weight_scale");
                let scale = self.raw.remove(&name).ok_or_else(|| {
                    let file = raw.file.display();
                    ModelError::Checkpoint(format!("`{file}`: `{}` is int8, but `{name}` is missing", parameter.name))
                })?;
                expect_shape(&name, &scale, &[rows, 1])?;
                let Values::F32(scales) = scale.values else { return Err(wrong_type(&name, &scale, "a float type")) };
                expect_finite(&name, &scales, &scale.file)?;
                let at =
                    |error: ModelError| ModelError::Checkpoint(format!("`{}`: `{name}`: {error}", raw.file.display()));
                let weight = Int8Weight::from_parts(rows, columns, values, scales).map_err(at)?;
                self.int8.insert(module.to_owned(), weight);
            }
            (values, _) => {
                let raw = Raw { values, shape: Vec::new(), ..raw };
                return Err(wrong_type(&parameter.name, &raw, "a float type"));
            }
        }
        Ok(())
    }

    /// Takes a weight that is packed in a few bits.
    fn take_packed(&mut self, parameter: &Parameter) -> Result<(), ModelError> {
        let name = format!("{}_packed", parameter.name);
        let Some(raw) = self.raw.remove(&name) else { return Ok(()) };
        let at = |what: String| ModelError::Checkpoint(format!("`{}`: `{name}`: {what}", raw.file.display()));
        let (Quantized::WeightOnly { width, .. }, Some(module)) =
            (self.quantized, parameter.name.strip_suffix(".weight"))
        else {
            return Err(
                at("it is packed, but `config.json` has no `quantization_config` of packed weights".to_owned()),
            );
        };
        let [rows, columns] = parameter.shape[..] else { return Err(at("only matrices can be packed".to_owned())) };
        let group = width.group_of(columns).map_err(&at)?;
        expect_shape(&name, &raw, &[rows, width.words(columns)])?;
        let Values::I32(words) = &raw.values else { return Err(wrong_type(&name, &raw, "I32")) };
        let mut beside = |suffix: &str| {
            let name = format!("{}_{suffix}", parameter.name);
            let found = self.raw.remove(&name);
            found.map(|raw| (name.clone(), raw)).ok_or_else(|| at(format!("`{name}` is missing")))
        };
        let (name_of_scale, scale) = beside("scale")?;
        expect_shape(&name_of_scale, &scale, &[rows, columns / group])?;
        let (name_of_shape, shape) = beside("shape")?;
        let Values::F32(scales) = scale.values else { return Err(wrong_type(&name_of_scale, &scale, "a float type")) };
        expect_finite(&name_of_scale, &scales, &scale.file)?;
        if !matches!(&shape.values, Values::I64(sizes) if sizes[..] == [rows as i64, columns as i64]) {
            return Err(at(format!("`{name_of_shape}` does not say [{rows}, {columns}]")));
        }
        let weight = PackedWeight::from_words([rows, columns], *width, words, scales);
        let weight = weight.map_err(|error| at(error.to_string()))?;
        self.params.insert(parameter.name.clone(), weight.dequantize(self.device)?);
        self.packed.insert(module.to_owned(), weight);
        Ok(())
    }

    /// Keeps a decoder that is not tied to the word embeddings.
    pub(super) fn take_decoder(&mut self, spec: &EncoderSpec) -> Result<(), ModelError> {
        let Some(raw) = self.raw.remove(DECODER) else { return Ok(()) };
        expect_shape(DECODER, &raw, &[spec.vocab_size, spec.word_width()])?;
        let Values::F32(values) = raw.values else { return Ok(()) };
        expect_finite(DECODER, &values, &raw.file)?;
        let words = self.params.get(&format!("{}.weight", EMBEDDINGS[0]));
        let tied = match words {
            Some(words) => words.flatten_all()?.to_vec1::<f32>()? == values,
            // A stored copy of a table that is int8 itself is older than the table.
            None => true,
        };
        if !tied {
            self.params.insert(DECODER.to_owned(), Tensor::from_vec(values, raw.shape, self.device)?);
        }
        Ok(())
    }
}

fn expect_shape(name: &str, raw: &Raw, shape: &[usize]) -> Result<(), ModelError> {
    if raw.shape == shape {
        return Ok(());
    }
    Err(wrong_shape(name, raw, &format!("{shape:?}")))
}

pub(super) fn wrong_shape(name: &str, raw: &Raw, expected: &str) -> ModelError {
    let file = raw.file.display();
    ModelError::Checkpoint(format!(
        "`{file}`: `{name}` has the shape {:?}, but `config.json` asks for {expected}",
        raw.shape
    ))
}

/// A model with such numbers answers nonsense, and not always one that shows.
fn expect_finite(name: &str, values: &[f32], file: &Path) -> Result<(), ModelError> {
    let Some(at) = first_not_finite(values) else { return Ok(()) };
    Err(ModelError::Checkpoint(format!(
        "`{}`: `{name}` is damaged: its number {} is {}",
        file.display(),
        at + 1,
        values[at]
    )))
}

fn wrong_type(name: &str, raw: &Raw, expected: &str) -> ModelError {
    let (file, kind) = (raw.file.display(), raw.values.kind());
    ModelError::Checkpoint(format!("`{file}`: `{name}` is of the type {kind}, not of {expected}"))
}
