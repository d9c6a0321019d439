//! Numbers as a reader wants them: `3.9× faster`, `1.4 points`, `22.7 M`.

use super::model::{DataSide, Difference, Gain, LengthPoint, LengthTable, SeedLine};
use crate::{
    base::units,
    stage::{Metric, RunStatus, Unit},
};

/// The words for a gain: what better and what worse is called.
#[derive(Clone, Copy, Debug)]
pub(super) struct Comparative {
    better: &'static str,
    worse: &'static str,
}

/// Of times.
pub(super) const FASTER: Comparative = Comparative { better: "faster", worse: "slower" };
/// Of bytes on disk.
pub(super) const SMALLER: Comparative = Comparative { better: "smaller", worse: "larger" };
/// Of counts.
pub(super) const FEWER: Comparative = Comparative { better: "fewer", worse: "more" };
/// Of memory.
pub(super) const LESS: Comparative = Comparative { better: "less", worse: "more" };

/// A gain in words: `3.9× faster`, `1.2× slower`, `no significant difference`, `the same`.
pub(super) fn gain(gain: Gain, words: Comparative) -> String {
    if gain.is_significant() == Some(false) {
        return "no significant difference".to_owned();
    }
    if !gain.factor.is_finite() || gain.factor <= 0.0 {
        return "–".to_owned();
    }
    if is_same(gain.factor) {
        return "the same".to_owned();
    }
    if gain.factor > 1.0 {
        format!("{} {}", times(gain.factor), words.better)
    } else {
        format!("{} {}", times(1.0 / gain.factor), words.worse)
    }
}

/// A gain as a predicate, where “no faster” must be said: `3.9× faster`, `no faster`, `1.2× slower`.
pub(super) fn gain_plainly(value: Gain, words: Comparative) -> String {
    if value.is_significant() == Some(false) || is_same(value.factor) {
        format!("no {}", words.better)
    } else {
        gain(value, words)
    }
}

/// Whether a reader would call it better, and evidence does not speak against it.
pub(super) fn is_better(gain: Gain) -> bool {
    gain.factor > 1.0 && !is_same(gain.factor) && gain.is_significant() != Some(false)
}

fn is_same(factor: f64) -> bool {
    (factor - 1.0).abs() < 0.005
}

/// A ratio: `1.26×`, `3.9×`, `120×`.
pub(super) fn times(factor: f64) -> String {
    if !factor.is_finite() {
        "–".to_owned()
    } else if factor < 2.0 {
        format!("{factor:.2}×")
    } else if factor < 99.5 {
        format!("{factor:.1}×")
    } else {
        format!("{factor:.0}×")
    }
}

/// The interval of a gain: `3.8–4.1×`.
pub(super) fn times_interval([low, high]: [f64; 2]) -> String {
    let digits = if high < 2.0 { 2 } else { 1 };
    format!("{low:.digits$}–{high:.digits$}×")
}

/// A value as a reader wants it. Shares keep two digits, so that what two of them differ by can be checked by eye.
pub(super) fn value(unit: Unit, value: f64) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    match unit {
        Unit::Share => format!("{} %", minus(value * 100.0, 2)),
        Unit::Count => compact(value),
        Unit::Bytes | Unit::Milliseconds | Unit::Seconds | Unit::RowsPerSecond | Unit::Number => unit.show(value),
    }
}

/// A share in per cent, with one digit where it is small: `41.7 %`, `100 %`.
pub(super) fn percent(share: f64) -> String {
    match share * 100.0 {
        percent if !percent.is_finite() => "–".to_owned(),
        percent if percent > 99.95 => format!("{percent:.0} %"),
        percent => format!("{percent:.1} %"),
    }
}

/// A metric with its interval: `84.74 % (82.5–86.9)`.
pub(super) fn with_interval(metric: &Metric) -> String {
    match metric.interval {
        Some(interval) => format!("{} ({})", value(metric.unit, metric.value), interval_of(metric.unit, interval)),
        None => value(metric.unit, metric.value),
    }
}

/// An interval without its unit: `82.5–86.9`.
pub(super) fn interval_of(unit: Unit, [low, high]: [f64; 2]) -> String {
    match unit {
        Unit::Share => format!("{}–{}", minus(low * 100.0, 1), minus(high * 100.0, 1)),
        Unit::Milliseconds => format!("{low:.2}–{high:.2}"),
        Unit::Number => format!("{low:.3}–{high:.3}"),
        _ => format!("{}–{}", value(unit, low), value(unit, high)),
    }
}

/// A large count: `950`, `10.8 M`, `1.39 G`.
pub(super) fn compact(count: f64) -> String {
    let digits = |value: f64| {
        if value < 9.995 {
            format!("{value:.2}")
        } else if value < 99.95 {
            format!("{value:.1}")
        } else {
            format!("{value:.0}")
        }
    };
    match count {
        _ if !count.is_finite() => "–".to_owned(),
        _ if count < 10_000.0 => units::thousands(count.max(0.0).round() as u64),
        _ if count < 999_500.0 => format!("{} k", digits(count / 1e3)),
        _ if count < 999_500_000.0 => format!("{} M", digits(count / 1e6)),
        _ if count < 999.5e9 => format!("{} G", digits(count / 1e9)),
        _ => format!("{} T", digits(count / 1e12)),
    }
}

