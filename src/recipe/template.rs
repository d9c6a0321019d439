//! minijinja on single scalars after parsing, so that places stay true.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

use minijinja::{
    Environment, ErrorKind, UndefinedBehavior, Value,
    value::{Object, Serde},
};

use super::{Env, diagnostic::Diagnostic};
use crate::base::{
    node::{Node, NodeValue},
    span::Span,
    suggest,
};

/// How many instructions one template may take: more than any real one, less than a blink.
const FUEL: u64 = 100_000;

/// A variable of the recipe.
#[derive(Clone, Debug)]
pub(super) struct Variable {
    /// Its value; none when it is wrong, which has been told, so that its uses need not be.
    pub(super) value: Option<Node>,
    /// The environment values that it was made from.
    pub(super) env: Env,
}

/// The template engine with what is in scope everywhere.
pub(super) struct Templates<'a> {
    engine: Environment<'static>,
    text: &'a str,
    env: Arc<Env>,
    pub(super) variables: BTreeMap<String, Variable>,
}

/// What is in scope in one place, beside the variables.
#[derive(Clone, Debug, Default)]
pub(super) struct Frame {
    /// The cell's value on every axis; none outside of stages with a matrix.
    pub(super) matrix: Option<Vec<(String, Node)>>,
    /// The seed; none before it is known.
    pub(super) seed: Option<u64>,
}

/// What a template gives.
enum Outcome {
    Value(Value),
    /// It uses something wrong that has been told already.
    Silent,
    Fault(Box<Diagnostic>),
}

impl<'a> Templates<'a> {
    /// An engine over a recipe's text and the environment; variables are added as they become known.
    pub(super) fn new(text: &'a str, env: &Env) -> Self {
        let mut engine = Environment::new();
        engine.set_undefined_behavior(UndefinedBehavior::Strict);
        engine.set_fuel(Some(FUEL));
        // The defaults pick HTML escaping by the template's name; a recipe is no HTML.
        engine.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        Self { engine, text, env: Arc::new(env.clone()), variables: BTreeMap::new() }
    }

    /// A node with all its templates evaluated; none if one is wrong. The environment values used are added to `used`.
    pub(super) fn resolve(
        &self,
        node: &Node,
        frame: &Frame,
        used: &mut Env,
        faults: &mut Vec<Diagnostic>,
    ) -> Option<Node> {
        let value = match &node.value {
            NodeValue::String(text) if is_template(text) => {
                return match self.evaluate(text, node.span, frame, used) {
                    Outcome::Value(value) => {
                        let value = serde_json::to_value(&value).ok();
                        if value.is_none() {
                            faults.push(
                                Diagnostic::error("recipe::template", node.span, "this gives a thing that is no value")
                                    .label("a function or another object"),
                            );
                        }
                        value.map(|value| Node::from_json(&value, node.span))
                    }
                    Outcome::Silent => None,
                    Outcome::Fault(fault) => {
                        faults.push(*fault);
                        None
                    }
                };
            }
            // All parts are tried even if one is wrong, so that everything is told.
            NodeValue::List(items) => {
                let items: Vec<_> = items.iter().map(|item| self.resolve(item, frame, used, faults)).collect();
                NodeValue::List(items.into_iter().collect::<Option<_>>()?)
            }
            NodeValue::Map(entries) => {
                let entries: Vec<_> = entries
                    .iter()
                    .map(|(key, item)| Some((key.clone(), self.resolve(item, frame, used, faults)?)))
                    .collect();
                NodeValue::Map(entries.into_iter().collect::<Option<_>>()?)
            }
            other => other.clone(),
        };
        Some(Node { span: node.span, value })
    }

    /// Whether a condition holds: a bool, a template, or a text that is an expression; none if it is wrong.
    pub(super) fn holds(&self, node: &Node, frame: &Frame, faults: &mut Vec<Diagnostic>) -> Option<bool> {
        let mut used = Env::new();
        match &node.value {
            NodeValue::Bool(value) => Some(*value),
            NodeValue::String(text) => match self.evaluate(&condition(text), node.span, frame, &mut used) {
                Outcome::Value(value) => Some(value.is_true()),
                Outcome::Silent => None,
                Outcome::Fault(fault) => {
                    faults.push(*fault);
                    None
                }
            },
            _ => {
                faults.push(
                    Diagnostic::error(
                        "recipe::wrong-type",
                        node.span,
                        format!("`if` takes true, false or an expression, not {}", node.describe()),
                    )
                    .label("not a condition"),
                );
                None
            }
        }
    }

    /// The names that a text mentions in its templates: variables, `matrix`, `seed`, `env`.
    pub(super) fn mentioned(&self, text: &str) -> BTreeSet<String> {
        let names =
            match one_expression(text).and_then(|inner| self.engine.compile_expression_owned(inner.to_owned()).ok()) {
                Some(expression) => expression.undeclared_variables(true),
                None => match self.engine.template_from_str(text) {
                    Ok(template) => template.undeclared_variables(true),
                    Err(_) => return BTreeSet::new(),
                },
            };
        let names: BTreeSet<String> = names.into_iter().collect();
        let globals: BTreeSet<&str> = self.engine.globals().map(|(name, _)| name).collect();
        names.into_iter().filter(|name| !globals.contains(root(name))).collect()
    }

