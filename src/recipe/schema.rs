//! The JSON Schema of recipes, for editors, from the registry.

use serde_json::{Map, Value, json};

use super::{document, gates};
use crate::stage::{Port, Registry, StageSpec};

/// The name that scalar templates have among the definitions.
const TEMPLATE: &str = "#/$defs/template";

/// The JSON Schema (draft 2020-12) of a recipe with the stages of a registry. The same registry gives the same bytes.
#[must_use]
pub fn schema(registry: &Registry) -> Value {
    let mut definitions = Map::new();
    definitions.insert(
        "template".into(),
        json!({"type": "string", "pattern": "\\{\\{|\\{%", "description": "A minijinja expression, evaluated when the recipe is read."}),
    );
    definitions
        .insert("name".into(), json!({"type": "string", "pattern": "^[A-Za-z0-9_][A-Za-z0-9_-]*$", "maxLength": 100}));
    definitions.insert("wires".into(), json!({"anyOf": [
        {"type": "string", "description": "The name of a stage or an input: a whole family, or one cell (`scores@int8`)."},
        {"type": "array", "items": {"type": "string"}},
    ]}));
    definitions.insert("device".into(), device());
    for spec in registry.0 {
        params(spec, &mut definitions);
    }
    definitions.insert("input".into(), input(registry));
    definitions.insert("stage".into(), stage(registry));
    definitions.insert("gate".into(), gate());
    let names = json!({"$ref": "#/$defs/name"});
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "lmpipe recipe",
        "description": "From raw text and a pretrained encoder to a small, fast, proven language model.",
        "type": "object",
        "additionalProperties": false,
        "required": ["lmpipe", "name", "stages"],
        "properties": {
            "lmpipe": {"const": document::VERSION, "description": "The version of the recipe language."},
            "name": {"$ref": "#/$defs/name", "description": "Names the run and the folder of its report."},
            "about": {"type": "string", "description": "One sentence for the report."},
            "vars": {"type": "object", "propertyNames": {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"},
                     "description": "Variables for `{{ … }}`; `--set name=value` overrides them."},
            "seed": lenient(json!({"type": "integer", "minimum": 0, "default": super::load::DEFAULT_SEED,
                     "description": "What everything random is drawn from."})),
            "devices": {"type": "object", "propertyNames": names, "additionalProperties": {"$ref": "#/$defs/device"},
                        "description": "Names for devices, by what they are for."},
            "inputs": {"type": "object", "propertyNames": names, "additionalProperties": {"$ref": "#/$defs/input"},
                       "description": "What comes from outside."},
            "stages": {"type": "object", "minProperties": 1, "propertyNames": names,
                       "additionalProperties": {"$ref": "#/$defs/stage"}, "description": "What is done, by name."},
            "gates": {"type": "array", "items": {"$ref": "#/$defs/gate"}, "description": "Bounds that the run must keep."},
        },
        "$defs": definitions,
    })
}

fn device() -> Value {
    let one = json!({"type": "string", "description": "An entry of `devices`, or `cpu`, `cuda:N`, `metal:N`."});
    let some = json!({"anyOf": [one, {"type": "array", "minItems": 1, "items": one, "description": "The first that is there."}]});
    json!({"anyOf": [
        some["anyOf"][0], some["anyOf"][1],
        {"type": "object", "additionalProperties": false, "properties": {
            "device": some,
            "threads": lenient(json!({"type": "integer", "minimum": 1, "description": "How many threads a stage may use."})),
            "exclusive": lenient(json!({"type": "boolean", "default": false, "description": "Whether nothing else runs meanwhile."})),
        }},
    ]})
}

fn input(registry: &Registry) -> Value {
    let sources: Vec<_> = registry.0.iter().filter(|spec| spec.source).collect();
    let required: Vec<_> = sources.iter().map(|spec| json!({"required": [spec.kind]})).collect();
    let typed: Vec<_> = sources
        .iter()
        .map(|spec| json!({"if": {"required": [spec.kind]}, "then": {"$ref": format!("#/$defs/{}", spec.kind)}}))
        .collect();
    json!({"type": "object", "oneOf": required, "allOf": typed})
}

