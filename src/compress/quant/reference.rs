//! The same forward pass written down plainly, with every quantised number rounded and turned back: what int8 must equal.

use candle_core::{D, Tensor};

use super::{Quantization, quantize_rows};
use crate::{
    compress::{CompressError, verify},
    data::Batch,
    model::{Activation, Keep, Model, PROJECTION, Packed},
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
    let reference = Reference { parent, plan }.states(&batch)?;
    let found = states(quantized, &batch)?;
    let exact = states(parent, &batch)?;
    let mut comparison = Comparison { price: 0.0, from_reference: 0.0, first_layer: 0.0 };
    for (layer, ((reference, found), exact)) in reference.iter().zip(&found).zip(&exact).enumerate() {
        let size = distance(exact, &vec![0.0; exact.len()]);
        let price = distance(reference, exact) / size;
        let apart = distance(found, reference) / size;
        // The embeddings are only added; each layer rounds. 10⁻⁵ is the order of additions.
        let factor = [0.0, 0.3].get(layer).copied().unwrap_or(2.0);
        let allowed = factor * price + 1e-5;
        if !apart.is_finite() || found.len() != reference.len() || apart > allowed {
            return Err(CompressError::Unfit(format!(
                "the int8 model does not compute what it should: behind layer {layer} its states differ from the \
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
    let packed = Packed { input_ids: &batch.input_ids, type_ids: &batch.type_ids, offsets: &batch.offsets };
    let output = model.forward(packed, Keep { hidden_states: true, ..Keep::default() })?;
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
        let expected = quantize_rows(&weight.flatten_all()?.to_vec1::<f32>()?, weight.dim(1)?);
        let stored = quantized.int8.get(module).ok_or_else(|| missing(&name))?;
        if stored.values() != expected.values || stored.scales() != expected.scales {
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

struct Reference<'a> {
    parent: &'a Model,
    plan: &'a Quantization,
}

impl Reference<'_> {
    /// The hidden states of the embeddings, and behind each layer.
    fn states(&self, batch: &Batch) -> Result<Vec<Vec<f32>>, CompressError> {
        let n_layers = self.parent.spec.n_layers();
        let mut states = vec![Vec::new(); n_layers + 1];
        for ends in batch.offsets.windows(2) {
            let ids = &batch.input_ids[ends[0]..ends[1]];
            let types = &batch.type_ids[ends[0]..ends[1]];
            let mut hidden = self.embed(ids, types)?;
            states[0].extend(hidden.flatten_all()?.to_vec1::<f32>()?);
            for layer in 0..n_layers {
                hidden = self.layer(&hidden, layer)?;
                states[layer + 1].extend(hidden.flatten_all()?.to_vec1::<f32>()?);
            }
        }
        Ok(states)
    }

    fn embed(&self, ids: &[u32], types: &[u32]) -> Result<Tensor, CompressError> {
        let device = &self.parent.device;
        let spec = &self.parent.spec;
        let positions: Vec<u32> = spec.positions.rows(ids).map(|row| row as u32).collect();
        let types = if spec.type_vocab_size < 2 { &vec![0; ids.len()] } else { types };
        let look_up = |table: &str, ids: &[u32]| -> Result<Tensor, CompressError> {
            let table = self.weight(&format!("bert.embeddings.{table}_embeddings"))?;
            Ok(table.index_select(&Tensor::new(ids, device)?, 0)?)
        };
        let mut sum = (look_up("word", ids)? + look_up("position", &positions)?)?;
        if spec.type_vocab_size > 0 {
            sum = (sum + look_up("token_type", types)?)?;
        }
        let embedded = self.norm(&sum, "bert.embeddings.LayerNorm")?;
        if spec.embedding_size.is_some() { self.linear(&embedded, PROJECTION) } else { Ok(embedded) }
    }

    fn layer(&self, hidden: &Tensor, layer: usize) -> Result<Tensor, CompressError> {
        let spec = &self.parent.spec;
        let prefix = format!("bert.encoder.layer.{layer}");
        let (length, heads, head_dim) = (hidden.dim(0)?, spec.layers[layer].heads, spec.head_dim);
        let split = |name: &str| -> Result<Tensor, CompressError> {
            let projected = self.linear(hidden, &format!("{prefix}.attention.self.{name}"))?;
            Ok(projected.reshape((length, heads, head_dim))?.transpose(0, 1)?.contiguous()?) // [heads, length, head_dim]
        };
        let (query, key, value) = (split("query")?, split("key")?, split("value")?);
        let attend = |query: &Tensor, key: &Tensor, value: &Tensor, hidden: &Tensor| -> Result<Tensor, CompressError> {
            let scores = (query.matmul(&key.t()?.contiguous()?)? / (head_dim as f64).sqrt())?.broadcast_add(hidden)?;
            let powers = scores.broadcast_sub(&scores.max_keepdim(D::Minus1)?)?.exp()?;
            let shares = powers.broadcast_div(&powers.sum_keepdim(D::Minus1)?)?;
            Ok(shares.matmul(value)?.transpose(0, 1)?.reshape((query.dim(1)?, heads * head_dim))?)
        };
        let globals = self.parent.globals(&[0, length]);
        let reach = spec.layers[layer].reach;
        let sees = |i: usize, j: usize| reach.is_none_or(|reach| i.abs_diff(j) <= reach) || globals.contains(&j);
        let pairs = (0..length * length).map(|at| if sees(at / length, at % length) { 0.0_f32 } else { -1e30 });
        let hidden_pairs = Tensor::from_vec(pairs.collect(), (length, length), hidden.device())?;
        let mut context = attend(&query, &key, &value, &hidden_pairs)?;
        if reach.is_some() && !globals.is_empty() {
            let (query, key, value) = (split("query_global")?, split("key_global")?, split("value_global")?);
            let all = attend(&query, &key, &value, &hidden_pairs.zeros_like()?)?;
            let rows: Vec<Tensor> = (0..length)
                .map(|row| if globals.contains(&row) { all.narrow(0, row, 1) } else { context.narrow(0, row, 1) })
                .collect::<Result<_, _>>()?;
            context = Tensor::cat(&rows, 0)?;
        }
        let attended = (self.linear(&context, &format!("{prefix}.attention.output.dense"))? + hidden)?;
        let attended = self.norm(&attended, &format!("{prefix}.attention.output.LayerNorm"))?;
        let inner = self.activate(&self.linear(&attended, &format!("{prefix}.intermediate.dense"))?)?;
        let output = (self.linear(&inner, &format!("{prefix}.output.dense"))? + attended)?;
        self.norm(&output, &format!("{prefix}.output.LayerNorm"))
    }

    fn linear(&self, x: &Tensor, module: &str) -> Result<Tensor, CompressError> {
        let x = if self.plan.modules.iter().any(|other| other == module) { rounded(x)? } else { x.clone() };
        let bias = self.parameter(&format!("{module}.bias"))?;
        Ok(x.matmul(&self.weight(module)?.t()?)?.broadcast_add(&bias)?)
    }

    fn norm(&self, x: &Tensor, module: &str) -> Result<Tensor, CompressError> {
        let centered = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
        let variance = (centered.sqr()?.mean_keepdim(D::Minus1)? + self.parent.spec.layer_norm_eps)?;
        let scaled = centered.broadcast_div(&variance.sqrt()?)?;
        let scaled = scaled.broadcast_mul(&self.parameter(&format!("{module}.weight"))?)?;
        Ok(scaled.broadcast_add(&self.parameter(&format!("{module}.bias"))?)?)
    }

    fn activate(&self, x: &Tensor) -> Result<Tensor, CompressError> {
        Ok(match self.parent.spec.activation {
            Activation::Gelu => x.gelu_erf()?,
            Activation::GeluTanh => x.gelu()?,
            Activation::Relu => x.relu()?,
            Activation::Tanh => x.tanh()?,
        })
    }

    /// A weight or table as the quantised model has it.
    fn weight(&self, module: &str) -> Result<Tensor, CompressError> {
        let weight = self.parameter(&format!("{module}.weight"))?;
        let quantized = self.plan.modules.iter().chain(&self.plan.embeddings).any(|other| other == module);
        if quantized { rounded(&weight) } else { Ok(weight) }
    }

    fn parameter(&self, name: &str) -> Result<Tensor, CompressError> {
        let parameter = self.parent.params.get(name);
        Ok(parameter.ok_or_else(|| missing(name))?.detach())
    }
}

/// Each row to int8 and back.
fn rounded(x: &Tensor) -> Result<Tensor, CompressError> {
    let (_, columns) = x.dims2()?;
    let rows = quantize_rows(&x.flatten_all()?.to_vec1::<f32>()?, columns);
    Ok(Tensor::from_vec(rows.dequantize(), x.shape(), x.device())?)
}
