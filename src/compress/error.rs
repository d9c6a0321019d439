//! `CompressError`: which layer, head or tensor, which shapes, what to do.

use crate::{
    model::{self, ModelError},
    train::TrainError,
};

/// Why a model cannot be compressed.
#[derive(Debug, thiserror::Error)]
pub enum CompressError {
    /// The model cannot be read, run or written.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Training failed.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// A computation failed.
    #[error("{}", model::told(.0))]
    Compute(#[from] candle_core::Error),
    /// What is asked does not fit the model; the text says which part of it, and what would.
    #[error("{0}")]
    Unfit(String),
}
