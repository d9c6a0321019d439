//! What a stage takes.

use super::ArtifactKind;

/// A named, typed input of a stage.
#[derive(Clone, Copy, Debug)]
pub struct Port {
    /// The key after `in:`.
    pub name: &'static str,
    /// What may be wired to it.
    pub kind: ArtifactKind,
    /// Whether the stage runs without it.
    pub optional: bool,
    /// Whether it takes a list, and whole families of a matrix.
    pub many: bool,
}

impl Port {
    /// A port for one dataset.
    #[must_use]
    pub const fn dataset(name: &'static str) -> Self {
        Self::one(name, ArtifactKind::Dataset)
    }

    /// A port for one model.
    #[must_use]
    pub const fn model(name: &'static str) -> Self {
        Self::one(name, ArtifactKind::Model)
    }

    /// A port for one table of synonyms.
    #[must_use]
    pub const fn lexicon(name: &'static str) -> Self {
        Self::one(name, ArtifactKind::Lexicon)
    }

    /// A port for the scores of a stage.
    #[must_use]
    pub const fn scores(name: &'static str) -> Self {
        Self::one(name, ArtifactKind::Scores)
    }

    /// The same port, but the stage runs without it.
    #[must_use]
    pub const fn optional(self) -> Self {
        Self { optional: true, ..self }
    }

    /// The same port, but it takes many.
    #[must_use]
    pub const fn many(self) -> Self {
        Self { many: true, ..self }
    }

    const fn one(name: &'static str, kind: ArtifactKind) -> Self {
        Self { name, kind, optional: false, many: false }
    }
}
