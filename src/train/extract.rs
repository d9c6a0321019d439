//! Extraction: which sentences of a text belong into its summary.

use candle_core::Tensor;

use super::{Counts, CrossEntropy, Examples, Loss, Objective, Prepared, Scope, TrainError, logits};
use crate::{data::Batch, model::Output};

/// The sentences of a row, as they are learned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sentences {
    /// The place in the row of the token that stands for each sentence.
    pub starts: Vec<usize>,
    /// Of each sentence 1 when it belongs into the summary, else 0.
    pub targets: Vec<u32>,
}

/// The objective of an extractive summariser: the cross entropy of whether each sentence belongs into the summary. The logits of a
/// sentence are the mean of its tokens', which is those of its mean hidden state, as the head is linear; Liu (2019, "Fine-tune BERT
/// for Extractive Summarization", §2.2) takes those of its first token, which a few hundred texts do not teach what it stands for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Extract {
    /// Whether sentences' first tokens see, and are seen by, the whole row where attention has windows.
    pub has_globals: bool,
    /// The share of each target that is spread over both.
    pub label_smoothing: f64,
}

impl Objective for Extract {
    /// The positions are those of sentences' first tokens.
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
        if prepared.targets.is_empty() {
            return CrossEntropy::of_nothing(output);
        }
        let cross_entropy = CrossEntropy { label_smoothing: self.label_smoothing };
        cross_entropy.of(&of_sentences(output, prepared)?, &prepared.targets, scope)
    }

    /// Right is a sentence of the summary that is among as many of the highest of its row as the summary has: accuracy would
    /// be highest where none is chosen.
    fn quality(&self, output: &Output, prepared: &Prepared) -> Result<Counts, TrainError> {
        if prepared.targets.is_empty() {
            return Ok(Counts::default());
        }
        let logits = of_sentences(output, prepared)?.to_vec2::<f32>()?;
        let mut counts = Counts::of_logits(&logits, &prepared.targets);
        (counts.right, counts.all) = (0, 0);
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

/// The mean logits of each sentence's tokens, `[tokens, 2]` → `[sentences, 2]`. A sentence reaches up to the next one or the end
/// of its row.
fn of_sentences(output: &Output, prepared: &Prepared) -> Result<Tensor, TrainError> {
    let logits = logits(output)?;
    let starts = prepared.positions.as_deref().unwrap_or_default();
    let n = starts.len();
    // Rows without sentences have tokens, too; these are summed up behind the others.
    let mut sentence_of = vec![n as u32; prepared.batch.input_ids.len()];
    let mut sizes = vec![1.0_f32; n];
    for (sentence, &start) in starts.iter().enumerate() {
        let offsets = &prepared.batch.offsets;
        let end_of_row = offsets[offsets.partition_point(|offset| *offset <= start as usize)];
        let end = starts.get(sentence + 1).map_or(end_of_row, |next| end_of_row.min(*next as usize));
        sentence_of[start as usize..end].fill(sentence as u32);
        sizes[sentence] = (end - start as usize) as f32;
    }
    let device = logits.device();
    let sums = Tensor::zeros((n + 1, 2), logits.dtype(), device)?;
    let sums = sums.index_add(&Tensor::new(sentence_of, device)?, logits, 0)?.narrow(0, 0, n)?;
    Ok(sums.broadcast_div(&Tensor::from_vec(sizes, (n, 1), device)?)?)
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
        for (tokens, score) in [(0..2, -3.0), (2..4, -2.0), (6..9, -1.0), (9..11, -4.0), (11..13, -5.0)] {
            let (first, n) = (tokens.start, tokens.len() as f32);
            // Their mean counts, wherever it comes from; rows without sentences do not.
            logits[2 * first + 1] = score * n;
        }
        logits[2 * 4 + 1] = 100.0;
        let output = Output {
            last_hidden_state: Tensor::new(0.0_f32, &Device::Cpu).unwrap(),
            logits: Some(Tensor::from_vec(logits, (13, 2), &Device::Cpu).unwrap()),
            hidden_states: Vec::new(),
            attentions: Vec::new(),
            projections: Vec::new(),
        };
        let found = of_sentences(&output, &prepared).unwrap().to_vec2::<f32>().unwrap();
        assert_eq!(found, [[0.0, -3.0], [0.0, -2.0], [0.0, -1.0], [0.0, -4.0], [0.0, -5.0]]);
        let counts = objective.quality(&output, &prepared).unwrap();
        assert_eq!((counts.right, counts.all, counts.targets), (2, 3, 5));
        let expected = [-3.0, 2.0, 1.0, -4.0, 5.0].map(|x: f64| x.exp().ln_1p()).iter().sum::<f64>() / 5.0;
        assert!((counts.quality().unwrap().loss - expected).abs() < 1e-6);
        let loss = objective.loss(&output, &prepared, &Scope::of(std::slice::from_ref(&prepared))).unwrap();
        assert!((loss.parts[0].1 - expected).abs() < 1e-6);
    }
}
