//! Gates: bounds on metrics that a run must keep, and their verdicts.

use serde::{Deserialize, Serialize};

use super::{Better, Metric, Unit};

/// A bound on a metric, alone or against another metric of the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// The metric: `scores@int8.accuracy`.
    pub metric: String,
    /// What it is compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub versus: Option<String>,
    /// The bound.
    pub bound: Bound,
}

/// What a gate demands of `value` (and of `reference`, the metric after `vs`).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// `value ≤ bound`.
    Max(f64),
    /// `value ≥ bound`.
    Min(f64),
    /// `reference − value ≤ bound`, in the metric's own unit: shares count as shares (0.02 is two points).
    MaxDrop(f64),
    /// `value − reference ≤ bound`.
    MaxRise(f64),
    /// `reference / value ≥ bound`, of times.
    MinSpeedup(f64),
    /// `value / reference ≤ bound`.
    MaxRatio(f64),
    /// `value / reference ≥ bound`.
    MinRatio(f64),
}

impl Bound {
    /// The key in a recipe, the bound, and whether it needs a `vs`.
    #[must_use]
    pub fn parts(&self) -> (&'static str, f64, bool) {
        match *self {
            Self::Max(bound) => ("max", bound, false),
            Self::Min(bound) => ("min", bound, false),
            Self::MaxDrop(bound) => ("max_drop", bound, true),
            Self::MaxRise(bound) => ("max_rise", bound, true),
            Self::MinSpeedup(bound) => ("min_speedup", bound, true),
            Self::MaxRatio(bound) => ("max_ratio", bound, true),
            Self::MinRatio(bound) => ("min_ratio", bound, true),
        }
    }
}

/// How a gate turned out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The gate.
    pub gate: Gate,
    /// Whether it is kept; a gate whose metric is missing is not.
    pub passed: bool,
    /// What was found, in words: `1.2 points lower (allowed: 2)`.
    pub text: String,
    /// The metric's value, if the run has it.
    pub value: Option<f64>,
}

impl Gate {
    /// The gate as a person reads it, with its metric's unit where that is known:
    /// `scores@int8.accuracy at most 2.00 points below scores@teacher.accuracy`.
    #[must_use]
    pub fn describe(&self, unit: Option<Unit>) -> String {
        let versus = self.versus.as_deref().unwrap_or("?");
        let metric = &self.metric;
        let show = |bound: f64| unit.map_or_else(|| bound.to_string(), |unit| unit.show(bound));
        let apart = |bound: f64| unit.map_or_else(|| bound.to_string(), |unit| difference(unit, bound));
        match self.bound {
            Bound::Max(bound) => format!("{metric} at most {}", show(bound)),
            Bound::Min(bound) => format!("{metric} at least {}", show(bound)),
            Bound::MaxDrop(bound) => format!("{metric} at most {} below {versus}", apart(bound)),
            Bound::MaxRise(bound) => format!("{metric} at most {} above {versus}", apart(bound)),
            Bound::MinSpeedup(bound) => format!("{metric} at least {bound}× faster than {versus}"),
            Bound::MaxRatio(bound) => format!("{metric} at most {bound}× {versus}"),
            Bound::MinRatio(bound) => format!("{metric} at least {bound}× {versus}"),
        }
    }

    /// Evaluates the gate; `find` gives the metric of a full name.
    pub fn evaluate(&self, find: impl Fn(&str) -> Option<Metric>) -> Verdict {
        let verdict = |passed, text, value| Verdict { gate: self.clone(), passed, text, value };
        let Some(metric) = find(&self.metric) else {
            return verdict(false, format!("the run has no metric `{}`", self.metric), None);
        };
        let value = metric.value;
        let reference = match &self.versus {
            None => None,
            Some(name) => match find(name) {
                Some(reference) => Some(reference.value),
                None => return verdict(false, format!("the run has no metric `{name}`"), Some(value)),
            },
        };
        let (passed, found) = self.judge(metric.unit, value, reference);
        verdict(passed, found, Some(value))
    }

