//! How many copies each row gets: as many as every other, or as many as bring small classes up.

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, MapAccess, Visitor},
    ser::SerializeMap,
};

/// Up to how many rows small classes are brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::stages) enum Balance {
    /// They stay as small as they are.
    #[default]
    No,
    /// As many as the largest class has.
    Largest,
    /// So many.
    To(usize),
}

impl Balance {
    /// The copies that each row should get, row by row: of a class that lacks rows each row gets as many as any other of it, or one
    /// more, and those that get one more are spread evenly.
    pub(super) fn copies(self, labels: &[u32]) -> Vec<usize> {
        let counts = counts(labels);
        let target = match self {
            Self::No => 0,
            Self::Largest => counts.iter().copied().max().unwrap_or(0),
            Self::To(rows) => rows,
        };
        let mut seen = vec![0_usize; counts.len()];
        let copies = |&label: &u32| {
            let class = label as usize;
            let (rows, lacking) = (counts[class] as u128, target.saturating_sub(counts[class]) as u128);
            let at = seen[class] as u128;
            seen[class] += 1;
            // Differences of a staircase: they add up to what is lacking.
            ((at + 1) * lacking / rows - at * lacking / rows) as usize
        };
        labels.iter().map(copies).collect()
    }
}

/// The rows of each class.
pub(super) fn counts(labels: &[u32]) -> Vec<usize> {
    let classes = labels.iter().max().map_or(0, |largest| *largest as usize + 1);
    let mut counts = vec![0; classes];
    for label in labels {
        counts[*label as usize] += 1;
    }
    counts
}

impl Serialize for Balance {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::No => serializer.serialize_bool(false),
            Self::Largest => serializer.serialize_bool(true),
            Self::To(rows) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("to", rows)?;
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Balance {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FlagOrNumber;
        impl<'de> Visitor<'de> for FlagOrNumber {
            type Value = Balance;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`true`, `false`, or a number of rows as in `{to: 500}`")
            }

            fn visit_bool<E>(self, is_on: bool) -> Result<Balance, E> {
                Ok(if is_on { Balance::Largest } else { Balance::No })
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Balance, A::Error> {
                let mut to = None;
                while let Some(key) = map.next_key::<String>()? {
                    if key != "to" {
                        return Err(de::Error::unknown_field(&key, &["to"]));
                    }
                    to = Some(map.next_value::<usize>()?);
                }
                to.map(Balance::To).ok_or_else(|| de::Error::missing_field("to"))
            }
        }
        deserializer.deserialize_any(FlagOrNumber)
    }
}

impl JsonSchema for Balance {
    fn schema_name() -> Cow<'static, str> {
        "Balance".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Whether small classes get as many copies as bring them up to the largest, or to a number of rows.",
            "anyOf": [
                {"type": "boolean"},
                {
                    "type": "object",
                    "properties": {"to": {"type": "integer", "minimum": 1}},
                    "required": ["to"],
                    "additionalProperties": false,
                },
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_classes_are_brought_up_evenly() {
        let labels = [0, 0, 0, 0, 0, 1, 1, 2, 1];
        assert_eq!(Balance::Largest.copies(&labels), [0, 0, 0, 0, 0, 0, 1, 4, 1]);
        let to = Balance::To(7).copies(&labels);
        assert_eq!(to, [0, 0, 1, 0, 1, 1, 1, 6, 2]);
        assert_eq!(Balance::To(3).copies(&labels).iter().sum::<usize>(), 2);
        assert_eq!(Balance::No.copies(&labels), [0; 9]);
        assert!(Balance::Largest.copies(&[]).is_empty());
        for (text, balance) in [("true", Balance::Largest), ("false", Balance::No), ("{\"to\":5}", Balance::To(5))] {
            assert_eq!(serde_json::from_str::<Balance>(text).unwrap(), balance);
            assert_eq!(serde_json::to_string(&balance).unwrap(), text);
        }
        assert!(serde_json::from_str::<Balance>("{\"too\": 5}").is_err());
    }
}
