//! How good a model is on labelled rows, during training and after.

use super::{Counts, Examples, Objective, Quality, TrainError, TrainObserver, step::packed};
use crate::{
    data::{Order, batches},
    model::{Keep, Model},
};

/// Rows of a forward pass without gradients.
const BATCH: usize = 64;
/// Its tokens, where rows are long: more would need much memory and be no faster.
const TOKENS: usize = 16_384;

/// How good a model is on some examples, as an objective counts; `None` where the examples have no targets.
///
/// # Errors
/// When the observer stops it, or a computation fails.
pub fn evaluate(
    model: &Model,
    examples: &Examples,
    objective: &dyn Objective,
    seed: u64,
    observer: &dyn TrainObserver,
) -> Result<Option<Quality>, TrainError> {
    let model = model.frozen();
    let mut counts = Counts::default();
    let longest = examples.encodings.iter().map(|encoding| encoding.ids.len()).max().unwrap_or(0);
    let rows = (TOKENS / longest.max(1)).clamp(1, BATCH);
    for (index, batch) in batches(&examples.encodings, rows, Order::File).into_iter().enumerate() {
        if observer.should_stop() {
            return Err(TrainError::Stopped);
        }
        // The same masks in each epoch, or epochs could not be compared.
        let prepared = objective.prepare(batch, examples, seed ^ index as u64)?;
        let output = model.forward(packed(&prepared), Keep::default())?;
        counts.add(objective.quality(&output, &prepared)?);
    }
    Ok(counts.quality())
}