    fn judge(&self, unit: Unit, value: f64, reference: Option<f64>) -> (bool, String) {
        let show = |value| unit.show(value);
        let against = reference.unwrap_or(f64::NAN);
        let difference = |value: f64| difference(unit, value);
        match self.bound {
            Bound::Max(bound) => (value <= bound, format!("{} (at most {})", show(value), show(bound))),
            Bound::Min(bound) => (value >= bound, format!("{} (at least {})", show(value), show(bound))),
            Bound::MaxDrop(bound) => {
                let drop = against - value;
                let text =
                    format!("{} → {}: {}", show(against), show(value), direction(drop, "lower", "higher", difference));
                // Shares are quotients of counts; 1e-9 forgives the rounding of their difference.
                (drop <= bound + 1e-9, format!("{text} (at most {} lower)", difference(bound)))
            }
            Bound::MaxRise(bound) => {
                let rise = value - against;
                let text =
                    format!("{} → {}: {}", show(against), show(value), direction(rise, "higher", "lower", difference));
                (rise <= bound + 1e-9, format!("{text} (at most {} higher)", difference(bound)))
            }
            Bound::MinSpeedup(bound) => {
                let speedup = against / value;
                let text = format!("{} → {}: {speedup:.2}× faster (at least {bound}×)", show(against), show(value));
                (speedup >= bound, text)
            }
            Bound::MaxRatio(bound) => {
                let ratio = value / against;
                (ratio <= bound, format!("{} → {}: {ratio:.3}× (at most {bound}×)", show(against), show(value)))
            }
            Bound::MinRatio(bound) => {
                let ratio = value / against;
                (ratio >= bound, format!("{} → {}: {ratio:.3}× (at least {bound}×)", show(against), show(value)))
            }
        }
    }
}

/// A difference of two values of a unit: shares differ by points.
fn difference(unit: Unit, value: f64) -> String {
    match unit {
        Unit::Share => format!("{:.2} points", value * 100.0),
        _ => unit.show(value),
    }
}

fn direction(by: f64, positive: &str, negative: &str, show: impl Fn(f64) -> String) -> String {
    if by >= 0.0 { format!("{} {positive}", show(by)) } else { format!("{} {negative}", show(-by)) }
}

impl Better {
    /// Whether `a` is better than `b`.
    #[must_use]
    pub fn prefers(self, a: f64, b: f64) -> bool {
        match self {
            Self::Higher => a > b,
            Self::Lower => a < b,
            Self::Neither => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(name: &str) -> Option<Metric> {
        let (value, unit) = match name {
            "s@a.accuracy" => (0.86, Unit::Share),
            "s@b.accuracy" => (0.84, Unit::Share),
            "b.a.p50_ms" => (30.0, Unit::Milliseconds),
            "b.b.p50_ms" => (10.0, Unit::Milliseconds),
            _ => return None,
        };
        Some(Metric::new(name, value, unit, Better::Higher))
    }

    fn gate(metric: &str, versus: Option<&str>, bound: Bound) -> Verdict {
        Gate { metric: metric.into(), versus: versus.map(Into::into), bound }.evaluate(find)
    }

    #[test]
    fn bounds() {
        assert!(gate("s@b.accuracy", Some("s@a.accuracy"), Bound::MaxDrop(0.02)).passed);
        assert!(!gate("s@b.accuracy", Some("s@a.accuracy"), Bound::MaxDrop(0.019)).passed);
        assert!(gate("b.b.p50_ms", Some("b.a.p50_ms"), Bound::MinSpeedup(3.0)).passed);
        assert!(!gate("b.b.p50_ms", Some("b.a.p50_ms"), Bound::MinSpeedup(3.1)).passed);
        assert!(gate("s@b.accuracy", None, Bound::Min(0.8)).passed);
        assert!(!gate("b.b.p50_ms", None, Bound::Max(9.0)).passed);
        let missing = gate("s@c.accuracy", None, Bound::Min(0.0));
        assert!(!missing.passed);
        assert_eq!(missing.text, "the run has no metric `s@c.accuracy`");
    }
}
