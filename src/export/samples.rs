//! What a written file is compared on: rows of a dataset, or a few fixed sequences.

use std::path::Path;

use super::ExportError;
use crate::{
    base::rng,
    data::{self, Batch, Dataset, Order, Split, Tokenizer},
    model::EncoderSpec,
};

/// Rows that are padded to one length and run together.
const ROWS_A_BATCH: usize = 8;

/// Batches of token ids.
#[derive(Clone, Debug)]
pub struct Samples {
    pub(super) batches: Vec<Batch>,
    /// Whether they are texts that somebody wrote, and not random ids.
    pub(super) are_texts: bool,
}

impl Samples {
    /// Sequences of fixed pseudo-random ids, of different lengths, that any model of this vocabulary can run, with so many
    /// token types.
    #[must_use]
    pub fn fixed(spec: &EncoderSpec, n_types: usize) -> Self {
        let mut stream = rng::stream(0, "export");
        let mut batch = Batch { offsets: vec![0], ..Batch::default() };
        for (row, length) in [19, 33, 1, 8].into_iter().enumerate() {
            let length = length.min(spec.max_positions);
            for _ in 0..length {
                batch.input_ids.push(rng::below(&mut stream, spec.vocab_size) as u32);
                batch.type_ids.push(rng::below(&mut stream, n_types.max(1)) as u32);
            }
            batch.offsets.push(batch.input_ids.len());
            batch.rows.push(row);
        }
        Self { batches: vec![batch], are_texts: false }
    }

    /// The first rows of a dataset's test split, with the tokenizer of the model's folder, each cut to `max_length` tokens.
    ///
    /// # Errors
    /// When the dataset has no test split, or the tokenizer is missing or fails.
    pub fn of_rows(
        spec: &EncoderSpec,
        model: &Path,
        dataset: &Path,
        n_rows: usize,
        max_length: usize,
    ) -> Result<Self, ExportError> {
        let mut rows = Dataset::open(dataset)?.rows(Split::Test)?;
        rows.texts.truncate(n_rows);
        if let Some(pairs) = &mut rows.pairs {
            pairs.truncate(n_rows);
        }
        if rows.texts.is_empty() {
            return Err(ExportError::Unfit("there is no row to compare on".to_owned()));
        }
        let encodings =
            Tokenizer::for_model(model, spec.vocab_size)?.encode(&rows, max_length.min(spec.max_positions))?;
        Ok(Self { batches: data::batches(&encodings, ROWS_A_BATCH, Order::File), are_texts: true })
    }
}
