//! Pruned heads, filled with zeros: every layer of a file has the same number of heads.

use candle_core::{DType, Tensor};

use crate::model::{Model, ModelError};

/// Gives each layer all heads; returns how many were missing. What a head of zeros sees is zero, and so is what it adds.
pub(super) fn fill(model: &mut Model) -> Result<usize, ModelError> {
    let (width, head_dim) = (model.spec.hidden_size, model.spec.head_dim);
    let all = width / head_dim;
    let mut filled = 0;
    for layer in 0..model.spec.n_layers() {
        let missing = all - model.spec.layers[layer].heads;
        if missing == 0 {
            continue;
        }
        let prefix = model.spec.prefix(layer);
        for projection in ["query", "key", "value"] {
            for part in ["weight", "bias"] {
                widen(model, &format!("{prefix}.attention.self.{projection}.{part}"), 0, width)?;
            }
        }
        widen(model, &format!("{prefix}.attention.output.dense.weight"), 1, width)?;
        model.spec.layers[layer].heads = all;
        filled += missing;
    }
    Ok(filled)
}

/// Appends zeros to a dimension of a parameter.
fn widen(model: &mut Model, name: &str, dim: usize, width: usize) -> Result<(), ModelError> {
    if let Some(tensor) = model.params.get_mut(name) {
        let mut shape = tensor.dims().to_vec();
        shape[dim] = width - shape[dim];
        let zeros = Tensor::zeros(shape, DType::F32, tensor.device())?;
        *tensor = Tensor::cat(&[&*tensor, &zeros], dim)?.contiguous()?;
    }
    Ok(())
}
