//! `ModelError`: which file or tensor, which shapes, what to do.

use crate::base::fs::PathError;

/// Why a model cannot be read, run or written.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A file cannot be read or written.
    #[error(transparent)]
    Path(#[from] PathError),
    /// The checkpoint is wrong; the text names the file, the tensor and the shapes.
    #[error("{0}")]
    Checkpoint(String),
    /// A computation failed.
    #[error(transparent)]
    Compute(#[from] candle_core::Error),
    /// A device is not there.
    #[error("{0}")]
    Device(String),
}
