//! Recipe to a graph of nodes with fingerprints and reasons; pure.

mod build;
mod comparisons;
pub mod explain;
mod graph;
mod key;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, path::PathBuf};

use serde_json::Value;

pub use comparisons::Made;
pub use key::{Key, Machine};

use crate::{
    base::{device::DeviceId, digest::Digest},
    stage::{Gate, References, StageSpec},
};

/// The place of a node in [`Plan::nodes`].
pub type NodeId = usize;

/// Everything that a run does, in an order in which it can be done.
pub struct Plan {
    /// The recipe's `name`.
    pub name: String,
    /// The recipe's `about`.
    pub about: String,
    /// The recipe file.
    pub recipe: PathBuf,
    /// The recipe with variables and defaults filled in, as JSON; kept with the run.
    pub resolved: Value,
    /// Inputs and stages; a node comes after all that it takes from.
    pub nodes: Vec<PlanNode>,
    /// The gates.
    pub gates: Vec<Gate>,
    /// What gates compare with beside what the run itself has.
    pub references: References,
}

/// An input, or a stage with its matrix cell.
pub struct PlanNode {
    /// `student`, `scores@int8`.
    pub name: String,
    /// Its name without its seed, where it is run over seeds.
    pub family: Option<String>,
    /// The recipe's `about` for it.
    pub about: String,
    /// Its kind.
    pub spec: &'static StageSpec,
    /// Its parameters, checked, with defaults filled in.
    pub params: Value,
    /// What is wired to its ports, in the order of the spec's ports.
    pub inputs: Vec<(&'static str, Vec<NodeId>)>,
    /// What must be done first though nothing of it is taken.
    pub needs: Vec<NodeId>,
    /// Its seed.
    pub seed: u64,
    /// Where it may run.
    pub device: DeviceRequest,
    /// The environment values that its parameters were made from.
    pub env: BTreeMap<String, String>,
    /// The digests of the local files that it names, by parameter path.
    pub files: BTreeMap<String, Digest>,
}

/// Where a node may run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceRequest {
    /// The first of these that is there.
    pub candidates: Vec<DeviceId>,
    /// How many threads it may use; all when `None`.
    pub threads: Option<usize>,
    /// Whether nothing else may run meanwhile.
    pub exclusive: bool,
}

impl Plan {
    /// The place of a node by its full name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<NodeId> {
        self.nodes.iter().position(|node| node.name == name)
    }
}

impl PlanNode {
    /// The nodes that it takes from, port by port, each once.
    #[must_use]
    pub fn parents(&self) -> Vec<NodeId> {
        let mut parents = Vec::new();
        for parent in self.inputs.iter().flat_map(|(_, nodes)| nodes) {
            if !parents.contains(parent) {
                parents.push(*parent);
            }
        }
        parents
    }
}
