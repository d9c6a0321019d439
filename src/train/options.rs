//! `TrainOptions`: how long, how fast, in which order.

use super::{Checkpoints, Examples, TrainError, schedule::Schedule};

/// How a model is trained.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainOptions {
    /// How often each row is seen.
    pub epochs: usize,
    /// Rows of a forward pass.
    pub batch_size: usize,
    /// Forward passes whose gradients make one update.
    pub accumulate: usize,
    /// Whether layers compute again for the backward pass what they would keep: less memory, a third more time, the same bits.
    /// Layers that are not BERT's, and other devices, keep it all the same, which the observer is told.
    pub gradient_checkpointing: bool,
    /// The highest learning rate.
    pub learning_rate: f64,
    /// Share of all steps in which the learning rate goes up from 0.
    pub warmup: f64,
    /// How the learning rate goes on.
    pub schedule: Schedule,
    /// Weight decay of AdamW.
    pub weight_decay: f64,
    /// Weight decay does not apply to parameters whose name contains one of these.
    pub no_decay: Vec<String>,
    /// The highest norm of an update's gradient; 0 for no limit.
    pub clip: f64,
    /// Dropout rate of hidden states and attention, instead of the model's own.
    pub dropout: Option<f64>,
    /// Which epoch's state is kept.
    pub keep: KeepEpoch,
    /// Seed of order, dropout and masks.
    pub seed: u64,
    /// Where it leaves what it needs to go on after an interruption, and finds it again.
    pub checkpoints: Option<Checkpoints>,
}

/// Which epoch's state a training leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeepEpoch {
    /// That of the highest validation accuracy, of equals the earlier.
    #[default]
    Best,
    /// The last: the schedule has come to its end, and nothing was chosen on the validation split.
    Last,
}

impl Default for TrainOptions {
    fn default() -> Self {
        Self {
            epochs: 3,
            batch_size: 32,
            accumulate: 1,
            gradient_checkpointing: false,
            learning_rate: 5e-5,
            warmup: 0.1,
            schedule: Schedule::Linear,
            weight_decay: 0.01,
            no_decay: vec!["bias".into(), "LayerNorm".into()],
            clip: 1.0,
            dropout: None,
            keep: KeepEpoch::Best,
            seed: 42,
            checkpoints: None,
        }
    }
}

impl TrainOptions {
    /// Checks that there is something to do.
    pub(super) fn check(&self, examples: &Examples) -> Result<(), TrainError> {
        if examples.is_empty() {
            return Err(TrainError::Unfit("the training split has no rows".into()));
        }
        if self.batch_size == 0 || self.accumulate == 0 {
            return Err(TrainError::Unfit("`batch_size` and `accumulate` must be at least 1".into()));
        }
        Ok(())
    }
}
