//! Attention maps.

use candle_core::Tensor;

use super::{Needs, TeacherOutput, Term};
use crate::{
    model::{Keep, Output},
    train::{Prepared, Scope, TrainError, loss},
};

/// How attention maps are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// The mean squared error of probabilities (TinyBERT, Jiao et al., 2020, eq. 7; there of scores before the softmax).
    SquaredError,
    /// `KL(teacher ‖ student)` (`MobileBERT`, Sun et al., 2020, eq. 3).
    Divergence,
}

/// Each layer's attention probabilities against those of the teacher's layer that it is mapped to.
///
/// It is the mean over the layers, not their sum as in the papers, so that its weight means the same for students of any
/// depth. Where a layer and the one it follows differ in heads, their means over the heads are compared.
pub struct Attention {
    mapping: Vec<usize>,
    student_heads: Vec<usize>,
    teacher_heads: Vec<usize>,
    comparison: Comparison,
}

impl Attention {
    /// For a student and a teacher with these heads a layer; `mapping[i]` is the teacher's layer that the student's
    /// layer `i` follows.
    #[must_use]
    pub fn new(
        mapping: Vec<usize>,
        student_heads: Vec<usize>,
        teacher_heads: Vec<usize>,
        comparison: Comparison,
    ) -> Self {
        Self { mapping, student_heads, teacher_heads, comparison }
    }
}

impl Term for Attention {
    fn name(&self) -> &'static str {
        match self.comparison {
            Comparison::SquaredError => "attention",
            Comparison::Divergence => "attention_kl",
        }
    }

    fn keep(&self) -> Keep {
        Keep { attentions: true, ..Keep::default() }
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
        let teacher = &teacher.states()?.attentions;
        let offsets = &prepared.batch.offsets;
        let mut sum: Option<Tensor> = None;
        for (layer, &followed) in self.mapping.iter().enumerate() {
            let (n_student, n_teacher) = (self.student_heads[layer], self.teacher_heads[followed]);
            let (student, teacher) = (&student.attentions[layer], &teacher[followed]);
            let (error, heads) = if n_student == n_teacher {
                (self.error(student, teacher)?, n_student)
            } else {
                let student = mean_over_heads(student, n_student, offsets)?;
                (self.error(&student, &mean_over_heads(teacher, n_teacher, offsets)?)?, 1)
            };
            let mean = match self.comparison {
                Comparison::SquaredError => (error / (scope.pairs * heads) as f64)?,
                Comparison::Divergence => (error / (scope.tokens * heads) as f64)?,
            };
            sum = Some(match sum {
                Some(sum) => (sum + mean)?,
                None => mean,
            });
        }
        let sum = sum.ok_or_else(|| TrainError::Unfit("a student without layers has no attention".into()))?;
        Ok((sum / self.mapping.len() as f64)?)
    }
}

impl Attention {
    fn error(&self, student: &Tensor, teacher: &Tensor) -> Result<Tensor, TrainError> {
        Ok(match self.comparison {
            Comparison::SquaredError => loss::squared_error(student, teacher)?,
            Comparison::Divergence => loss::kl_of_probabilities(student, teacher)?,
        })
    }
}

/// The mean over the heads of packed attention maps.
///
/// # Shapes
/// `[Σ heads · len²]` to `[Σ len²]`.
fn mean_over_heads(attention: &Tensor, heads: usize, offsets: &[usize]) -> Result<Tensor, TrainError> {
    let mut start = 0;
    let mut means = Vec::with_capacity(offsets.len());
    for ends in offsets.windows(2) {
        let pairs = (ends[1] - ends[0]).pow(2);
        means.push(attention.narrow(0, start, heads * pairs)?.reshape((heads, pairs))?.mean(0)?);
        start += heads * pairs;
    }
    Ok(Tensor::cat(&means, 0)?)
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn heads_are_averaged_row_by_row() {
        // A row of one token and a row of two, two heads each.
        let attention = Tensor::new(
            &[1.0_f32, 3.0, /* second row */ 0.0, 1.0, 2.0, 3.0, /* its second head */ 4.0, 5.0, 6.0, 7.0],
            &Device::Cpu,
        )
        .unwrap();
        let mean = mean_over_heads(&attention, 2, &[0, 1, 3]).unwrap();
        assert_eq!(mean.to_vec1::<f32>().unwrap(), [2.0, 2.0, 3.0, 4.0, 5.0]);
    }
}
