//! Applies a scheme to a model.

use super::Scheme;
use crate::{
    base::plural,
    compress::{CompressError, modules},
    model::{Head, Int8Weight, Model, Quantized},
};

/// What a scheme does to a model: which modules become int8, and which stay f32.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quantization {
    /// The scheme.
    pub scheme: Scheme,
    /// Linear layers that become int8, in the order of the model.
    pub modules: Vec<String>,
    /// Embedding tables that become int8.
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
            Head::None | Head::SequenceClassification { .. } => {}
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
        let int8 = Int8Weight::from_f32(&weight).map_err(|error| CompressError::Unfit(format!("`{name}`: {error}")))?;
        model.int8.insert(module.clone(), int8);
    }
    model.quantized = Quantized::Int8 { embeddings: !plan.embeddings.is_empty(), ignore: plan.ignore.clone() };
    Ok(model)
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