/// The size of a difference, without its sign: `1.4 points`, `0.0312`.
pub(super) fn amount(unit: Unit, by: f64) -> String {
    match unit {
        Unit::Share => {
            let points = format!("{:.1}", by.abs() * 100.0);
            let noun = if points == "1.0" { "point" } else { "points" };
            format!("{points} {noun}")
        }
        _ => value(unit, by.abs()),
    }
}

/// A signed difference: `−1.4 points`, `+0.3 points`, `±0`.
pub(super) fn signed(unit: Unit, by: f64) -> String {
    let amount = amount(unit, by);
    if !amount.contains(|c: char| ('1'..='9').contains(&c)) {
        return match unit {
            Unit::Share => "±0 points".to_owned(),
            _ => "±0".to_owned(),
        };
    }
    format!("{}{amount}", if by < 0.0 { "−" } else { "+" })
}

/// The interval of a difference: `−2.6 to −0.2`.
pub(super) fn signed_interval(unit: Unit, [low, high]: [f64; 2]) -> String {
    let end = |value: f64| match unit {
        Unit::Share => plus(value * 100.0, 1),
        _ => plus(value, 3),
    };
    format!("{} to {}", end(low), end(high))
}

/// A difference in words: `−1.4 points`, `no significant difference`.
pub(super) fn difference(unit: Unit, difference: &Difference) -> String {
    match difference.is_significant() {
        Some(false) => "no significant difference".to_owned(),
        _ => signed(unit, difference.value),
    }
}

/// A mean over seeds in words: `84.26 % ± 0.40 points (83.3–85.2), 3 seeds`.
pub(super) fn over_seeds(line: &SeedLine) -> String {
    let interval =
        line.metric.interval.map_or_else(String::new, |ends| format!(" ({})", interval_of(line.metric.unit, ends)));
    format!("{}{interval}, {} seeds", line.metric.show(), line.n_seeds)
}

/// How far a mean over seeds is from another: `+1.2 points (+0.4 to +2.0)`, `no more than seeds differ (−0.2 to +0.6)`.
pub(super) fn seeds_apart(line: &SeedLine) -> String {
    let Some(difference) = &line.difference else { return "other seeds".to_owned() };
    let unit = line.metric.unit;
    let ends = difference.interval.map_or_else(String::new, |ends| format!(" ({})", signed_interval(unit, ends)));
    match difference.is_significant() {
        Some(false) => format!("no more than seeds differ{ends}"),
        _ => format!("{}{ends}", signed(unit, difference.value)),
    }
}

/// A number with a real minus sign.
fn minus(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    match text.strip_prefix('-') {
        Some(rest) if rest.contains(|c: char| ('1'..='9').contains(&c)) => format!("−{rest}"),
        Some(rest) => rest.to_owned(),
        None => text,
    }
}

fn plus(value: f64, digits: usize) -> String {
    let text = minus(value, digits);
    if text.starts_with('−') || !text.contains(|c: char| ('1'..='9').contains(&c)) {
        text
    } else {
        format!("+{text}")
    }
}

