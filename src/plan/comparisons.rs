//! Comparisons in pairs that gates ask for: a stage of their own each, before those that show the run.

use std::{collections::BTreeMap, path::PathBuf};

use serde_json::{Value, json};

use super::{NodeId, Plan, PlanNode};
use crate::{
    base::{digest::Digest, node::Node, span::Span},
    stage::{BASELINE, Comparison, Finds, Gate, Reference, Registry, StageSpec, Whose},
};

/// What a stage of the baseline's run made, where it is still there.
#[derive(Clone, Debug)]
pub struct Made {
    /// Its folder.
    pub dir: PathBuf,
    /// Its digest.
    pub digest: Digest,
}

impl Plan {
    /// Adds a stage for each comparison in pairs: of what is measured, where what the baseline is of is still there (`made`, by the
    /// name of a stage); of scores, where a gate asks for it. Gates are judged by what these find.
    ///
    /// # Errors
    /// A sentence for each gate that asks for what cannot be compared so.
    pub fn add_comparisons(
        &mut self,
        registry: &'static Registry,
        made: impl Fn(&str) -> Option<Made>,
    ) -> Result<(), Vec<String>> {
        let mut faults = Vec::new();
        for gate in self.gates.clone() {
            match self.add_comparison(registry, &made, &gate) {
                Ok(Some(reference)) => drop(self.references.insert(gate.reference(), reference)),
                Ok(None) => {}
                Err(fault) => faults.push(fault),
            }
        }
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }

    fn add_comparison(
        &mut self,
        registry: &'static Registry,
        made: &impl Fn(&str) -> Option<Made>,
        gate: &Gate,
    ) -> Result<Option<Reference>, String> {
        let Some(versus) = gate.versus.as_deref() else { return Ok(None) };
        let refused = |why: String| Err(format!("the gate on `{}` has `test: paired`, but {why}", gate.metric));
        let Some((id, comparison)) = self.comparison(&gate.metric) else {
            let why = "this metric is not one of answers, row by row, such as an accuracy of `evaluate`".to_owned();
            return if gate.paired { refused(why) } else { Ok(None) };
        };
        // Times of the same run were taken in turns already.
        let is_measured_again = versus == BASELINE && comparison.finds == Finds::Ratio;
        if !gate.paired && !is_measured_again {
            return Ok(None);
        }
        let spec = registry.get(comparison.stage).expect("a comparison is a stage of the registry");
        let (port, whose) = &comparison.of;
        let own = match whose {
            Whose::Own => id,
            Whose::Input(name) => self.find(name).unwrap_or(id),
        };
        let mut wires = BTreeMap::from([(*port, vec![own])]);
        for (port, names) in &comparison.inputs {
            wires.insert(port, names.iter().filter_map(|name| self.find(name)).collect());
        }
        let (mut params, mut files) = (comparison.params.clone(), BTreeMap::new());
        if versus == BASELINE {
            // What it was made of is gone: its numbers are all that is left.
            let Some(Made { dir, digest }) = made(&self.nodes[own].name) else { return Ok(None) };
            params["baseline"] = json!(dir);
            files.insert("baseline".to_owned(), digest);
        } else {
            match self.comparison(versus) {
                Some((other, found))
                    if (found.stage, &found.metric) == (comparison.stage, &comparison.metric)
                        && found.of.1 == Whose::Own =>
                {
                    wires.insert("baseline", vec![other]);
                }
                _ => return refused(format!("`{versus}` is not the same metric of another evaluation")),
            }
        }
        let params = (spec.check)(&Node::from_json(&params, Span::default()))
            .map_err(|faults| faults.first().map_or_else(String::new, |fault| fault.message.clone()))?;
        let inputs: Vec<_> =
            spec.inputs.iter().map(|port| (port.name, wires.remove(port.name).unwrap_or_default())).collect();
        let place =
            self.place_of(id, spec, params, inputs, files, if versus == BASELINE { "baseline" } else { "paired" });
        let name = format!("{}.{}", self.nodes[place].name, comparison.metric);
        Ok(Some(Reference::Paired(name, comparison.finds)))
    }

    /// The node of a metric, and how it is compared.
    fn comparison(&self, metric: &str) -> Option<(NodeId, Comparison)> {
        self.nodes.iter().enumerate().find_map(|(id, node)| {
            let name = metric.strip_prefix(node.name.as_str())?.strip_prefix('.')?;
            let wired: Vec<_> = node
                .inputs
                .iter()
                .map(|(port, from)| (*port, from.iter().map(|id| self.nodes[*id].name.clone()).collect()))
                .collect();
            Some((id, (node.spec.comparison)(&node.params, name, &wired)?))
        })
    }

    /// Where the comparison of a node is, which is added unless another gate has.
    fn place_of(
        &mut self,
        of: NodeId,
        spec: &'static StageSpec,
        params: Value,
        inputs: Vec<(&'static str, Vec<NodeId>)>,
        files: BTreeMap<String, Digest>,
        with: &str,
    ) -> NodeId {
        let is_same = |node: &PlanNode| node.spec.kind == spec.kind && node.params == params && node.inputs == inputs;
        if let Some(place) = self.nodes.iter().position(is_same) {
            return place;
        }
        let node = &self.nodes[of];
        let first = format!("{}@{with}", node.name);
        let numbered = (2..).map(|number| format!("{first}-{number}"));
        let name = std::iter::once(first.clone()).chain(numbered).find(|name| self.find(name).is_none());
        let added = PlanNode {
            name: name.unwrap_or(first),
            family: None,
            about: format!("Beside the {with} for the gates on `{}`", node.name).replace("the paired", "another"),
            spec,
            params,
            inputs,
            needs: Vec::new(),
            seed: node.seed,
            device: node.device.clone(),
            env: BTreeMap::new(),
            files,
        };
        let place = self.nodes.iter().position(|node| node.spec.sees_run).unwrap_or(self.nodes.len());
        self.insert(place, added);
        place
    }

    /// Puts a node where all that it takes is before it.
    fn insert(&mut self, place: NodeId, added: PlanNode) {
        for node in &mut self.nodes {
            let wired = node.inputs.iter_mut().flat_map(|(_, from)| from);
            for id in wired.chain(&mut node.needs).filter(|id| **id >= place) {
                *id += 1;
            }
        }
        self.nodes.insert(place, added);
    }
}
