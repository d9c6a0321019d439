//! A plan as table, tree, DOT and Mermaid; the difference of two keys.

use std::fmt::Write;

use serde_json::Value;

use super::{NodeId, Plan, PlanNode};
use crate::stage::ArtifactKind;

/// A line a node: its name, its kind, what it takes from, where it may run.
#[must_use]
pub fn table(plan: &Plan) -> String {
    let rows: Vec<[String; 4]> = plan
        .nodes
        .iter()
        .map(|node| {
            let from: Vec<_> = node.parents().iter().map(|id| plan.nodes[*id].name.as_str()).collect();
            let from = if from.is_empty() { "–".to_owned() } else { from.join(", ") };
            [node.name.clone(), node.spec.kind.to_owned(), from, device(node)]
        })
        .collect();
    let head = ["name", "stage", "takes from", "device"].map(str::to_owned);
    let widths: Vec<usize> = (0..4)
        .map(|column| rows.iter().chain([&head]).map(|row| row[column].chars().count()).max().unwrap_or(0))
        .collect();
    let mut out = String::new();
    for row in std::iter::once(&head).chain(&rows) {
        let cells: Vec<_> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        out.push_str(cells.join("  ").trim_end());
        out.push('\n');
    }
    out
}

/// A tree for the terminal. A node hangs below the one of its parents that is made last; its others follow the arrow.
#[must_use]
pub fn text(plan: &Plan) -> String {
    let hang: Vec<Option<NodeId>> = plan.nodes.iter().map(|node| node.parents().into_iter().max()).collect();
    let mut out = String::new();
    // An explicit stack: a recipe may be a chain of any length.
    let roots: Vec<NodeId> = (0..plan.nodes.len()).filter(|id| hang[*id].is_none()).collect();
    let mut stack: Vec<(NodeId, String, bool, bool)> =
        roots.iter().rev().map(|id| (*id, String::new(), true, true)).collect();
    while let Some((id, indent, is_last, is_root)) = stack.pop() {
        let node = &plan.nodes[id];
        let branch = match (is_root, is_last) {
            (true, _) => "",
            (false, true) => "└─ ",
            (false, false) => "├─ ",
        };
        let _ = write!(out, "{indent}{branch}{}", node.name);
        if node.name != node.spec.kind {
            let _ = write!(out, " · {}", node.spec.kind);
        }
        let others: Vec<_> = node
            .parents()
            .into_iter()
            .filter(|parent| Some(*parent) != hang[id])
            .map(|parent| plan.nodes[parent].name.as_str())
            .collect();
        if !others.is_empty() {
            let _ = write!(out, "  ← {}", others.join(", "));
        }
        out.push('\n');
        let below = match (is_root, is_last) {
            (true, _) => indent,
            (false, true) => format!("{indent}   "),
            (false, false) => format!("{indent}│  "),
        };
        let children: Vec<_> = (0..plan.nodes.len()).filter(|child| hang[*child] == Some(id)).collect();
        for (position, child) in children.iter().enumerate().rev() {
            stack.push((*child, below.clone(), position + 1 == children.len(), false));
        }
    }
    out
}

/// Graphviz DOT; edges carry the port where a stage has several.
#[must_use]
pub fn dot(plan: &Plan) -> String {
    let mut out = format!("digraph {} {{\n  rankdir=LR;\n  node [fontname=\"sans-serif\"];\n", quoted(&plan.name));
    for (id, node) in plan.nodes.iter().enumerate() {
        let shape = match node.spec.output {
            _ if node.spec.source => "cylinder",
            ArtifactKind::Scores => "note",
            ArtifactKind::Report => "tab",
            ArtifactKind::Export => "component",
            ArtifactKind::Dataset | ArtifactKind::Model | ArtifactKind::Lexicon => "box",
        };
        let label =
            if node.name == node.spec.kind { node.name.clone() } else { format!("{}\n{}", node.name, node.spec.kind) };
        let _ = writeln!(out, "  n{id} [label={}, shape={shape}];", quoted(&label));
    }
    for (from, to, port) in edges(plan) {
        let _ = match port {
            Some(port) => writeln!(out, "  n{from} -> n{to} [label={}];", quoted(port)),
            None => writeln!(out, "  n{from} -> n{to};"),
        };
    }
    out.push_str("}\n");
    out
}

/// A Mermaid flow chart, as Markdown pages draw them.
#[must_use]
pub fn mermaid(plan: &Plan) -> String {
    let mut out = "flowchart LR\n".to_owned();
    for (id, node) in plan.nodes.iter().enumerate() {
        let label = if node.name == node.spec.kind {
            node.name.clone()
        } else {
            format!("{}<br>{}", node.name, node.spec.kind)
        };
        // `@` and `-` are fine in quotes; quotes themselves cannot be part of a name.
        let (open, close) = if node.spec.source { ("[(", ")]") } else { ("[", "]") };
        let _ = writeln!(out, "  n{id}{open}\"{label}\"{close}");
    }
    for (from, to, port) in edges(plan) {
        let _ = match port {
            Some(port) => writeln!(out, "  n{from} -->|{port}| n{to}"),
            None => writeln!(out, "  n{from} --> n{to}"),
        };
    }
    out
}

/// What differs between two keys, a line each: `params.epochs: 3 → 2`.
#[must_use]
pub fn difference(old: &Value, new: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    compare("", Some(old), Some(new), &mut lines);
    lines
}

fn compare(path: &str, old: Option<&Value>, new: Option<&Value>, lines: &mut Vec<String>) {
    match (old, new) {
        (Some(Value::Object(a)), Some(Value::Object(b))) => {
            let added = b.keys().filter(|name| !a.contains_key(*name));
            for name in a.keys().chain(added) {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                compare(&path, a.get(name), b.get(name), lines);
            }
        }
        (Some(Value::Array(a)), Some(Value::Array(b))) => {
            for index in 0..a.len().max(b.len()) {
                compare(&format!("{path}[{index}]"), a.get(index), b.get(index), lines);
            }
        }
        (old, new) if old == new => {}
        (old, new) => lines.push(format!("{path}: {} → {}", shown(old), shown(new))),
    }
}

fn shown(value: Option<&Value>) -> String {
    match value {
        None => "(nothing)".into(),
        // Digests are long and only their being different matters.
        Some(Value::String(text)) if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            format!("{}…", &text[..12])
        }
        Some(value) => value.to_string(),
    }
}

fn edges(plan: &Plan) -> Vec<(NodeId, NodeId, Option<&'static str>)> {
    let mut edges = Vec::new();
    for (to, node) in plan.nodes.iter().enumerate() {
        let several = node.inputs.iter().filter(|(_, nodes)| !nodes.is_empty()).count() > 1;
        for (port, nodes) in &node.inputs {
            edges.extend(nodes.iter().map(|from| (*from, to, several.then_some(*port))));
        }
    }
    edges
}

fn device(node: &PlanNode) -> String {
    let request = &node.device;
    let names: Vec<_> = request.candidates.iter().map(ToString::to_string).collect();
    let mut out = names.join(" or ");
    if let Some(threads) = request.threads {
        let _ = write!(out, ", {}", crate::base::plural::count(threads, "thread"));
    }
    if request.exclusive {
        out.push_str(", alone");
    }
    out
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}
