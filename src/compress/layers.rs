//! Which layers to keep: a list, every nth, the first, the last; and a model of only those.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::CompressError;
use crate::model::{EncoderSpec, Model, Quantized};

/// Which layers of a model to keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// These, counted from 0, in this order.
    List(Vec<usize>),
    /// Every nth, from the first: of six, `Every(2)` keeps 0, 2 and 4.
    Every(usize),
    /// The first n.
    First(usize),
    /// The last n.
    Last(usize),
}

impl Selection {
    /// The layers of a model with `n_layers`.
    ///
    /// # Errors
    /// When the model has not so many layers, a layer is named twice or not in order, or none would be left.
    pub fn resolve(&self, n_layers: usize) -> Result<Vec<usize>, CompressError> {
        let too_many =
            |n: usize| CompressError::Unfit(format!("the model has {n_layers} layers, so it has no {n} to keep"));
        let layers: Vec<usize> = match self {
            Self::List(list) => list.clone(),
            Self::Every(0) => Vec::new(),
            Self::Every(n) => (0..n_layers).step_by(*n).collect(),
            Self::First(n) | Self::Last(n) if *n > n_layers => return Err(too_many(*n)),
            Self::First(n) => (0..*n).collect(),
            Self::Last(n) => (n_layers - n..n_layers).collect(),
        };
        if layers.is_empty() {
            return Err(CompressError::Unfit("a model needs at least one layer".into()));
        }
        if let Some(layer) = layers.iter().find(|&&layer| layer >= n_layers) {
            return Err(CompressError::Unfit(format!(
                "the model has no layer {layer}; its {n_layers} layers are counted from 0"
            )));
        }
        if layers.iter().collect::<BTreeSet<_>>().len() < layers.len() || !layers.is_sorted() {
            return Err(CompressError::Unfit(format!("the layers {layers:?} must be different and in order")));
        }
        Ok(layers)
    }
}

/// A model of some layers of another, renumbered, with copies of all its other parameters (embeddings, pooler, head).
///
/// # Errors
/// When the model is quantised or lacks a layer, its `config.json` could not say what is left, or a tensor cannot be copied.
pub fn keep_layers(model: &Model, layers: &[usize]) -> Result<Model, CompressError> {
    if model.quantized != Quantized::No {
        return Err(CompressError::Unfit("the layers of a quantised model cannot be chosen; choose first".into()));
    }
    let layers = Selection::List(layers.to_vec()).resolve(model.spec.n_layers())?;
    let mut spec = model.spec.clone();
    spec.layers = layers.iter().map(|&layer| model.spec.layers[layer]).collect();
    if spec.pre_norm && layers[0] != 0 {
        return Err(CompressError::Unfit(
            "the first layer has no norm before it, as no other has: keep layer 0".into(),
        ));
    }
    let stored = stored_layers(&model.spec, &layers, &mut spec)?;
    let mut params = BTreeMap::new();
    for (name, tensor) in &model.params {
        let Some(name) = renumber(name, &stored) else { continue };
        // The models must not share storage: one of them will be trained.
        params.insert(name, tensor.detach().copy()?);
    }
    let config = config(&model.config, &layers);
    let mut kept = model.frozen();
    (kept.spec, kept.config, kept.params, kept.notes) = (spec, config, params, Vec::new());
    kept.check_config()?;
    Ok(kept)
}

/// The stored layers that stay. Where layers share weights, those that do must again be neighbours of one number.
fn stored_layers(before: &EncoderSpec, layers: &[usize], after: &mut EncoderSpec) -> Result<Vec<usize>, CompressError> {
    let shared: Vec<usize> = layers.iter().map(|&layer| before.stored_layer(layer)).collect();
    let mut stored = shared.clone();
    stored.dedup();
    if before.layer_groups.is_some() {
        after.layer_groups = Some(stored.len());
        if shared.iter().enumerate().any(|(layer, number)| stored[after.stored_layer(layer)] != *number) {
            return Err(CompressError::Unfit(format!(
                "layers of this model share their weights, and the layers {layers:?} have those of {shared:?}: keep as many of \
                 each, as `config.json` only says how many groups there are"
            )));
        }
    }
    Ok(stored)
}

/// The new name of a parameter; `None` for one of a layer that goes.
fn renumber(name: &str, layers: &[usize]) -> Option<String> {
    let mut segments: Vec<&str> = name.split('.').collect();
    let Some(at) = segments.iter().position(|segment| *segment == "layer").map(|at| at + 1) else {
        return Some(name.to_owned());
    };
    let Some(layer) = segments.get(at).and_then(|segment| segment.parse::<usize>().ok()) else {
        return Some(name.to_owned());
    };
    let number = layers.iter().position(|&kept| kept == layer)?.to_string();
    segments[at] = &number;
    Some(segments.join("."))
}

/// `config.json` of the smaller model.
fn config(config: &Value, layers: &[usize]) -> Value {
    let mut config = config.clone();
    let Some(map) = config.as_object_mut() else { return config };
    for key in ["num_hidden_layers", "n_layers", "num_layers"] {
        if let Some(value) = map.get_mut(key) {
            *value = layers.len().into();
        }
    }
    if let Some(Value::Object(heads)) = map.get_mut("pruned_heads") {
        let kept = layers.iter().enumerate();
        *heads = kept
            .filter_map(|(new, old)| Some((new.to_string(), heads.get(&old.to_string())?.clone())))
            .collect::<Map<_, _>>();
    }
    config
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn selections_of_six_layers() {
        let table = [
            (Selection::List(vec![0, 2, 4]), Ok(vec![0, 2, 4])),
            (Selection::Every(2), Ok(vec![0, 2, 4])),
            (Selection::Every(4), Ok(vec![0, 4])),
            (Selection::First(2), Ok(vec![0, 1])),
            (Selection::Last(2), Ok(vec![4, 5])),
            (Selection::List(vec![]), Err("at least one layer")),
            (Selection::Every(0), Err("at least one layer")),
            (Selection::First(7), Err("has 6 layers")),
            (Selection::Last(7), Err("has 6 layers")),
            (Selection::List(vec![0, 6]), Err("no layer 6")),
            (Selection::List(vec![2, 0]), Err("in order")),
            (Selection::List(vec![1, 1]), Err("different")),
        ];
        for (selection, expected) in table {
            match (selection.resolve(6), expected) {
                (Ok(layers), Ok(expected)) => assert_eq!(layers, expected),
                (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
                (found, expected) => panic!("{selection:?}: {found:?} instead of {expected:?}"),
            }
        }
    }

    #[test]
    fn names_and_config_are_renumbered() {
        let layers = [0, 2, 4];
        let name = |layer: usize| format!("bert.encoder.layer.{layer}.output.dense.weight");
        assert_eq!(renumber(&name(4), &layers), Some(name(2)));
        assert_eq!(renumber(&name(3), &layers), None);
        assert_eq!(renumber("classifier.bias", &layers), Some("classifier.bias".into()));
        let before = json!({"num_hidden_layers": 6, "hidden_size": 4, "pruned_heads": {"1": [0], "4": [1, 2]}});
        let after = json!({"num_hidden_layers": 3, "hidden_size": 4, "pruned_heads": {"2": [1, 2]}});
        assert_eq!(config(&before, &layers), after);
    }
}
