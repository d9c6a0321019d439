//! Kernels as candle custom ops, with their gradients; on other devices, candle's own ops with gradients of ours.
//!
//! candle's fused ops (`softmax_last_dim`, `layer_norm`, the `LayerNorm` module) drop gradients silently, so none of them
//! is used.

mod activation;
mod attention;
mod dropout;
mod embedding;
mod given;
mod layers;
mod linear;
mod norm;
mod padding;
mod relations;
mod rotary;

pub(super) use activation::activation;
pub(super) use attention::{Sequences, attend, context, cross, probabilities};
use candle_core::{CpuStorage, Device, Layout, Result, Storage, Tensor, bail};
pub(super) use dropout::{drop_out, drop_out_and_add};
pub(super) use embedding::{Table, embed};
pub(super) use layers::{Block, Global, Masks, Module, layers};
pub(super) use linear::linear;
pub(super) use norm::normalize;
pub use relations::relations;
pub(super) use rotary::Turns;

/// How an op is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// By our kernels, on the CPU.
    Fused,
    /// By candle's ops on any device, with gradients of our own ([`given`]).
    Given,
    /// By candle's ops, gradients and all, on any device: what the others are compared with.
    Composed,
}

impl Route {
    /// The fastest route on a device.
    pub(super) fn of(device: &Device) -> Self {
        if device.is_cpu() { Self::Fused } else { Self::Given }
    }
}

/// The values of a contiguous f32 storage.
pub(super) fn values<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let Some((start, end)) = layout.contiguous_offsets() else {
        bail!("a kernel needs contiguous rows, not {:?}", layout)
    };
    Ok(&storage.as_slice::<f32>()?[start..end])
}

/// Runs a kernel on the values of tensors on the CPU; what is not contiguous is copied first.
fn with_values<const N: usize, T>(tensors: [&Tensor; N], run: impl FnOnce([&[f32]; N]) -> Result<T>) -> Result<T> {
    let tensors = tensors.map(Tensor::contiguous);
    let mut contiguous = Vec::with_capacity(N);
    for tensor in tensors {
        contiguous.push(tensor?);
    }
    let storages: Vec<_> = contiguous.iter().map(Tensor::storage_and_layout).collect();
    let mut slices: [&[f32]; N] = [&[]; N];
    for (slice, (storage, layout)) in slices.iter_mut().zip(&storages) {
        match &**storage {
            Storage::Cpu(storage) => *slice = values(storage, layout)?,
            _ => bail!("a kernel runs on the CPU"),
        }
    }
    run(slices)
}

/// A tensor on the CPU.
fn tensor(values: Vec<f32>, like: &Tensor) -> Result<Tensor> {
    Tensor::from_vec(values, like.shape(), &Device::Cpu)
}
