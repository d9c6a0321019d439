//! Variables, inputs and devices that nothing uses: warnings, since most are left-overs or misspelt.

use std::collections::BTreeSet;

use super::{Diagnostic, Subject};
use crate::{
    base::node::{Node, NodeValue},
    recipe::vars,
};

/// Tells them.
pub(super) fn check(subject: &Subject<'_>, faults: &mut Vec<Diagnostic>) {
    let document = subject.document;
    let nodes: Vec<&Node> = all_nodes(subject);
    let mut mentioned = BTreeSet::new();
    for node in &nodes {
        vars::mentioned(subject.templates, node, &mut mentioned);
    }
    for text in document.stages.iter().filter_map(|stage| stage.condition.as_ref()?.as_str()) {
        mentioned.extend(subject.templates.mentioned_in_condition(text));
    }
    for (key, _) in &document.vars {
        if !mentioned.contains(&key.name) {
            faults.push(unused(key.span, "variable", &key.name).help(format!("use it: `\"{{{{ {} }}}}\"`", key.name)));
        }
    }
    let wired: BTreeSet<&str> = subject
        .draft
        .steps
        .iter()
        .flat_map(super::super::draft::DraftStep::before)
        .map(|step| subject.draft.steps[step].name.as_str())
        .collect();
    // Names in stages that are left out, or too broken to be wired, count as used.
    let written: BTreeSet<&str> = document
        .stages
        .iter()
        .flat_map(|stage| stage.wires.iter().map(|(_, node)| node).chain(&stage.needs).chain(&stage.matrix))
        .flat_map(texts)
        .collect();
    for (key, _) in &document.inputs {
        if !wired.contains(key.name.as_str()) && !written.contains(key.name.as_str()) {
            faults.push(unused(key.span, "input", &key.name).help(format!("wire it: `in: {}`", key.name)));
        }
    }
    let asked: BTreeSet<&str> = document.stages.iter().flat_map(|stage| &stage.device).flat_map(texts).collect();
    let is_templated = asked.iter().any(|text| text.contains("{{") || text.contains("{%"));
    for (key, _) in document.devices.iter().filter(|_| !is_templated) {
        if !asked.contains(key.name.as_str()) {
            faults.push(unused(key.span, "device", &key.name).help(format!("use it: `device: {}`", key.name)));
        }
    }
}

fn unused(span: crate::base::span::Span, what: &str, name: &str) -> Diagnostic {
    let code = match what {
        "variable" => "recipe::unused-variable",
        "input" => "recipe::unused-input",
        _ => "recipe::unused-device",
    };
    Diagnostic::warning(code, span, format!("nothing uses the {what} `{name}`")).label("unused")
}

fn all_nodes<'a>(subject: &'a Subject<'_>) -> Vec<&'a Node> {
    let document = subject.document;
    let mut nodes: Vec<&Node> = Vec::new();
    nodes.extend(&document.name);
    nodes.extend(&document.about);
    nodes.extend(&document.seed);
    for entries in [&document.vars, &document.devices, &document.inputs] {
        nodes.extend(entries.iter().map(|(_, node)| node));
    }
    for stage in &document.stages {
        nodes.extend([&stage.uses, &stage.matrix, &stage.device, &stage.needs, &stage.about].into_iter().flatten());
        nodes.extend([&stage.wires, &stage.with, &stage.seeds].into_iter().flatten().map(|(_, node)| node));
    }
    nodes.extend(&document.gates);
    nodes
}

/// All texts below a node.
fn texts(node: &Node) -> Vec<&str> {
    match &node.value {
        NodeValue::String(text) => vec![text],
        NodeValue::List(items) => items.iter().flat_map(texts).collect(),
        NodeValue::Map(entries) => entries.iter().flat_map(|(_, item)| texts(item)).collect(),
        _ => Vec::new(),
    }
}
