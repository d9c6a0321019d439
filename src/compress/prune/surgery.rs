//! Removes heads and neurons for good: tensors, shape and `config.json` change together.

use std::collections::BTreeSet;

use candle_core::Tensor;
use serde_json::{Value, json};

use super::{HeadChoice, NeuronChoice, masks::count_zeros};
use crate::{
    compress::{CompressError, modules::encoder_modules},
    model::Model,
};

/// Leaves only the given heads of each layer: rows of query, key and value and columns of the matrix behind them go.
///
/// `config.json` says so in `pruned_heads`, by the numbers that the heads had before any was pruned. `transformers` 4
/// opens such a model as it is; `transformers` 5 dropped that key and cannot.
///
/// # Errors
/// When a head does not exist, a layer would keep none, the model is not f32, or its family cannot say which heads are gone.
pub fn keep_heads(model: &mut Model, kept: &HeadChoice) -> Result<(), CompressError> {
    check_heads_can_go(model)?;
    for (layer, kept) in kept.iter().enumerate() {
        let (n_heads, head_dim) = (model.spec.layers[layer].heads, model.spec.head_dim);
        check(kept, n_heads, &format!("layer {layer}: heads"))?;
        if kept.len() == n_heads {
            continue;
        }
        let rows: Vec<u32> =
            kept.iter().flat_map(|head| head * head_dim..(head + 1) * head_dim).map(|i| i as u32).collect();
        let prefix = format!("bert.encoder.layer.{layer}.attention");
        for projection in model.spec.projections() {
            select(model, &format!("{prefix}.self.{projection}.weight"), 0, &rows)?;
            select_bias(model, &format!("{prefix}.self.{projection}.bias"), &rows)?;
        }
        select(model, &format!("{prefix}.output.dense.weight"), 1, &rows)?;
        name_pruned_heads(model, layer, kept);
        model.spec.layers[layer].heads = kept.len();
    }
    Ok(())
}

/// Says early that the heads of a model cannot be pruned.
///
/// # Errors
/// When its family cannot say in `config.json` which heads are gone.
pub fn check_heads_can_go(model: &Model) -> Result<(), CompressError> {
    if model.can_lack_heads() {
        return Ok(());
    }
    Err(CompressError::Unfit(
        "`config.json` of the model's family cannot say which heads are gone: prune neurons or layers instead".into(),
    ))
}

/// Leaves only the given neurons of each feed-forward net, as many in each of a layer: rows of the matrix into them and columns of the one out of them go.
///
/// # Errors
/// When a neuron does not exist, a layer would keep none, or the model is not f32.
pub fn keep_neurons(model: &mut Model, kept: &NeuronChoice) -> Result<(), CompressError> {
    let mut widths = model.spec.layers.clone();
    let into: &[&str] =
        if model.spec.gated { &["intermediate.dense", "intermediate.gate"] } else { &["intermediate.dense"] };
    for ((layer, prefix), kept) in model.spec.nets().into_iter().zip(kept) {
        check(kept, model.spec.layers[layer].intermediate_size, &format!("layer {layer}: neurons"))?;
        let rows: Vec<u32> = kept.iter().map(|&neuron| neuron as u32).collect();
        for module in into {
            select(model, &format!("{prefix}.{module}.weight"), 0, &rows)?;
            select_bias(model, &format!("{prefix}.{module}.bias"), &rows)?;
        }
        select(model, &format!("{prefix}.output.dense.weight"), 1, &rows)?;
        let stored = model.spec.stored_layer(layer);
        for (index, shape) in widths.iter_mut().enumerate() {
            if model.spec.stored_layer(index) == stored {
                shape.intermediate_size = kept.len();
            }
        }
    }
    model.spec.layers = widths;
    Ok(())
}

/// The share of zeros among the weights of the encoder's linear layers.
///
/// # Errors
/// When the model is not f32.
pub fn sparsity(model: &Model) -> Result<f64, CompressError> {
    sparsity_of(model, &encoder_modules(model))
}

/// The share of zeros among the weights of some modules.
///
/// # Errors
/// When the model is not f32, or a module is not there.
pub fn sparsity_of(model: &Model, modules: &[String]) -> Result<f64, CompressError> {
    let (all, zeros) = count_zeros(model, modules)?;
    Ok(zeros as f64 / all.max(1) as f64)
}

fn check(kept: &[usize], n: usize, what: &str) -> Result<(), CompressError> {
    let ascending = kept.windows(2).all(|pair| pair[0] < pair[1]);
    if kept.is_empty() || !ascending || kept[kept.len() - 1] >= n {
        return Err(CompressError::Unfit(format!("{what} {kept:?} cannot stay: at least one of 0 to {} must", n - 1)));
    }
    Ok(())
}

fn select(model: &mut Model, name: &str, dim: usize, kept: &[u32]) -> Result<(), CompressError> {
    let tensor = model.params.get(name).ok_or_else(|| {
        CompressError::Unfit(format!("`{name}` is not an f32 parameter of the model; prune before quantising"))
    })?;
    let index = Tensor::new(kept, tensor.device())?;
    let selected = tensor.detach().index_select(&index, dim)?.contiguous()?;
    model.params.insert(name.to_owned(), selected);
    Ok(())
}

/// The same of a bias, where the family has it.
fn select_bias(model: &mut Model, name: &str, kept: &[u32]) -> Result<(), CompressError> {
    if model.params.contains_key(name) { select(model, name, 0, kept) } else { Ok(()) }
}

/// Adds the heads that go to `pruned_heads`, by their original numbers.
fn name_pruned_heads(model: &mut Model, layer: usize, kept: &[usize]) {
    let n_original = model.spec.inner_size() / model.spec.head_dim;
    let Some(config) = model.config.as_object_mut() else { return };
    let pruned = config.entry("pruned_heads").or_insert_with(|| json!({}));
    if !pruned.is_object() {
        *pruned = json!({});
    }
    let key = layer.to_string();
    let before: BTreeSet<u64> = pruned
        .get(&key)
        .and_then(Value::as_array)
        .map(|heads| heads.iter().filter_map(Value::as_u64).collect())
        .unwrap_or_default();
    // The heads that are there now, by original number; `kept` counts these.
    let present: Vec<u64> = (0..n_original as u64).filter(|head| !before.contains(head)).collect();
    let stay: BTreeSet<u64> = kept.iter().filter_map(|&place| present.get(place).copied()).collect();
    let gone: Vec<u64> = (0..n_original as u64).filter(|head| !stay.contains(head)).collect();
    if let Some(pruned) = pruned.as_object_mut() {
        pruned.insert(key, json!(gone));
    }
}
