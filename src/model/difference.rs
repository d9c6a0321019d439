//! What a model that was written and read back has otherwise.

use candle_core::{Device, Tensor};

use super::{FloatType, Model, ModelError};
use crate::base::plural;

impl Model {
    /// How this model differs from the one that it was written from, in words: the shape, the head, or a number that is not
    /// the other's, rounded to a type, to the bit.
    ///
    /// # Errors
    /// When a tensor cannot be read.
    pub fn difference(&self, source: &Self, floats: FloatType) -> Result<Option<String>, ModelError> {
        if self.spec != source.spec {
            return Ok(Some(format!("its shape reads as {:?} instead of {:?}", self.spec, source.spec)));
        }
        if self.head != source.head {
            return Ok(Some(format!("its head reads as {:?} instead of {:?}", self.head, source.head)));
        }
        if self.quantized != source.quantized {
            return Ok(Some(format!("{:?} reads as {:?}", source.quantized, self.quantized)));
        }
        let (mine, theirs) = (self.names(), source.names());
        if let Some(name) = mine.iter().find(|name| !theirs.contains(name)) {
            return Ok(Some(format!("it has {}, too", plural::list(&[name]))));
        }
        if let Some(name) = theirs.iter().find(|name| !mine.contains(name)) {
            return Ok(Some(format!("it lacks {}", plural::list(&[name]))));
        }
        for (name, tensor) in source.params.iter().filter(|(name, _)| !source.is_packed(name)) {
            let (expected, found) = (numbers(tensor)?, numbers(&self.params[name])?);
            let is_same =
                |(value, found): (&f32, &f32)| floats.round(*value).map(f32::to_bits) == Some(found.to_bits());
            if expected.len() != found.len() || !expected.iter().zip(&found).all(is_same) {
                return Ok(Some(format!("`{name}` reads as other numbers")));
            }
        }
        for (module, weight) in &source.int8 {
            let found = &self.int8[module];
            if found.values() != weight.values() || found.scales() != weight.scales() {
                return Ok(Some(format!("`{module}` reads as other numbers")));
            }
        }
        if let Some((module, _)) =
            source.packed.iter().find(|(module, weight)| self.packed.get(*module) != Some(*weight))
        {
            return Ok(Some(format!("`{module}` reads as other numbers")));
        }
        Ok(None)
    }

    /// The names of all parameters, and of int8 modules.
    fn names(&self) -> Vec<&String> {
        self.params.keys().chain(self.int8.keys()).collect()
    }
}

fn numbers(tensor: &Tensor) -> Result<Vec<f32>, ModelError> {
    Ok(tensor.to_device(&Device::Cpu)?.flatten_all()?.to_vec1::<f32>()?)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn other_numbers_heads_and_names_are_told() {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
        let model = Model::load(&data.join("models/tiny-classifier"), &Device::Cpu).unwrap();
        let told = |other: &Model, floats| other.difference(&model, floats).unwrap();
        assert_eq!(told(&model, FloatType::F32), None);
        assert!(told(&model, FloatType::F16).unwrap().ends_with("` reads as other numbers"));
        let mut other = model.clone();
        let bias = other.params.get_mut("classifier.bias").unwrap();
        *bias = bias.neg().unwrap();
        assert_eq!(told(&other, FloatType::F32).unwrap(), "`classifier.bias` reads as other numbers");
        other.params.remove("classifier.bias");
        assert_eq!(told(&other, FloatType::F32).unwrap(), "it lacks `classifier.bias`");
        let masked = Model::load(&data.join("models/tiny-masked-lm"), &Device::Cpu).unwrap();
        assert!(told(&masked, FloatType::F32).unwrap().contains("reads as"));
    }
}
