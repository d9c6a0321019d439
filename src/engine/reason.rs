//! What changed between two keys, in words.

use serde_json::Value;

use crate::base::{digest::Digest, plural};

/// A part of a key that differs between then and now.
struct Change {
    /// Where: `params.loss.hidden`, `inputs.data`, `params.steps[1].rate`.
    path: String,
    /// What it was; `None` when it was not there.
    old: Option<Value>,
    /// What it is; `None` when it is not there any more.
    new: Option<Value>,
}

/// All that differs between two keys, in the order of the new one.
fn changes(old: &Value, new: &Value) -> Vec<Change> {
    // One of the two was written and read again, which may have moved the last bit of a number: so is the other.
    let again = |value: &Value| serde_json::from_str(&value.to_string()).unwrap_or_else(|_| value.clone());
    let mut found = Vec::new();
    compare("", Some(&again(old)), Some(&again(new)), &mut found);
    found
}

/// Why something must be made that was made from another key before, in words.
#[must_use]
pub fn why(old: &Value, new: &Value) -> String {
    let changes = changes(old, new);
    let mut told: Vec<String> = Vec::new();
    for change in &changes {
        let text = change.describe();
        if !told.contains(&text) {
            told.push(text);
        }
    }
    match told.len() {
        // The fingerprints differ but the values read the same: numbers that differ in the last bit.
        0 => "its key changed".to_owned(),
        1..=3 => told.join(", "),
        n => format!("{}, and {} more", told[..2].join(", "), n - 2),
    }
}

impl Change {
    /// The change in words: `` parameter `learning_rate` changed: 5e-5 → 3e-5 ``.
    fn describe(&self) -> String {
        let (part, rest) = self.path.split_once('.').unwrap_or((&self.path, ""));
        // A list of digests has an index; which of several artifacts it was says nothing.
        let port = rest.split(['.', '[']).next().unwrap_or(rest);
        match part {
            "params" if self.is_digest() => {
                format!("the content of what `{}` names changed", rest.trim_end_matches(".digest"))
            }
            "params" => self.with_values(&format!("parameter `{rest}`")),
            "inputs" if port == super::cache::RUN_PORT => "a stage that it shows changed".to_owned(),
            "inputs" => format!("input `{port}` changed"),
            "files" => format!("the content of what `{rest}` names changed"),
            "env" => self.with_values(&format!("environment value `{rest}`")),
            "version" => self.with_values("stage version").replace("changed:", "rose"),
            // Of a stage that shows the run.
            "run" if port == "gates" => "the gates changed".to_owned(),
            "run" if port == "references" => "the baseline changed".to_owned(),
            "run" if port == "nodes" => "the recipe's stages changed".to_owned(),
            "run" => self.with_values(&format!("the recipe's `{rest}`")),
            "kernels" => self.with_values("set of kernels"),
            "host" => "it was measured on another machine".to_owned(),
            "stage" | "kind" => self.with_values("kind of stage"),
            _ => self.with_values(&self.path.replace('_', " ")),
        }
    }

    fn is_digest(&self) -> bool {
        let is = |value: &Option<Value>| {
            value.as_ref().and_then(Value::as_str).is_some_and(|text| text.parse::<Digest>().is_ok())
        };
        self.path.ends_with(".digest") && is(&self.old) && is(&self.new)
    }

    fn with_values(&self, what: &str) -> String {
        match (&self.old, &self.new) {
            (Some(old), Some(new)) => format!("{what} changed: {} → {}", show(old), show(new)),
            (None, Some(new)) => format!("{what} is new: {}", show(new)),
            (Some(old), None) => format!("{what} is gone: it was {}", show(old)),
            (None, None) => format!("{what} changed"),
        }
    }
}

