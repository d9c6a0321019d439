//! `StageError`: why a stage could not make its output.

use std::{error::Error, fmt};

/// Why a stage failed: an error of any layer below, or a sentence of the stage's own.
///
/// It converts from every error with `?`, and shows the whole chain of causes in one line.
#[derive(Debug)]
pub struct StageError(Box<dyn Error + Send + Sync>);

impl StageError {
    /// A failure in the stage's own words: a lower-case fragment without a final stop.
    #[must_use]
    pub fn msg(text: impl Into<String>) -> Self {
        Self(text.into().into())
    }

    /// Says where, before what: `row 3: …`.
    #[must_use]
    pub fn context(self, text: impl fmt::Display) -> Self {
        Self(format!("{text}: {self}").into())
    }
}

impl fmt::Display for StageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.0.to_string();
        f.write_str(&shown)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            let text = error.to_string();
            // Many errors repeat their cause in their own text.
            if !shown.contains(&text) {
                write!(f, ": {text}")?;
            }
            shown = text;
            cause = error.source();
        }
        Ok(())
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for StageError {
    fn from(error: E) -> Self {
        Self(Box::new(error))
    }
}