/// Things in a row: `a, b and c`.
pub(super) fn join(items: &[String]) -> String {
    match items.split_last() {
        None => String::new(),
        Some((only, [])) => only.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}

/// What a model that reads so much of a text costs, by name; none where it was not measured.
pub(super) fn costs(point: &LengthPoint) -> [(&'static str, Option<String>); 3] {
    let shown = |metric: &Option<Metric>| metric.as_ref().map(|metric| value(metric.unit, metric.value));
    [
        ("Training", point.training.map(seconds)),
        ("Latency", shown(&point.latency)),
        ("Peak memory", shown(&point.memory)),
    ]
}

/// The costs that some model of a table has.
pub(super) fn known_costs(table: &LengthTable) -> Vec<&'static str> {
    let points = || table.lines.iter().flat_map(|line| &line.points);
    let mut known: Vec<&'static str> = Vec::new();
    for (name, cost) in points().flat_map(costs) {
        if cost.is_some() && !known.contains(&name) {
            known.push(name);
        }
    }
    known
}

/// A number of a split in words, where it was found.
pub(super) type DataValue = fn(&DataSide) -> Option<String>;

/// The columns of a table of splits. A dash would say that something is not known: what is not there is not shown.
pub(super) const DATA_COLUMNS: &[(&str, DataValue)] = &[
    ("Rows", |side| Some(units::thousands(side.rows))),
    ("Words: median", |side| Some(format!("{:.0}", side.words.median))),
    ("95 %", |side| Some(format!("{:.0}", side.words.p95))),
    ("Most", |side| Some(units::thousands(side.words.max))),
    ("Tokens: median", |side| side.tokens.as_ref().map(|tokens| format!("{:.0}", tokens.median))),
    ("95 %", |side| side.tokens.as_ref().map(|tokens| format!("{:.0}", tokens.p95))),
    ("Cut", |side| {
        let of = side.tokens.as_ref()?.rows;
        side.longer.map(|longer| percent(longer as f64 / of.max(1) as f64))
    }),
    ("Distinct words", |side| Some(compact(side.distinct as f64))),
    ("Duplicates", |side| Some(units::thousands(side.duplicates))),
    ("In an earlier split", |side| Some(units::thousands(side.leaks))),
    ("Empty", |side| (side.empty > 0).then(|| units::thousands(side.empty))),
    ("Odd characters", |side| (side.odd > 0).then(|| units::thousands(side.odd))),
];

/// How long a stage ran.
pub(super) fn seconds(seconds: f64) -> String {
    // The bound keeps `from_secs_f64` from panicking on what a damaged record may hold.
    if !(0.0..1e12).contains(&seconds) {
        return "–".to_owned();
    }
    units::duration(std::time::Duration::from_secs_f64(seconds))
}

/// A metric's name in words: `size_bytes`, shown with its unit, reads as `size`.
pub(super) fn metric_name(name: &str) -> String {
    let words = name.strip_suffix("_bytes").unwrap_or(name).replace('_', " ");
    // The measure is written as in its paper (Lin, 2004).
    match words.strip_prefix("rouge") {
        Some(rest) => match rest.trim_start().split_once(' ') {
            Some((kind, rest)) => format!("ROUGE-{} {rest}", capital(kind)),
            None => format!("ROUGE-{}", capital(rest.trim_start())),
        },
        None => words,
    }
}

/// What became of a stage, in a word; a report waits while it is written.
pub(super) fn status(kind: &str, status: RunStatus) -> &'static str {
    match status {
        RunStatus::Waiting if kind == "report" => "this report",
        RunStatus::Waiting => "waiting",
        RunStatus::Ran => "ran",
        RunStatus::Cached => "cached",
        RunStatus::Failed => "failed",
        RunStatus::Skipped => "skipped",
    }
}

/// A sentence starts with a capital letter.
pub(super) fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::model::Evidence;

    #[test]
    fn metrics_have_names_in_words() {
        for (name, words) in [
            ("size_bytes", "size"),
            ("macro_f1", "macro f1"),
            ("rouge1", "ROUGE-1"),
            ("rouge_l", "ROUGE-L"),
            ("rouge_lsum_vs_lead", "ROUGE-Lsum vs lead"),
        ] {
            assert_eq!(metric_name(name), words);
        }
    }

    #[test]
    fn gains_are_said_plainly() {
        let cases = [
            (Gain { factor: 3.92, interval: None }, "3.9× faster", "3.9× faster"),
            (Gain { factor: 3.92, interval: Some([3.8, 4.0]) }, "3.9× faster", "3.9× faster"),
            (Gain { factor: 0.8, interval: None }, "1.25× slower", "1.25× slower"),
            (Gain { factor: 1.02, interval: Some([0.99, 1.05]) }, "no significant difference", "no faster"),
            (Gain { factor: 1.001, interval: None }, "the same", "no faster"),
            (Gain { factor: f64::NAN, interval: None }, "–", "–"),
            (Gain { factor: 0.0, interval: None }, "–", "–"),
        ];
        for (value, words, plainly) in cases {
            assert_eq!((gain(value, FASTER).as_str(), gain_plainly(value, FASTER).as_str()), (words, plainly));
        }
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(compact(22_713_216.0), "22.7 M");
        assert_eq!(compact(999_600.0), "1.00 M");
        assert_eq!(compact(1081.0), "1,081");
        assert_eq!(compact(1.386e9), "1.39 G");
        assert_eq!(times(1.256), "1.26×");
        assert_eq!(times(123.4), "123×");
        assert_eq!(amount(Unit::Share, -0.0138), "1.4 points");
        assert_eq!(amount(Unit::Share, 0.01), "1.0 point");
        assert_eq!(signed(Unit::Share, -0.0001), "±0 points");
        assert_eq!(signed_interval(Unit::Share, [-0.026, 0.0002]), "−2.6 to 0.0");
        assert_eq!(value(Unit::Share, f64::NAN), "–");
        assert_eq!(seconds(f64::NAN), "–");
        assert_eq!(seconds(-1.0), "–");
    }

    #[test]
    fn a_difference_without_evidence_is_not_called_significant_or_not() {
        let value = Difference { value: -0.0138, interval: None, evidence: Evidence::None };
        assert_eq!(difference(Unit::Share, &value), "−1.4 points");
        let value = Difference { interval: Some([-0.03, 0.003]), evidence: Evidence::Intervals, ..value };
        assert_eq!(difference(Unit::Share, &value), "no significant difference");
    }
}