fn compare(path: &str, old: Option<&Value>, new: Option<&Value>, found: &mut Vec<Change>) {
    match (old, new) {
        (Some(Value::Object(a)), Some(Value::Object(b))) => {
            let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
            for (name, value) in b {
                compare(&below(name), a.get(name), Some(value), found);
            }
            for (name, value) in a.iter().filter(|(name, _)| !b.contains_key(*name)) {
                compare(&below(name), Some(value), None, found);
            }
        }
        // Lists of one length are compared item by item; otherwise an item that was put in would shift all others.
        (Some(Value::Array(a)), Some(Value::Array(b))) if a.len() == b.len() => {
            for (i, (a, b)) in a.iter().zip(b).enumerate() {
                compare(&format!("{path}[{i}]"), Some(a), Some(b), found);
            }
        }
        (old, new) if old == new => {}
        (old, new) => found.push(Change { path: path.to_owned(), old: old.cloned(), new: new.cloned() }),
    }
}

/// A value in a few words.
fn show(value: &Value) -> String {
    const MOST: usize = 48;
    let text = match value.as_f64() {
        // A learning rate reads as it is written in recipes and papers.
        Some(number) if number != 0.0 && number.abs() < 1e-3 => format!("{number:e}"),
        _ => value.to_string(),
    };
    if text.chars().count() <= MOST {
        return text;
    }
    match value {
        Value::Array(items) => format!("[{}]", plural::count(items.len(), "item")),
        Value::Object(entries) => format!("{{{}}}", plural::count(entries.len(), "key")),
        _ => format!("{}…", text.chars().take(MOST - 1).collect::<String>()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_changed_is_said_in_words() {
        let old = json!({
            "stage": "finetune", "version": 1, "seed": 42, "device": "cpu", "env": {"WHO": "me"},
            "params": {"learning_rate": 5e-5, "steps": [{"rate": 0.1}, "x"], "gone": true},
            "inputs": {"data": ["a"], "models": ["b", "c"]}, "files": {"config": "d"},
            "run": {"name": "n", "gates": [1], "nodes": [{"name": "a"}]},
        });
        let with = |path: &str, value: Value| {
            let mut new = old.clone();
            *new.pointer_mut(path).unwrap() = value;
            why(&old, &new)
        };
        assert_eq!(with("/params/learning_rate", json!(3e-5)), "parameter `learning_rate` changed: 5e-5 → 3e-5");
        assert_eq!(with("/params/steps/0/rate", json!(0.2)), "parameter `steps[0].rate` changed: 0.1 → 0.2");
        assert_eq!(with("/params/steps", json!([])), "parameter `steps` changed: [{\"rate\":0.1},\"x\"] → []");
        assert_eq!(with("/inputs/data/0", json!("z")), "input `data` changed");
        assert_eq!(with("/inputs/models", json!(["b"])), "input `models` changed");
        assert_eq!(with("/files/config", json!("z")), "the content of what `config` names changed");
        assert_eq!(with("/run/name", json!("m")), "the recipe's `name` changed: \"n\" → \"m\"");
        assert_eq!(with("/run/gates/0", json!(2)), "the gates changed");
        assert_eq!(with("/run/nodes", json!([])), "the recipe's stages changed");
        assert_eq!(with("/version", json!(2)), "stage version rose 1 → 2");
        assert_eq!(with("/seed", json!(7)), "seed changed: 42 → 7");
        assert_eq!(with("/device", json!("cuda")), "device changed: \"cpu\" → \"cuda\"");
        assert_eq!(with("/env/WHO", json!("you")), "environment value `WHO` changed: \"me\" → \"you\"");
        assert_eq!(
            with("/params", json!({"learning_rate": 5e-5, "steps": [{"rate": 0.1}, "x"], "new": 1})),
            "parameter `new` is new: 1, parameter `gone` is gone: it was true"
        );
        assert_eq!(with("/seed", json!(42)), "its key changed");
        let file = |text: &str| json!({"params": {"model": [{"digest": Digest::of(text.as_bytes())}]}});
        assert_eq!(why(&file("1"), &file("2")), "the content of what `model[0]` names changed");
        let many = why(
            &json!({"params": {"a": 1, "b": 1, "c": 1, "d": 1}}),
            &json!({"params": {"a": 2, "b": 2, "c": 2, "d": 2}}),
        );
        assert_eq!(many, "parameter `a` changed: 1 → 2, parameter `b` changed: 1 → 2, and 2 more");
    }
}
