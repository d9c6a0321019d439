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
    runtime::{Executor, StateAndLogits},
    train::{Examples, Prepared, TrainError},
};

/// Rows of a forward pass without gradients.
const BATCH: usize = 64;

/// Bytes of last hidden states that are kept for the next epoch.
const KEPT_BYTES: usize = 1 << 30;

/// A teacher and what is known of it already.
pub struct Teacher {
    model: Model,
    /// What answers fastest, where states are kept.
    executor: Option<Executor>,
    /// The logits of each row, `[rows, labels]`, where they are known.
    known: Option<Tensor>,
    /// Rows that were asked for, where states are kept.
    kept: Mutex<KeptRows>,
}

#[derive(Default)]
struct KeptRows {
    by_row: BTreeMap<usize, KeptRow>,
    bytes: usize,
}

/// What a teacher said of a row.
struct KeptRow {
    /// `[tokens, hidden_size]`.
    state: Vec<f32>,
    logits: Vec<f32>,
}

impl KeptRows {
    /// Keeps a row, as long as there is room.
    fn keep(&mut self, row: usize, answer: KeptRow) {
        let bytes = size_of_val(&answer.state[..]) + size_of_val(&answer.logits[..]);
        if self.bytes + bytes <= KEPT_BYTES && self.by_row.insert(row, answer).is_none() {
            self.bytes += bytes;
        }
    }
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
        Self { model: model.frozen(), executor: None, known: None, kept: Mutex::default() }
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
            let packed = Packed::new(&batch.input_ids, &batch.type_ids, &batch.offsets);
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

    /// Lets the last hidden state of a batch be kept with its logits: both are then computed once.
    ///
    /// # Errors
    /// When a parameter is missing.
    pub fn keep_states(&mut self) -> Result<(), TrainError> {
        self.executor = Some(Executor::new(self.model.clone())?);
        Ok(())
    }

    /// The last hidden state and the logits of a batch: of rows that were kept, from the epoch before.
    fn kept(&self, executor: &Executor, batch: &Batch) -> Result<TeacherOutput, TrainError> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let places: Vec<usize> = (0..batch.rows.len()).filter(|&i| !kept.by_row.contains_key(&batch.rows[i])).collect();
        let fresh = answers(executor, batch, &places)?;
        let (mut state, mut logits) = (Vec::new(), Vec::new());
        let mut next = fresh.iter();
        for row in &batch.rows {
            let answer = kept.by_row.get(row).or_else(|| next.next()).expect("what is not kept was asked for");
            state.extend_from_slice(&answer.state);
            logits.extend_from_slice(&answer.logits);
        }
        for (place, answer) in places.into_iter().zip(fresh) {
            kept.keep(batch.rows[place], answer);
        }
        let (tokens, rows) = (batch.input_ids.len(), batch.rows.len());
        let tensor = |values: Vec<f32>, n: usize| {
            let width = values.len() / n.max(1);
            Tensor::from_vec(values, (n, width), &self.model.device)
        };
        let (last_hidden_state, logits) = (Some(tensor(state, tokens)?), Some(tensor(logits, rows)?));
        Ok(TeacherOutput { logits, last_hidden_state, states: None })
    }

    /// What the teacher says of a batch: no more than is needed, without dropout and without gradients.
    pub(super) fn output(&self, prepared: &Prepared, needs: Needs, keep: Keep) -> Result<TeacherOutput, TrainError> {
        let batch = &prepared.batch;
        if needs == Needs::Nothing {
            return Ok(TeacherOutput::default());
        }
        if let (Needs::LastState, Some(executor)) = (needs, &self.executor) {
            return self.kept(executor, batch);
        }
        if let (Needs::Logits, Some(known)) = (needs, &self.known) {
            let rows: Vec<u32> = batch.rows.iter().map(|&row| row as u32).collect();
            let logits = Some(known.index_select(&Tensor::new(rows, known.device())?, 0)?);
            return Ok(TeacherOutput { logits, ..TeacherOutput::default() });
        }
        let packed = Packed::new(&batch.input_ids, &batch.type_ids, &batch.offsets);
        let states = self.model.forward(packed, Keep { dropout_seed: None, ..keep })?;
        Ok(TeacherOutput::of_states(states))
    }
}

/// What an executor says of some rows of a batch, by their places in it.
fn answers(executor: &Executor, batch: &Batch, places: &[usize]) -> Result<Vec<KeptRow>, TrainError> {
    if places.is_empty() {
        return Ok(Vec::new());
    }
    let mut part = Batch { offsets: vec![0], ..Batch::default() };
    for &place in places {
        let tokens = batch.offsets[place]..batch.offsets[place + 1];
        part.input_ids.extend_from_slice(&batch.input_ids[tokens.clone()]);
        part.type_ids.extend_from_slice(&batch.type_ids[tokens]);
        part.offsets.push(part.input_ids.len());
    }
    let packed = Packed::new(&part.input_ids, &part.type_ids, &part.offsets);
    let none = || TrainError::Unfit("the teacher has no head that gives logits".into());
    let StateAndLogits { state, logits } = executor.state_and_logits(packed)?.ok_or_else(none)?;
    let (width, labels) = (executor.spec.hidden_size, logits.len() / places.len());
    let rows = part.offsets.windows(2).zip(logits.chunks(labels));
    Ok(rows
        .map(|(ends, logits)| KeptRow {
            state: state[ends[0] * width..ends[1] * width].to_vec(),
            logits: logits.to_vec(),
        })
        .collect())
}
