//! `ExportError`: which part of a model, which file, what to do.

use crate::{base::fs::PathError, data::DataError, model::ModelError};

/// Why a model cannot be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// A file cannot be read or written.
    #[error(transparent)]
    Path(#[from] PathError),
    /// The model cannot be read or run.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The rows that it is compared on cannot be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The format cannot hold the model; the text says why, and what to do.
    #[error("{0}")]
    Unfit(String),
    /// The written file cannot be run.
    #[error("the written file cannot be run by another engine: {0}; nothing was published")]
    Unreadable(String),
    /// What was written reads as another model.
    #[error("what was written reads as another model: {0}; nothing was published, and this is a fault of lmpipe")]
    Misread(String),
    /// The written file says something else.
    #[error("the written file answers differently from the model: {0}; nothing was published")]
    Differs(String),
}
