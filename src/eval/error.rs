//! `EvalError`: which model, which row or line, what to do.

use crate::{
    base::fs::PathError,
    data::DataError,
    model::{self, ModelError},
};

/// Why a model cannot be run over data or measured.
#[derive(Debug, thiserror::Error)]
pub enum EvalError {
    /// The data cannot be read or tokenised.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The model cannot be read or run.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A result cannot be copied off its device.
    #[error("{}", model::told(.0))]
    Compute(#[from] candle_core::Error),
    /// A file cannot be read or written.
    #[error(transparent)]
    Path(#[from] PathError),
    /// The input or the output of `predict` failed.
    #[error("{action}: {source}")]
    Io {
        /// What was attempted: `cannot read the input`.
        action: &'static str,
        /// Why it failed; `BrokenPipe` when the reader of the output went away.
        source: std::io::Error,
    },
    /// A line of `predict`'s input is wrong.
    #[error("line {line}: {message}")]
    Line {
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        message: String,
    },
    /// The labels of a model and a dataset differ.
    #[error("{0}")]
    Labels(String),
    /// The model cannot do what is asked of it.
    #[error("{0}")]
    Unfit(String),
    /// The work was stopped.
    #[error("stopped")]
    Stopped,
}
