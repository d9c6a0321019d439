//! `GenerateError`: why nothing was written.

use crate::{data::DataError, model::ModelError};

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// The model cannot be read or run.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The text cannot be tokenised, or the tokens are no text.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A setting is of no use; the text names it.
    #[error("{0}")]
    Setting(String),
}
