//! Runs a model over rows: logits in the order of the rows.

use std::path::Path;

use super::{EvalError, LabelMap, argmax};
use crate::{
    data::{Batch, Encoding, LongTexts, Rows, Tokenizer},
    model::{Head, Packed},
    runtime::Executor,
};

/// How to run a model over rows.
#[derive(Clone, Copy, Debug)]
pub struct RunOptions {
    /// Rows a batch.
    pub batch_size: usize,
    /// Tokens a row, special ones included. Never more than the model has positions.
    pub max_length: usize,
    /// What is done with longer rows.
    pub long_texts: LongTexts,
}

/// What a classifier says about rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Predictions {
    /// Logits a row, in the order of the dataset's labels, `[rows, labels]`.
    pub logits: Vec<Vec<f32>>,
    /// The label with the largest logit, `[rows]`.
    pub labels: Vec<u32>,
}

/// Runs a model and its tokenizer over rows and gives its logits as they are, `[rows, labels of the model]`.
///
/// `progress` is told how many rows are done before each batch, and says whether to go on.
///
/// # Errors
/// When a row cannot be tokenised, the model has no classifier or fails, or `progress` says stop.
pub fn run(
    model: &Executor,
    tokenizer: &Tokenizer,
    rows: &Rows,
    options: RunOptions,
    mut progress: impl FnMut(usize) -> bool,
) -> Result<Vec<Vec<f32>>, EvalError> {
    let max_length = options.max_length.min(model.spec.max_positions);
    let chunks = tokenizer.encode_long(rows, max_length, options.long_texts)?;
    let row_of: Vec<usize> = chunks.iter().enumerate().flat_map(|(row, of)| vec![row; of.len()]).collect();
    let encodings = chunks.concat();
    let mut of_chunks = vec![Vec::new(); encodings.len()];
    let mut done = 0;
    for rows in by_length(&encodings).chunks(options.batch_size.max(1)) {
        // As many of the rows as of their chunks.
        if !progress(done * chunks.len() / encodings.len()) {
            return Err(EvalError::Stopped);
        }
        let batch = Batch::pack(&encodings, rows);
        for (row, logits) in rows.iter().zip(run_batch(model, &batch)?) {
            of_chunks[*row] = logits;
        }
        done += rows.len();
    }
    if chunks.len() == encodings.len() {
        return Ok(of_chunks);
    }
    let mut all = vec![Vec::new(); chunks.len()];
    for ((row, encoding), logits) in row_of.into_iter().zip(&encodings).zip(of_chunks) {
        let tokens: usize = chunks[row].iter().map(|chunk| chunk.ids.len()).sum();
        let weight = encoding.ids.len() as f32 / tokens.max(1) as f32;
        let sums: &mut Vec<f32> = &mut all[row];
        sums.resize(logits.len(), 0.0);
        sums.iter_mut().zip(logits).for_each(|(sum, logit)| *sum += weight * logit);
    }
    Ok(all)
}

/// Loads the tokenizer of a model folder, runs the model over rows, and gives what it says in terms of the dataset's
/// labels.
///
/// # Errors
/// As [`run`], and when the labels of model and dataset differ.
pub fn run_model(
    (name, model, dir): (&str, &Executor, &Path),
    rows: &Rows,
    labels: &[String],
    options: RunOptions,
    progress: impl FnMut(usize) -> bool,
) -> Result<Predictions, EvalError> {
    let map = LabelMap::new(name, &model.head, labels)?;
    let tokenizer = Tokenizer::for_model(dir, model.spec.vocab_size)?;
    let mut logits = run(model, &tokenizer, rows, options, progress)?;
    for row in &mut logits {
        *row = map.reorder(row);
    }
    if let Some(row) = logits.iter().position(|row| row.iter().any(|value| !value.is_finite())) {
        return Err(EvalError::Unfit(format!("the model `{name}` gives no finite logits for row {}", row + 1)));
    }
    let labels = logits.iter().map(|row| argmax(row) as u32).collect();
    Ok(Predictions { logits, labels })
}

/// Sends a batch through a model, as serving does: to its logits, or without a head to its last hidden state.
///
/// # Errors
/// When the model fails.
pub fn answer(model: &Executor, batch: &Batch) -> Result<(), EvalError> {
    let packed = Packed::new(&batch.input_ids, &batch.type_ids, &batch.offsets);
    if model.logits(packed)?.is_none() {
        model.last_hidden_state(packed)?;
    }
    Ok(())
}

/// The logits of a batch, `[rows, labels of the model]`.
fn run_batch(model: &Executor, batch: &Batch) -> Result<Vec<Vec<f32>>, EvalError> {
    let Head::SequenceClassification { labels } = &model.head else {
        return Err(EvalError::Unfit("the model has no classifier: it gives no logits".into()));
    };
    let packed = Packed::new(&batch.input_ids, &batch.type_ids, &batch.offsets);
    let logits = model.logits(packed)?.unwrap_or_default();
    Ok(logits.chunks_exact(labels.len().max(1)).map(<[f32]>::to_vec).collect())
}

/// Row numbers, longest row first: what needs the most memory fails first if it fails, and a batch's rows are alike, so
/// that threads which share them end together. Rows of one length stay in order.
fn by_length(encodings: &[Encoding]) -> Vec<usize> {
    let mut rows: Vec<usize> = (0..encodings.len()).collect();
    rows.sort_by_key(|&row| std::cmp::Reverse(encodings[row].ids.len()));
    rows
}

/// The probabilities of logits.
#[must_use]
pub fn softmax(logits: &[f32]) -> Vec<f32> {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f64> = logits.iter().map(|x| f64::from(x - max).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.iter().map(|power| (power / sum) as f32).collect()
}

/// The mean cross entropy of rows against their true labels, in nats.
#[must_use]
pub fn cross_entropy(logits: &[Vec<f32>], truth: &[u32]) -> f64 {
    let of_row = |(logits, truth): (&Vec<f32>, &u32)| {
        let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f64 = logits.iter().map(|x| f64::from(x - max).exp()).sum();
        sum.ln() - f64::from(logits[*truth as usize] - max)
    };
    logits.iter().zip(truth).map(of_row).sum::<f64>() / truth.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longest_first_and_stable() {
        let encodings: Vec<_> =
            [2, 5, 2, 7].map(|n| Encoding { ids: vec![1; n], type_ids: vec![0; n] }).into_iter().collect();
        assert_eq!(by_length(&encodings), [3, 1, 0, 2]);
    }

    #[test]
    fn probabilities_and_losses() {
        assert_eq!(softmax(&[0.0, 0.0]), [0.5, 0.5]);
        assert_eq!(softmax(&[1000.0, -1000.0]), [1.0, 0.0]);
        assert_eq!(argmax(&[1.0, 3.0, 3.0]), 1);
        let loss = cross_entropy(&[vec![0.0, 0.0], vec![2.0, 0.0]], &[0, 1]);
        let expected = f64::midpoint(2f64.ln(), (1.0 + 2f64.exp()).ln());
        assert!((loss - expected).abs() < 1e-7, "{loss}");
    }
}
