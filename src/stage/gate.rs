//! Gates: bounds on metrics that a run must keep, and their verdicts.
//!
//! What is counted (bytes, parameters, right answers) is judged exactly. What is measured has an interval, and its gate fails when
//! the whole interval is beyond the bound: a machine's mood is no regression. Where a comparison in pairs was made, its interval counts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    Better, Finds, Metric, Unit,
    amount::{Amount, difference},
    known::{Kept, Known, Versus},
};

/// What stands after `vs:` for the same metric in a saved baseline.
pub const BASELINE: &str = "baseline";

/// A bound on a metric, alone, against another metric of the run, or against a saved baseline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// The metric: `scores@int8.accuracy`.
    pub metric: String,
    /// What it is compared with: another metric, or [`BASELINE`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub versus: Option<String>,
    /// The bound.
    pub bound: Bound,
    /// What it means when it is not kept.
    #[serde(default, skip_serializing_if = "Severity::is_error")]
    pub severity: Severity,
    /// Whether scores are compared row by row, and an interval counts; without it they are judged as exact.
    #[serde(default, skip_serializing_if = "is_no")]
    pub paired: bool,
}

/// What it means when a gate is not kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The run is not as it must be: exit code 3.
    #[default]
    Error,
    /// It is told, and the run passes.
    Warn,
}

impl Severity {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
    fn is_error(&self) -> bool {
        *self == Self::Error
    }
}

/// What a gate demands of `value` (and of `reference`, the metric after `vs`).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// `value ≤ bound`.
    Max(Amount),
    /// `value ≥ bound`.
    Min(Amount),
    /// `reference − value ≤ bound`, in the metric's own unit: shares count as shares (0.02 is two points). A percentage is of
    /// the reference where the metric is no share.
    MaxDrop(Amount),
    /// `value − reference ≤ bound`, as of [`Self::MaxDrop`].
    MaxRise(Amount),
    /// `reference / value ≥ bound`, of times.
    MinSpeedup(Amount),
    /// `value / reference ≤ bound`.
    MaxRatio(Amount),
    /// `value / reference ≥ bound`.
    MinRatio(Amount),
}

impl Bound {
    /// The key in a recipe, the bound, and whether it needs a `vs`.
    #[must_use]
    pub fn parts(&self) -> (&'static str, f64, bool) {
        match *self {
            Self::Max(bound) => ("max", bound.value, false),
            Self::Min(bound) => ("min", bound.value, false),
            Self::MaxDrop(bound) => ("max_drop", bound.value, true),
            Self::MaxRise(bound) => ("max_rise", bound.value, true),
            Self::MinSpeedup(bound) => ("min_speedup", bound.value, true),
            Self::MaxRatio(bound) => ("max_ratio", bound.value, true),
            Self::MinRatio(bound) => ("min_ratio", bound.value, true),
        }
    }
}

/// What metrics are compared with beside what the run itself has, by [`Gate::reference`].
pub type References = BTreeMap<String, Reference>;

/// What a metric is compared with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reference {
    /// A metric.
    Metric(Metric),
    /// A metric of the run, by its full name: what a comparison in pairs found.
    Paired(String, Finds),
    /// There is none, and there should be: the gate fails. Why.
    Missing(String),
    /// Nothing that it could be compared with: the gate is not judged. Why.
    Nothing(String),
}

/// How a gate turned out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The gate.
    pub gate: Gate,
    /// Whether it is kept; a gate whose metric is missing is not.
    pub passed: bool,
    /// Whether it was judged at all; one that was not is no failure.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub judged: bool,
    /// What was found, in words: `1.2 points lower (allowed: 2)`.
    pub text: String,
    /// The metric's value, if the run has it.
    pub value: Option<f64>,
}

fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_yes(judged: &bool) -> bool {
    *judged
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_no(paired: &bool) -> bool {
    !*paired
}

impl Verdict {
    /// Whether it makes the run fail.
    #[must_use]
    pub fn fails(&self) -> bool {
        self.judged && !self.passed && self.gate.severity == Severity::Error
    }

    /// Whether it is to be told, and the run passes.
    #[must_use]
    pub fn warns(&self) -> bool {
        self.judged && !self.passed && self.gate.severity == Severity::Warn
    }
}

impl Gate {
    /// Under which name [`References`] have what it is compared with.
    #[must_use]
    pub fn reference(&self) -> String {
        format!("{} vs {}", self.metric, self.versus.as_deref().unwrap_or_default())
    }

    /// The gate as a person reads it, with its metric's unit where that is known:
    /// `scores@int8.accuracy at most 2.00 points below scores@teacher.accuracy`.
    #[must_use]
    pub fn describe(&self, unit: Option<Unit>) -> String {
        let versus = match self.versus.as_deref() {
            Some(BASELINE) => "the baseline",
            Some(versus) => versus,
            None => "?",
        };
        let metric = &self.metric;
        let show = |bound: Amount| unit.map_or_else(|| bound.value.to_string(), |unit| unit.show(bound.value));
        let apart = |bound: Amount| unit.map_or_else(|| bound.value.to_string(), |unit| bound.show_difference(unit));
        match self.bound {
            Bound::Max(bound) => format!("{metric} at most {}", show(bound)),
            Bound::Min(bound) => format!("{metric} at least {}", show(bound)),
            Bound::MaxDrop(bound) => format!("{metric} at most {} below {versus}", apart(bound)),
            Bound::MaxRise(bound) => format!("{metric} at most {} above {versus}", apart(bound)),
            Bound::MinSpeedup(bound) => format!("{metric} at least {}× faster than {versus}", bound.value),
            Bound::MaxRatio(bound) => format!("{metric} at most {}× {versus}", bound.value),
            Bound::MinRatio(bound) => format!("{metric} at least {}× {versus}", bound.value),
        }
    }

    /// Evaluates the gate; `find` gives the metric of a full name.
    pub fn evaluate(&self, find: impl Fn(&str) -> Option<Metric>, references: &References) -> Verdict {
        let verdict = |passed, judged, text, value| Verdict { gate: self.clone(), passed, judged, text, value };
        let Some(metric) = find(&self.metric) else {
            return verdict(false, true, format!("the run has no metric `{}`", self.metric), None);
        };
        let value = Some(metric.value);
        let reference = match (self.versus.as_deref(), references.get(&self.reference())) {
            (None, _) => None,
            (Some(_), Some(reference)) => Some(reference.clone()),
            (Some(BASELINE), None) => Some(Reference::Nothing(
                "not judged: there is no baseline, and `lmpipe baseline save RECIPE` makes one".to_owned(),
            )),
            (Some(name), None) => Some(
                find(name)
                    .map_or_else(|| Reference::Missing(format!("the run has no metric `{name}`")), Reference::Metric),
            ),
        };
        let (versus, interval) = match reference {
            None => (None, None),
            Some(Reference::Metric(reference)) => (Some(Versus::apart(&metric, &reference)), None),
            Some(Reference::Paired(name, finds)) => {
                let Some(found) = find(&name) else {
                    let why = format!("not judged: this run has no `{name}`, which `lmpipe run` measures");
                    return verdict(true, false, why, value);
                };
                let versus = Versus::paired(metric.value, &found, finds);
                (Some(versus), Some(interval(&found, finds)))
            }
            Some(Reference::Missing(why)) => return verdict(false, true, why, value),
            Some(Reference::Nothing(why)) => return verdict(true, false, why, value),
        };
        let (kept, mut text) = self.judge(&metric, versus);
        if let Some(interval) = interval {
            text += &interval;
        }
        if kept == Kept::WithinNoise {
            text += ", within what measuring varies";
        }
        verdict(kept != Kept::No, true, text, value)
    }

    fn judge(&self, metric: &Metric, versus: Option<Versus>) -> (Kept, String) {
        let unit = metric.unit;
        let show = |value| unit.show(value);
        let difference = |value: f64| difference(unit, value);
        let value = Known::of(metric);
        // A bound that compares has something to compare with; a number that is none keeps no bound.
        let nothing = Known::exactly(f64::NAN);
        let versus = versus.unwrap_or(Versus { reference: f64::NAN, rise: nothing, ratio: nothing, speedup: nothing });
        let Versus { reference, rise, ratio, speedup } = versus;
        let from_to = format!("{} → {}", show(reference), show(value.value));
        match self.bound {
            Bound::Max(Amount { value: bound, .. }) => {
                (value.at_most(bound), format!("{} (at most {})", show(value.value), show(bound)))
            }
            Bound::Min(Amount { value: bound, .. }) => {
                (value.at_least(bound), format!("{} (at least {})", show(value.value), show(bound)))
            }
            Bound::MaxDrop(bound) => {
                let drop = -rise;
                let found = direction(drop.value, "lower", "higher", difference);
                let text = format!("{from_to}: {found} (at most {} lower)", bound.show_difference(unit));
                // Shares are quotients of counts; 1e-9 forgives the rounding of their difference.
                (drop.at_most(bound.beside(unit, reference) + 1e-9), text)
            }
            Bound::MaxRise(bound) => {
                let found = direction(rise.value, "higher", "lower", difference);
                let text = format!("{from_to}: {found} (at most {} higher)", bound.show_difference(unit));
                (rise.at_most(bound.beside(unit, reference) + 1e-9), text)
            }
            Bound::MinSpeedup(Amount { value: bound, .. }) => {
                let text = format!("{from_to}: {:.2}× faster (at least {bound}×)", speedup.value);
                (speedup.at_least(bound), text)
            }
            Bound::MaxRatio(Amount { value: bound, .. }) => {
                (ratio.at_most(bound), format!("{from_to}: {:.3}× (at most {bound}×)", ratio.value))
            }
            Bound::MinRatio(Amount { value: bound, .. }) => {
                (ratio.at_least(bound), format!("{from_to}: {:.3}× (at least {bound}×)", ratio.value))
            }
        }
    }
}

/// The interval of what a comparison in pairs found, in words.
fn interval(found: &Metric, finds: Finds) -> String {
    let Some([low, high]) = found.interval else { return String::new() };
    let signed = |value: f64| format!("{}{}", if value < 0.0 { "−" } else { "+" }, difference(found.unit, value.abs()));
    match finds {
        Finds::Ratio => format!("; in pairs {low:.3}× to {high:.3}× with 95 % confidence"),
        Finds::Difference => format!("; in pairs {} to {} with 95 % confidence", signed(low), signed(high)),
    }
}

fn direction(by: f64, positive: &str, negative: &str, show: impl Fn(f64) -> String) -> String {
    // A zero may be negative.
    let word = if by >= 0.0 { positive } else { negative };
    format!("{} {word}", show(by.abs()))
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
        let metric = |value, unit| Metric::new(name, value, unit, Better::Higher);
        Some(match name {
            "s@a.accuracy" => metric(0.86, Unit::Share),
            "s@b.accuracy" => metric(0.84, Unit::Share).with_interval(0.80, 0.88),
            "b.a.p50_ms" => metric(30.0, Unit::Milliseconds).with_interval(29.0, 31.0),
            "b.b.p50_ms" => metric(10.0, Unit::Milliseconds).with_interval(9.5, 10.5),
            "b.a.size_bytes" => metric(1000.0, Unit::Bytes),
            "b.b.size_bytes" => metric(1040.0, Unit::Bytes),
            _ => return None,
        })
    }

    fn judged(metric: &str, versus: Option<&str>, bound: Bound) -> Verdict {
        gate(metric, versus, bound).evaluate(find, &baseline())
    }

    fn gate(metric: &str, versus: Option<&str>, bound: Bound) -> Gate {
        let (metric, versus) = (metric.into(), versus.map(Into::into));
        Gate { metric, versus, bound, severity: Severity::Error, paired: false }
    }

    fn baseline() -> References {
        let size = Metric::new("b.b.size_bytes", 1000.0, Unit::Bytes, Better::Lower);
        let all = [
            ("b.b.size_bytes", Reference::Metric(size)),
            ("s@b.accuracy", Reference::Nothing("there is no baseline".into())),
            ("b.b.p50_ms", Reference::Missing("the baseline has no `b.b.p50_ms`".into())),
        ];
        all.map(|(name, reference)| (format!("{name} vs {BASELINE}"), reference)).into()
    }

    fn percent(value: f64) -> Amount {
        Amount { value: value / 100.0, is_percent: true }
    }

    #[test]
    fn what_is_counted_is_exact() {
        assert!(judged("s@b.accuracy", Some("s@a.accuracy"), Bound::MaxDrop(0.02.into())).passed);
        let drop = judged("s@b.accuracy", Some("s@a.accuracy"), Bound::MaxDrop(0.019.into()));
        assert!(drop.fails() && !drop.warns(), "an interval of rows does not excuse a share");
        assert!(judged("s@b.accuracy", None, Bound::Min(0.8.into())).passed);
        let missing = judged("s@c.accuracy", None, Bound::Min(0.0.into()));
        assert!(missing.fails());
        assert_eq!(missing.text, "the run has no metric `s@c.accuracy`");
    }

    #[test]
    fn what_is_measured_fails_when_its_whole_interval_does() {
        let speedup = |bound: f64| judged("b.b.p50_ms", Some("b.a.p50_ms"), Bound::MinSpeedup(bound.into()));
        assert!(speedup(3.0).passed && !speedup(3.0).text.contains("varies"));
        assert_eq!(speedup(3.1).text, "30.0 ms → 10.0 ms: 3.00× faster (at least 3.1×), within what measuring varies");
        assert!(speedup(3.1).passed && speedup(3.3).fails(), "at most 31 / 9.5 = 3.26");
        let at_most = |bound: f64| judged("b.b.p50_ms", None, Bound::Max(bound.into()));
        assert!(at_most(9.6).passed && at_most(9.4).fails());
    }

    #[test]
    fn percentages_are_points_of_shares_and_of_the_reference_elsewhere() {
        let drop = |bound| judged("s@b.accuracy", Some("s@a.accuracy"), Bound::MaxDrop(bound));
        assert!(drop(percent(2.0)).passed && drop(percent(1.9)).fails());
        let rise = |bound| judged("b.b.size_bytes", Some("b.a.size_bytes"), Bound::MaxRise(bound));
        assert!(rise(percent(4.0)).passed && rise(percent(3.9)).fails() && rise(40.0.into()).passed);
        assert_eq!(rise(percent(3.9)).text, "1.00 kB → 1.04 kB: 40 B higher (at most 3.9 % higher)");
        let gate = rise(percent(3.9)).gate;
        let json = serde_json::to_string(&gate).unwrap();
        assert!(json.contains(r#"{"max_rise":"3.9%"}"#), "{json}");
        assert_eq!(serde_json::from_str::<Gate>(&json).unwrap(), gate);
        let old = r#"{"metric": "s.a", "bound": {"max": 25000000.0}}"#;
        assert_eq!(serde_json::from_str::<Gate>(old).unwrap().bound, Bound::Max(25e6.into()));
        assert!(serde_json::from_str::<Gate>(&old.replace("25000000.0", "\"much\"")).is_err());
    }

    #[test]
    fn a_baseline_may_lack_a_metric_or_not_be_there() {
        let rise = Bound::MaxRise(percent(5.0));
        assert!(judged("b.b.size_bytes", Some(BASELINE), rise).passed);
        assert!(judged("b.b.size_bytes", Some(BASELINE), Bound::MaxRise(percent(1.0))).fails());
        let nothing = judged("s@b.accuracy", Some(BASELINE), rise);
        assert!(nothing.passed && !nothing.judged && nothing.text == "there is no baseline");
        assert!(judged("b.b.p50_ms", Some(BASELINE), rise).fails());
    }

    #[test]
    fn a_warning_is_no_failure() {
        let gate = Gate {
            metric: "s@a.accuracy".into(),
            versus: None,
            bound: Bound::Min(0.9.into()),
            severity: Severity::Warn,
            paired: false,
        };
        let verdict = gate.evaluate(find, &References::new());
        assert!(verdict.warns() && !verdict.fails() && !verdict.passed);
        assert!(serde_json::to_string(&gate).unwrap().contains(r#""severity":"warn""#));
    }

    #[test]
    fn what_was_compared_in_pairs_is_judged_by_that() {
        let found = |name: &str| match name {
            "c.ratio" => Some(Metric::new("ratio", 1.15, Unit::Number, Better::Lower).with_interval(1.12, 1.18)),
            "c.accuracy" => {
                Some(Metric::new("accuracy", -0.02, Unit::Share, Better::Higher).with_interval(-0.03, -0.01))
            }
            _ => find(name),
        };
        let judged = |metric: &str, bound, compared: &str, finds| {
            let gate = gate(metric, Some(BASELINE), bound);
            let references = [(gate.reference(), Reference::Paired(compared.into(), finds))].into();
            gate.evaluate(found, &references)
        };
        let slower = |bound| judged("b.b.p50_ms", bound, "c.ratio", Finds::Ratio);
        assert!(slower(Bound::MaxRise(percent(10.0))).fails() && slower(Bound::MaxRatio(1.11.into())).fails());
        assert!(slower(Bound::MinSpeedup(0.9.into())).fails() && slower(Bound::MaxRise(1.0.into())).fails());
        assert!(slower(Bound::MaxRise(1.1.into())).passed, "of 8.7 ms, 12 % are 1.04");
        assert!(slower(Bound::MaxRise(percent(16.0))).passed && slower(Bound::MinSpeedup(0.85.into())).passed);
        assert_eq!(
            slower(Bound::MaxRise(percent(13.0))).text,
            "8.70 ms → 10.0 ms: 1.30 ms higher (at most 13 % higher); in pairs 1.120× to 1.180× with 95 % confidence, \
             within what measuring varies"
        );
        let worse = |bound| judged("s@b.accuracy", bound, "c.accuracy", Finds::Difference);
        assert!(worse(Bound::MaxDrop(percent(0.9))).fails() && worse(Bound::MaxDrop(percent(1.5))).passed);
        assert!(worse(Bound::MinRatio(0.99.into())).fails() && worse(Bound::MinRatio(0.98.into())).passed);
        assert!(worse(Bound::MaxDrop(percent(1.5))).text.contains("in pairs −3.00 points to −1.00 points"));
        let absent = judged("b.b.p50_ms", Bound::MaxRise(percent(1.0)), "c.nothing", Finds::Ratio);
        assert!(!absent.judged && absent.text.contains("this run has no `c.nothing`"));
    }
}
