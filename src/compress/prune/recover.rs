//! Training after pruning: what was removed stays removed, and a teacher may guide what is left.

use std::collections::BTreeMap;

use candle_core::{Tensor, Var};

use super::Masks;
use crate::{
    compress::CompressError,
    model::{Model, Output},
    train::{EpochEvent, Loss, Objective, Prepared, Scope, StepEvent, TrainError, TrainObserver, loss},
};

/// An observer that sets removed weights back to zero after every step, before anything else sees the model.
pub struct Masked<'a> {
    masks: &'a Masks,
    variables: BTreeMap<String, Var>,
    inner: &'a mut dyn TrainObserver,
    /// An observer cannot fail: what went wrong ends the training and is told by [`Self::finish`].
    failed: Option<CompressError>,
}

impl<'a> Masked<'a> {
    /// Makes the model trainable and watches its variables.
    ///
    /// # Errors
    /// When the model is quantised, or a mask does not fit it.
    pub fn new(model: &mut Model, masks: &'a Masks, inner: &'a mut dyn TrainObserver) -> Result<Self, CompressError> {
        // A trainer makes variables of what is not one yet, so it trains these very ones.
        let variables = model.trainable()?;
        masks.apply_to(&variables)?;
        Ok(Self { masks, variables, inner, failed: None })
    }

    /// What went wrong while masking, if anything did.
    ///
    /// # Errors
    /// When a mask could not be applied.
    pub fn finish(self) -> Result<(), CompressError> {
        self.failed.map_or(Ok(()), Err)
    }
}

impl TrainObserver for Masked<'_> {
    fn on_step(&mut self, event: &StepEvent) {
        if let Err(error) = self.masks.apply_to(&self.variables) {
            self.failed.get_or_insert(error);
        }
        self.inner.on_step(event);
    }

    fn on_epoch(&mut self, event: &EpochEvent) {
        self.inner.on_epoch(event);
    }

    fn on_note(&mut self, text: &str) {
        self.inner.on_note(text);
    }

    fn should_stop(&self) -> bool {
        self.failed.is_some() || self.inner.should_stop()
    }
}

/// Learning again from a teacher's logits and the labels: `w · T² KL + (1 − w) · cross entropy`, both means over rows.
pub struct Guided {
    /// The teacher's logits of every training row, in the model's order of labels, `[rows][labels]`.
    pub teacher: Vec<Vec<f32>>,
    /// The temperature `T` that softens both sides (Hinton et al., 2015).
    pub temperature: f64,
    /// The weight `w` of the teacher.
    pub weight: f64,
}

impl Objective for Guided {
    fn loss(&self, output: &Output, prepared: &Prepared, scope: &Scope) -> Result<Loss, TrainError> {
        let logits = prepared.logits(output)?;
        let rows: Vec<f32> = prepared.batch.rows.iter().flat_map(|&row| self.teacher[row].iter().copied()).collect();
        let teacher = Tensor::from_vec(rows, logits.shape(), logits.device())?;
        let soft = (loss::kl_divergence(&logits, &teacher, self.temperature)? / scope.rows.max(1) as f64)?;
        let mut parts = vec![("logits", f64::from(soft.to_scalar::<f32>()?))];
        let mut total = (&soft * self.weight)?;
        if scope.targets > 0 {
            let hard = (loss::cross_entropy(&logits, &prepared.targets, 0.0)? / scope.targets as f64)?;
            parts.push(("hard", f64::from(hard.to_scalar::<f32>()?)));
            total = (total + (hard * (1.0 - self.weight))?)?;
        }
        Ok(Loss { total, parts })
    }
}
