//! `Teacher`: what the student follows, computed as rarely as possible.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use candle_core::Tensor;

use super::Needs;
use crate::{
    data::{Batch, Order, batches},
    model::{Keep, Model, Output, Packed},
    runtime::Executor,
    train::{Examples, Prepared, TrainError},
};

/// Rows of a forward pass without gradients.
const BATCH: usize = 64;

/// Bytes of last hidden states that are kept for the next epoch.
const KEPT_BYTES: usize = 1 << 30;

/// A teacher and what is known of it already.
pub struct Teacher {
    model: Model,
    /// What answers fastest, packed when it is first asked.
    executor: Option<Executor>,
    /// The logits of each row, `[rows, labels]`, where they are known.
    known: Option<Tensor>,
    /// The last hidden state of rows that were asked for, `[tokens, hidden_size]` each.
    states: Mutex<States>,
}

#[derive(Default)]
struct States {
    by_row: BTreeMap<usize, Vec<f32>>,
    bytes: usize,
}

/// What a teacher says of a batch.
#[derive(Default)]
pub struct TeacherOutput {
    logits: Option<Tensor>,
    last_hidden_state: Option<Tensor>,
    states: Option<Output>,
}

impl TeacherOutput {
    /// The whole output of a forward pass.
    #[must_use]
    pub fn of_states(states: Output) -> Self {
        Self { states: Some(states), ..Self::default() }
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

    /// Its last hidden state, `[tokens, hidden_size]`.
    ///
    /// # Errors
    /// When it was not asked for: a term needs more than it says.
    pub fn last_hidden_state(&self) -> Result<&Tensor, TrainError> {
        let of_states = || self.states.as_ref().map(|states| &states.last_hidden_state);
        let state = self.last_hidden_state.as_ref().or_else(of_states);
        state.ok_or_else(|| TrainError::Unfit("the teacher's last hidden state was not asked for".into()))
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
        Self { model: model.frozen(), executor: None, known: None, states: Mutex::default() }
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
        let executor = self.executor.insert(Executor::new(self.model.clone())?);
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

    /// Says that no more is needed than the logits that are known: what answered is given back.
    pub fn dismiss(&mut self) {
        self.executor = None;
    }

    /// The last hidden state of a batch, from the epoch before where it was kept.
    fn last_hidden_state(&self, executor: &Executor, batch: &Batch) -> Result<Tensor, TrainError> {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        let width = executor.spec.hidden_size;
        let mut all = Vec::with_capacity(batch.input_ids.len() * width);
        if batch.rows.iter().all(|row| states.by_row.contains_key(row)) {
            for row in &batch.rows {
                all.extend_from_slice(&states.by_row[row]);
            }
        } else {
            let packed = Packed { input_ids: &batch.input_ids, type_ids: &batch.type_ids, offsets: &batch.offsets };
            all = executor.last_hidden_state(packed)?;
            for (row, ends) in batch.rows.iter().zip(batch.offsets.windows(2)) {
                let state = &all[ends[0] * width..ends[1] * width];
                let bytes = size_of_val(state);
                if states.bytes + bytes <= KEPT_BYTES && states.by_row.insert(*row, state.to_vec()).is_none() {
                    states.bytes += bytes;
                }
            }
        }
        Ok(Tensor::from_vec(all, (batch.input_ids.len(), width), &self.model.device)?)
    }

    /// What the teacher says of a batch: no more than is needed, without dropout and without gradients.
    pub(super) fn output(&self, prepared: &Prepared, needs: Needs, keep: Keep) -> Result<TeacherOutput, TrainError> {
        let batch = &prepared.batch;
        if needs == Needs::Nothing {
            return Ok(TeacherOutput::default());
        }
        if let (Needs::Logits | Needs::LastState, Some(known)) = (needs, &self.known) {
            let rows: Vec<u32> = batch.rows.iter().map(|&row| row as u32).collect();
            let logits = Some(known.index_select(&Tensor::new(rows, known.device())?, 0)?);
            match (needs, &self.executor) {
                (Needs::Logits, _) => return Ok(TeacherOutput { logits, ..TeacherOutput::default() }),
                (_, Some(executor)) => {
                    let last_hidden_state = Some(self.last_hidden_state(executor, batch)?);
                    return Ok(TeacherOutput { logits, last_hidden_state, states: None });
                }
                (_, None) => {}
            }
        }
        let packed = Packed { input_ids: &batch.input_ids, type_ids: &batch.type_ids, offsets: &batch.offsets };
        let states = self.model.forward(packed, Keep { dropout_seed: None, ..keep })?;
        Ok(TeacherOutput::of_states(states))
    }
}
