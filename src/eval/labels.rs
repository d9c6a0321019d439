//! `LabelMap`: a model's labels to a dataset's, by name.

use super::EvalError;
use crate::{base::plural, model::Head};

/// Where each of a dataset's labels stands among a model's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelMap {
    /// For each label of the dataset, its place among the model's logits.
    to_model: Vec<usize>,
}

impl LabelMap {
    /// Matches labels by name; their order may differ.
    ///
    /// # Errors
    /// When the model has no classifier, or either side has labels that the other lacks; they are named.
    pub fn new(name: &str, head: &Head, dataset: &[String]) -> Result<Self, EvalError> {
        let labels = classifier_labels(name, head)?;
        Self::of(name, labels, dataset)
    }

    fn of(name: &str, labels: &[String], dataset: &[String]) -> Result<Self, EvalError> {
        let lacking = |from: &[String], of: &[String]| -> Vec<String> {
            of.iter().filter(|label| !from.contains(label)).cloned().collect()
        };
        let (unknown, unused) = (lacking(labels, dataset), lacking(dataset, labels));
        let told: Vec<_> = [
            (&unknown, format!("the model `{name}` does not know the dataset's")),
            (&unused, format!("the dataset has no rows or label for the model `{name}`'s")),
        ]
        .into_iter()
        .filter(|(labels, _)| !labels.is_empty())
        .map(|(labels, what)| format!("{what} {}", plural::list(labels)))
        .collect();
        if !told.is_empty() {
            return Err(EvalError::Labels(format!(
                "the labels differ: {} (model: {}; dataset: {}); train the model on these labels, or rename them with `query`",
                told.join(", and "),
                plural::list(labels),
                plural::list(dataset),
            )));
        }
        let place = |label: &String| labels.iter().position(|other| other == label).expect("checked above");
        Ok(Self { to_model: dataset.iter().map(place).collect() })
    }

    /// The logits of a row in the dataset's order of labels.
    #[must_use]
    pub fn reorder(&self, logits: &[f32]) -> Vec<f32> {
        self.to_model.iter().map(|&place| logits[place]).collect()
    }

    /// A label of the dataset as a number of the model.
    ///
    /// # Panics
    /// When the label is not one of the dataset's.
    #[must_use]
    pub fn to_model(&self, label: u32) -> u32 {
        self.to_model[label as usize] as u32
    }
}

/// The labels of a classifier, in the order of its logits.
///
/// # Errors
/// When the model is not a classifier.
pub(super) fn classifier_labels<'a>(name: &str, head: &'a Head) -> Result<&'a [String], EvalError> {
    let what = match head {
        Head::SequenceClassification { labels } => return Ok(labels),
        Head::TokenClassification { .. } => "classifies tokens, not texts",
        Head::MaskedLm => "has a masked-language-model head, not a classifier",
        Head::None => "has no classifier: it is an encoder alone",
    };
    Err(EvalError::Unfit(format!("the model `{name}` {what}; train one with the stage `finetune` or `distill`")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn labels_meet_by_name() {
        let map = LabelMap::of("m", &names(&["pos", "neg", "mid"]), &names(&["mid", "neg", "pos"])).unwrap();
        assert_eq!(map.reorder(&[1.0, 2.0, 3.0]), [3.0, 2.0, 1.0]);
        assert_eq!(map.to_model(0), 2);
    }

    #[test]
    fn labels_that_differ_are_named() {
        let error = LabelMap::of("m", &names(&["LABEL_0", "pos"]), &names(&["neg", "pos"])).unwrap_err().to_string();
        for part in ["does not know the dataset's `neg`", "the model `m`'s `LABEL_0`"] {
            assert!(error.contains(part), "{error}");
        }
    }
}
