//! How much the loss would change without a head or a neuron, to first order, from gradients on real rows.

use std::collections::BTreeMap;

use candle_core::{Tensor, Var};

use crate::{
    compress::CompressError,
    data::{Batch, Encoding},
    model::{EncoderSpec, Head, Keep, Model, Packed},
};

/// The importance of every unit: `[layer or net][unit]`, means over the rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Importance {
    /// Of attention heads, by layers with weights of their own.
    pub heads: Vec<Vec<f64>>,
    /// Of feed-forward neurons, by nets with weights of their own.
    pub neurons: Vec<Vec<f64>>,
    /// The rows that it was measured on.
    pub rows: usize,
}

/// Measures the importance of all heads and neurons on labelled rows.
///
/// A unit's output enters the network through columns of the matrix behind it (`attention.output.dense`,
/// `output.dense`). A gate `ξ` on the unit scales those columns, so `∂L/∂ξ = Σ W ⊙ ∂L/∂W` over them: the gradient of
/// one matrix a layer gives every gate's. The importance is `E |∂L/∂ξ|` over the rows (Michel et al., 2019, equation 2,
/// for heads; Molchanov et al., 2019, equation 8 without the square, for neurons), taken row by row, as cancelling
/// effects on different rows are effects all the same.
///
/// `labels` are numbers of the model's labels. `progress` is told how many rows are done and says whether to go on.
///
/// # Errors
/// When the model is not an f32 classifier, a computation fails, or `progress` says stop.
pub fn measure(
    model: &mut Model,
    encodings: &[Encoding],
    labels: &[u32],
    mut progress: impl FnMut(usize) -> bool,
) -> Result<Importance, CompressError> {
    if !matches!(model.head, Head::SequenceClassification { .. }) {
        return Err(CompressError::Unfit(
            "heads and neurons are weighed by the loss of a classifier, and the model has none; `finetune` it first"
                .into(),
        ));
    }
    let spec = model.spec.clone();
    let layers: Vec<usize> = (0..spec.n_stored_layers()).map(|stored| spec.first_layer_of(stored)).collect();
    let nets = spec.nets();
    let mut importance = Importance {
        heads: layers.iter().map(|&layer| vec![0.0; spec.layers[layer].heads]).collect(),
        neurons: nets.iter().map(|&(layer, _)| vec![0.0; spec.layers[layer].intermediate_size]).collect(),
        rows: encodings.len(),
    };
    let attentions: Vec<String> = layers.iter().map(|&layer| attention(&spec, layer)).collect();
    let feed_forwards: Vec<String> = nets.iter().map(|(_, prefix)| format!("{prefix}.output.dense.weight")).collect();
    // Only these matrices become variables: the graph, and with it the backward pass, holds nothing else. In particular
    // no gradient of the word embeddings, which alone would be half of a small model.
    let before: BTreeMap<String, Tensor> = attentions
        .iter()
        .chain(&feed_forwards)
        .map(|name| {
            let weight = model.params.get(name).ok_or_else(|| {
                CompressError::Unfit(format!("`{name}` is not an f32 weight of the model; prune before quantising"))
            })?;
            Ok((name.clone(), weight.detach()))
        })
        .collect::<Result<_, CompressError>>()?;
    let mut variables = BTreeMap::new();
    for (name, weight) in &before {
        let variable = Var::from_tensor(weight)?;
        model.params.insert(name.clone(), variable.as_tensor().clone());
        variables.insert(name.as_str(), variable);
    }
    let measured = (|| {
        for (row, label) in labels.iter().enumerate() {
            if !progress(row) {
                return Err(CompressError::Train(crate::train::TrainError::Stopped));
            }
            let gradients = loss(model, &Batch::pack(encodings, &[row]), *label)?.backward()?;
            let heads = attentions.iter().zip(&mut importance.heads).map(|(name, sums)| (name, sums, spec.head_dim));
            let neurons = feed_forwards.iter().zip(&mut importance.neurons).map(|(name, sums)| (name, sums, 1));
            for (name, sums, width) in heads.chain(neurons) {
                let variable = &variables[name.as_str()];
                let gradient = gradients.get(variable).ok_or_else(|| {
                    CompressError::Unfit(format!("`{name}` has no gradient: it does not reach the loss"))
                })?;
                let by_column = (variable.as_tensor() * gradient)?.detach().sum(0)?.to_vec1::<f32>()?;
                for (sum, columns) in sums.iter_mut().zip(by_column.chunks(width)) {
                    *sum += columns.iter().map(|x| f64::from(*x)).sum::<f64>().abs();
                }
            }
        }
        Ok(())
    })();
    // Whatever happened, the model leaves as it came.
    model.params.extend(before);
    measured?;
    for sums in importance.heads.iter_mut().chain(&mut importance.neurons) {
        for sum in sums {
            *sum /= encodings.len().max(1) as f64;
        }
    }
    Ok(importance)
}

/// The cross entropy of one row.
fn loss(model: &Model, batch: &Batch, label: u32) -> Result<Tensor, CompressError> {
    let packed = Packed::new(&batch.input_ids, &batch.type_ids, &batch.offsets);
    let output = model.forward(packed, Keep::default())?;
    let logits = output.logits.ok_or_else(|| CompressError::Unfit("the model gives no logits".into()))?;
    Ok(crate::train::loss::cross_entropy(&logits, &[label], 0.0)?)
}

fn attention(spec: &EncoderSpec, layer: usize) -> String {
    format!("{}.attention.output.dense.weight", spec.prefix(layer))
}
