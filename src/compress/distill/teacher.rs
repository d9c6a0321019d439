//! `Teacher`: what the student follows, computed as rarely as possible.

use candle_core::Tensor;

use super::Needs;
use crate::{
    data::{Order, batches},
    model::{Keep, Model, Output, Packed},
    runtime::Executor,
    train::{Examples, Prepared, TrainError},
};

/// Rows of a forward pass without gradients.
const BATCH: usize = 64;

/// A teacher and what is known of it already.
pub struct Teacher {
    model: Model,
    /// The logits of each row, `[rows, labels]`, where they are known.
    known: Option<Tensor>,
}

/// What a teacher says of a batch.
pub struct TeacherOutput {
    logits: Option<Tensor>,
    states: Option<Output>,
}

impl TeacherOutput {
    /// The whole output of a forward pass.
    #[must_use]
    pub fn of_states(states: Output) -> Self {
        Self { logits: None, states: Some(states) }
    }

    /// Its logits, `[rows, labels]`.
    ///
    /// # Errors
    /// When the teacher has no head.
    pub fn logits(&self) -> Result<&Tensor, TrainError> {
        self.logits
            .as_ref()
            .or_else(|| self.states.as_ref().and_then(|states| states.logits.as_ref()))
            .ok_or_else(|| TrainError::Unfit("the teacher has no head that gives logits".into()))
    }

    /// Its whole output.
    ///
    /// # Errors
    /// When it was not asked for: a term needs more than it says.
    pub fn states(&self) -> Result<&Output, TrainError> {
        self.states.as_ref().ok_or_else(|| TrainError::Unfit("the teacher's states were not asked for".into()))
    }
}

impl Teacher {
    /// A teacher; its passes record no graph.
    #[must_use]
    pub fn new(model: &Model) -> Self {
        Self { model: model.frozen(), known: None }
    }

    /// The model.
    #[must_use]
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Computes the logits of all examples in one pass, to be used in every epoch. `progress` is told the rows done,
    /// and says whether to go on.
    ///
    /// # Errors
    /// When the teacher has no head, `progress` says no, or a computation fails.
    pub fn learn_logits(
        &mut self,
        examples: &Examples,
        progress: &mut dyn FnMut(usize) -> bool,
    ) -> Result<(), TrainError> {
        // What answers fastest packs the weights once; its copy is gone when the logits are known.
        let executor = Executor::new(self.model.clone())?;
        let (mut all, mut done) = (Vec::new(), 0);
        for batch in batches(&examples.encodings, BATCH, Order::File) {
            if !progress(done) {
                return Err(TrainError::Stopped);
            }
            let packed = Packed { input_ids: &batch.input_ids, type_ids: &batch.type_ids, offsets: &batch.offsets };
            let logits = executor.logits(packed)?;
            all.extend(logits.ok_or_else(|| TrainError::Unfit("the teacher has no head that gives logits".into()))?);
            done += batch.rows.len();
        }
        self.known = match done {
            0 => None,
            rows => {
                let labels = all.len() / rows;
                Some(Tensor::from_vec(all, (rows, labels), &self.model.device)?)
            }
        };
        Ok(())
    }

    /// What the teacher says of a batch: no more than is needed, without dropout and without gradients.
    pub(super) fn output(&self, prepared: &Prepared, needs: Needs, keep: Keep) -> Result<TeacherOutput, TrainError> {
        let batch = &prepared.batch;
        if needs == Needs::Nothing {
            return Ok(TeacherOutput { logits: None, states: None });
        }
        if let (Needs::Logits, Some(known)) = (needs, &self.known) {
            let rows: Vec<u32> = batch.rows.iter().map(|&row| row as u32).collect();
            let logits = known.index_select(&Tensor::new(rows, known.device())?, 0)?;
            return Ok(TeacherOutput { logits: Some(logits), states: None });
        }
        let packed = Packed { input_ids: &batch.input_ids, type_ids: &batch.type_ids, offsets: &batch.offsets };
        let states = self.model.forward(packed, Keep { dropout_seed: None, ..keep })?;
        Ok(TeacherOutput::of_states(states))
    }
}