fn stage(registry: &Registry) -> Value {
    let stages: Vec<_> = registry.0.iter().filter(|spec| !spec.source).collect();
    let kinds: Vec<_> = stages.iter().map(|spec| json!({"const": spec.kind, "description": spec.about})).collect();
    let typed: Vec<_> = stages
        .iter()
        .map(|spec| {
            let needs_with =
                (spec.schema)().get("required").and_then(Value::as_array).is_some_and(|keys| !keys.is_empty());
            let mut required = Vec::new();
            if needs_with {
                required.push("with");
            }
            if spec.inputs.iter().any(|port| !port.optional) {
                required.push("in");
            }
            json!({
                "if": {"properties": {"uses": {"const": spec.kind}}, "required": ["uses"]},
                "then": {
                    "required": required,
                    "properties": {"with": {"$ref": format!("#/$defs/{}", spec.kind)}, "in": wires(spec)},
                },
            })
        })
        .collect();
    let list = json!({"$ref": "#/$defs/wires"});
    let properties = json!({
        "uses": {"anyOf": kinds, "description": "The kind of stage."},
        "in": {"description": "What it takes: a name, a list of names, or a map from ports to names."},
        "with": {"description": "Its parameters."},
        "matrix": {"anyOf": [{"type": "object", "minProperties": 1, "additionalProperties":
                    {"anyOf": [{"type": "array", "minItems": 1}, {"$ref": TEMPLATE}]}}, {"$ref": TEMPLATE}],
                   "description": "Axes and their values; the stage becomes one cell for each combination."},
        "device": {"$ref": "#/$defs/device", "description": "Where it runs; the processor if left out."},
        "if": {"type": ["boolean", "string"], "description": "A condition; the stage is left out where it does not hold."},
        "needs": {"$ref": list["$ref"], "description": "What must be done first though nothing of it is taken."},
        "seeds": {"anyOf": [{"type": "integer", "minimum": 1, "maximum": 1000}, {"type": "array", "minItems": 1,
                   "items": lenient(json!({"type": "integer", "minimum": 0}))}, {"$ref": TEMPLATE}],
                  "description": "How many seeds, or which: one more axis, with cells such as `teacher@s42`. A stage that takes from one with seeds and has the same takes the cell of its own seed; gates on `scores@teacher.accuracy` are about the mean."},
        "about": {"type": "string", "description": "One sentence for the report."},
    });
    debug_assert!(document::STAGE_KEYS.iter().all(|key| properties.get(key).is_some()), "every key has a schema");
    json!({"type": "object", "additionalProperties": false, "required": ["uses"], "properties": properties, "allOf": typed})
}

fn wires(spec: &StageSpec) -> Value {
    if spec.inputs.is_empty() {
        return json!(false);
    }
    let describe = |port: &Port| match (port.many, port.kind.to_string().as_str()) {
        (true, kind) => format!("One or more: {kind}."),
        (false, kind) => format!("One {kind}."),
    };
    let properties: Map<String, Value> = spec
        .inputs
        .iter()
        .map(|port| {
            let value = if port.many { json!({"$ref": "#/$defs/wires"}) } else { json!({"type": "string"}) };
            (port.name.to_owned(), described(value, &describe(port)))
        })
        .collect();
    let required: Vec<_> = spec.inputs.iter().filter(|port| !port.optional).map(|port| port.name).collect();
    let map = json!({"type": "object", "additionalProperties": false, "properties": properties, "required": required});
    match spec.bare_port() {
        Some(port) if port.many => json!({"anyOf": [{"$ref": "#/$defs/wires"}, map]}),
        Some(_) => json!({"anyOf": [{"type": "string"}, map]}),
        None => map,
    }
}

fn described(mut schema: Value, text: &str) -> Value {
    schema["description"] = text.into();
    schema
}

fn gate() -> Value {
    let number = json!({"anyOf": [
        {"type": "number"},
        {"type": "string", "description": "A percentage (`2%`: points of a share, hundredths of the reference elsewhere), a size (`25MB`) or a template."},
    ]});
    let mut properties = Map::new();
    for key in gates::keys() {
        let value = match key {
            "metric" => {
                json!({"type": "string", "description": "`stage[@cell][.model].name`: `scores@int8.accuracy`."})
            }
            "vs" => {
                json!({"type": "string", "description": "The metric that it is compared with, or `baseline`: the same metric in a saved baseline."})
            }
            "severity" => json!({
                "enum": ["error", "warn"], "default": "error",
                "description": "Whether the run fails (exit code 3) or only warns when the gate is not kept.",
            }),
            "test" => json!({
                "enum": ["paired"],
                "description": "Of scores: compare row by row, and fail only when the whole 95 % interval of the difference is beyond the bound. Without it they are judged as exact.",
            }),
            _ => number.clone(),
        };
        properties.insert(key.into(), value);
    }
    let relative: Vec<_> = gates::bound_keys(true).iter().map(|key| json!({"required": [key, "vs"]})).collect();
    let absolute: Vec<_> =
        gates::bound_keys(false).iter().map(|key| json!({"required": [key], "not": {"required": ["vs"]}})).collect();
    json!({
        "type": "object", "additionalProperties": false, "required": ["metric"], "properties": properties,
        "oneOf": relative.into_iter().chain(absolute).collect::<Vec<_>>(),
    })
}

