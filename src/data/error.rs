//! `DataError`: which file, which row, what to do.

use crate::base::fs::PathError;

/// Why data cannot be read, checked or written.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// A file cannot be read or written.
    #[error(transparent)]
    Path(#[from] PathError),
    /// The content is wrong; the text names the file, and the row or column where there is one.
    #[error("{0}")]
    Content(String),
}

impl DataError {
    /// Content that is wrong, in words.
    pub(super) fn content(text: impl Into<String>) -> Self {
        Self::Content(text.into())
    }
}
