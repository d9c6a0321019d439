//! What each stage cost: every scored model beside its nearest scored ancestor.

use std::collections::{BTreeSet, VecDeque};

use super::{models::Table, sources::Quantity};
use crate::{report::model::StepLine, stage::RunView};

/// A line a scored model, in the order of the run; nothing unless some model comes from another.
pub(super) fn of(run: &RunView, table: &Table<'_>) -> Vec<StepLine> {
    let steps: Vec<_> = table
        .models
        .iter()
        .filter_map(|model| {
            let quality = table.quality_of(model)?.clone();
            let parent = scored_ancestor(run, table, model);
            let versus = |quantity| table.gain(model, parent?, quantity);
            Some(StepLine {
                model: model.clone(),
                kind: run
                    .nodes
                    .iter()
                    .find(|node| node.name == *model)
                    .map(|node| node.kind.clone())
                    .unwrap_or_default(),
                parent: parent.map(str::to_owned),
                quality,
                parent_quality: parent.and_then(|parent| table.quality_of(parent)).map(|metric| metric.value),
                difference: parent.and_then(|parent| table.difference(model, parent)),
                size: versus(Quantity::Size),
                speed: table.point().and_then(|point| versus(Quantity::Median(point))),
            })
        })
        .collect();
    if steps.iter().any(|step| step.parent.is_some()) { steps } else { Vec::new() }
}

/// The nearest scored model that a model was made from: breadth first, in the order in which stages take their inputs.
fn scored_ancestor<'a>(run: &'a RunView, table: &Table<'_>, model: &str) -> Option<&'a str> {
    let inputs = |name: &str| {
        let node = run.nodes.iter().find(|node| node.name == name);
        node.map_or(&[][..], |node| node.inputs.as_slice())
    };
    let mut queue: VecDeque<&str> = inputs(model).iter().map(String::as_str).collect();
    let mut seen = BTreeSet::from([model]);
    while let Some(name) = queue.pop_front() {
        if !seen.insert(name) {
            continue;
        }
        if table.quality_of(name).is_some() {
            return run.nodes.iter().find(|node| node.name == name).map(|node| node.name.as_str());
        }
        queue.extend(inputs(name).iter().map(String::as_str));
    }
    None
}
