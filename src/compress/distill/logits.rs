//! Softened output probabilities.

use candle_core::Tensor;

use super::{Needs, TeacherOutput, Term};
use crate::{
    model::Output,
    train::{self, Prepared, Scope, TrainError, loss},
};

/// `T² KL(softmax(teacher / T) ‖ softmax(student / T))`, the mean over the rows (Hinton et al., 2015, §2).
#[derive(Clone, Copy, Debug)]
pub struct Logits {
    /// `T`.
    pub temperature: f64,
}

impl Term for Logits {
    fn name(&self) -> &'static str {
        "logits"
    }

    fn needs(&self) -> Needs {
        Needs::Logits
    }

    fn loss(
        &self,
        student: &Output,
        teacher: &TeacherOutput,
        _prepared: &Prepared,
        scope: &Scope,
    ) -> Result<Tensor, TrainError> {
        let sum = loss::kl_divergence(train::logits(student)?, teacher.logits()?, self.temperature)?;
        Ok((sum / scope.rows as f64)?)
    }
}
