//! A kind of stage and the JSON Schema of its parameters, as parameters with types in words.

use std::collections::VecDeque;

use serde_json::{Map, Value};

use crate::stage::StageSpec;

/// What the reference says of one kind.
pub(in crate::cli) struct StageDoc {
    pub(in crate::cli) spec: &'static StageSpec,
    pub(in crate::cli) parameters: Vec<Parameter>,
    /// The types that parameters refer to, in the order in which they are met.
    pub(in crate::cli) definitions: Vec<Definition>,
}

/// A key and its value.
#[derive(Debug, PartialEq)]
pub(in crate::cli) struct Parameter {
    pub(in crate::cli) name: String,
    /// In words: `number from 0 to 1`, ``list of `Step` ``.
    pub(in crate::cli) kind: String,
    pub(in crate::cli) doc: String,
    pub(in crate::cli) required: bool,
    /// As it would be written in a recipe; none when leaving the key out is no value of its own.
    pub(in crate::cli) default: Option<String>,
}

/// A named type.
#[derive(Debug, PartialEq)]
pub(in crate::cli) struct Definition {
    pub(in crate::cli) name: String,
    pub(in crate::cli) doc: String,
    pub(in crate::cli) shape: Shape,
}

/// What a value of a named type looks like.
#[derive(Debug, PartialEq)]
pub(in crate::cli) enum Shape {
    /// A map with these keys.
    Map(Vec<Parameter>),
    /// One of these.
    Choices(Vec<Choice>),
    /// A type in words.
    Words(String),
}

/// One way to write a value.
#[derive(Debug, PartialEq)]
pub(in crate::cli) struct Choice {
    /// How it is written: what is meant literally in backticks, types in words.
    pub(in crate::cli) form: String,
    pub(in crate::cli) doc: String,
    /// The keys below it.
    pub(in crate::cli) fields: Vec<Parameter>,
}

impl StageDoc {
    pub(in crate::cli) fn of(spec: &'static StageSpec) -> Self {
        let (parameters, definitions) = read((spec.schema)().as_value());
        Self { spec, parameters, definitions }
    }
}

/// The parameters of a schema, and all the types that they lead to.
fn read(root: &Value) -> (Vec<Parameter>, Vec<Definition>) {
    let mut reader = Reader { waiting: VecDeque::new(), met: Vec::new() };
    let parameters = reader.fields(root);
    let mut definitions = Vec::new();
    while let Some(name) = reader.waiting.pop_front() {
        let schema = &root["$defs"][&name];
        let (doc, shape) = (doc(schema), reader.shape(schema));
        definitions.push(Definition { name, doc, shape });
    }
    (parameters, definitions)
}

struct Reader {
    waiting: VecDeque<String>,
    met: Vec<String>,
}

impl Reader {
    fn fields(&mut self, schema: &Value) -> Vec<Parameter> {
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let empty = Map::new();
        let properties = schema["properties"].as_object().unwrap_or(&empty);
        properties
            .iter()
            .map(|(name, property)| Parameter {
                name: name.clone(),
                kind: self.words(property),
                doc: doc(property),
                required: required.contains(&name.as_str()),
                default: property.get("default").filter(|default| !default.is_null()).map(flow),
            })
            .collect()
    }

    fn shape(&mut self, schema: &Value) -> Shape {
        if let Some(variants) = variants(schema) {
            return Shape::Choices(variants.into_iter().flat_map(|variant| self.choices(variant)).collect());
        }
        match schema["enum"].as_array() {
            Some(_) => Shape::Choices(self.choices(schema)),
            None if schema["properties"].is_object() => Shape::Map(self.fields(schema)),
            None => Shape::Words(self.words(schema)),
        }
    }

