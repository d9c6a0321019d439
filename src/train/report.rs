//! `TrainReport`: what a training was like.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::Quality;

/// A step of a training.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StepPoint {
    /// The step, from 1.
    pub step: usize,
    /// The loss of its rows.
    pub loss: f64,
    /// The learning rate.
    pub learning_rate: f64,
    /// The norm of the gradient before clipping.
    pub gradient_norm: f64,
    /// The parts of the loss by name, before their weights.
    pub parts: Vec<(Cow<'static, str>, f64)>,
    /// Parameters that got no gradient.
    pub without_gradient: Vec<String>,
}

/// An epoch of a training.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochPoint {
    /// The epoch, from 1.
    pub epoch: usize,
    /// The mean loss of its steps.
    pub loss: f64,
    /// How good the model was after it on the validation split, where there is a labelled one.
    pub validation: Option<Quality>,
}

/// What a training was like.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TrainReport {
    /// Every step.
    pub curve: Vec<StepPoint>,
    /// Every epoch.
    pub epochs: Vec<EpochPoint>,
    /// The epoch whose state was kept, from 1; 0 where there was none.
    pub best_epoch: usize,
    /// Steps of the whole training.
    pub steps: usize,
    /// Parameters of the model.
    pub parameters: usize,
    /// Parameters that the loss does not depend on (no gradient in the first step).
    pub without_gradient: Vec<String>,
}

impl TrainReport {
    /// How good the kept state is on the validation split.
    #[must_use]
    pub fn best(&self) -> Option<Quality> {
        self.epochs.iter().find(|epoch| epoch.epoch == self.best_epoch).and_then(|epoch| epoch.validation)
    }

    /// The training loss as at most `points` points `[step, loss]`, each the mean of the steps that it stands for.
    #[must_use]
    pub fn loss_curve(&self, points: usize) -> Vec<[f64; 2]> {
        thin(&self.curve.iter().map(|point| (point.step, point.loss)).collect::<Vec<_>>(), points)
    }

    /// The curves of the parts of the loss, where there are several.
    #[must_use]
    pub fn part_curves(&self, points: usize) -> Vec<(String, Vec<[f64; 2]>)> {
        let names: Vec<_> = self.curve.first().map(|point| point.parts.clone()).unwrap_or_default();
        if names.len() < 2 {
            return Vec::new();
        }
        let curve_of = |index: usize| -> Vec<(usize, f64)> {
            self.curve.iter().filter_map(|point| Some((point.step, point.parts.get(index)?.1))).collect()
        };
        names.iter().enumerate().map(|(index, (name, _))| (name.to_string(), thin(&curve_of(index), points))).collect()
    }
}

fn thin(values: &[(usize, f64)], points: usize) -> Vec<[f64; 2]> {
    let size = values.len().div_ceil(points.max(1)).max(1);
    values
        .chunks(size)
        .map(|chunk| {
            let mean = chunk.iter().map(|(_, value)| value).sum::<f64>() / chunk.len() as f64;
            [chunk[chunk.len() - 1].0 as f64, mean]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_are_thinned_to_means() {
        let curve = (1..=5)
            .map(|step| StepPoint {
                step,
                loss: step as f64,
                parts: vec![("hard".into(), 1.0), ("logits".into(), step as f64)],
                ..StepPoint::default()
            })
            .collect();
        let report = TrainReport { curve, ..TrainReport::default() };
        assert_eq!(report.loss_curve(400).len(), 5);
        assert_eq!(report.loss_curve(3), [[2.0, 1.5], [4.0, 3.5], [5.0, 5.0]]);
        let parts = report.part_curves(3);
        assert_eq!(parts[0], ("hard".to_owned(), vec![[2.0, 1.0], [4.0, 1.0], [5.0, 1.0]]));
        assert_eq!(parts[1].1, report.loss_curve(3));
    }
}
