//! Relations of tokens within the last layer's attention.

use candle_core::Tensor;

use super::{Needs, TeacherOutput, Term};
use crate::{
    model::{Keep, Output, relations},
    train::{Prepared, Scope, TrainError, loss},
};

/// `KL(R_teacher ‖ R_student)` of the relations `R` of queries, of keys and of values in the last layers, the mean over heads
/// and tokens and over the three (`MiniLMv2`, Wang et al., 2021, eq. 1 and 2).
///
/// Queries, keys and values are cut into heads of its own, so that student and teacher may differ in width and in heads.
pub struct Relations {
    heads: usize,
}

impl Relations {
    /// With that many relation heads, which must divide the widths of both models' attention.
    ///
    /// # Errors
    /// When they do not.
    pub fn new(heads: usize, student: usize, teacher: usize) -> Result<Self, TrainError> {
        if heads == 0 || !student.is_multiple_of(heads) || !teacher.is_multiple_of(heads) {
            return Err(TrainError::Unfit(format!(
                "`relation_heads` is {heads}, which does not divide both {student} and {teacher}, the widths of the student's \
                 and the teacher's attention"
            )));
        }
        Ok(Self { heads })
    }
}

impl Term for Relations {
    fn name(&self) -> &'static str {
        "relations"
    }

    fn keep(&self) -> Keep {
        Keep { projections: true, ..Keep::default() }
    }

    fn needs(&self) -> Needs {
        Needs::States
    }

    fn loss(
        &self,
        student: &Output,
        teacher: &TeacherOutput,
        prepared: &Prepared,
        scope: &Scope,
    ) -> Result<Tensor, TrainError> {
        let none = || TrainError::Unfit("a model without layers has no relations".into());
        let teacher = teacher.states()?.projections.last().ok_or_else(none)?;
        let mut sum: Option<Tensor> = None;
        for (student, teacher) in student.projections.last().ok_or_else(none)?.iter().zip(teacher) {
            let [student, teacher] = [student, teacher].map(|x| relations(x, &prepared.batch.offsets, self.heads));
            let divergence = loss::kl_of_probabilities(&student?, &teacher?)?;
            sum = Some(match sum {
                Some(sum) => (sum + divergence)?,
                None => divergence,
            });
        }
        Ok((sum.ok_or_else(none)? / (3 * self.heads * scope.tokens) as f64)?)
    }
}