    fn choices(&mut self, variant: &Value) -> Vec<Choice> {
        let doc = doc(variant);
        let plain = |value: &Value, doc: &str| Choice {
            form: format!("`{}`", flow(value)),
            doc: doc.to_owned(),
            fields: Vec::new(),
        };
        if let Some(value) = variant.get("const") {
            return vec![plain(value, &doc)];
        }
        if let Some(values) = variant["enum"].as_array() {
            return values.iter().map(|value| plain(value, &doc)).collect();
        }
        let properties = variant["properties"].as_object();
        // serde's external tag: a map with one key that must be there.
        let tagged =
            properties.filter(|map| map.len() == 1 && variant["required"].as_array().is_some_and(|r| r.len() == 1));
        if let Some((tag, value)) = tagged.and_then(|map| map.iter().next()) {
            let fields = if value["properties"].is_object() { self.fields(value) } else { Vec::new() };
            let form = if fields.is_empty() { format!("`{tag}:` {}", self.words(value)) } else { format!("`{tag}:`") };
            return vec![Choice { form, doc, fields }];
        }
        if properties.is_some() {
            return vec![Choice { form: "a map".into(), doc, fields: self.fields(variant) }];
        }
        vec![Choice { form: self.words(variant), doc, fields: Vec::new() }]
    }

    /// A type in words; a named type is queued to be explained.
    fn words(&mut self, schema: &Value) -> String {
        if let Some(name) = schema["$ref"].as_str().and_then(|to| to.strip_prefix("#/$defs/")) {
            if !self.met.iter().any(|met| met == name) {
                self.met.push(name.to_owned());
                self.waiting.push_back(name.to_owned());
            }
            return format!("`{name}`");
        }
        if let Some(variants) = variants(schema) {
            let mut words: Vec<String> = Vec::new();
            for variant in variants {
                for choice in self.choices(variant) {
                    if !words.contains(&choice.form) {
                        words.push(choice.form);
                    }
                }
            }
            return either(&words);
        }
        if let Some(values) = schema["enum"].as_array() {
            return either(
                &values.iter().filter(|v| !v.is_null()).map(|v| format!("`{}`", flow(v))).collect::<Vec<_>>(),
            );
        }
        let kinds: Vec<&str> = match &schema["type"] {
            Value::String(kind) => vec![kind],
            Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).filter(|kind| *kind != "null").collect(),
            _ => vec!["any"],
        };
        let words: Vec<String> = kinds.into_iter().map(|kind| self.kind(kind, schema)).collect();
        either(&words)
    }

    fn kind(&mut self, kind: &str, schema: &Value) -> String {
        match kind {
            "boolean" => "`true` or `false`".into(),
            "integer" => format!("whole number{}", bounds(schema)),
            "number" => format!("number{}", bounds(schema)),
            "string" => "text".into(),
            "null" => "nothing".into(),
            "array" => match (schema["items"].is_object(), schema["prefixItems"].as_array()) {
                (_, Some(items)) => {
                    let items: Vec<_> = items.iter().map(|item| self.words(item)).collect();
                    format!("list of {}", items.join(", "))
                }
                (true, None) => format!("list of {}", plural(&self.words(&schema["items"]))),
                (false, None) => "list".into(),
            },
            "object" if schema["additionalProperties"].is_object() => {
                format!("map from names to {}", plural(&self.words(&schema["additionalProperties"])))
            }
            "object" => "map".into(),
            _ => "any value".into(),
        }
    }
}

/// The alternatives of a schema, without `null`.
fn variants(schema: &Value) -> Option<Vec<&Value>> {
    let variants = schema["oneOf"].as_array().or_else(|| schema["anyOf"].as_array())?;
    Some(variants.iter().filter(|variant| variant["type"] != "null").collect())
}

fn bounds(schema: &Value) -> String {
    let low = schema.get("minimum").filter(|low| low.as_f64() != Some(0.0) || schema.get("maximum").is_some());
    match (low, schema.get("maximum")) {
        (Some(low), Some(high)) => format!(" from {low} to {high}"),
        (Some(low), None) => format!(" from {low}"),
        (None, Some(high)) => format!(" up to {high}"),
        (None, None) => String::new(),
    }
}

