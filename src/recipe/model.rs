//! `Recipe`: a recipe that was checked, with every variable, default and matrix cell filled in.

use std::path::PathBuf;

use serde_json::Value;

use super::{Device, Diagnostics};
use crate::{
    base::span::{SourceFile, Span},
    stage::{Gate, StageSpec},
};

/// A recipe without errors.
#[derive(Debug)]
pub struct Recipe {
    /// Its `name`.
    pub name: String,
    /// Its `about`.
    pub about: String,
    /// Its file, as given.
    pub path: PathBuf,
    /// The folder that its relative paths start from.
    pub dir: PathBuf,
    /// Its text, to point into.
    pub source_file: SourceFile,
    /// Its `seed`.
    pub seed: u64,
    /// All of it with variables and defaults filled in.
    pub resolved: Value,
    /// Its inputs and then its stages, cell by cell, in the order of the file.
    pub steps: Vec<Step>,
    /// Its gates.
    pub gates: Vec<Gate>,
    /// What is worth a look.
    pub warnings: Diagnostics,
}

/// An input, or a stage with its matrix cell.
pub struct Step {
    /// `student`, `scores@int8`.
    pub name: String,
    /// Its name without its seed, where it is run over seeds.
    pub family: Option<String>,
    /// What the recipe says about it.
    pub about: String,
    /// Where its name is written.
    pub span: Span,
    /// Its kind.
    pub spec: &'static StageSpec,
    /// Its parameters, checked, with defaults filled in.
    pub params: Value,
    /// What is wired to its ports, as places in [`Recipe::steps`], in the order of the spec's ports.
    pub wires: Vec<(&'static str, Vec<usize>)>,
    /// What must be done first though nothing of it is taken, as places in [`Recipe::steps`].
    pub needs: Vec<usize>,
    /// Its seed.
    pub seed: u64,
    /// Where it may run.
    pub device: Device,
    /// The environment values that its parameters were made from.
    pub env: super::Env,
    /// The local files that its parameters name: which parameter, and the path from [`Recipe::dir`].
    pub files: Vec<(String, String)>,
}

impl std::fmt::Debug for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Step").field("name", &self.name).field("kind", &self.spec.kind).finish_non_exhaustive()
    }
}
