//! The same forward pass written down plainly, with every quantised number rounded and turned back: what int8 must equal.

use candle_core::Tensor;

use super::{Quantization, Scheme, quantize_rows};
use crate::{
    compress::{CompressError, verify},
    data::Batch,
    model::{Keep, Model, Output, Packed},
};

/// How a quantised model computes beside its reference and its parent: root mean squares of differences of the last hidden
/// states, in units of the parent's own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Comparison {
    /// The price of the scheme: the reference against the parent.
    pub price: f64,
    /// The quantised model against the reference.
    pub from_reference: f64,
    /// The same after the first layer, where rounding has not yet multiplied.
    pub first_layer: f64,
}

/// Compares a quantised model with its parent: every stored number with the scheme's formula, to the bit, and the hidden
/// states of fixed token ids with a fake-quantised reference.
///
/// The reference rounds what the scheme rounds and computes in f32. An integer kernel differs from it in the order of
/// additions only, by 10⁻⁷; but where that moves an activation across a rounding boundary, by one step of int8, and every
/// layer multiplies such steps. Behind several layers two right implementations are therefore as far apart as
/// independent roundings are: √2 times the price. Behind one layer they are still near each other. Both are demanded.
///
/// # Errors
/// When one of them cannot be run, a stored number is wrong, or the states are too far apart.
pub fn compare(parent: &Model, quantized: &Model, plan: &Quantization) -> Result<Comparison, CompressError> {
    check_stored(parent, quantized, plan)?;
    let batch = verify::fixed_batch(parent);
    let reference = reference(parent, plan, &batch)?;
    let found = states(quantized, &batch)?;
    let exact = states(parent, &batch)?;
    let mut comparison = Comparison { price: 0.0, from_reference: 0.0, first_layer: 0.0 };
    for (layer, ((reference, found), exact)) in reference.iter().zip(&found).zip(&exact).enumerate() {
        let size = distance(exact, &vec![0.0; exact.len()]);
        let price = distance(reference, exact) / size;
        let apart = distance(found, reference) / size;
        // The embeddings are only added; each layer rounds, and one of several feed-forward nets more than once behind
        // another. 10⁻⁵ is the order of additions.
        let of_first = if parent.spec.has_plain_layers() { 0.5 } else { 1.0 };
        let factor = [0.0, of_first].get(layer).copied().unwrap_or(2.0);
        let allowed = factor * price + 1e-5;
        if !apart.is_finite() || found.len() != reference.len() || apart > allowed {
            return Err(CompressError::Unfit(format!(
                "the quantised model does not compute what it should: behind layer {layer} its states differ from the \
                 reference by {apart:.1e} of their size, and rounding explains {allowed:.1e}; this is a fault of lmpipe"
            )));
        }
        comparison.price = price;
        comparison.from_reference = apart;
        if layer == 1 {
            comparison.first_layer = apart;
        }
    }
    Ok(comparison)
}

/// The hidden states of a model: of the embeddings, and behind each layer.
fn states(model: &Model, batch: &Batch) -> Result<Vec<Vec<f32>>, CompressError> {
    let packed = Packed::new(&batch.input_ids, &batch.type_ids, &batch.offsets);
    flat(&model.forward(packed, Keep { hidden_states: true, ..Keep::default() })?)
}

/// The same of the parent with every number that the scheme rounds rounded and turned back.
fn reference(parent: &Model, plan: &Quantization, batch: &Batch) -> Result<Vec<Vec<f32>>, CompressError> {
    let mut model = parent.frozen();
    for module in plan.modules.iter().chain(&plan.embeddings) {
        let name = format!("{module}.weight");
        let weight = model.params.get(&name).ok_or_else(|| missing(&name))?;
        let weight = rounded(weight, group(plan, weight.dim(1)?)?, plan.scheme.bits())?;
        model.params.insert(name, weight);
    }
    let packed = Packed::new(&batch.input_ids, &batch.type_ids, &batch.offsets);
    let output = model.forward_changed(packed, Keep { hidden_states: true, ..Keep::default() }, &|module, x| {
        let is_rounded = plan.scheme == Scheme::W8A8 && plan.modules.iter().any(|other| other == module);
        if is_rounded { rounded(x, x.dim(1)?, 8) } else { Ok(x.clone()) }
    })?;
    flat(&output)
}

fn flat(output: &Output) -> Result<Vec<Vec<f32>>, CompressError> {
    output.hidden_states.iter().map(|state| Ok(state.flatten_all()?.to_vec1::<f32>()?)).collect()
}

/// The root mean square of the differences.
fn distance(a: &[f32], b: &[f32]) -> f64 {
    let sum: f64 = a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum();
    (sum / a.len().max(1) as f64).sqrt()
}

fn check_stored(parent: &Model, quantized: &Model, plan: &Quantization) -> Result<(), CompressError> {
    for module in plan.modules.iter().chain(&plan.embeddings) {
        let name = format!("{module}.weight");
        let weight = parent.params.get(&name).ok_or_else(|| missing(&name))?;
        let columns = group(plan, weight.dim(1)?)?;
        let expected = quantize_rows(&weight.flatten_all()?.to_vec1::<f32>()?, columns, plan.scheme.bits());
        let int8 = quantized.int8.get(module).map(|weight| (weight.values(), weight.scales()));
        let packed = quantized.packed.get(module).map(|weight| (weight.values(), weight.scales()));
        let (values, scales) = int8.or(packed).ok_or_else(|| missing(&name))?;
        if values != expected.values || scales != expected.scales {
            return Err(CompressError::Unfit(format!(
                "`{name}` is not stored as the scheme's formula rounds it; this is a fault of lmpipe"
            )));
        }
    }
    Ok(())
}

fn missing(name: &str) -> CompressError {
    CompressError::Unfit(format!("the model has no parameter `{name}`"))
}

/// How many neighbours in a row of a weight share a scale.
fn group(plan: &Quantization, columns: usize) -> Result<usize, CompressError> {
    match plan.scheme {
        Scheme::W8A8 => Ok(columns),
        Scheme::WeightOnly(width) => width.group_of(columns).map_err(CompressError::Unfit),
    }
}

/// Each so many numbers to integers and back.
fn rounded(x: &Tensor, columns: usize, bits: u32) -> candle_core::Result<Tensor> {
    let rows = quantize_rows(&x.flatten_all()?.to_vec1::<f32>()?, columns, bits);
    Tensor::from_vec(rows.dequantize(), x.shape(), x.device())
}
