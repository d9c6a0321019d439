//! `HubError`: which sources were tried, and why each failed.

use std::fmt;

/// Why a model is not here.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// No source worked.
    #[error("the model cannot be had: {}", AllOf(.0))]
    Unavailable(Vec<Tried>),
    /// The caller stopped it.
    #[error("stopped")]
    Stopped,
}

/// A source that was tried.
#[derive(Clone, Debug)]
pub struct Tried {
    /// The source, as it was written.
    pub source: String,
    /// Why it failed.
    pub why: String,
}

struct AllOf<'a>(&'a [Tried]);

impl fmt::Display for AllOf<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, Tried { source, why }) in self.0.iter().enumerate() {
            let before = if at == 0 { "" } else { "; " };
            write!(f, "{before}`{source}`: {why}")?;
        }
        Ok(())
    }
}
