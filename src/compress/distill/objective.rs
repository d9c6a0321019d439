//! `Distillation`: the weighted sum of terms, as a training makes it small.

use std::collections::BTreeMap;

use candle_core::{Tensor, Var};

use super::{Needs, Teacher, WeightedTerm};
use crate::{
    model::{Keep, Output},
    train::{Loss, Objective, Prepared, Scope, TrainError},
};

/// The loss of a student: a weighted sum of terms.
pub struct Distillation {
    teacher: Teacher,
    terms: Vec<WeightedTerm>,
}

impl Distillation {
    /// A distillation; terms of weight 0 are left out.
    ///
    /// # Errors
    /// When no term is left.
    pub fn new(teacher: Teacher, mut terms: Vec<WeightedTerm>) -> Result<Self, TrainError> {
        terms.retain(|(weight, _)| *weight > 0.0);
        if terms.is_empty() {
            return Err(TrainError::Unfit("a distillation needs a term with a weight above 0".into()));
        }
        Ok(Self { teacher, terms })
    }

    /// The teacher.
    pub fn teacher_mut(&mut self) -> &mut Teacher {
        &mut self.teacher
    }

    /// The most that a term needs of the teacher.
    #[must_use]
    pub fn needs(&self) -> Needs {
        self.terms.iter().map(|(_, term)| term.needs()).max().unwrap_or(Needs::Nothing)
    }
}

impl Objective for Distillation {
    fn keep(&self) -> Keep {
        self.terms.iter().fold(Keep::default(), |keep, (_, term)| {
            let more = term.keep();
            Keep {
                hidden_states: keep.hidden_states || more.hidden_states,
                attentions: keep.attentions || more.attentions,
                projections: keep.projections || more.projections,
                dropout_seed: None,
            }
        })
    }

    fn variables(&self) -> BTreeMap<String, Var> {
        self.terms.iter().flat_map(|(_, term)| term.variables()).collect()
    }

    fn loss(&self, output: &Output, prepared: &Prepared, scope: &Scope) -> Result<Loss, TrainError> {
        let teacher = self.teacher.output(prepared, self.needs(), self.keep())?;
        let mut total: Option<Tensor> = None;
        let mut parts = Vec::with_capacity(self.terms.len());
        for (weight, term) in &self.terms {
            let part = term.loss(output, &teacher, prepared, scope)?;
            parts.push((term.name(), f64::from(part.to_scalar::<f32>()?)));
            let weighted = (part * *weight)?;
            total = Some(match total {
                Some(total) => (total + weighted)?,
                None => weighted,
            });
        }
        let total = total.ok_or_else(|| TrainError::Unfit("a distillation without terms".into()))?;
        Ok(Loss { total, parts })
    }
}
