//! Takes a model's parameters apart, name by name.

use candle_core::Tensor;

use crate::{
    kernels::linear::Linear,
    model::{Int8Weight, Model, ModelError},
};

/// What is left of a model while it is packed.
pub(super) struct Weights {
    model: Model,
}

/// A weight, `[outputs, inputs]`, as it is stored.
pub(super) enum Stored {
    F32 { values: Vec<f32>, rows: usize },
    Int8(Box<Int8Weight>),
}

impl Stored {
    pub(super) fn as_f32(&self) -> Option<&[f32]> {
        if let Self::F32 { values, .. } = self { Some(values) } else { None }
    }

    /// Its rows: the outputs of a linear layer.
    pub(super) fn rows(&self) -> usize {
        match self {
            Self::F32 { rows, .. } => *rows,
            Self::Int8(weight) => weight.shape()[0],
        }
    }

    pub(super) fn as_int8(&self) -> Option<&Int8Weight> {
        if let Self::Int8(weight) = self { Some(weight) } else { None }
    }
}

impl Weights {
    pub(super) fn new(model: Model) -> Self {
        Self { model }
    }

    /// The numbers of a parameter, which is then gone.
    pub(super) fn take(&mut self, name: &str) -> Result<Vec<f32>, ModelError> {
        let tensor = self.model.params.remove(name).ok_or_else(|| missing(name))?;
        values(&tensor)
    }

    /// The weight of a module, f32 or int8, which is then gone.
    pub(super) fn take_weight(&mut self, module: &str) -> Result<Stored, ModelError> {
        if let Some(weight) = self.model.int8.remove(module) {
            return Ok(Stored::Int8(Box::new(weight)));
        }
        let name = format!("{module}.weight");
        let rows = self.model.params.get(&name).ok_or_else(|| missing(&name))?.dim(0)?;
        Ok(Stored::F32 { values: self.take(&name)?, rows })
    }

    /// The bias of a module, which is then gone; zeros where its family has none.
    pub(super) fn bias(&mut self, module: &str, width: usize) -> Result<Vec<f32>, ModelError> {
        let bias = self.model.params.remove(&format!("{module}.bias"));
        bias.map_or_else(|| Ok(vec![0.0; width]), |bias| values(&bias))
    }

    /// A linear layer.
    pub(super) fn linear(&mut self, module: &str) -> Result<Linear, ModelError> {
        let weight = self.take_weight(module)?;
        Ok(pack(&weight, &self.bias(module, weight.rows())?))
    }

    /// Whether the weight of a module is int8.
    pub(super) fn is_int8(&self, module: &str) -> bool {
        self.model.int8.contains_key(module)
    }

    /// Whether there is such a parameter.
    pub(super) fn has(&self, name: &str) -> bool {
        self.model.params.contains_key(name)
    }

    /// The f32 numbers of a weight that stays where it is.
    pub(super) fn peek(&self, module: &str) -> Result<Vec<f32>, ModelError> {
        if let Some(weight) = self.model.int8.get(module) {
            return values(&weight.dequantize()?);
        }
        let name = format!("{module}.weight");
        values(self.model.params.get(&name).ok_or_else(|| missing(&name))?)
    }
}

/// Packs a weight with its bias.
pub(super) fn pack(weight: &Stored, bias: &[f32]) -> Linear {
    match weight {
        Stored::F32 { values, .. } => Linear::from_f32(values, bias),
        Stored::Int8(weight) => Linear::from_int8(weight.values(), weight.scales(), bias),
    }
}

fn values(tensor: &Tensor) -> Result<Vec<f32>, ModelError> {
    Ok(tensor.flatten_all()?.to_vec1()?)
}

fn missing(name: &str) -> ModelError {
    ModelError::Checkpoint(format!("the model has no tensor `{name}`"))
}
