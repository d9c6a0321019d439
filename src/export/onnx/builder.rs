//! `Builder`: the graph that is drawn, and the model whose numbers it holds.

use std::collections::BTreeMap;

use super::{
    graph::{Graph, Value},
    proto::DataType,
};
use crate::{
    export::ExportError,
    model::{Int8Weight, Model, ModelError},
};

/// What every part of the encoder draws with.
pub(super) struct Builder<'a> {
    pub(super) model: &'a Model,
    pub(super) graph: Graph,
    /// Values that are quantised already. Queries, keys and values share theirs.
    pub(super) quantized: BTreeMap<Value, Quantized>,
}

/// A value as int8: `x ≈ largest · scale · (values − zero)`.
#[derive(Clone)]
pub(super) struct Quantized {
    /// `u8`, of the shape of `x`.
    pub(super) values: Value,
    /// f32, one for all.
    pub(super) scale: Value,
    /// `u8`, one for all.
    pub(super) zero: Value,
    /// The largest size of a number of each token, f32 `[…, 1]`.
    pub(super) largest: Value,
}

impl<'a> Builder<'a> {
    pub(super) fn new(model: &'a Model) -> Self {
        Self { model, graph: Graph::default(), quantized: BTreeMap::new() }
    }

    /// A parameter as it is.
    pub(super) fn parameter(&mut self, name: &str) -> Result<Value, ExportError> {
        let model = self.model;
        self.graph.constant(name, || {
            let (shape, values) = numbers(model, name)?;
            Ok((DataType::Float, shape, bytes(&values)))
        })
    }

    /// A linear layer's weight as a product reads it: `[out, in]` → `[in, out]`.
    pub(super) fn transposed(&mut self, name: &str) -> Result<Value, ExportError> {
        let model = self.model;
        self.graph.constant(&format!("{name}.T"), || {
            let (shape, values) = numbers(model, name)?;
            let [rows, columns] = shape[..] else {
                return Err(ModelError::Checkpoint(format!("`{name}` is no matrix: its shape is {shape:?}")).into());
            };
            Ok((DataType::Float, vec![columns, rows], bytes(&transpose(&values, rows, columns))))
        })
    }

    /// The int8 weight of a module, where it has one.
    pub(super) fn int8(&self, module: &str) -> Option<&'a Int8Weight> {
        self.model.int8.get(module)
    }

    /// int8 numbers under a name.
    pub(super) fn int8_constant(&mut self, name: &str, shape: &[usize], values: &[i8]) -> Result<Value, ExportError> {
        let bytes = || values.iter().map(|value| value.cast_unsigned()).collect();
        self.graph.constant(name, || Ok((DataType::Int8, shape.to_vec(), bytes())))
    }

    /// f32 numbers under a name.
    pub(super) fn constant(&mut self, name: &str, shape: &[usize], values: &[f32]) -> Result<Value, ExportError> {
        self.graph.constant(name, || Ok((DataType::Float, shape.to_vec(), bytes(values))))
    }
}

fn numbers(model: &Model, name: &str) -> Result<(Vec<usize>, Vec<f32>), ModelError> {
    let missing = || ModelError::Checkpoint(format!("the model has no tensor `{name}`"));
    let tensor = model.params.get(name).ok_or_else(missing)?;
    Ok((tensor.dims().to_vec(), tensor.flatten_all()?.to_vec1()?))
}

/// `[rows, columns]` → `[columns, rows]`.
pub(super) fn transpose<T: Copy>(values: &[T], rows: usize, columns: usize) -> Vec<T> {
    (0..columns).flat_map(|column| (0..rows).map(move |row| values[row * columns + column])).collect()
}

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}
