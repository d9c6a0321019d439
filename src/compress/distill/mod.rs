//! The list of objectives; `trait Term`.

mod architecture;
mod attention;
mod hard;
mod hidden;
mod logits;
mod mapping;
mod objective;
mod projection;
mod relations;
mod selection;
mod student;
mod teacher;
#[cfg(test)]
mod tests;

pub use architecture::Architecture;
pub use attention::{Attention, Comparison};
pub use hard::Hard;
pub use hidden::{HiddenLayers, LastHidden};
pub use logits::Logits;
pub use mapping::uniform_mapping;
pub use objective::Distillation;
pub use relations::Relations;
pub use selection::start_from;
pub use student::{StudentShape, fresh_student, student_of_layers};
pub use teacher::{Teacher, TeacherOutput};

use std::collections::BTreeMap;

use candle_core::{Tensor, Var};

use crate::{
    model::{Keep, Output},
    train::{Prepared, Scope, TrainError},
};

/// A term of a distillation's loss.
pub trait Term {
    /// Its name in curves and in `loss:` of a recipe.
    fn name(&self) -> &'static str;

    /// What the student's and the teacher's forward pass must keep for it.
    fn keep(&self) -> Keep {
        Keep::default()
    }

    /// What it takes of the teacher.
    fn needs(&self) -> Needs;

    /// Variables of its own that are trained along, by name.
    fn variables(&self) -> BTreeMap<String, Var> {
        BTreeMap::new()
    }

    /// The share of a batch in the term of an update, a scalar.
    ///
    /// # Errors
    /// When a computation fails.
    fn loss(
        &self,
        student: &Output,
        teacher: &TeacherOutput,
        prepared: &Prepared,
        scope: &Scope,
    ) -> Result<Tensor, TrainError>;
}

/// A term and its weight.
pub type WeightedTerm = (f64, Box<dyn Term>);

/// What a term takes of the teacher, from less to more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Needs {
    /// Nothing.
    Nothing,
    /// Its logits, which are computed once for all epochs.
    Logits,
    /// Its last hidden state, too, which is kept from epoch to epoch as far as there is room.
    LastState,
    /// Its inner states, which are computed with each batch.
    States,
}
