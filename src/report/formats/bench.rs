//! `bench.json`: what is better when it is smaller, as github-action-benchmark reads it (`customSmallerIsBetter`).

use serde_json::{Value, json};

use super::Renderer;
use crate::{
    report::{error::ReportError, model::Report},
    stage::{Better, Metric, Unit},
};

/// Renders `bench.json`.
pub(super) struct Bench;

impl Renderer for Bench {
    fn name(&self) -> &'static str {
        "bench"
    }

    fn file_name(&self) -> &'static str {
        "bench.json"
    }

    fn render(&self, report: &Report) -> Result<String, ReportError> {
        let smaller = |metric: &&Metric| metric.better == Better::Lower && metric.value.is_finite();
        let entries: Vec<Value> = report.metrics.iter().filter(smaller).map(entry).collect();
        Ok(format!("{:#}\n", Value::Array(entries)))
    }
}

fn entry(metric: &Metric) -> Value {
    let mut entry = json!({"name": metric.name, "unit": unit(metric.unit), "value": metric.value});
    if let Some([low, high]) = metric.interval.filter(|interval| interval.iter().all(|end| end.is_finite())) {
        // It is shown behind the value; an interval need not be symmetric.
        entry["range"] = json!(format!("{low}–{high}"));
    }
    entry
}

fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::Share => "share",
        Unit::Milliseconds => "ms",
        Unit::Seconds => "s",
        Unit::Bytes => "bytes",
        Unit::RowsPerSecond => "rows/s",
        Unit::Count | Unit::Number => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Answers, fixture, model::Options};

    #[test]
    fn what_grows_when_it_gets_better_is_left_out() {
        let report = Report::gather(&fixture::run(), &fixture::scores(), &Answers::default(), &Options::default());
        let entries: Vec<Value> = serde_json::from_str(&Bench.render(&report).unwrap()).unwrap();
        let named = |name: &str| entries.iter().find(|entry| entry["name"] == name);
        assert_eq!(named("speed.int8.size_bytes").unwrap()["unit"], "bytes");
        let latency = named("speed.int8.latency.b1_l128.p50_ms").unwrap();
        assert!(latency["value"].is_number() && latency["unit"] == "ms", "{latency}");
        assert!(named("scores@int8.accuracy").is_none());
    }
}
