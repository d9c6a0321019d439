//! Extraction: which sentences of a text belong into its summary.

use super::{Counts, CrossEntropy, Examples, Loss, Objective, Prepared, Scope, TrainError};
use crate::{data::Batch, model::Output};

/// The sentences of a row, as they are learned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sentences {
    /// The place in the row of the token that stands for each sentence.
    pub starts: Vec<usize>,
    /// Of each sentence 1 when it belongs into the summary, else 0.
    pub targets: Vec<u32>,
}

/// The objective of an extractive summariser: the cross entropy of whether each sentence belongs into the summary, from the
/// hidden state of the token before it (Liu, 2019, "Fine-tune BERT for Extractive Summarization", §2.2, with two logits in the
/// place of one).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Extract {
    /// Whether sentences' tokens see, and are seen by, the whole row where attention has windows.
    pub has_globals: bool,
    /// The share of each target that is spread over both.
    pub label_smoothing: f64,
}

impl Objective for Extract {
    fn prepare(&self, batch: Batch, examples: &Examples, _seed: u64) -> Result<Prepared, TrainError> {
        let unfit = || TrainError::Unfit("the rows were not cut into sentences".into());
        let all = examples.sentences.as_ref().ok_or_else(unfit)?;
        let (mut targets, mut places) = (Vec::new(), Vec::new());
        for (&row, start) in batch.rows.iter().zip(&batch.offsets) {
            targets.extend(&all[row].targets);
            places.extend(all[row].starts.iter().map(|place| start + place));
        }
        let positions = Some(places.iter().map(|place| *place as u32).collect());
        let globals = self.has_globals.then_some(places);
        Ok(Prepared { batch, targets, positions, globals })
    }

    fn loss(&self, output: &Output, prepared: &Prepared, scope: &Scope) -> Result<Loss, TrainError> {
        CrossEntropy { label_smoothing: self.label_smoothing }.loss(output, prepared, scope)
    }

    /// Right is a sentence of the summary that is among as many of the highest of its row as the summary has: accuracy would
    /// be highest where none is chosen.
    fn quality(&self, output: &Output, prepared: &Prepared) -> Result<Counts, TrainError> {
        let mut counts = Counts::of(output, prepared)?;
        (counts.right, counts.all) = (0, 0);
        if prepared.targets.is_empty() {
            return Ok(counts);
        }
        let logits = prepared.logits(output)?.to_vec2::<f32>()?;
        let scores: Vec<f32> = logits.iter().map(|logits| logits[1] - logits[0]).collect();
        let positions = prepared.positions.as_deref().unwrap_or_default();
        for ends in prepared.batch.offsets.windows(2) {
            let of = |end: usize| positions.partition_point(|position| (*position as usize) < end);
            let row = of(ends[0])..of(ends[1]);
            let n = prepared.targets[row.clone()].iter().filter(|target| **target == 1).count();
            let mut order: Vec<usize> = row.collect();
            order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
            counts.right += order.iter().take(n).filter(|&&at| prepared.targets[at] == 1).count();
            counts.all += n;
        }
        Ok(counts)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor};

    use super::*;
    use crate::data::Encoding;

    #[test]
    fn the_highest_of_each_row_are_counted() {
        let encoding = |n: usize| Encoding { ids: vec![1; n], type_ids: vec![0; n] };
        let row = |starts: &[usize], targets: &[u32]| Sentences { starts: starts.to_vec(), targets: targets.to_vec() };
        let examples = Examples {
            encodings: vec![encoding(7), encoding(4), encoding(2)],
            labels: None,
            sentences: Some(vec![row(&[0, 3, 5], &[1, 0, 1]), row(&[0, 2], &[0, 1]), row(&[], &[])]),
        };
        let batch = Batch::pack(&examples.encodings, &[1, 2, 0]);
        let objective = Extract { has_globals: true, label_smoothing: 0.0 };
        let prepared = objective.prepare(batch, &examples, 0).unwrap();
        assert_eq!(prepared.globals.as_deref(), Some([0, 2, 6, 9, 11].as_slice()));
        assert_eq!(
            (prepared.targets.as_slice(), prepared.positions.as_ref().unwrap().len()),
            ([0, 1, 1, 0, 1].as_slice(), 5)
        );
        let mut logits = vec![0.0_f32; 13 * 2];
        // All prefer the first label; of the row of three the two highest are the first and the second.
        for (place, score) in [(0, -3.0), (2, -2.0), (6, -1.0), (9, -4.0), (11, -5.0)] {
            logits[2 * place + 1] = score;
        }
        let output = Output {
            last_hidden_state: Tensor::new(0.0_f32, &Device::Cpu).unwrap(),
            logits: Some(Tensor::from_vec(logits, (13, 2), &Device::Cpu).unwrap()),
            hidden_states: Vec::new(),
            attentions: Vec::new(),
            projections: Vec::new(),
        };
        let counts = objective.quality(&output, &prepared).unwrap();
        assert_eq!((counts.right, counts.all, counts.targets), (2, 3, 5));
        let plain = Counts::of(&output, &prepared).unwrap();
        assert_eq!((plain.right, plain.all), (2, 5));
        assert!((counts.quality().unwrap().loss - plain.quality().unwrap().loss).abs() < 1e-12);
        let loss = objective.loss(&output, &prepared, &Scope::of(std::slice::from_ref(&prepared))).unwrap();
        assert!((loss.parts[0].1 - plain.quality().unwrap().loss).abs() < 1e-6);
    }
}
