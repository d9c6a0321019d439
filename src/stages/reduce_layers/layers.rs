//! A choice of layers as people write it: a list, or a map of one key.

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, MapAccess, SeqAccess, Visitor},
    ser::SerializeMap,
};

use crate::{compress::layers::Selection, stage::Faults};

/// A choice of layers: `[0, 2, 4]`, `{every: 2}`, `{first: 3}` or `{last: 3}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::stages) struct Layers(pub(in crate::stages) Selection);

const KEYS: &[&str] = &["every", "first", "last"];

impl Layers {
    /// Checks what can be checked without the model.
    pub(in crate::stages) fn check(&self, path: &str, faults: &mut Faults) {
        match &self.0 {
            // A list is checked as that of a model which has all of its layers.
            Selection::List(list) => {
                let n_layers = list.iter().max().map_or(0, |&last| last.saturating_add(1));
                if let Err(error) = self.0.resolve(n_layers) {
                    faults.at(path, error.to_string()).help("`[0, 2, 4]` keeps the first, third and fifth layer");
                }
            }
            Selection::Every(n) => faults.at_least(&format!("{path}.every"), *n, 1),
            Selection::First(n) => faults.at_least(&format!("{path}.first"), *n, 1),
            Selection::Last(n) => faults.at_least(&format!("{path}.last"), *n, 1),
        }
    }
}

impl Serialize for Layers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (key, n) = match &self.0 {
            Selection::List(list) => return list.serialize(serializer),
            Selection::Every(n) => ("every", n),
            Selection::First(n) => ("first", n),
            Selection::Last(n) => ("last", n),
        };
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(key, n)?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for Layers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ListOrMap)
    }
}

struct ListOrMap;

impl<'de> Visitor<'de> for ListOrMap {
    type Value = Layers;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of layers, `{every: n}`, `{first: n}` or `{last: n}`")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Layers, A::Error> {
        let mut list = Vec::new();
        while let Some(layer) = items.next_element()? {
            list.push(layer);
        }
        Ok(Layers(Selection::List(list)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Layers, A::Error> {
        let Some(key) = entries.next_key::<String>()? else {
            return Err(de::Error::invalid_length(0, &self));
        };
        let selection = match key.as_str() {
            "every" => Selection::Every(entries.next_value()?),
            "first" => Selection::First(entries.next_value()?),
            "last" => Selection::Last(entries.next_value()?),
            other => return Err(de::Error::unknown_field(other, KEYS)),
        };
        match entries.next_key::<String>()? {
            None => Ok(Layers(selection)),
            Some(other) if KEYS.contains(&other.as_str()) => {
                Err(de::Error::custom(format!("`{key}` and `{other}` exclude each other")))
            }
            Some(other) => Err(de::Error::unknown_field(&other, KEYS)),
        }
    }
}

impl JsonSchema for Layers {
    fn schema_name() -> Cow<'static, str> {
        "Layers".into()
    }

    fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
        let one_of = KEYS.iter().map(|key| {
            json_schema!({
                "type": "object",
                "properties": {(*key): {"type": "integer", "minimum": 1}},
                "required": [key],
                "additionalProperties": false
            })
        });
        let list = json_schema!({"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1});
        let choices: Vec<Schema> = [list].into_iter().chain(one_of).collect();
        json_schema!({"description": "`[0, 2, 4]`, `{every: 2}`, `{first: 3}` or `{last: 3}`", "anyOf": choices})
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        base::{node::Node, span::Span},
        stage::decode,
    };

    fn read(value: &Value) -> Result<Layers, String> {
        decode(&Node::from_json(value, Span::default())).map_err(|faults| faults[0].message.clone())
    }

    #[test]
    fn read_and_written() {
        let table = [
            (json!([0, 2, 4]), Selection::List(vec![0, 2, 4])),
            (json!({"every": 2}), Selection::Every(2)),
            (json!({"first": 3}), Selection::First(3)),
            (json!({"last": 3}), Selection::Last(3)),
        ];
        for (value, expected) in table {
            let layers = read(&value).unwrap();
            assert_eq!(layers.0, expected);
            assert_eq!(serde_json::to_value(&layers).unwrap(), value);
        }
    }

    #[test]
    fn what_is_wrong_is_told() {
        let table = [
            (json!({"evry": 2}), "evry"),
            (json!({}), "list of layers"),
            (json!({"every": 2, "last": 1}), "exclude each other"),
            (json!("all"), "list of layers"),
            (json!([0, -1]), "not negative"),
        ];
        for (value, part) in table {
            let message = read(&value).unwrap_err();
            assert!(message.contains(part), "{value}: {message}");
        }
        for (layers, path) in [
            (Selection::List(vec![2, 1]), "keep"),
            (Selection::Every(0), "keep.every"),
            (Selection::List(vec![]), "keep"),
        ] {
            let mut faults = Faults::default();
            Layers(layers).check("keep", &mut faults);
            assert!(format!("{faults:?}").contains(&format!("{path:?}")), "{faults:?}");
        }
    }
}
