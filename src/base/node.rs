//! `Node`: a value of a recipe, each part of which knows where it was written.

use serde_json::{Map, Value};

use super::span::Span;

/// A YAML value with the place of every part of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Node {
    /// Where it was written; empty for a value that was not (a default, `--set`).
    pub span: Span,
    /// What was written.
    pub value: NodeValue,
}

/// What a node holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum NodeValue {
    /// Nothing, `null` or `~`.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with a fraction or an exponent.
    Float(f64),
    /// A text.
    String(String),
    /// A list.
    List(Vec<Node>),
    /// A map, in the order in which it was written.
    Map(Vec<(Key, Node)>),
}

/// A key of a map.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Key {
    /// Where it was written.
    pub span: Span,
    /// The key itself.
    pub name: String,
}

impl Node {
    /// A map without entries, for a `with` that was left out.
    #[must_use]
    pub fn empty_map(span: Span) -> Self {
        Self { span, value: NodeValue::Map(Vec::new()) }
    }

    /// The entries of a map; none for any other value.
    #[must_use]
    pub fn entries(&self) -> &[(Key, Node)] {
        match &self.value {
            NodeValue::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a list; none for any other value.
    #[must_use]
    pub fn items(&self) -> &[Node] {
        match &self.value {
            NodeValue::List(items) => items,
            _ => &[],
        }
    }

    /// The text, if the node is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            NodeValue::String(text) => Some(text),
            _ => None,
        }
    }

    /// The value of a key, if the node is a map that has it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Node> {
        self.entries().iter().find(|(key, _)| key.name == name).map(|(_, node)| node)
    }

    /// What the value is, in words: `a list`, `the text "x"`, `the number 3`.
    #[must_use]
    pub fn describe(&self) -> String {
        match &self.value {
            NodeValue::Null => "nothing".into(),
            NodeValue::Bool(value) => format!("`{value}`"),
            NodeValue::Int(value) => format!("the number {value}"),
            NodeValue::Float(value) => format!("the number {value}"),
            NodeValue::String(text) => format!("the text {text:?}"),
            NodeValue::List(_) => "a list".into(),
            NodeValue::Map(_) => "a map".into(),
        }
    }

    /// The value as JSON; numbers that JSON cannot hold (`.nan`) become `null`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match &self.value {
            NodeValue::Null => Value::Null,
            NodeValue::Bool(value) => (*value).into(),
            NodeValue::Int(value) => (*value).into(),
            NodeValue::Float(value) => (*value).into(),
            NodeValue::String(text) => text.clone().into(),
            NodeValue::List(items) => items.iter().map(Node::to_json).collect(),
            NodeValue::Map(entries) => Value::Object(
                entries.iter().map(|(key, node)| (key.name.clone(), node.to_json())).collect::<Map<_, _>>(),
            ),
        }
    }

    /// A node from JSON, every part of it at one place.
    #[must_use]
    pub fn from_json(value: &Value, span: Span) -> Self {
        let value = match value {
            Value::Null => NodeValue::Null,
            Value::Bool(value) => NodeValue::Bool(*value),
            Value::Number(number) => match number.as_i64() {
                Some(value) => NodeValue::Int(value),
                None => NodeValue::Float(number.as_f64().unwrap_or(f64::NAN)),
            },
            Value::String(text) => NodeValue::String(text.clone()),
            Value::Array(items) => NodeValue::List(items.iter().map(|item| Self::from_json(item, span)).collect()),
            Value::Object(map) => NodeValue::Map(
                map.iter()
                    .map(|(name, value)| (Key { span, name: name.clone() }, Self::from_json(value, span)))
                    .collect(),
            ),
        };
        Self { span, value }
    }

    /// The place of a path such as `loss.hidden` or `steps[1].rate`: of its value, or of the nearest part above it
    /// that was written.
    #[must_use]
    pub fn place_of(&self, path: &str) -> Span {
        let mut node = self;
        for segment in segments(path) {
            let next = match segment {
                Segment::Key(name) => node.get(&name),
                Segment::Index(index) => node.items().get(index),
            };
            match next {
                Some(next) => node = next,
                None => break,
            }
        }
        node.span
    }

    /// The place of the last key of a path; of its value where there is no such key.
    #[must_use]
    pub fn key_place_of(&self, path: &str) -> Span {
        let mut node = self;
        let mut place = self.span;
        for segment in segments(path) {
            let next = match segment {
                Segment::Key(name) => {
                    node.entries().iter().find(|(key, _)| key.name == name).map(|(key, node)| (key.span, node))
                }
                Segment::Index(index) => node.items().get(index).map(|node| (node.span, node)),
            };
            match next {
                Some((span, next)) => (place, node) = (span, next),
                None => break,
            }
        }
        place
    }

    /// Whether this is the place of a list item that was taken out.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.span.start == usize::MAX
    }

    /// Takes out what a path leads to; tells whether there was such a thing. The place of a list item stays, so that the
    /// paths of the items after it stay true; [`Self::is_gone`] tells it.
    pub fn remove(&mut self, path: &str) -> bool {
        let mut segments = segments(path);
        let Some(last) = segments.pop() else { return false };
        let mut node = self;
        for segment in segments {
            let next = match (segment, &mut node.value) {
                (Segment::Key(name), NodeValue::Map(entries)) => {
                    entries.iter_mut().find(|(key, _)| key.name == name).map(|(_, node)| node)
                }
                (Segment::Index(index), NodeValue::List(items)) => items.get_mut(index),
                _ => None,
            };
            match next {
                Some(next) => node = next,
                None => return false,
            }
        }
        match (last, &mut node.value) {
            (Segment::Key(name), NodeValue::Map(entries)) => {
                let before = entries.len();
                entries.retain(|(key, _)| key.name != name);
                entries.len() < before
            }
            (Segment::Index(index), NodeValue::List(items)) if index < items.len() && !items[index].is_gone() => {
                items[index] = Self { span: Span::new(usize::MAX, usize::MAX), value: NodeValue::Null };
                true
            }
            _ => false,
        }
    }
}

enum Segment {
    Key(String),
    Index(usize),
}

fn segments(path: &str) -> Vec<Segment> {
    let mut segments = Vec::new();
    for part in path.split('.').filter(|part| !part.is_empty()) {
        let mut pieces = part.split('[');
        if let Some(name) = pieces.next().filter(|name| !name.is_empty()) {
            segments.push(Segment::Key(name.to_owned()));
        }
        segments.extend(pieces.filter_map(|index| index.trim_end_matches(']').parse().ok()).map(Segment::Index));
    }
    segments
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_lead_to_parts() {
        let mut node = Node::from_json(&json!({"steps": [{"insert": {"rate": 0.5}}, 3]}), Span::new(0, 9));
        node.value = match node.value {
            NodeValue::Map(mut entries) => {
                entries[0].1.span = Span::new(1, 2);
                NodeValue::Map(entries)
            }
            other => other,
        };
        assert_eq!(node.place_of("steps"), Span::new(1, 2));
        assert_eq!(node.place_of("steps.missing"), Span::new(1, 2));
        assert_eq!(node.place_of("missing"), Span::new(0, 9));
        assert!(node.remove("steps[0].insert.rate"));
        assert!(!node.remove("steps[0].insert.rate"));
        assert_eq!(node.to_json(), json!({"steps": [{"insert": {}}, 3]}));
        assert!(node.remove("steps[0]"));
        assert!(!node.remove("steps[0]"));
        assert!(node.get("steps").unwrap().items()[0].is_gone());
        assert_eq!(node.get("steps").unwrap().items()[1].value, NodeValue::Int(3));
    }
}
