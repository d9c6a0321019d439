//! The numbers worth a glance: which metrics of a record stand in one line, and in which words.

use crate::stage::{Better, Metric, Record, Unit};

/// The first metric of each family (`accuracy`, `latency`, `size_bytes`), at most `most`: those that are good or bad,
/// what people ask for first; a mere description only when there is nothing else.
pub(super) fn pick<'a>(metrics: impl IntoIterator<Item = &'a Metric>, most: usize) -> Vec<&'a Metric> {
    let mut metrics: Vec<&Metric> = metrics.into_iter().collect();
    metrics.sort_by_key(|metric| rank(metric.unit));
    let mut picked: Vec<&Metric> = Vec::new();
    for metric in metrics.iter().filter(|metric| metric.better != Better::Neither) {
        if !picked.iter().any(|other| family(&other.name) == family(&metric.name)) {
            picked.push(metric);
        }
    }
    if picked.is_empty() {
        picked.extend(metrics.first());
    }
    picked.truncate(most);
    picked
}

/// A record in one line: `validation accuracy 86.40 %, size 4.56 MB`.
pub(super) fn line(record: &Record) -> String {
    let words: Vec<_> = pick(&record.metrics, 2).into_iter().map(|m| format!("{} {}", name(m), m.show())).collect();
    words.join(", ")
}

/// A metric's name in words; the unit is in the value.
pub(super) fn name(metric: &Metric) -> String {
    let suffix = match metric.unit {
        Unit::Bytes => "_bytes",
        Unit::Milliseconds => "_ms",
        Unit::Seconds => "_seconds",
        Unit::RowsPerSecond => "_rows_per_second",
        _ => "",
    };
    metric.name.strip_suffix(suffix).unwrap_or(&metric.name).replace(['_', '.'], " ")
}

/// Quality, then time, then size, then the rest.
fn rank(unit: Unit) -> usize {
    match unit {
        Unit::Share => 0,
        Unit::Milliseconds | Unit::Seconds => 1,
        Unit::Bytes => 2,
        Unit::RowsPerSecond | Unit::Number => 3,
        Unit::Count => 4,
    }
}

fn family(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_each_family() {
        let record = Record {
            metrics: vec![
                Metric::new("rows", 10.0, Unit::Count, Better::Neither),
                Metric::new("parameters", 10.0, Unit::Count, Better::Lower),
                Metric::new("latency.b1_l32.p50_ms", 1.5, Unit::Milliseconds, Better::Lower),
                Metric::new("latency.b8_l32.p50_ms", 9.5, Unit::Milliseconds, Better::Lower),
                Metric::new("size_bytes", 4.56e6, Unit::Bytes, Better::Lower),
            ],
            ..Record::default()
        };
        assert_eq!(line(&record), "latency b1 l32 p50 1.50 ms, size 4.56 MB");
        let record = Record { metrics: record.metrics[..1].to_vec(), ..Record::default() };
        assert_eq!(line(&record), "rows 10");
        assert_eq!(line(&Record::default()), "");
    }
}