fn plural(words: &str) -> String {
    match words {
        "whole number" | "number" | "text" | "list" | "map" => format!("{words}s"),
        _ => words.to_owned(),
    }
}

fn either(words: &[String]) -> String {
    match words.split_last() {
        None => "any value".into(),
        Some((only, [])) => only.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
    }
}

/// A doc comment as one line, but for blocks of code, which stay as they are with an empty line around each.
fn doc(schema: &Value) -> String {
    let text = schema["description"].as_str().unwrap_or_default();
    let mut parts = Vec::new();
    for (number, part) in text.split("```").enumerate() {
        if number % 2 == 1 {
            parts.push(format!("```{}\n```", part.trim_end()));
        } else if !part.trim().is_empty() {
            parts.push(part.split_whitespace().collect::<Vec<_>>().join(" "));
        }
    }
    parts.join("\n\n")
}

/// A value as a recipe has it on one line.
fn flow(value: &Value) -> String {
    match value {
        Value::String(text) if !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || "_-./".contains(c)) => {
            text.clone()
        }
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => {
            let entries: Vec<_> = map.iter().map(|(key, value)| format!("{key}: {}", flow(value))).collect();
            format!("{{{}}}", entries.join(", "))
        }
        Value::Number(number) => {
            let whole = number.as_f64().filter(|x| number.is_f64() && x.fract() == 0.0 && x.abs() < 1e15);
            whole.map_or_else(|| number.to_string(), |x| format!("{x:.1}"))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use schemars::{JsonSchema, schema_for};
    use serde::Serialize;

    use super::*;

    /// Parameters.
    #[derive(Serialize, JsonSchema)]
    struct Params {
        /// The share.
        #[serde(default = "half")]
        #[schemars(range(min = 0.0, max = 1.0))]
        rate: f64,
        /// The steps,
        /// in order.
        steps: Vec<Step>,
        /// A layer.
        layer: Option<usize>,
        #[serde(default)]
        source: Source,
    }

    /// A step.
    #[derive(Serialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    #[expect(dead_code, reason = "only its schema is read")]
    enum Step {
        /// Lower case.
        Lowercase,
        /// A form.
        Unicode(Source),
        /// Inserts.
        Insert {
            /// How much.
            rate: f64,
        },
    }

    #[derive(Serialize, JsonSchema, Default)]
    #[serde(rename_all = "snake_case")]
    #[expect(dead_code, reason = "only its schema is read")]
    enum Source {
        #[default]
        Wordnet,
        List,
    }

    fn half() -> f64 {
        0.5
    }

    #[test]
    fn parameters_and_the_types_they_lead_to() {
        let (parameters, definitions) = read(schema_for!(Params).as_value());
        let told: Vec<_> = parameters
            .iter()
            .map(|p| (p.name.as_str(), p.kind.as_str(), p.required, p.default.as_deref(), p.doc.as_str()))
            .collect();
        assert_eq!(
            told,
            [
                ("rate", "number from 0.0 to 1.0", false, Some("0.5"), "The share."),
                ("steps", "list of `Step`", true, None, "The steps, in order."),
                ("layer", "whole number", false, None, "A layer."),
                ("source", "`Source`", false, Some("wordnet"), ""),
            ]
        );
        let [step, source] = &definitions[..] else { panic!("{definitions:#?}") };
        assert_eq!((step.name.as_str(), source.name.as_str()), ("Step", "Source"));
        let Shape::Choices(choices) = &step.shape else { panic!("{step:#?}") };
        let forms: Vec<_> = choices.iter().map(|choice| (choice.form.as_str(), choice.fields.len())).collect();
        assert_eq!(forms, [("`lowercase`", 0), ("`unicode:` `Source`", 0), ("`insert:`", 1)]);
        let Shape::Choices(choices) = &source.shape else { panic!("{source:#?}") };
        assert_eq!(choices.iter().map(|choice| choice.form.as_str()).collect::<Vec<_>>(), ["`wordnet`", "`list`"]);
    }
}
