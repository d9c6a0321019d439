//! The keys of a map, each taken once; what is left over is unknown.

use super::diagnostic::Diagnostic;
use crate::base::{
    node::{Key, Node, NodeValue},
    span::Span,
    suggest,
};

/// What other tools call what has another name here.
const ELSEWHERE: [(&str, &str); 14] = [
    ("description", "about"),
    ("comment", "about"),
    ("variables", "vars"),
    ("parameters", "with"),
    ("params", "with"),
    ("args", "with"),
    ("inputs", "in"),
    ("input", "in"),
    ("stage", "uses"),
    ("kind", "uses"),
    ("type", "uses"),
    ("depends_on", "needs"),
    ("when", "if"),
    ("steps", "stages"),
];

/// Looks a map's keys up and tells those that nobody knows.
pub(super) struct Fields<'a> {
    entries: &'a [(Key, Node)],
    /// What the map is called in messages: “the recipe”, “a gate”.
    of: String,
}

impl<'a> Fields<'a> {
    /// The keys of a map; none, and a fault, for any other value.
    pub(super) fn of(
        node: &'a Node,
        of: impl Into<String>,
        known: &[&str],
        faults: &mut Vec<Diagnostic>,
    ) -> Option<Self> {
        let of = of.into();
        let NodeValue::Map(entries) = &node.value else {
            faults.push(wrong_type(node, &format!("{of} must be a map")));
            return None;
        };
        for (key, _) in entries {
            if !known.contains(&key.name.as_str()) {
                let here = ELSEWHERE.iter().find(|(there, here)| *there == key.name && known.contains(here));
                let help = match here {
                    Some((_, here)) => Some(format!("did you mean `{here}`?")),
                    None => suggest::help(&key.name, known),
                };
                faults.push(
                    Diagnostic::error("recipe::unknown-key", key.span, format!("{of} has no key `{}`", key.name))
                        .label("unknown key")
                        .maybe_help(help),
                );
            }
        }
        Some(Self { entries, of })
    }

    /// The value of a key; an empty value counts as left out.
    pub(super) fn get(&self, name: &str) -> Option<&'a (Key, Node)> {
        self.entries.iter().find(|(key, node)| key.name == name && node.value != NodeValue::Null)
    }

    /// The value of a key that must be there; its absence is told at `span`.
    pub(super) fn required(
        &self,
        name: &str,
        span: Span,
        help: &str,
        faults: &mut Vec<Diagnostic>,
    ) -> Option<&'a (Key, Node)> {
        let found = self.get(name);
        if found.is_none() {
            faults.push(
                Diagnostic::error("recipe::missing-key", span, format!("`{name}` is missing in {}", self.of))
                    .label(format!("without `{name}`"))
                    .help(help),
            );
        }
        found
    }
}

/// Something of another type was expected.
pub(super) fn wrong_type(node: &Node, expected: &str) -> Diagnostic {
    Diagnostic::error("recipe::wrong-type", node.span, format!("{expected}, not {}", node.describe()))
        .label("wrong type")
}

/// Whether a text can be the name of a stage, an input or a device.
pub(super) fn is_name(text: &str) -> bool {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.starts_with(part) && text.chars().all(|c| part(c) || c == '-') && text.len() <= 100
}

/// Tells a name that cannot be one.
pub(super) fn check_name(key: &Key, what: &str, faults: &mut Vec<Diagnostic>) -> bool {
    let legal = is_name(&key.name);
    if !legal {
        faults.push(
            Diagnostic::error("recipe::illegal-name", key.span, format!("{what} cannot be called `{}`", key.name))
                .label("not a name")
                .help("names are made of letters, digits, `_` and `-`, begin with a letter or digit, and have at most 100 characters"),
        );
    }
    legal
}
