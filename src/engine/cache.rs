//! What a node is made from, and whether that was made before.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    Settings, reason,
    store::{Action, Object, Store},
};
use crate::{
    base::{canonical, digest::Digest},
    plan::{Key, Machine, NodeId, Plan},
    stage::Lease,
};

/// The port under which the digests of the whole run enter the key of a node that shows it.
pub(super) const RUN_PORT: &str = "run";

/// What each node waits for.
pub(super) struct Wiring {
    /// What must be made first: what is taken from, and what the recipe says is needed.
    pub(super) needs: Vec<Vec<NodeId>>,
    /// Of a node that shows the run: all nodes that do not themselves wait for such a one, and what the recipe says it
    /// needs. They must be over first, but may have failed: a report that shows a failure is of more use than none.
    pub(super) shown: Vec<Vec<NodeId>>,
    /// An order in which a node comes after all of these.
    pub(super) order: Vec<NodeId>,
}

impl Wiring {
    pub(super) fn of(plan: &Plan) -> Self {
        let mut showing = BTreeSet::new();
        for (id, node) in plan.nodes.iter().enumerate() {
            let mut before = node.inputs.iter().flat_map(|(_, from)| from).chain(&node.needs);
            if node.spec.sees_run || before.any(|need| showing.contains(need)) {
                showing.insert(id);
            }
        }
        let plain: Vec<NodeId> = (0..plan.nodes.len()).filter(|id| !showing.contains(id)).collect();
        let (mut needs, mut shown) = (Vec::new(), Vec::new());
        for node in &plan.nodes {
            let taken: BTreeSet<NodeId> = node.inputs.iter().flat_map(|(_, from)| from).copied().collect();
            let needed = node.needs.iter().copied();
            if node.spec.sees_run {
                needs.push(taken.into_iter().collect());
                shown.push(plain.iter().copied().chain(needed).collect::<BTreeSet<_>>().into_iter().collect());
            } else {
                needs.push(taken.into_iter().chain(needed).collect::<BTreeSet<_>>().into_iter().collect());
                shown.push(Vec::new());
            }
        }
        Self { needs, shown, order: plain.into_iter().chain(showing).collect() }
    }
}

/// The key of a node whose inputs are there.
///
/// A node that shows the run shows stages that it takes nothing from, so the digests of all that were made enter its key.
pub(super) fn key(
    plan: &Plan,
    node: NodeId,
    shown: &[NodeId],
    digest_of: impl Fn(NodeId) -> Option<Digest>,
    lease: Lease,
    settings: &Settings,
) -> Key {
    let made = |from: &[NodeId]| from.iter().filter_map(|id| digest_of(*id)).collect::<Vec<_>>();
    let mut inputs: Vec<_> = plan.nodes[node].inputs.iter().map(|(port, from)| (*port, made(from))).collect();
    if plan.nodes[node].spec.sees_run {
        inputs.push((RUN_PORT, made(shown)));
    }
    let machine = Machine { host: &settings.host, kernels: &settings.kernels };
    plan.key(node, &inputs, lease.device, machine)
}

/// What changed of a stage itself, whatever became of its inputs; nothing where only they can have changed.
pub(super) fn own_change(previous: &Value, key: &Key) -> Option<String> {
    let mut now = key.0.clone();
    if let (Some(inputs), Some(key)) = (previous.get("inputs"), now.as_object_mut()) {
        key.insert("inputs".to_owned(), inputs.clone());
    }
    (canonical::digest(&now) != canonical::digest(previous)).then(|| reason::why(previous, &now))
}

/// What the store knows of a key.
pub(super) enum Lookup {
    /// It was made, and what was made is there.
    Cached(Box<(Action, Object)>),
    /// It must be made; why.
    Missing(String),
}

/// How much of an object is looked at before it is taken for what it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// That its files are there, with their sizes: enough to say what a run would do.
    Sizes,
    /// Every byte, before anything is made of it.
    Content,
}

/// Asks the store for a key.
pub(super) fn look_up(store: &Store, recipe: &str, node: &str, key: &Key, trust: Trust) -> Lookup {
    let fingerprint = key.fingerprint();
    let last = store.last_key(recipe, node);
    let Some(action) = store.action(fingerprint) else {
        return Lookup::Missing(match last {
            _ if store.has_action(fingerprint) => "its record in the store is damaged".to_owned(),
            None => "never made".to_owned(),
            Some(last) if last.fingerprint == fingerprint => "its record is gone from the store".to_owned(),
            Some(last) => reason::why(&last.key, &key.0),
        });
    };
    let object = match trust {
        Trust::Sizes => store.object(action.digest),
        Trust::Content => store.whole_object(action.digest),
    };
    match object {
        Ok(object) => Lookup::Cached(Box::new((action, object))),
        Err(damage) if damage.path == store.object_dir(action.digest) => {
            Lookup::Missing("its output is gone from the store".to_owned())
        }
        Err(damage) => Lookup::Missing(format!("its output in the store is damaged: {damage}")),
    }
}
