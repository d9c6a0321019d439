//! The same forward pass written down plainly, with every quantised number rounded and turned back: what int8 must equal.

use candle_core::{D, Tensor};

use super::{Quantization, quantize_rows};
use crate::{
    compress::{CompressError, verify},
    data::Batch,
    model::{Activation, Head, Model},
};

/// How a quantised model answers beside its reference and its parent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Comparison {
    /// The largest difference from the fake-quantised reference.
    pub from_reference: f32,
    /// The largest difference from the f32 parent: the price of the scheme.
    pub from_parent: f32,
    /// The largest absolute answer of the parent, to judge both by.
    pub largest: f32,
}

/// Compares a quantised model with its parent: every stored number with the scheme's formula, to the bit, and the answers
/// to fixed token ids with a fake-quantised reference.
///
/// The reference rounds what the scheme rounds and computes in f32. An integer kernel differs from it in the order of
/// additions only; where that moves an activation across a rounding boundary, by one step of int8, and what follows by a
/// few more. The answers may therefore be as far apart as rounding itself moves them, but no further: more means that the
/// kernel computes something else.
///
/// # Errors
/// When one of them cannot be run, a stored number is wrong, or the answers are too far apart.
pub fn compare(parent: &Model, quantized: &Model, plan: &Quantization) -> Result<Comparison, CompressError> {
    check_stored(parent, quantized, plan)?;
    let batch = verify::fixed_batch(parent);
    let reference = Reference { parent, plan }.answers(&batch)?;
    let found = verify::answers(quantized, &batch)?;
    let exact = verify::answers(parent, &batch)?;
    let worst = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    let largest = exact.iter().fold(0.0_f32, |largest, x| largest.max(x.abs()));
    let comparison =
        Comparison { from_reference: worst(&reference, &found), from_parent: worst(&exact, &found), largest };
    let allowed = 1.5 * worst(&reference, &exact) + 1e-4 * largest;
    let finite = found.iter().all(|x| x.is_finite());
    if found.len() != reference.len() || !finite || comparison.from_reference > allowed {
        return Err(CompressError::Unfit(format!(
            "the int8 model does not compute what it should: its answers to fixed ids differ from the reference by {}, \
             and rounding explains {allowed} (the largest answer is {largest}); this is a fault of lmpipe",
            comparison.from_reference
        )));
    }
    Ok(comparison)
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
    /// Logits of a classifier; the last hidden state of every other model.
    fn answers(&self, batch: &Batch) -> Result<Vec<f32>, CompressError> {
        let device = &self.parent.device;
        let mut rows = Vec::new();
        for ends in batch.offsets.windows(2) {
            let ids = &batch.input_ids[ends[0]..ends[1]];
            let types = &batch.type_ids[ends[0]..ends[1]];
            let mut hidden = self.embed(ids, types)?;
            for layer in 0..self.parent.spec.n_layers() {
                hidden = self.layer(&hidden, layer)?;
            }
            let answer = match self.parent.head {
                Head::SequenceClassification { .. } => {
                    let mut first = hidden.narrow(0, 0, 1)?;
                    if self.parent.spec.pooler {
                        first = self.linear(&first, "bert.pooler.dense")?.tanh()?;
                    }
                    self.linear(&first, "classifier")?
                }
                Head::MaskedLm => self.masked_lm(&hidden)?,
                Head::None => hidden,
            };
            rows.push(answer.to_device(device)?);
        }
        Ok(Tensor::cat(&rows, 0)?.flatten_all()?.to_vec1::<f32>()?)
    }

    fn embed(&self, ids: &[u32], types: &[u32]) -> Result<Tensor, CompressError> {
        let device = &self.parent.device;
        let positions: Vec<u32> = (0..ids.len() as u32).collect();
        let look_up = |table: &str, ids: &[u32]| -> Result<Tensor, CompressError> {
            let table = self.weight(&format!("bert.embeddings.{table}_embeddings"))?;
            Ok(table.index_select(&Tensor::new(ids, device)?, 0)?)
        };
        let sum = ((look_up("word", ids)? + look_up("token_type", types)?)? + look_up("position", &positions)?)?;
        self.norm(&sum, "bert.embeddings.LayerNorm")
    }

    fn layer(&self, hidden: &Tensor, layer: usize) -> Result<Tensor, CompressError> {
        let spec = &self.parent.spec;
        let prefix = format!("bert.encoder.layer.{layer}");
        let (length, heads, head_dim) = (hidden.dim(0)?, spec.heads[layer], spec.head_dim);
        let split = |name: &str| -> Result<Tensor, CompressError> {
            let projected = self.linear(hidden, &format!("{prefix}.attention.self.{name}"))?;
            Ok(projected.reshape((length, heads, head_dim))?.transpose(0, 1)?.contiguous()?) // [heads, length, head_dim]
        };
        let (query, key, value) = (split("query")?, split("key")?, split("value")?);
        let scores = (query.matmul(&key.t()?.contiguous()?)? / (head_dim as f64).sqrt())?;
        let powers = scores.broadcast_sub(&scores.max_keepdim(D::Minus1)?)?.exp()?;
        let shares = powers.broadcast_div(&powers.sum_keepdim(D::Minus1)?)?;
        let context = shares.matmul(&value)?.transpose(0, 1)?.reshape((length, heads * head_dim))?;
        let attended = (self.linear(&context, &format!("{prefix}.attention.output.dense"))? + hidden)?;
        let attended = self.norm(&attended, &format!("{prefix}.attention.output.LayerNorm"))?;
        let inner = self.activate(&self.linear(&attended, &format!("{prefix}.intermediate.dense"))?)?;
        let output = (self.linear(&inner, &format!("{prefix}.output.dense"))? + attended)?;
        self.norm(&output, &format!("{prefix}.output.LayerNorm"))
    }

    fn masked_lm(&self, hidden: &Tensor) -> Result<Tensor, CompressError> {
        let transformed = self.activate(&self.linear(hidden, "cls.predictions.transform.dense")?)?;
        let transformed = self.norm(&transformed, "cls.predictions.transform.LayerNorm")?;
        let decoder = match self.parent.params.get("cls.predictions.decoder.weight") {
            Some(decoder) => decoder.clone(),
            None => self.weight("bert.embeddings.word_embeddings")?,
        };
        Ok(transformed.matmul(&decoder.t()?)?.broadcast_add(&self.parameter("cls.predictions.bias")?)?)
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
