//! Reads back what was written and compares: a checkpoint that does not say what the model said is not an output.

use std::path::Path;

use candle_core::Tensor;

use super::CompressError;
use crate::{
    base::rng,
    data::Batch,
    model::{FloatType, Keep, Model, Packed},
};

/// A few short sequences of fixed pseudo-random ids that any model of this vocabulary can run.
#[must_use]
pub fn fixed_batch(model: &Model) -> Batch {
    let mut stream = rng::stream(0, "verify");
    let mut batch = Batch { offsets: vec![0], ..Batch::default() };
    for (row, length) in [17, 9, 1].into_iter().enumerate() {
        let length = length.min(model.spec.max_positions);
        for _ in 0..length {
            batch.input_ids.push(rng::below(&mut stream, model.spec.vocab_size) as u32);
            batch.type_ids.push(0);
        }
        batch.offsets.push(batch.input_ids.len());
        batch.rows.push(row);
    }
    batch
}

/// What a model says about a batch: its logits, or its last hidden state where it has no head; flattened.
///
/// # Errors
/// When the model cannot be run.
pub fn answers(model: &Model, batch: &Batch) -> Result<Vec<f32>, CompressError> {
    let packed = Packed::new(&batch.input_ids, &batch.type_ids, &batch.offsets);
    let output = model.forward(packed, Keep::default())?;
    let tensor: &Tensor = output.logits.as_ref().unwrap_or(&output.last_hidden_state);
    Ok(tensor.flatten_all()?.to_vec1::<f32>()?)
}

/// Reads a model that was just written and demands that it is the same: its shape, its head, and its numbers to the bit.
///
/// # Errors
/// When it cannot be read, or differs; the text says how.
pub fn read_back(model: &Model, dir: &Path) -> Result<Model, CompressError> {
    let written = Model::load(dir, &model.device)?;
    match written.difference(model, FloatType::F32)? {
        None => Ok(written),
        Some(difference) => Err(CompressError::Unfit(format!(
            "the written model differs from the one in memory: {difference}; this is a fault of lmpipe"
        ))),
    }
}
