//! `TrainError`: which step, which loss, what to do.

use crate::{
    base::fs::PathError,
    data::DataError,
    model::{self, ModelError},
};

/// Why a model cannot be trained.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The model cannot be run.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The data cannot be read or encoded.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A computation failed.
    #[error("{}", model::told(.0))]
    Compute(#[from] candle_core::Error),
    /// The loss or its gradient left the numbers.
    #[error(
        "step {step}: the {what} is {value}{}; a lower `learning_rate`, a longer `warmup` or a smaller `clip` may help",
        .last.map(|loss| format!(", after a loss of {loss:.4}")).unwrap_or_default()
    )]
    NotFinite {
        /// The step, from 1.
        step: usize,
        /// What is not finite: `loss`, `gradient's norm`.
        what: &'static str,
        /// Its value: infinite or not a number.
        value: f64,
        /// The loss of the step before.
        last: Option<f64>,
    },
    /// A checkpoint cannot be written.
    #[error(transparent)]
    Path(#[from] PathError),
    /// Somebody asked to stop.
    #[error("stopped")]
    Stopped,
    /// What is asked does not fit the data or the model; the text says what would.
    #[error("{0}")]
    Unfit(String),
}
