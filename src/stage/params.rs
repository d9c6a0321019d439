//! Decodes parameters; a `Fault` keeps the place of what is wrong, and all faults are found at once.

use serde::de::DeserializeOwned;

use super::decode::{self, What};
use crate::base::{node::Node, span::Span, suggest};

/// Something wrong with a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The parameter: `loss.hidden`, `steps[1].insert.rate`.
    pub path: String,
    /// Where it is written.
    pub span: Span,
    /// What is wrong: a lower-case fragment.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// The faults that a stage's `check` finds.
#[derive(Debug, Default)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// Adds a fault of a parameter; `path` as in `loss.hidden` or `steps[1].insert.rate`.
    pub fn at(&mut self, path: impl Into<String>, message: impl Into<String>) -> &mut Fault {
        self.0.push(Fault { path: path.into(), span: Span::default(), message: message.into(), help: None });
        self.0.last_mut().expect("just pushed")
    }

    /// The faults with the places that their parameters are written at, in the order of the places.
    pub(super) fn place(self, written: &Node) -> Vec<Fault> {
        let place = |fault: Fault| Fault { span: written.place_of(&fault.path), ..fault };
        let mut placed: Vec<_> = self.0.into_iter().map(place).collect();
        placed.sort_by_key(|fault| fault.span);
        placed
    }

    /// All faults as one message.
    pub(super) fn into_message(self) -> Option<String> {
        let messages: Vec<_> = self.0.into_iter().map(|fault| fault.message).collect();
        (!messages.is_empty()).then(|| messages.join("; "))
    }

    /// Demands that a number is within bounds, both included.
    pub fn within(&mut self, path: &str, value: f64, low: f64, high: f64) {
        if !(low..=high).contains(&value) {
            self.at(path, format!("`{}` must be between {low} and {high}, not {value}", last(path)));
        }
    }

    /// Demands that a count is at least `low`.
    pub fn at_least(&mut self, path: &str, value: usize, low: usize) {
        if value < low {
            self.at(path, format!("`{}` must be at least {low}, not {value}", last(path)));
        }
    }
}

impl Fault {
    /// Adds what to do about it.
    pub fn help(&mut self, text: impl Into<String>) {
        self.help = Some(text.into());
    }
}

