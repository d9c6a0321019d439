//! What a node's identity is made of, and nothing else.

use serde_json::{Map, Value, json};

use super::{NodeId, Plan};
use crate::base::{canonical, device::DeviceId, digest::Digest};

/// What a fingerprint is made of: equal keys mean equal outputs. It can be shown, and two can be compared.
#[derive(Clone, Debug, PartialEq)]
pub struct Key(pub Value);

impl Key {
    /// The fingerprint: the digest of the key's canonical JSON.
    #[must_use]
    pub fn fingerprint(&self) -> Digest {
        canonical::digest(&self.0)
    }
}

/// What of the machine can change what is made on it.
#[derive(Clone, Copy, Debug)]
pub struct Machine<'a> {
    /// Its processor and the like, for what is measured.
    pub host: &'a Value,
    /// The sets of kernels that compute on its processor.
    pub kernels: &'a str,
}

impl Plan {
    /// The key of a node once the digests of its inputs are known.
    ///
    /// `device` is the one it will run on; the machine's host enters for a node that measures, its kernels for one that computes on
    /// the processor; the plan's own names and gates enter for a node that shows the run.
    #[must_use]
    pub fn key(
        &self,
        node: NodeId,
        inputs: &[(&'static str, Vec<Digest>)],
        device: DeviceId,
        machine: Machine<'_>,
    ) -> Key {
        let of = &self.nodes[node];
        let mut params = (of.spec.identity)(&of.params);
        // A file is its content, wherever it lies. What an identity says of it beside its path (how it is read) stays.
        let mut files = Map::new();
        for (parameter, digest) in &of.files {
            files.insert(parameter.clone(), json!(digest));
            if let Some(path) = place_in(&mut params, parameter).filter(|place| place.is_string()) {
                *path = json!("(a file)");
            }
        }
        let wired: Map<String, Value> = inputs
            .iter()
            .filter(|(_, digests)| !digests.is_empty())
            .map(|(port, digests)| ((*port).to_owned(), json!(digests)))
            .collect();
        let mut key = json!({
            "stage": of.spec.kind,
            "version": of.spec.version,
            "params": params,
            "inputs": wired,
            "seed": of.seed,
            "device": device.kind(),
        });
        if !files.is_empty() {
            key["files"] = Value::Object(files);
        }
        if !of.env.is_empty() {
            key["env"] = json!(of.env);
        }
        if of.spec.measures {
            key["host"] = machine.host.clone();
            key["threads"] = json!(of.device.threads);
            key["exclusive"] = json!(of.device.exclusive);
            // The ordinal is another device with other times.
            key["device"] = json!(device);
        }
        if device == DeviceId::Cpu && (of.spec.computes)(&of.params) {
            key["kernels"] = json!(machine.kernels);
        }
        if of.spec.sees_run {
            key["run"] = self.shown();
        }
        Key(key)
    }

    /// What a report shows of the plan itself.
    fn shown(&self) -> Value {
        let nodes: Vec<_> = self
            .nodes
            .iter()
            .map(|node| {
                let inputs: Map<String, Value> = node
                    .inputs
                    .iter()
                    .map(|(port, nodes)| {
                        let names: Vec<_> = nodes.iter().map(|id| self.nodes[*id].name.as_str()).collect();
                        ((*port).to_owned(), json!(names))
                    })
                    .collect();
                json!({"name": node.name, "stage": node.spec.kind, "about": node.about, "inputs": inputs})
            })
            .collect();
        let mut shown = json!({"name": self.name, "about": self.about, "gates": self.gates, "nodes": nodes});
        if !self.references.is_empty() {
            shown["references"] = json!(self.references);
        }
        shown
    }
}

/// The value that a path such as `model[1]` or `steps[0].lexicon` leads to.
fn place_in<'v>(value: &'v mut Value, path: &str) -> Option<&'v mut Value> {
    let mut place = value;
    for part in path.split('.').filter(|part| !part.is_empty()) {
        let mut pieces = part.split('[');
        if let Some(name) = pieces.next().filter(|name| !name.is_empty()) {
            place = place.get_mut(name)?;
        }
        for index in pieces {
            place = place.get_mut(index.trim_end_matches(']').parse::<usize>().ok()?)?;
        }
    }
    Some(place)
}