    /// The names that a condition mentions, without what follows a dot.
    pub(super) fn mentioned_in_condition(&self, text: &str) -> BTreeSet<String> {
        self.mentioned(&condition(text)).iter().map(|name| root(name).to_owned()).collect()
    }

    fn evaluate(&self, text: &str, span: Span, frame: &Frame, used: &mut Env) -> Outcome {
        let mentioned = self.mentioned(text);
        let matrix = frame.matrix.as_deref();
        for name in &mentioned {
            let root = root(name);
            match root {
                "env" => continue,
                "seed" if frame.seed.is_some() => continue,
                "matrix" if matrix.is_some() => {
                    let axes: Vec<_> = matrix.unwrap_or_default().iter().map(|(axis, _)| axis.as_str()).collect();
                    match name.split('.').nth(1) {
                        Some(axis) if !axes.contains(&axis) => {
                            return fault(
                                Diagnostic::error(
                                    "recipe::unknown-variable",
                                    self.within(span, axis),
                                    format!("the matrix has no axis `{axis}`"),
                                )
                                .label("unknown axis")
                                .maybe_help(suggest::help(axis, &axes)),
                            );
                        }
                        _ => continue,
                    }
                }
                _ => {}
            }
            match self.variables.get(root) {
                Some(Variable { value: None, .. }) => return Outcome::Silent,
                Some(variable) => used.extend(variable.env.clone()),
                None => return fault(self.unknown_variable(root, span, frame)),
            }
        }
        let env = Arc::new(EnvScope { values: Arc::clone(&self.env), used: Mutex::default() });
        let mut scope: BTreeMap<&str, Value> = BTreeMap::new();
        for (name, variable) in &self.variables {
            if let Some(node) = variable.value.as_ref().filter(|_| mentioned.iter().any(|used| root(used) == name)) {
                scope.insert(name, Value::from(Serde(node.to_json())));
            }
        }
        if let Some(axes) = matrix {
            let axes = axes.iter().map(|(axis, node)| (axis.as_str(), Value::from(Serde(node.to_json()))));
            scope.insert("matrix", Value::from(axes.collect::<BTreeMap<_, _>>()));
        }
        if let Some(seed) = frame.seed {
            scope.insert("seed", Value::from(seed));
        }
        scope.insert("env", Value::from_dyn_object(Arc::clone(&env)));
        let result = self.run(text, Value::from(scope));
        let asked = env.used.lock().unwrap_or_else(PoisonError::into_inner).clone();
        used.extend(asked.iter().filter_map(|name| Some((name.clone(), self.env.get(name)?.clone()))));
        let error = match result {
            Ok(value) if !value.is_undefined() => return Outcome::Value(value),
            Ok(_) => None,
            Err(error) => Some(error),
        };
        let is_undefined = error.as_ref().is_none_or(|error| error.kind() == ErrorKind::UndefinedError);
        if let Some(name) = asked.iter().find(|name| is_undefined && !self.env.contains_key(*name)) {
            return fault(
                Diagnostic::error(
                    "recipe::unknown-variable",
                    self.within(span, name),
                    format!("the environment has no `{name}`"),
                )
                .label("not set")
                .help(format!("set it, or give a default: {{{{ env.{name} | default(\"…\") }}}}")),
            );
        }
        let message = match error {
            None => "this has no value".to_owned(),
            Some(error) if error.kind() == ErrorKind::OutOfFuel => "this template takes too long".to_owned(),
            Some(error) => {
                let what = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
                format!("this template does not work: {what}")
            }
        };
        fault(Diagnostic::error("recipe::template", span, message).label("in this template"))
    }

    fn run(&self, text: &str, scope: Value) -> Result<Value, minijinja::Error> {
        // A text that is one expression keeps the type of its value; all others are texts.
        if let Some(inner) = one_expression(text)
            && let Ok(expression) = self.engine.compile_expression(inner)
        {
            return expression.eval(scope);
        }
        self.engine.render_str(text, scope).map(Value::from)
    }

    fn unknown_variable(&self, name: &str, span: Span, frame: &Frame) -> Diagnostic {
        let at = self.within(span, name);
        match name {
            "matrix" => Diagnostic::error("recipe::unknown-variable", at, "there is no `matrix` here")
                .label("no matrix")
                .help("`matrix` is known inside of a stage that has one"),
            "seed" => Diagnostic::error("recipe::unknown-variable", at, "`seed` is not known here yet")
                .label("no seed yet")
                .help("`seed` is known in inputs and stages"),
            _ => {
                let mut names: Vec<_> = self.variables.keys().map(String::as_str).collect();
                names.extend(frame.matrix.as_ref().map(|_| "matrix"));
                names.extend(frame.seed.map(|_| "seed"));
                names.push("env");
                Diagnostic::error("recipe::unknown-variable", at, format!("no variable is called `{name}`"))
                    .label("unknown variable")
                    .maybe_help(suggest::help(name, &names))
            }
        }
    }

