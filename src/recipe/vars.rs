//! The variables: what the recipe says, and what `--set` says instead.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Env,
    diagnostic::Diagnostic,
    template::{Frame, Templates, Variable},
    yaml,
};
use crate::base::{
    node::{Key, Node, NodeValue},
    span::Span,
    suggest,
};

/// Evaluates the variables into `templates`; each may use the others and the environment.
pub(super) fn define(
    templates: &mut Templates<'_>,
    written: &[(Key, Node)],
    sets: &[(String, String)],
    faults: &mut Vec<Diagnostic>,
) {
    for (key, _) in written {
        check_name(key, faults);
    }
    let mut open: Vec<(&Key, Node)> = written.iter().map(|(key, node)| (key, node.clone())).collect();
    for (name, text) in sets {
        if let Some((_, node)) = open.iter_mut().find(|(key, _)| key.name == *name) {
            if let Some(value) = set_value(name, text, faults) {
                *node = value;
            }
        } else {
            let known: Vec<_> = written.iter().map(|(key, _)| key.name.as_str()).collect();
            let help = suggest::help(name, &known).unwrap_or_else(|| "the recipe has no `vars`".into());
            let message = format!("`--set {name}={text}`: the recipe has no variable `{name}`");
            faults.push(Diagnostic::error_outside("recipe::set", message).help(help));
        }
    }
    // A variable is evaluated once all that it mentions are; those that are left over mention each other.
    let names: BTreeSet<String> = open.iter().map(|(key, _)| key.name.clone()).collect();
    let mentions: BTreeMap<String, BTreeSet<String>> = open
        .iter()
        .map(|(key, node)| {
            let mut found = BTreeSet::new();
            mentioned(templates, node, &mut found);
            (key.name.clone(), found.intersection(&names).cloned().collect())
        })
        .collect();
    loop {
        let is_ready = |key: &Key| mentions[&key.name].iter().all(|name| templates.variables.contains_key(name));
        let (ready, rest): (Vec<_>, Vec<_>) = open.into_iter().partition(|(key, _)| is_ready(key));
        open = rest;
        if ready.is_empty() {
            break;
        }
        for (key, node) in ready {
            let mut env = Env::new();
            let value = templates.resolve(&node, &Frame::default(), &mut env, faults);
            templates.variables.insert(key.name.clone(), Variable { value, env });
        }
    }
    for (key, _) in open {
        if reaches_itself(&key.name, &mentions) {
            faults.push(
                Diagnostic::error(
                    "recipe::cycle",
                    key.span,
                    format!("the variable `{}` is made from itself", key.name),
                )
                .label("part of a circle"),
            );
        }
        templates.variables.insert(key.name.clone(), Variable { value: None, env: Env::new() });
    }
}

fn reaches_itself(name: &str, mentions: &BTreeMap<String, BTreeSet<String>>) -> bool {
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let mut open: Vec<&str> = vec![name];
    while let Some(next) = open.pop() {
        for mentioned in mentions.get(next).into_iter().flatten() {
            if mentioned == name {
                return true;
            }
            if seen.insert(mentioned) {
                open.push(mentioned);
            }
        }
    }
    false
}

/// All names that the templates below a node mention, without what follows a dot.
pub(super) fn mentioned(templates: &Templates<'_>, node: &Node, found: &mut BTreeSet<String>) {
    match &node.value {
        NodeValue::String(text) if super::template::is_template(text) => {
            let names = templates.mentioned(text);
            found.extend(names.iter().filter_map(|name| name.split('.').next()).map(str::to_owned));
        }
        NodeValue::List(items) => items.iter().for_each(|item| mentioned(templates, item, found)),
        NodeValue::Map(entries) => entries.iter().for_each(|(_, item)| mentioned(templates, item, found)),
        _ => {}
    }
}

fn set_value(name: &str, text: &str, faults: &mut Vec<Diagnostic>) -> Option<Node> {
    let mut inner = Vec::new();
    // A template on the command line needs no quotes.
    let node = if text.trim_start().starts_with("{{") {
        Some(Node { span: Span::default(), value: NodeValue::String(text.to_owned()) })
    } else {
        yaml::parse(text, &mut inner)
    };
    if let Some(fault) = inner.first() {
        let message = format!("`--set {name}={text}`: {}", fault.message);
        faults.push(Diagnostic::error_outside("recipe::set", message).help("the value is YAML: `3`, `text`, `[a, b]`"));
        return None;
    }
    let mut node = node.unwrap_or_default();
    forget_places(&mut node);
    Some(node)
}

/// A value of the command line stands nowhere in the recipe.
fn forget_places(node: &mut Node) {
    node.span = Span::default();
    match &mut node.value {
        NodeValue::List(items) => items.iter_mut().for_each(forget_places),
        NodeValue::Map(entries) => entries.iter_mut().for_each(|(key, item)| {
            key.span = Span::default();
            forget_places(item);
        }),
        _ => {}
    }
}

fn check_name(key: &Key, faults: &mut Vec<Diagnostic>) {
    const RESERVED: [&str; 16] = [
        "matrix", "seed", "env", "true", "false", "none", "True", "False", "None", "not", "and", "or", "in", "is",
        "if", "else",
    ];
    let fault = if RESERVED.contains(&key.name.as_str()) {
        Some(("recipe::illegal-name", "is reserved", "choose another name"))
    } else {
        let starts = key.name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        let legal = starts && key.name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        (!legal).then_some((
            "recipe::illegal-name",
            "cannot be used in an expression",
            "variables are made of letters, digits and `_`, and begin with a letter",
        ))
    };
    if let Some((code, why, help)) = fault {
        let message = format!("a variable cannot be called `{}`: it {why}", key.name);
        faults.push(Diagnostic::error(code, key.span, message).label("not a variable's name").help(help));
    }
}