/// Adds the schema of a kind's parameters, and those that it refers to under names of their own.
fn params(spec: &StageSpec, definitions: &mut Map<String, Value>) {
    let mut schema = (spec.schema)().to_value();
    let nested = match schema.as_object_mut() {
        Some(object) => {
            object.shift_remove("$schema");
            object.shift_remove("title");
            object.shift_remove("$defs")
        }
        None => None,
    };
    definitions.insert(spec.kind.into(), within_recipe(schema, spec.kind));
    if let Some(Value::Object(nested)) = nested {
        for (name, schema) in nested {
            definitions.insert(format!("{}.{name}", spec.kind), within_recipe(schema, spec.kind));
        }
    }
}

/// A schema moved into a recipe's: its references lead to the moved definitions, and templates may stand for values.
fn within_recipe(schema: Value, kind: &str) -> Value {
    let Value::Object(object) = schema else { return schema };
    let moved = object.into_iter().map(|(key, value)| {
        let value = match (key.as_str(), value) {
            ("$ref", Value::String(target)) => Value::String(target.replace("#/$defs/", &format!("#/$defs/{kind}."))),
            ("properties" | "patternProperties", Value::Object(properties)) => Value::Object(
                properties.into_iter().map(|(name, value)| (name, lenient(within_recipe(value, kind)))).collect(),
            ),
            ("items" | "additionalProperties", value @ Value::Object(_)) => lenient(within_recipe(value, kind)),
            ("oneOf" | "anyOf" | "allOf" | "prefixItems", Value::Array(items)) => {
                Value::Array(items.into_iter().map(|item| within_recipe(item, kind)).collect())
            }
            (_, value) => value,
        };
        (key, value)
    });
    Value::Object(moved.collect())
}

/// A schema for which a template may stand; what describes it stays outside, where editors look.
fn lenient(schema: Value) -> Value {
    let takes_text = schema["type"] == "string" && schema.get("enum").is_none() && schema.get("pattern").is_none();
    let Value::Object(mut inner) = schema else { return schema };
    if takes_text {
        return Value::Object(inner);
    }
    let mut outer = Map::new();
    for key in ["description", "default"] {
        if let Some(value) = inner.shift_remove(key) {
            outer.insert(key.into(), value);
        }
    }
    outer.insert("anyOf".into(), json!([inner, {"$ref": TEMPLATE}]));
    Value::Object(outer)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::recipe::toy::REGISTRY;

    fn references(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(object) => {
                for (key, value) in object {
                    match value {
                        Value::String(target) if key == "$ref" => {
                            found.insert(target.clone());
                        }
                        other => references(other, found),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }

    #[test]
    fn references_lead_somewhere() {
        let schema = schema(&REGISTRY);
        let mut found = BTreeSet::new();
        references(&schema, &mut found);
        assert!(found.contains("#/$defs/normalize.Step"), "{found:#?}");
        for target in found {
            let pointer = target.trim_start_matches('#');
            assert!(schema.pointer(pointer).is_some(), "{target}");
        }
    }

    #[test]
    fn every_kind_is_typed_and_nothing_changes_between_calls() {
        let first = schema(&REGISTRY);
        assert_eq!(first.to_string(), schema(&REGISTRY).to_string());
        let typed = first["$defs"]["stage"]["allOf"].as_array().unwrap();
        assert_eq!(typed.len(), REGISTRY.kinds().len());
        let properties: Vec<_> = first["properties"].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(properties, document::KEYS);
        let finetune = &first["$defs"]["finetune"]["properties"]["epochs"];
        assert_eq!(finetune["anyOf"][1]["$ref"], TEMPLATE);
        assert_eq!(finetune["default"], 3);
    }
}
