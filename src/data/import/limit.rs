//! How many rows of each split are kept.

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, MapAccess, Visitor, value::MapAccessDeserializer},
};

use crate::{base::rng, data::Split};

/// How many rows of a split to keep, drawn by the seed: `500`, or `{train: 500, test: 100}`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Limit {
    /// All rows.
    #[default]
    None,
    /// The same number of each split.
    Each(usize),
    /// A number a split.
    Splits(SplitLimits),
}

/// How many rows of each split to keep; all where nothing is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SplitLimits {
    /// Rows of `train`.
    #[serde(default)]
    pub train: Option<usize>,
    /// Rows of `validation`.
    #[serde(default)]
    pub validation: Option<usize>,
    /// Rows of `test`.
    #[serde(default)]
    pub test: Option<usize>,
}

impl Limit {
    /// The rows of a split to keep, if not all.
    #[must_use]
    pub fn of(&self, split: Split) -> Option<usize> {
        match (self, split) {
            (Self::None, _) => None,
            (Self::Each(rows), _) => Some(*rows),
            (Self::Splits(limits), Split::Train) => limits.train,
            (Self::Splits(limits), Split::Validation) => limits.validation,
            (Self::Splits(limits), Split::Test) => limits.test,
        }
    }
}

/// The numbers of `limit` rows of many, in order. They are drawn, since files are often sorted by label.
pub(super) fn sample(rows: usize, limit: usize, seed: u64, split: Split) -> Vec<u32> {
    let mut sample: Vec<u32> = (0..rows as u32).collect();
    rng::shuffle(&mut rng::stream(seed, &format!("limit/{}", split.name())), &mut sample);
    sample.truncate(limit);
    sample.sort_unstable();
    sample
}

impl Serialize for Limit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::None => serializer.serialize_none(),
            Self::Each(rows) => rows.serialize(serializer),
            Self::Splits(limits) => limits.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Limit;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of rows, or `{train: 500, validation: 100, test: 100}`")
            }

            fn visit_unit<E>(self) -> Result<Limit, E> {
                Ok(Limit::None)
            }

            fn visit_i64<E: de::Error>(self, rows: i64) -> Result<Limit, E> {
                usize::try_from(rows)
                    .map(Limit::Each)
                    .map_err(|_| E::invalid_value(de::Unexpected::Signed(rows), &self))
            }

            fn visit_u64<E: de::Error>(self, rows: u64) -> Result<Limit, E> {
                usize::try_from(rows)
                    .map(Limit::Each)
                    .map_err(|_| E::invalid_value(de::Unexpected::Unsigned(rows), &self))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Limit, A::Error> {
                SplitLimits::deserialize(MapAccessDeserializer::new(map)).map(Limit::Splits)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl JsonSchema for Limit {
    fn schema_name() -> Cow<'static, str> {
        "Limit".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "How many rows of each split to keep, the first ones.",
            "anyOf": [
                {"type": "integer", "minimum": 1},
                generator.subschema_for::<SplitLimits>(),
                {"type": "null"},
            ],
        })
    }
}