fn last(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

/// Decodes a value that people write, or tells everything that is wrong with it.
///
/// # Errors
/// All faults: unknown and missing keys, wrong types, unknown names, each with its place.
pub fn decode<T: DeserializeOwned>(node: &Node) -> Result<T, Vec<Fault>> {
    decode_checked(node, |_, _| ())
}

/// Decodes, then checks what types cannot say.
pub(super) fn decode_checked<T: DeserializeOwned>(node: &Node, check: fn(&T, &mut Faults)) -> Result<T, Vec<Fault>> {
    let mut faults = Vec::new();
    let mut rest = node.clone();
    // serde stops at the first error. What is wrong is noted and taken out, and the rest is tried again, so that all
    // errors of a map are found; what is then missing because it was taken out is not an error of its own.
    let mut removed: Vec<String> = Vec::new();
    loop {
        match decode::from_node::<T>(&rest) {
            Ok(params) => {
                let mut more = Faults::default();
                check(&params, &mut more);
                // What a list lacks is what was taken out of it.
                let is_within =
                    |gone: &str, path: &str| gone.strip_prefix(path).is_some_and(|rest| rest.starts_with(['[', '.']));
                more.0.retain(|fault| !removed.iter().any(|gone| is_within(gone, &fault.path)));
                faults.extend(more.place(node));
                faults.sort_by_key(|fault| fault.span);
                return if faults.is_empty() { Ok(params) } else { Err(faults) };
            }
            Err(error) => {
                let path = error.path.clone();
                let consequence = match &error.what {
                    What::Missing(field) => removed.contains(&join(&path, field)),
                    _ => removed.iter().any(|gone| !path.is_empty() && gone.starts_with(&path)),
                };
                // A misspelt key is reported once: as unknown, not as its right spelling missing, too.
                if let What::Unknown { name, expected } = &error.what
                    && let Some(meant) = suggest::nearest(name, expected.iter().copied())
                {
                    removed.push(join(&path, meant));
                }
                let missing = matches!(error.what, What::Missing(_));
                if !consequence {
                    faults.push(fault(node, error));
                }
                // What is missing cannot be taken out, but the map that lacks it can.
                let culprit = match faults.last() {
                    Some(fault) if !consequence && !missing => fault.path.clone(),
                    _ => path,
                };
                if culprit.is_empty() || !rest.remove(&culprit) {
                    faults.sort_by_key(|fault| fault.span);
                    return Err(faults);
                }
                removed.push(culprit);
            }
        }
    }
}

fn fault(node: &Node, error: decode::Error) -> Fault {
    let at = error.path;
    match error.what {
        What::Unknown { name, expected } => {
            let path = join(&at, &name);
            let written_key = node.key_place_of(&path);
            // An unknown variant is a value (`{source: wordnett}`), an unknown field a key.
            let (path, span) = if error.is_variant { (at.clone(), node.place_of(&at)) } else { (path, written_key) };
            let message = match (error.is_variant, at.is_empty()) {
                (true, _) => format!("`{name}` is not a choice here"),
                (false, true) => format!("unknown parameter `{name}`"),
                (false, false) => format!("unknown key `{name}` in `{at}`"),
            };
            let help = suggest::help(&name, &expected);
            Fault { path, span, message, help }
        }
        What::Missing(field) => {
            let message =
                if at.is_empty() { format!("`{field}` is missing") } else { format!("`{field}` is missing in `{at}`") };
            Fault { span: node.place_of(&at), path: join(&at, &field), message, help: None }
        }
        What::Other(message) => {
            let message = match at.as_str() {
                "" => message,
                at => format!("`{}`: {message}", last(at)),
            };
            Fault { span: node.place_of(&at), path: at, message, help: None }
        }
    }
}

fn join(path: &str, field: &str) -> String {
    if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Params {
        rate: f64,
        #[serde(default)]
        copies: usize,
        #[serde(default)]
        steps: Vec<Step>,
        name: Option<String>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "snake_case", deny_unknown_fields)]
    enum Step {
        Lowercase,
        Unicode(Form),
        Insert { rate: f64 },
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "snake_case")]
    enum Form {
        Nfc,
        Nfkc,
    }

    fn node(value: &serde_json::Value) -> Node {
        Node::from_json(value, Span::default())
    }

    #[test]
    fn what_is_right_decodes() {
        let params: Params = decode(&node(&json!({
            "rate": 1, "steps": ["lowercase", {"unicode": "nfkc"}, {"insert": {"rate": 0.5}}], "name": null
        })))
        .unwrap();
        assert_eq!(params.steps, [Step::Lowercase, Step::Unicode(Form::Nfkc), Step::Insert { rate: 0.5 }]);
        assert_eq!((params.rate, params.copies, params.name), (1.0, 0, None));
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let faults = decode::<Params>(&node(&json!({
            "rate": "fast", "copy": 3, "copies": -1, "steps": [{"unicode": "nfk"}, {"insert": {"rte": 1.0}}, "uppercase"]
        })))
        .unwrap_err();
        let told: Vec<_> = faults.iter().map(|fault| (fault.path.as_str(), fault.message.as_str())).collect();
        for expected in
            [("rate", "`rate`: expected a number, found the text \"fast\""), ("copy", "unknown parameter `copy`")]
        {
            assert!(told.contains(&expected), "{expected:?} in {told:#?}");
        }
        assert!(told.iter().any(|(path, _)| *path == "copies"), "{told:#?}");
        assert!(told.iter().any(|(path, _)| path.starts_with("steps[0]")), "{told:#?}");
        assert!(told.iter().any(|(path, _)| path.contains("rte")), "{told:#?}");
        assert!(told.iter().any(|(_, message)| message.contains("uppercase")), "{told:#?}");
    }

    #[test]
    fn what_a_list_lacks_since_it_was_wrong_is_no_fault_of_its_own() {
        let check = |params: &Params, faults: &mut Faults| {
            if params.steps.is_empty() {
                faults.at("steps", "no steps");
            }
        };
        let told = |value| {
            let faults = decode_checked::<Params>(&node(&value), check).unwrap_err();
            faults.into_iter().map(|fault| fault.path).collect::<Vec<_>>()
        };
        assert_eq!(told(json!({"rate": 1, "steps": ["uppercase"]})), ["steps[0]"]);
        assert_eq!(told(json!({"rate": 1, "steps": []})), ["steps"]);
        assert_eq!(told(json!({"rate": 1, "step": [], "steps": []})), ["step", "steps"]);
    }

    #[test]
    fn what_is_missing_is_named() {
        let faults = decode::<Params>(&node(&json!({}))).unwrap_err();
        assert_eq!(faults[0].message, "`rate` is missing");
    }
}
