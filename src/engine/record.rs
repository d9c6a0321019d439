//! `RunRecord`: what became of a run, as it is kept and shown.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    base::digest::Digest,
    plan::Plan,
    stage::{self, Family, Metric, Record, RunStatus, Seeded, Verdict},
};

/// What became of a run: `run.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunRecord {
    /// The version of this record.
    pub version: u32,
    /// The name of its folder: the time it began, and the recipe.
    pub id: String,
    /// The recipe's `name`.
    pub name: String,
    /// The recipe's `about`.
    pub about: String,
    /// The recipe file.
    pub recipe: String,
    /// The command that makes this run again.
    pub command: String,
    /// The variables of the recipe that were set from outside.
    #[serde(default)]
    pub sets: Vec<(String, String)>,
    /// The version of lmpipe.
    pub tool_version: String,
    /// The machine.
    pub host: Value,
    /// When it began, RFC 3339.
    pub started: String,
    /// How long it took.
    pub seconds: f64,
    /// Whether it was stopped before its end.
    pub cancelled: bool,
    /// Its inputs and stages, in the order of the plan.
    pub nodes: Vec<NodeRecord>,
    /// How the gates turned out.
    pub verdicts: Vec<Verdict>,
}

/// What became of an input or a stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeRecord {
    /// Its name with its cell.
    pub name: String,
    /// Its name without its seed, where it is run over seeds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family: Option<String>,
    /// Its kind.
    pub kind: String,
    /// The recipe's `about` for it.
    pub about: String,
    /// The names of what it takes from.
    pub inputs: Vec<String>,
    /// What became of it; [`RunStatus::Waiting`] when the run was stopped before it was done.
    pub status: RunStatus,
    /// How long it ran; for a cached one, how long it had run when it was made.
    pub seconds: f64,
    /// The device that it runs on.
    pub device: String,
    /// The digest of its key; `None` when an input of it was not made.
    pub fingerprint: Option<Digest>,
    /// The digest of its output, when it is done.
    pub digest: Option<Digest>,
    /// All that can change its output; null when an input of it was not made.
    pub key: Value,
    /// Why it failed or was skipped.
    pub error: Option<String>,
    /// What it left behind.
    pub record: Record,
}

impl RunRecord {
    /// The version that this program writes and reads.
    pub const VERSION: u32 = 1;

    /// The metric of a full name: `scores@int8.accuracy`, `speed.int8.latency.b1_l128.p50_ms`.
    #[must_use]
    pub fn find_metric(&self, full_name: &str) -> Option<Metric> {
        find_metric(&self.nodes, full_name)
    }

    /// The stages that are run over seeds, together.
    #[must_use]
    pub fn families(&self) -> Vec<Family> {
        families(&self.nodes)
    }

    /// The stages that failed.
    pub fn failed(&self) -> impl Iterator<Item = &NodeRecord> {
        self.nodes.iter().filter(|node| node.status == RunStatus::Failed)
    }

    /// How many stages have a status.
    #[must_use]
    pub fn count(&self, status: RunStatus) -> usize {
        self.nodes.iter().filter(|node| node.status == status).count()
    }

    /// The stage of a name.
    #[must_use]
    pub fn node(&self, name: &str) -> Option<&NodeRecord> {
        self.nodes.iter().find(|node| node.name == name)
    }
}

/// Evaluates the gates of a plan over what its stages left behind.
pub(super) fn judge(plan: &Plan, nodes: &[NodeRecord]) -> Vec<Verdict> {
    plan.gates.iter().map(|gate| gate.evaluate(|name| find_metric(nodes, name), &plan.references)).collect()
}

fn find_metric(nodes: &[NodeRecord], full_name: &str) -> Option<Metric> {
    // A cell may have a dot in its name, so there may be more than one way to cut: the one that leads to a metric counts.
    let below = |stage: &str| full_name.strip_prefix(stage)?.strip_prefix('.').map(str::to_owned);
    let found = nodes.iter().find_map(|node| node.record.metric(&below(&node.name)?).cloned());
    found.or_else(|| {
        families(nodes).iter().find_map(|family| {
            let name = below(&family.name)?;
            family.metrics.iter().find(|metric| metric.name == name).cloned()
        })
    })
}

/// The stages that are run over seeds, together.
fn families(nodes: &[NodeRecord]) -> Vec<Family> {
    let done = nodes.iter().filter(|node| matches!(node.status, RunStatus::Ran | RunStatus::Cached));
    stage::over_seeds(done.map(|node| Seeded {
        name: &node.name,
        family: node.family.as_deref(),
        inputs: &node.inputs,
        record: &node.record,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::{Better, Unit};

    #[test]
    fn metrics_have_full_names() {
        let node = |name: &str, metric: &str, value| NodeRecord {
            name: name.into(),
            family: None,
            kind: "toy".into(),
            about: String::new(),
            inputs: Vec::new(),
            status: RunStatus::Ran,
            seconds: 0.0,
            device: "cpu".into(),
            fingerprint: None,
            digest: None,
            key: Value::Null,
            error: None,
            record: Record {
                metrics: vec![Metric::new(metric, value, Unit::Number, Better::Neither)],
                ..Record::default()
            },
        };
        let nodes = [node("s@0", "loss", 1.0), node("s@0.5", "loss", 2.0), node("b", "int8.p50_ms", 3.0)];
        for (name, value) in [
            ("s@0.loss", Some(1.0)),
            ("s@0.5.loss", Some(2.0)),
            ("b.int8.p50_ms", Some(3.0)),
            ("b.int8", None),
            ("b", None),
        ] {
            assert_eq!(find_metric(&nodes, name).map(|metric| metric.value), value, "{name}");
        }
    }
}
