//! GGUF: a model and its tokenizer in one file, as llama.cpp's architecture `bert` reads them.
//!
//! Word embeddings and the weights of linear layers have a type of one's choice; biases, norms, position and type embeddings
//! are f32. llama.cpp computes with it what BERT does, but for two things: it takes the tanh approximation for GELU, and
//! gives every token the type 0.

mod fit;
mod heads;
mod metadata;
mod names;
mod pooling;
mod readback;
mod tokens;

#[cfg(test)]
mod tests;

use std::{io::Cursor, path::Path};

use candle_core::{
    DType, Device, Tensor,
    quantized::{GgmlDType, QTensor, gguf_file},
};

pub(super) use self::readback::compare;
use self::{fit::Fitted, names::is_matrix};
use super::{ExportError, file::Encoded};
use crate::model::{FloatType, Model, ModelError, parameters};

/// Numbers of a row that `Q8_0` scales together.
const BLOCK: usize = 32;

/// What word embeddings and the weights of linear layers are stored as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MatrixType {
    /// 8 bits, 32 numbers of a row on one scale in f16: 8.5 bits a number. Matrices whose rows are no multiple of 32 are f16,
    /// as llama.cpp's own converter has them.
    #[default]
    Q8_0,
    /// Floats.
    Float(FloatType),
}

impl MatrixType {
    /// Its short name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Q8_0 => "q8_0",
            Self::Float(floats) => floats.name(),
        }
    }

    /// The type of a matrix with rows of this length.
    fn of_rows(self, length: usize) -> Self {
        match self {
            Self::Q8_0 if !length.is_multiple_of(BLOCK) => Self::Float(FloatType::F16),
            matrix => matrix,
        }
    }

    fn ggml(self) -> GgmlDType {
        match self {
            Self::Q8_0 => GgmlDType::Q8_0,
            Self::Float(FloatType::F32) => GgmlDType::F32,
            Self::Float(FloatType::F16) => GgmlDType::F16,
            Self::Float(FloatType::Bf16) => GgmlDType::BF16,
        }
    }

    /// What llama.cpp calls a file of mostly this type (`llama_ftype`).
    fn file_type(self) -> u32 {
        match self {
            Self::Float(FloatType::F32) => 0,
            Self::Float(FloatType::F16) => 1,
            Self::Q8_0 => 7,
            Self::Float(FloatType::Bf16) => 32,
        }
    }

    /// How far answers may be from the model's, as a share of their size. Measured: f32 moves them by the GELU alone.
    fn tolerance(self) -> f64 {
        match self {
            Self::Float(FloatType::F32 | FloatType::F16) => 0.01,
            Self::Q8_0 => 0.03,
            Self::Float(FloatType::Bf16) => 0.05,
        }
    }
}

/// A model of a folder as the bytes of a file; the same model gives the same bytes.
///
/// # Errors
/// When llama.cpp's `bert` cannot be this model or its tokenizer, or a number is too large for its type.
pub(super) fn encode(model: &Model, folder: &Path, matrices: MatrixType) -> Result<Encoded, ExportError> {
    let fitted = fit::fit(model, folder)?;
    let Fitted { model, notes, .. } = &fitted;
    let metadata = metadata::of(&fitted, matrices);
    let mut tensors = Vec::new();
    let mut others = false;
    for parameter in parameters(&model.spec, &model.head) {
        let tensor = &model.params[&parameter.name];
        let matrix = kind(&parameter.name, &parameter.shape, matrices);
        others |= is_matrix(&parameter.name, &parameter.shape) && matrix != matrices;
        if let MatrixType::Float(floats) = matrix {
            check(&parameter.name, tensor, floats)?;
        }
        let quantised = QTensor::quantize(tensor, matrix.ggml()).map_err(ModelError::from)?;
        tensors.push((names::theirs(&parameter.name), quantised));
    }
    let metadata: Vec<_> = metadata.iter().map(|(key, value)| (key.as_str(), value)).collect();
    let tensors: Vec<_> = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
    let mut file = Cursor::new(Vec::new());
    gguf_file::write(&mut file, &metadata, &tensors).map_err(ModelError::from)?;
    let weights = if others { format!("{} and f16", matrices.name()) } else { matrices.name().to_owned() };
    Ok(Encoded { bytes: file.into_inner(), weights, notes: notes.clone() })
}

/// The type of a parameter.
fn kind(name: &str, shape: &[usize], matrices: MatrixType) -> MatrixType {
    match shape {
        [_, length] if is_matrix(name, shape) => matrices.of_rows(*length),
        _ => MatrixType::Float(FloatType::F32),
    }
}

/// Whether all numbers of a tensor fit a type.
fn check(name: &str, tensor: &Tensor, floats: FloatType) -> Result<(), ExportError> {
    if floats == FloatType::F32 {
        return Ok(());
    }
    let values = numbers(tensor)?;
    match values.iter().find(|value| floats.round(**value).is_none()) {
        None => Ok(()),
        Some(value) => Err(ExportError::Unfit(format!(
            "`{name}` holds {value:.3e}, which is too large for {}: store the model as bf16 or f32",
            floats.name()
        ))),
    }
}

fn numbers(tensor: &Tensor) -> Result<Vec<f32>, ModelError> {
    Ok(tensor.to_device(&Device::Cpu)?.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?)
}
