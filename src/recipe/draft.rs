//! A recipe while it is being checked: steps that may be broken, and who is called what.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Device, Env};
use crate::{
    base::{
        node::{Key, Node},
        span::Span,
    },
    stage::{ArtifactKind, Port, StageSpec},
};

/// The steps so far.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) steps: Vec<DraftStep>,
    /// Inputs and stages by their base name.
    pub(super) families: BTreeMap<String, Family>,
    /// The full names of cells and stages that an `if` left out.
    pub(super) left_out: BTreeSet<String>,
}

/// An input or a stage with all its cells.
pub(super) struct Family {
    /// Its cells that are not left out, as places in [`Draft::steps`].
    pub(super) members: Vec<usize>,
    /// Whether it was too broken to know its cells.
    pub(super) broken: bool,
    pub(super) is_input: bool,
}

/// A step; whatever is wrong with it has been told and is `None` here.
pub(super) struct DraftStep {
    pub(super) name: String,
    /// Its name without its seed, where its stage has `seeds`.
    pub(super) family: Option<String>,
    pub(super) about: String,
    pub(super) span: Span,
    pub(super) spec: Option<&'static StageSpec>,
    /// The parameters as written, and the place to tell faults of the whole at.
    pub(super) with: Option<(Span, Node)>,
    pub(super) params: Option<Value>,
    /// The `in`, evaluated; `Err` when that failed.
    pub(super) wires_written: Result<Option<(Key, Node)>, ()>,
    pub(super) wires: Vec<(&'static Port, Vec<Target>)>,
    pub(super) needs_written: Option<Node>,
    pub(super) needs: Vec<usize>,
    pub(super) seed: u64,
    pub(super) device: Device,
    pub(super) env: Env,
    pub(super) files: Vec<(String, String)>,
}

/// What is wired to a port.
#[derive(Clone, Copy)]
pub(super) struct Target {
    /// The step, unless it is a broken one.
    pub(super) step: Option<usize>,
}

/// What a name after `in:`, in `needs:` or in a gate leads to.
pub(super) enum Found {
    /// These steps.
    Steps(Vec<usize>),
    /// Something broken.
    Broken,
    /// Something that an `if` left out.
    LeftOut,
    /// Nothing.
    Nothing,
}

impl Draft {
    /// What a name leads to: a family by its base name, a cell by its full one.
    pub(super) fn find(&self, name: &str) -> Found {
        if let Some(family) = self.families.get(name) {
            return match (family.members.is_empty(), family.broken) {
                (_, true) => Found::Broken,
                (true, false) => Found::LeftOut,
                (false, false) => Found::Steps(family.members.clone()),
            };
        }
        if self.left_out.contains(name) {
            return Found::LeftOut;
        }
        match self.steps.iter().position(|step| step.name == name) {
            Some(step) => Found::Steps(vec![step]),
            None if !self.of_family(name).is_empty() => Found::Steps(self.of_family(name)),
            None => match name.split_once('@').and_then(|(base, _)| self.families.get(base)) {
                Some(family) if family.broken => Found::Broken,
                _ => Found::Nothing,
            },
        }
    }

    /// The cells that differ in their seed alone and have this name without it.
    fn of_family(&self, name: &str) -> Vec<usize> {
        (0..self.steps.len()).filter(|step| self.steps[*step].family.as_deref() == Some(name)).collect()
    }

    /// The name of some steps without their seeds, when they differ in these alone.
    pub(super) fn one_family(&self, steps: &[usize]) -> Option<&str> {
        let (first, others) = steps.split_first()?;
        let family = self.steps[*first].family.as_deref()?;
        others.iter().all(|step| self.steps[*step].family.as_deref() == Some(family)).then_some(family)
    }

    /// Of steps that differ in their seed alone, the one with the seed of `step`, where that has `seeds` itself; else all of them.
    pub(super) fn of_same_seed(&self, steps: Vec<usize>, step: &DraftStep) -> Vec<usize> {
        if step.family.is_none() || self.one_family(&steps).is_none() {
            return steps;
        }
        let own: Vec<usize> = steps.iter().copied().filter(|target| self.steps[*target].seed == step.seed).collect();
        if own.is_empty() { steps } else { own }
    }

    /// All names that can be wired, for “did you mean”.
    pub(super) fn names(&self) -> Vec<&str> {
        let cells = self.steps.iter().map(|step| step.name.as_str()).filter(|name| name.contains('@'));
        self.families.keys().map(String::as_str).chain(cells).collect()
    }

    /// The names of some steps.
    pub(super) fn names_of(&self, steps: &[usize]) -> Vec<&str> {
        steps.iter().map(|step| self.steps[*step].name.as_str()).collect()
    }
}

impl DraftStep {
    /// What it makes, if its kind is known.
    pub(super) fn output(&self) -> Option<ArtifactKind> {
        self.spec.map(|spec| spec.output)
    }

    /// All steps that must be done first.
    pub(super) fn before(&self) -> impl Iterator<Item = usize> + '_ {
        let wired = self.wires.iter().flat_map(|(_, targets)| targets.iter().filter_map(|target| target.step));
        wired.chain(self.needs.iter().copied())
    }
}
