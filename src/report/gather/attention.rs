//! Attention mechanisms by length, from the records of `attention_lab`.

use crate::{
    base::units,
    report::model::{AttentionCell, AttentionLine, AttentionTable},
    stage::Record,
};

/// The table of a lab; mechanisms in the order in which they were measured.
pub(super) fn table(stage: &str, model: &str, record: &Record) -> AttentionTable {
    let mut table = AttentionTable { stage: stage.to_owned(), model: model.to_owned(), ..AttentionTable::default() };
    for metric in &record.metrics {
        let mut parts = metric.name.splitn(3, '.');
        let (Some(mechanism), Some(length), Some(what)) = (parts.next(), parts.next(), parts.next()) else { continue };
        let Some(length) = length.strip_prefix('l').and_then(|digits| digits.parse::<u64>().ok()) else { continue };
        let column = table.lengths.iter().position(|other| *other == length).unwrap_or_else(|| {
            table.lengths.push(length);
            table.lengths.len() - 1
        });
        let lines = &mut table.lines;
        let at = lines.iter().position(|line| line.mechanism == mechanism).unwrap_or_else(|| {
            lines.push(AttentionLine { mechanism: mechanism.to_owned(), ..AttentionLine::default() });
            lines.len() - 1
        });
        let cells = &mut lines[at].cells;
        cells.resize_with(cells.len().max(column + 1), AttentionCell::default);
        match what {
            "p50_ms" => cells[column].time = Some(metric.clone()),
            "speedup" => cells[column].speedup = Some(metric.clone()),
            "accuracy" => cells[column].accuracy = Some(metric.clone()),
            _ => {}
        }
    }
    let fact = |name: &str| record.facts.iter().find(|(known, _)| known == name).map(|(_, text)| text.clone());
    table.window = fact("window");
    table.window_tokens = table.window.as_deref().and_then(|window| {
        let digits: String = window.chars().filter(char::is_ascii_digit).collect();
        digits.parse().ok()
    });
    for line in &mut table.lines {
        line.crossover = fact(&format!("{} is faster than full", line.mechanism));
    }
    table
}

/// `With a window of 512 tokens, minilm is faster than with full attention from about 577 tokens on, and 2.2× as fast at 4,096.`
/// It speaks of windows with a global token, or of what was measured besides full attention.
pub(super) fn headline(table: &AttentionTable) -> Option<String> {
    let line = |name: &str| table.lines.iter().find(|line| line.mechanism == name);
    let line = line("window_global").or_else(|| table.lines.iter().find(|line| line.crossover.is_some()))?;
    let (length, cell) = table.lengths.iter().zip(&line.cells).next_back()?;
    let speedup = cell.speedup.as_ref()?;
    let window = table.window.as_deref().map_or_else(String::new, |window| format!(" of {window}"));
    let name = match line.mechanism.as_str() {
        "window_global" => format!("a window{window} and a global token"),
        "window" => format!("a window{window}"),
        "chunks" => format!("chunks{window}"),
        other => format!("{} attention", other.replace('_', " ")),
    };
    let faster = format!("{:.1}× as fast at {} tokens", speedup.value, units::thousands(*length));
    let (model, crossover) = (&table.model, line.crossover.as_deref()?);
    Some(match crossover.strip_prefix("at no length") {
        Some(_) => format!("With {name}, {model} is not faster than with full attention, but {faster}."),
        None => format!("With {name}, {model} is faster than with full attention {crossover}, and {faster}."),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::{Better, Metric, Unit};

    fn record(crossover: &str) -> Record {
        let mut record = Record::default();
        for (mechanism, times) in [("full", [60.0, 1200.0]), ("window_global", [62.0, 550.0])] {
            for (length, time) in [512, 4096].into_iter().zip(times) {
                let metric = |what: &str, value, unit| {
                    Metric::new(format!("{mechanism}.l{length}.{what}"), value, unit, Better::Lower)
                };
                record.metrics.push(metric("p50_ms", time, Unit::Milliseconds));
                if mechanism != "full" {
                    let full = if length == 512 { 60.0 } else { 1200.0 };
                    record.metrics.push(metric("speedup", full / time, Unit::Number));
                }
            }
        }
        record.metrics.push(Metric::new("full.growth", 1.4, Unit::Number, Better::Lower));
        record.fact("window", "512 tokens");
        record.fact("window_global is faster than full", crossover);
        record
    }

    #[test]
    fn a_lab_is_a_table_and_a_sentence() {
        let table = table("lab", "minilm", &record("from about 577 tokens on"));
        assert_eq!(table.lengths, [512, 4096]);
        let names: Vec<_> = table.lines.iter().map(|line| (line.mechanism.as_str(), line.cells.len())).collect();
        assert_eq!(names, [("full", 2), ("window_global", 2)]);
        assert!(table.lines[0].cells[1].speedup.is_none() && table.lines[0].crossover.is_none());
        assert_eq!(
            headline(&table).unwrap(),
            "With a window of 512 tokens and a global token, minilm is faster than with full attention from about 577 tokens \
             on, and 2.2× as fast at 4,096 tokens."
        );
    }

    #[test]
    fn what_is_not_faster_is_said() {
        let table = table("lab", "minilm", &record("at no length, up to 4,096 tokens"));
        let told = headline(&table).unwrap();
        assert!(told.contains("is not faster than with full attention, but 2.2× as fast at 4,096"), "{told}");
        let empty = super::table("lab", "minilm", &Record::default());
        assert_eq!(headline(&empty), None);
    }
}
