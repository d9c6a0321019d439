//! Applies a scheme to a model.

use candle_core::Tensor;

use super::{Scheme, quantize_rows};
use crate::{
    base::plural,
    compress::{CompressError, modules},
    model::{Head, Int8Weight, Model, PackedWeight, Quantized, Width},
};

/// What a scheme does to a model: which modules it makes narrow, and which stay f32.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quantization {
    /// The scheme.
    pub scheme: Scheme,
    /// Linear layers that become narrow, in the order of the model.
    pub modules: Vec<String>,
    /// Embedding tables that become narrow.
    pub embeddings: Vec<String>,
    /// Linear layers that stay f32, as `quantization_config.ignore` names them.
    pub ignore: Vec<String>,
}

impl Quantization {
    /// What a scheme does to a model.
    ///
    /// The pooler and all heads always stay f32: they are small, the classifier's rows decide, and serving programs keep
    /// them as plain layers that cannot be int8. `ignore` names further modules, as [`modules::names`] reads it.
    ///
    /// # Errors
    /// When a pattern names no module, a layer would have only some of query, key and value in int8 (serving programs
    /// fuse the three), nothing is left to quantise, or the model is quantised already.
    pub fn plan(model: &Model, scheme: Scheme, embeddings: bool, ignore: &[String]) -> Result<Self, CompressError> {
        if model.quantized != Quantized::No {
            return Err(CompressError::Unfit("the model is quantised already".into()));
        }
        let linear = modules::linear_modules(model);
        let asked = modules::select(ignore, &linear)?;
        let (int8, kept): (Vec<String>, Vec<String>) =
            linear.into_iter().partition(|module| module.contains(".layer.") && !asked.contains(module));
        check_fused(model, &int8)?;
        let tables = if embeddings { embedding_modules(model) } else { Vec::new() };
        if int8.is_empty() && tables.is_empty() {
            return Err(CompressError::Unfit("`ignore` leaves nothing to quantise".into()));
        }
        let mut ignore = kept;
        match model.head {
            // The decoder is a linear layer to other programs, though it has no weight of its own.
            Head::MaskedLm => ignore.push("cls.predictions.decoder".into()),
            // A bare encoder has a pooler there whether the checkpoint does or not.
            Head::None if !ignore.iter().any(|module| module == "bert.pooler.dense") => {
                ignore.push("bert.pooler.dense".into());
            }
            Head::None | Head::SequenceClassification { .. } | Head::TokenClassification { .. } => {}
        }
        Ok(Self { scheme, modules: int8, embeddings: tables, ignore })
    }
}

/// The quantised model; its parent stays as it is.
///
/// # Errors
/// When a weight is missing or not finite.
pub fn quantize(parent: &Model, plan: &Quantization) -> Result<Model, CompressError> {
    let mut model = parent.frozen();
    for module in plan.modules.iter().chain(&plan.embeddings) {
        let name = format!("{module}.weight");
        let weight = model
            .params
            .remove(&name)
            .ok_or_else(|| CompressError::Unfit(format!("the model has no f32 parameter `{name}` to quantise")))?;
        let at = |error: String| CompressError::Unfit(format!("`{name}`: {error}"));
        match plan.scheme {
            Scheme::W8A8 => {
                let int8 = Int8Weight::from_f32(&weight).map_err(|error| at(error.to_string()))?;
                model.int8.insert(module.clone(), int8);
            }
            Scheme::WeightOnly(width) => {
                let packed = pack(&weight, width).map_err(at)?;
                model.params.insert(name, packed.dequantize(&model.device)?);
                model.packed.insert(module.clone(), packed);
            }
        }
    }
    let (embeddings, ignore) = (!plan.embeddings.is_empty(), plan.ignore.clone());
    model.quantized = match plan.scheme {
        Scheme::W8A8 => Quantized::Int8 { embeddings, ignore },
        Scheme::WeightOnly(width) => Quantized::WeightOnly { width, embeddings, ignore },
    };
    Ok(model)
}

/// A weight in a few bits; the error says what does not fit.
fn pack(weight: &Tensor, width: Width) -> Result<PackedWeight, String> {
    let failed = |error: candle_core::Error| error.to_string();
    let columns = weight.dim(1).map_err(failed)?;
    let group = width.group_of(columns)?;
    let weights = weight.flatten_all().and_then(|flat| flat.to_vec1::<f32>()).map_err(failed)?;
    if weights.iter().any(|weight| !weight.is_finite()) {
        return Err("a weight that is not finite cannot be quantised".to_owned());
    }
    let rows = quantize_rows(&weights, group, width.bits);
    PackedWeight::from_parts(columns, width, rows.values, rows.scales).map_err(|error| error.to_string())
}

/// The embedding tables of a model.
fn embedding_modules(model: &Model) -> Vec<String> {
    let tables = model.params.keys().filter_map(|name| name.strip_suffix("_embeddings.weight"));
    tables.map(|table| format!("{table}_embeddings")).collect()
}

fn check_fused(model: &Model, int8: &[String]) -> Result<(), CompressError> {
    for layer in 0..model.spec.n_layers() {
        let projections =
            ["query", "key", "value"].map(|name| format!("bert.encoder.layer.{layer}.attention.self.{name}"));
        let (inside, outside): (Vec<_>, Vec<_>) = projections.iter().partition(|module| int8.contains(module));
        if !inside.is_empty() && !outside.is_empty() {
            return Err(CompressError::Unfit(format!(
                "`ignore` names {} but not {}: serving programs fuse query, key and value, so all three are int8 or none",
                plural::list(&outside),
                plural::list(&inside),
            )));
        }
    }
    Ok(())
}
