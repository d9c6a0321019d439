//! `Examples`: the rows of a split, tokenised once.

use super::{Sentences, TrainError};
use crate::data::{Dataset, Encoding, LongTexts, Split, Tokenizer};

/// The rows of a split as ids and label numbers.
#[derive(Clone, Debug, Default)]
pub struct Examples {
    /// The ids of each row.
    pub encodings: Vec<Encoding>,
    /// The label number of each row, where the data is labelled; numbers are places in [`crate::data::Meta::labels`]
    /// unless [`Self::relabel`] changed them.
    pub labels: Option<Vec<u32>>,
    /// The sentences of each row, where it was cut into such.
    pub sentences: Option<Vec<Sentences>>,
}

impl Examples {
    /// The rows of a split of a dataset, cut to `max_length` tokens or in chunks of as many, each of which is then a row with the
    /// label of the whole.
    ///
    /// # Errors
    /// When the dataset has no such split, or a row cannot be tokenised.
    pub fn of(
        dataset: &Dataset,
        split: Split,
        tokenizer: &Tokenizer,
        max_length: usize,
        long_texts: LongTexts,
    ) -> Result<Self, TrainError> {
        let rows = dataset.rows(split)?;
        let chunks = tokenizer.encode_long(&rows, max_length, long_texts)?;
        let repeated = |labels: Vec<u32>| {
            let of_row = labels.into_iter().zip(&chunks).map(|(label, chunks)| vec![label; chunks.len()]);
            of_row.collect::<Vec<_>>().concat()
        };
        let labels = rows.labels.map(repeated);
        Ok(Self { encodings: chunks.concat(), labels, sentences: None })
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.encodings.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.encodings.is_empty()
    }

    /// Numbers the labels as a model numbers them instead of as the dataset does.
    ///
    /// # Errors
    /// When a label that occurs is not among the model's.
    pub fn relabel(mut self, dataset_labels: &[String], model_labels: &[String]) -> Result<Self, TrainError> {
        if dataset_labels == model_labels {
            return Ok(self);
        }
        let numbers: Vec<Option<usize>> =
            dataset_labels.iter().map(|label| model_labels.iter().position(|name| name == label)).collect();
        for label in self.labels.iter_mut().flatten() {
            let Some(number) = numbers.get(*label as usize).copied().flatten() else {
                let name = dataset_labels.get(*label as usize).map_or("?", String::as_str);
                return Err(TrainError::Unfit(format!(
                    "the data has the label `{name}`, the model only {}",
                    crate::base::plural::list(model_labels)
                )));
            };
            *label = number as u32;
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_matched_by_name() {
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        let examples = Examples { labels: Some(vec![0, 1, 0]), ..Examples::default() };
        let model = names(&["positive", "neutral", "negative"]);
        let relabelled = examples.clone().relabel(&names(&["negative", "positive"]), &model).unwrap();
        assert_eq!(relabelled.labels, Some(vec![2, 0, 2]));
        let error = examples.relabel(&names(&["negative", "mixed"]), &model).unwrap_err().to_string();
        assert!(error.starts_with("the data has the label `mixed`"), "{error}");
    }
}
