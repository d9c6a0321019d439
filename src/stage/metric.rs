//! A number with a name, a unit and a direction.

use serde::{Deserialize, Serialize};

/// A measured number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metric {
    /// Its name below its stage: `accuracy`, `int8.latency.b1_l128.p50_ms`.
    pub name: String,
    /// The value, in its unit.
    pub value: f64,
    /// What the value counts.
    pub unit: Unit,
    /// Which way is better.
    pub better: Better,
    /// The 95 % confidence interval, where one was computed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<[f64; 2]>,
    /// The standard deviation of a seed, where the value is a mean over seeds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deviation: Option<f64>,
}

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// A share, `0.0` to `1.0`; shown as per cent or points.
    Share,
    /// Milliseconds.
    Milliseconds,
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
    /// A count of things.
    Count,
    /// Rows a second.
    RowsPerSecond,
    /// A number without a unit (a loss, a ratio).
    Number,
}

/// Which way a number is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    /// Higher is better.
    Higher,
    /// Lower is better.
    Lower,
    /// Neither: a description.
    Neither,
}

impl Metric {
    /// A metric without an interval.
    #[must_use]
    pub fn new(name: impl Into<String>, value: f64, unit: Unit, better: Better) -> Self {
        Self { name: name.into(), value, unit, better, interval: None, deviation: None }
    }

    /// The same metric with its 95 % confidence interval.
    #[must_use]
    pub fn with_interval(self, low: f64, high: f64) -> Self {
        Self { interval: Some([low, high]), ..self }
    }

    /// The value as people read it: `86.1 %`, `12.3 ms`, `4.56 MB`; of a mean over seeds, with what a seed deviates by.
    #[must_use]
    pub fn show(&self) -> String {
        let value = self.unit.show(self.value);
        match self.deviation {
            None => value,
            Some(deviation) => format!("{value} ± {}", super::amount::difference(self.unit, deviation)),
        }
    }
}

impl Unit {
    /// A value of this unit as people read it.
    #[must_use]
    pub fn show(self, value: f64) -> String {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "sizes and counts are not negative"
        )]
        let whole = value.round() as u64;
        match self {
            Self::Share => format!("{:.2} %", value * 100.0),
            Self::Milliseconds if value < 10.0 => format!("{value:.2} ms"),
            Self::Milliseconds => format!("{value:.1} ms"),
            Self::Seconds => format!("{value:.1} s"),
            Self::Bytes => crate::base::units::bytes(whole),
            Self::Count => crate::base::units::thousands(whole),
            Self::RowsPerSecond => format!("{value:.1} rows/s"),
            Self::Number => format!("{value:.4}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_with_unit() {
        assert_eq!(Unit::Share.show(0.8612), "86.12 %");
        assert_eq!(Unit::Milliseconds.show(2.204), "2.20 ms");
        assert_eq!(Unit::Bytes.show(90_868_376.0), "90.9 MB");
        assert_eq!(Unit::Count.show(22_713_216.0), "22,713,216");
    }
}
