//! `Amount`: a bound as it is written, a number or a percentage, and differences in words.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use super::Unit;

/// A bound as it is written: `0.02`, `25MB`, `2%`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Amount {
    /// The number; of a percentage, its hundredth.
    pub value: f64,
    /// Whether it was written as a percentage.
    pub is_percent: bool,
}

impl From<f64> for Amount {
    fn from(value: f64) -> Self {
        Self { value, is_percent: false }
    }
}

impl Amount {
    /// The difference that is allowed from a reference. Of shares, `2%` is two points; of all else, two hundredths of the
    /// reference.
    pub(super) fn beside(self, unit: Unit, reference: f64) -> f64 {
        if self.is_percent && unit != Unit::Share { self.value * reference.abs() } else { self.value }
    }

    /// That difference in words.
    pub(super) fn show_difference(self, unit: Unit) -> String {
        if self.is_percent && unit != Unit::Share { percent(self.value) } else { difference(unit, self.value) }
    }
}

fn percent(value: f64) -> String {
    // A hundredth times a hundred is seldom what was written, in its last digits.
    format!("{} %", (value * 1e6).round() / 1e4)
}

impl Serialize for Amount {
    /// A number, or a text such as `2%`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.is_percent {
            serializer.collect_str(&percent(self.value).replace(' ', ""))
        } else {
            serializer.serialize_f64(self.value)
        }
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(f64),
            Text(String),
        }
        match Written::deserialize(deserializer)? {
            Written::Number(value) => Ok(value.into()),
            Written::Text(text) => {
                let value = text.strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
                let value = value.ok_or_else(|| D::Error::custom(format!("`{text}` is no percentage")))?;
                Ok(Self { value: value / 100.0, is_percent: true })
            }
        }
    }
}

/// A difference of two values of a unit: shares differ by points.
pub(super) fn difference(unit: Unit, value: f64) -> String {
    match unit {
        Unit::Share => format!("{:.2} points", value * 100.0),
        _ => unit.show(value),
    }
}
