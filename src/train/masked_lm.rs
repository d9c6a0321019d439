//! Masked language modelling: hide tokens, let the model guess them.

use rand::RngCore;

use super::{CrossEntropy, Examples, Loss, Objective, Prepared, Scope, TrainError};
use crate::{base::rng, data::Batch, model::Output};

/// The masked-LM objective of BERT (Devlin et al., 2019, §3.1): of the tokens chosen, 80 % become the mask token, 10 %
/// a random token, 10 % stay; the model guesses them all.
#[derive(Clone, Debug, PartialEq)]
pub struct MaskedLm {
    /// The share of tokens to guess.
    pub rate: f64,
    /// The id of the mask token.
    pub mask_id: u32,
    /// Tokens are numbered below this.
    pub vocab_size: usize,
    /// The share of each target that is spread over the vocabulary.
    pub label_smoothing: f64,
}

impl Objective for MaskedLm {
    fn prepare(&self, mut batch: Batch, _examples: &Examples, seed: u64) -> Result<Prepared, TrainError> {
        let mut stream = rng::stream(seed, "mask");
        let (mut targets, mut positions) = (Vec::new(), Vec::new());
        for ends in batch.offsets.windows(2) {
            let (start, end) = (ends[0], ends[1]);
            // The special tokens of a row, its first and its last and those like them between two texts, are known.
            let Some((&first, &last)) = batch.input_ids[start..end].first().zip(batch.input_ids[start..end].last())
            else {
                continue;
            };
            for position in start..end {
                let id = batch.input_ids[position];
                if id == first || id == last || f64::from(rng::uniform(&mut stream)) >= self.rate {
                    continue;
                }
                targets.push(id);
                positions.push(position as u32);
                batch.input_ids[position] = self.hide(id, &mut stream);
            }
        }
        Ok(Prepared { batch, targets, positions: Some(positions), globals: None })
    }

    fn loss(&self, output: &Output, prepared: &Prepared, scope: &Scope) -> Result<Loss, TrainError> {
        CrossEntropy { label_smoothing: self.label_smoothing }.loss(output, prepared, scope)
    }
}

impl MaskedLm {
    fn hide(&self, id: u32, stream: &mut impl RngCore) -> u32 {
        let draw = rng::uniform(stream);
        if draw < 0.8 {
            self.mask_id
        } else if draw < 0.9 {
            rng::below(stream, self.vocab_size) as u32
        } else {
            id
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_as_in_the_paper() {
        let objective = MaskedLm { rate: 0.15, mask_id: 103, vocab_size: 1000, label_smoothing: 0.0 };
        let row: Vec<u32> = [101].into_iter().chain((0..98).map(|i| 200 + i)).chain([102]).collect();
        let rows = 400;
        let batch = Batch {
            input_ids: row.repeat(rows),
            type_ids: vec![0; rows * 100],
            offsets: (0..=rows).map(|i| i * 100).collect(),
            rows: (0..rows).collect(),
        };
        let prepared = objective.prepare(batch.clone(), &Examples::default(), 7).unwrap();
        let share = |n: usize, of: usize| n as f64 / of as f64;
        assert!((share(prepared.targets.len(), rows * 98) - 0.15).abs() < 0.01);
        let positions = prepared.positions.clone().unwrap();
        let seen = |position: &&u32| prepared.batch.input_ids[**position as usize];
        let masked = positions.iter().filter(|p| seen(p) == 103).count();
        assert!((share(masked, positions.len()) - 0.8).abs() < 0.02);
        let kept = positions.iter().filter(|p| seen(p) == batch.input_ids[**p as usize]).count();
        assert!((share(kept, positions.len()) - 0.1).abs() < 0.02);
        for (position, target) in positions.iter().zip(&prepared.targets) {
            assert_eq!(batch.input_ids[*position as usize], *target);
            assert!(*target != 101 && *target != 102);
        }
        assert_eq!(prepared, objective.prepare(batch.clone(), &Examples::default(), 7).unwrap());
        assert_ne!(prepared, objective.prepare(batch, &Examples::default(), 8).unwrap());
    }
}
