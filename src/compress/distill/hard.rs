//! The labels of the data.

use candle_core::Tensor;

use super::{Needs, TeacherOutput, Term};
use crate::{
    model::Output,
    train::{CrossEntropy, Objective, Prepared, Scope, TrainError},
};

/// The cross entropy of the labels, as fine-tuning has it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hard {
    /// The share of each label that is spread over all.
    pub label_smoothing: f64,
}

impl Term for Hard {
    fn name(&self) -> &'static str {
        "hard"
    }

    fn needs(&self) -> Needs {
        Needs::Nothing
    }

    fn loss(
        &self,
        student: &Output,
        _teacher: &TeacherOutput,
        prepared: &Prepared,
        scope: &Scope,
    ) -> Result<Tensor, TrainError> {
        let objective = CrossEntropy { label_smoothing: self.label_smoothing };
        Ok(objective.loss(student, prepared, scope)?.total)
    }
}
