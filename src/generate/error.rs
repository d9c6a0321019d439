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
    /// The model cannot do what is asked of it; the text says why.
    #[error("{0}")]
    Unfit(String),
    /// A setting is of no use; the text names it.
    #[error("{0}")]
    Setting(String),
}
