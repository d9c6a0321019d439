//! Hidden states, projected where widths differ.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor, Var};

use super::{Needs, TeacherOutput, Term, projection::Projection};
use crate::{
    model::{Keep, Output},
    train::{Prepared, Scope, TrainError, loss},
};

/// The mean squared error of the last hidden state, over all tokens.
pub struct LastHidden {
    projection: Option<Projection>,
}

impl LastHidden {
    /// For a student and a teacher of these widths.
    ///
    /// # Errors
    /// When the projection cannot be made.
    pub fn new(student: usize, teacher: usize, seed: u64, device: &Device) -> Result<Self, TrainError> {
        Ok(Self { projection: Projection::between(student, teacher, seed, "projection of the last", device)? })
    }
}

impl Term for LastHidden {
    fn name(&self) -> &'static str {
        "hidden"
    }

    fn needs(&self) -> Needs {
        Needs::LastState
    }

    fn variables(&self) -> BTreeMap<String, Var> {
        variables(&[("last_projection", &self.projection)])
    }

    fn loss(
        &self,
        student: &Output,
        teacher: &TeacherOutput,
        _prepared: &Prepared,
        scope: &Scope,
    ) -> Result<Tensor, TrainError> {
        let teacher = teacher.last_hidden_state()?;
        mean_squared_error(&student.last_hidden_state, teacher, self.projection.as_ref(), scope)
    }
}

/// The mean squared errors of the embeddings' output and of each layer's, each against the teacher's layer that it is
/// mapped to (TinyBERT, Jiao et al., 2020, eq. 8 and 9).
///
/// It differs from the paper in that it is their mean, not their sum, so that its weight means the same for students
/// of any depth.
pub struct HiddenLayers {
    mapping: Vec<usize>,
    embeddings: Option<Projection>,
    layers: Option<Projection>,
}

impl HiddenLayers {
    /// For a student and a teacher of these widths; `mapping[i]` is the teacher's layer that the student's layer `i`
    /// follows.
    ///
    /// # Errors
    /// When the projections cannot be made.
    pub fn new(
        mapping: Vec<usize>,
        student: usize,
        teacher: usize,
        seed: u64,
        device: &Device,
    ) -> Result<Self, TrainError> {
        Ok(Self {
            mapping,
            embeddings: Projection::between(student, teacher, seed, "projection of the embeddings", device)?,
            layers: Projection::between(student, teacher, seed, "projection of the layers", device)?,
        })
    }
}

impl Term for HiddenLayers {
    fn name(&self) -> &'static str {
        "hidden_layers"
    }

    fn keep(&self) -> Keep {
        Keep { hidden_states: true, ..Keep::default() }
    }

    fn needs(&self) -> Needs {
        Needs::States
    }

    fn variables(&self) -> BTreeMap<String, Var> {
        variables(&[("embeddings_projection", &self.embeddings), ("layers_projection", &self.layers)])
    }

    fn loss(
        &self,
        student: &Output,
        teacher: &TeacherOutput,
        _prepared: &Prepared,
        scope: &Scope,
    ) -> Result<Tensor, TrainError> {
        let (student, teacher) = (&student.hidden_states, &teacher.states()?.hidden_states);
        let mut sum = mean_squared_error(&student[0], &teacher[0], self.embeddings.as_ref(), scope)?;
        for (layer, &followed) in self.mapping.iter().enumerate() {
            let pair = (&student[layer + 1], &teacher[followed + 1]);
            sum = (sum + mean_squared_error(pair.0, pair.1, self.layers.as_ref(), scope)?)?;
        }
        Ok((sum / (self.mapping.len() + 1) as f64)?)
    }
}

fn mean_squared_error(
    student: &Tensor,
    teacher: &Tensor,
    projection: Option<&Projection>,
    scope: &Scope,
) -> Result<Tensor, TrainError> {
    let (_tokens, hidden) = teacher.dims2()?;
    let sum = loss::squared_error(&Projection::apply(projection, student)?, teacher)?;
    Ok((sum / (scope.tokens * hidden) as f64)?)
}

fn variables(projections: &[(&str, &Option<Projection>)]) -> BTreeMap<String, Var> {
    projections
        .iter()
        .filter_map(|(name, projection)| Some(((*name).to_owned(), projection.as_ref()?.weight.clone())))
        .collect()
}
