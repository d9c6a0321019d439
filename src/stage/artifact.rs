//! What stages exchange: a folder of a kind, in the store.

use std::{fmt, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::Record;
use crate::base::digest::Digest;

/// What a stage makes and a port takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ArtifactKind {
    /// Arrow files, one a split, and `dataset.json`.
    Dataset,
    /// A Hugging Face directory.
    Model,
    /// Words and their synonyms: `lexicon.tsv`.
    Lexicon,
    /// Numbers: `scores.json`.
    Scores,
    /// `index.html`, `report.md`, `metrics.json`, `junit.xml`, `bench.json`.
    Report,
    /// A model in the format of another program; no stage takes it.
    Export,
}

impl fmt::Display for ArtifactKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dataset => "dataset",
            Self::Model => "model",
            Self::Lexicon => "lexicon",
            Self::Scores => "scores",
            Self::Report => "report",
            Self::Export => "export",
        })
    }
}

/// A finished artifact, as a later stage sees it.
#[derive(Clone, Debug)]
pub struct Artifact {
    /// The stage that made it, with its matrix cell: `student`, `scores@int8`.
    pub name: String,
    /// The kind of that stage: `distill`, `evaluate`; `model`, `dataset` for an input.
    pub stage: String,
    /// What it is.
    pub kind: ArtifactKind,
    /// Its folder in the store; read only.
    pub dir: PathBuf,
    /// The digest of its content.
    pub digest: Digest,
    /// The names of the artifacts that it was made from, port by port.
    pub inputs: Vec<(String, Vec<String>)>,
    /// What the stage that made it left behind.
    pub record: Record,
}
