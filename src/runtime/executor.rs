//! `Executor`: a model behind what answers fastest where it is.

use std::path::Path;

use candle_core::{Device, Tensor};

use super::Engine;
use crate::model::{EncoderSpec, Head, Keep, Model, ModelError, Packed};

/// A model that answers: packed for the CPU, or candle's on a device.
pub struct Executor {
    /// The shape.
    pub spec: EncoderSpec,
    /// The head.
    pub head: Head,
    place: Place,
}

/// What a classifier says of a batch.
pub struct StateAndLogits {
    /// The last hidden state, `[tokens, hidden_size]`.
    pub state: Vec<f32>,
    /// `[rows, labels]`.
    pub logits: Vec<f32>,
}

enum Place {
    Cpu(Box<Engine>),
    Device(Box<Model>),
}

impl Executor {
    /// The executor of a model, which is used up.
    ///
    /// # Errors
    /// When a parameter is missing.
    pub fn new(model: Model) -> Result<Self, ModelError> {
        Self::packed_by(Engine::new, model)
    }

    /// The same for batches that name tokens that all see ([`Packed::globals`]).
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_globals(model: Model) -> Result<Self, ModelError> {
        Self::packed_by(Engine::with_globals, model)
    }

    fn packed_by(pack: fn(Model) -> Result<Engine, ModelError>, model: Model) -> Result<Self, ModelError> {
        let (spec, head) = (model.spec.clone(), model.head.clone());
        let place =
            if model.device.is_cpu() { Place::Cpu(Box::new(pack(model)?)) } else { Place::Device(Box::new(model)) };
        Ok(Self { spec, head, place })
    }

    /// Reads a Hugging Face directory.
    ///
    /// # Errors
    /// As [`Model::load`].
    pub fn load(dir: &Path, device: &Device) -> Result<Self, ModelError> {
        Self::new(Model::load(dir, device)?)
    }

    /// The logits: `[rows, labels]` of a classifier, `[tokens, vocab_size]` of a masked LM, none without a head; when it
    /// returns, they are computed.
    ///
    /// # Errors
    /// When a sequence is too long or an id out of range, or a device fails.
    pub fn logits(&self, batch: Packed<'_>) -> Result<Option<Vec<f32>>, ModelError> {
        match &self.place {
            Place::Cpu(engine) => engine.logits(batch),
            Place::Device(model) => {
                let output = model.forward(batch, Keep::default())?;
                Ok(output.logits.map(|logits| logits.flatten_all()?.to_vec1()).transpose()?)
            }
        }
    }

    /// The logits of some tokens of a batch, `[positions, vocab_size]`; none where there is no masked-LM head. On the CPU, others
    /// are not computed.
    ///
    /// # Errors
    /// As [`Self::logits`], and when positions do not ascend or are no tokens of the batch.
    pub fn logits_at(&self, batch: Packed<'_>, positions: &[usize]) -> Result<Option<Vec<f32>>, ModelError> {
        match &self.place {
            Place::Cpu(engine) => engine.logits_at(batch, positions),
            Place::Device(model) if model.head == Head::MaskedLm => {
                super::check_positions(batch, positions)?;
                let Some(logits) = model.forward(batch, Keep::default())?.logits else { return Ok(None) };
                let rows: Vec<u32> = positions.iter().map(|position| *position as u32).collect();
                let rows = Tensor::new(rows, logits.device())?;
                Ok(Some(logits.index_select(&rows, 0)?.flatten_all()?.to_vec1()?))
            }
            Place::Device(_) => Ok(None),
        }
    }

    /// The logits, or without a head the last hidden state.
    ///
    /// # Errors
    /// As [`Self::logits`].
    pub fn answers(&self, batch: Packed<'_>) -> Result<Vec<f32>, ModelError> {
        match self.logits(batch)? {
            Some(logits) => Ok(logits),
            None => self.last_hidden_state(batch),
        }
    }

    /// A classifier's last hidden state, `[tokens, hidden_size]`, and logits, `[rows, labels]`, in one pass; none of other
    /// heads.
    ///
    /// # Errors
    /// As [`Self::logits`].
    pub fn state_and_logits(&self, batch: Packed<'_>) -> Result<Option<StateAndLogits>, ModelError> {
        match &self.place {
            Place::Cpu(engine) => {
                let state = engine.last_hidden_state(batch)?;
                Ok(engine.logits_of(&state, batch.offsets).map(|logits| StateAndLogits { state, logits }))
            }
            Place::Device(model) => {
                let output = model.forward(batch, Keep::default())?;
                let flat = |tensor: &Tensor| tensor.flatten_all()?.to_vec1::<f32>();
                let state = flat(&output.last_hidden_state)?;
                Ok(output.logits.as_ref().map(flat).transpose()?.map(|logits| StateAndLogits { state, logits }))
            }
        }
    }

    /// The last hidden state, `[tokens, hidden_size]`.
    ///
    /// # Errors
    /// As [`Self::logits`].
    pub fn last_hidden_state(&self, batch: Packed<'_>) -> Result<Vec<f32>, ModelError> {
        match &self.place {
            Place::Cpu(engine) => engine.last_hidden_state(batch),
            Place::Device(model) => {
                let output = model.forward(batch, Keep::default())?;
                Ok(output.last_hidden_state.flatten_all()?.to_vec1()?)
            }
        }
    }
}