    /// The place of a name inside of a scalar, if it stands there as it is.
    fn within(&self, span: Span, name: &str) -> Span {
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        let written = self.text.get(span.range()).unwrap_or_default();
        written
            .match_indices(name)
            .find(|(at, _)| !written[..*at].ends_with(is_part) && !written[at + name.len()..].starts_with(is_part))
            .map_or(span, |(at, _)| Span::new(span.start + at, span.start + at + name.len()))
    }
}

/// A condition as a template: it may be written as an expression alone.
fn condition(text: &str) -> String {
    if is_template(text) { text.to_owned() } else { format!("{{{{ {text} }}}}") }
}

fn fault(diagnostic: Diagnostic) -> Outcome {
    Outcome::Fault(Box::new(diagnostic))
}

fn root(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

/// Whether a text is to be evaluated.
pub(super) fn is_template(text: &str) -> bool {
    text.contains("{{") || text.contains("{%")
}

/// What stands between the braces of a text that may be one expression and nothing else.
fn one_expression(text: &str) -> Option<&str> {
    text.trim().strip_prefix("{{")?.strip_suffix("}}").map(str::trim)
}

/// `env`, which remembers what was asked of it.
#[derive(Debug)]
struct EnvScope {
    values: Arc<Env>,
    used: Mutex<BTreeSet<String>>,
}

impl Object for EnvScope {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let name = key.as_str()?;
        self.used.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned());
        self.values.get(name).map(|value| Value::from(value.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    fn evaluate(text: &str) -> Result<(Json, Env), String> {
        let env = Env::from([("HOME".into(), "/root".into())]);
        let mut templates = Templates::new(text, &env);
        let variable =
            |value: Json| Variable { value: Some(Node::from_json(&value, Span::default())), env: Env::new() };
        templates.variables.insert("epochs".into(), variable(json!(3)));
        templates.variables.insert("rates".into(), variable(json!([0.5, 1])));
        templates.variables.insert("on".into(), variable(json!(true)));
        let frame = Frame {
            matrix: Some(vec![("model".into(), Node::from_json(&json!("student"), Span::default()))]),
            seed: Some(42),
        };
        let node = Node { span: Span::new(0, text.len()), value: NodeValue::String(text.into()) };
        let (mut used, mut faults) = (Env::new(), Vec::new());
        match templates.resolve(&node, &frame, &mut used, &mut faults) {
            Some(node) => Ok((node.to_json(), used)),
            None => Err(format!("{} @ {}", faults[0].message, &text[faults[0].span.unwrap().range()])),
        }
    }

    #[test]
    fn one_expression_keeps_its_type() {
        for (text, value) in [
            ("{{ epochs }}", json!(3)),
            (" {{ epochs * 2 }} ", json!(6)),
            ("{{ epochs / 2 }}", json!(1.5)),
            ("{{ rates }}", json!([0.5, 1])),
            ("{{ on and epochs > 2 }}", json!(true)),
            ("{{ matrix.model }}", json!("student")),
            ("{{ matrix.model }}-{{ seed }}", json!("student-42")),
            ("v{{ epochs }}", json!("v3")),
            ("{% if on %}yes{% else %}no{% endif %}", json!("yes")),
            ("{{ {'a': epochs} }}", json!({"a": 3})),
            ("{{ env.NOBODY | default('x') }}", json!("x")),
            ("{{ '<b>' }}", json!("<b>")),
            ("plain", json!("plain")),
        ] {
            assert_eq!(evaluate(text).unwrap().0, value, "{text}");
        }
        assert_eq!(evaluate("{{ env.HOME }}").unwrap().1, Env::from([("HOME".into(), "/root".into())]));
    }

    #[test]
    fn faults_are_pointed_at() {
        for (text, message) in [
            ("{{ epoch }}", "no variable is called `epoch` @ epoch"),
            ("{{ matrix.modle }}", "the matrix has no axis `modle` @ modle"),
            ("{{ env.NOBODY }}", "the environment has no `NOBODY` @ NOBODY"),
            ("x {{ env.NOBODY }}", "the environment has no `NOBODY` @ NOBODY"),
        ] {
            assert_eq!(evaluate(text).unwrap_err(), message);
        }
        for text in [
            "{{ epochs + }}",
            "{{ epochs",
            "{{ 1 / 0 }}",
            "{{ epochs.x.y }}",
            "{% for x in range(9999) %}{% for y in range(9999) %}{{ x }}{% endfor %}{% endfor %}",
            "{{ 'x' * 100000000000 }}",
            "{{ rates | frobnicate }}",
            "{% include 'x' %}",
        ] {
            assert!(evaluate(text).is_err(), "{text}");
        }
    }
}
