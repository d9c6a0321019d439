//! `Masks`: which weights were removed, so that they stay removed.

use std::collections::BTreeMap;

use candle_core::{Tensor, Var};

use crate::{compress::CompressError, model::Model};

/// A mask a tensor: 0 where the weight was removed, 1 elsewhere.
#[derive(Clone, Debug, Default)]
pub struct Masks {
    masks: BTreeMap<String, Tensor>,
}

impl Masks {
    /// Masks by the names of the parameters; each is of its parameter's shape and type.
    #[must_use]
    pub fn new(masks: BTreeMap<String, Tensor>) -> Self {
        Self { masks }
    }

    /// The names of the masked parameters.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.masks.keys().map(String::as_str)
    }

    /// Sets the removed weights of a model to zero.
    ///
    /// # Errors
    /// When the model lacks one of the parameters or has it in another shape.
    pub fn apply(&self, model: &mut Model) -> Result<(), CompressError> {
        for (name, mask) in &self.masks {
            let weight = model.params.get(name).ok_or_else(|| unknown(name))?;
            let masked = (weight.detach() * mask)?;
            model.params.insert(name.clone(), masked);
        }
        Ok(())
    }

    /// Sets the removed weights of trainable variables to zero; the others of the variables are left alone.
    ///
    /// # Errors
    /// When one of the parameters is not among them or has another shape.
    pub fn apply_to(&self, variables: &BTreeMap<String, Var>) -> Result<(), CompressError> {
        for (name, mask) in &self.masks {
            let variable = variables.get(name).ok_or_else(|| unknown(name))?;
            variable.set(&(variable.as_detached_tensor() * mask)?)?;
        }
        Ok(())
    }
}

fn unknown(name: &str) -> CompressError {
    CompressError::Unfit(format!("the model has no parameter `{name}`"))
}

/// How many weights of some modules there are, and how many of them are zero.
///
/// # Errors
/// When a module has no f32 weight.
pub(super) fn count_zeros(model: &Model, modules: &[String]) -> Result<(u64, u64), CompressError> {
    let (mut all, mut zeros) = (0, 0);
    for module in modules {
        let name = format!("{module}.weight");
        let weight = model.params.get(&name).ok_or_else(|| unknown(&name))?;
        let values = weight.flatten_all()?.to_vec1::<f32>()?;
        all += values.len() as u64;
        zeros += values.iter().filter(|value| **value == 0.0).count() as u64;
    }
    Ok((all, zeros))
}
