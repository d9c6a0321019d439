//! `diff`: the metrics of two runs, side by side.

use serde_json::json;

use super::load;
use crate::{
    cli::{
        App,
        args::{self, TextFormat},
        error::CliError,
        exit::Exit,
        output::Style,
        project::Project,
        table::Table,
    },
    engine::{RunRecord, Store},
    stage::{Better, Metric, Unit},
};

pub(in crate::cli) fn run(app: &App, args: &args::Diff) -> Result<Exit, CliError> {
    let store = Store::read(&Project::here().store(&args.store))?;
    let (a, b) = (load::find_run(&store, &args.a)?, load::find_run(&store, &args.b)?);
    let rows = compare(&a, &b);
    match args.format {
        TextFormat::Json => {
            let metrics: Vec<_> = rows
                .iter()
                .map(|row| {
                    let value = |metric: &Option<Metric>| metric.as_ref().map(|metric| metric.value);
                    json!({"metric": row.name, "a": value(&row.a), "b": value(&row.b), "unit": row.unit()})
                })
                .collect();
            app.output.line(format!("{:#}", json!({"version": 1, "a": a.id, "b": b.id, "metrics": metrics})))?;
        }
        TextFormat::Text if rows.is_empty() => app.output.say("neither run has a metric"),
        TextFormat::Text => {
            let style = app.output.data;
            let mut table = Table::new(&[1, 2, 3]);
            table.row(["metric", "a", "b", "change"].map(|cell| style.strong(cell)));
            for row in &rows {
                let show = |metric: &Option<Metric>| metric.as_ref().map_or_else(|| "–".to_owned(), Metric::show);
                table.row([row.name.clone(), show(&row.a), show(&row.b), row.change(style)]);
            }
            let legend = format!("a  {}\nb  {}\n", a.id, b.id);
            app.output.line(format!("{legend}\n{}", table.lines().join("\n")))?;
        }
    }
    Ok(Exit::Done)
}

struct Row {
    name: String,
    a: Option<Metric>,
    b: Option<Metric>,
}

/// All metrics of both runs: those of the first in its order, then those that only the second has.
fn compare(a: &RunRecord, b: &RunRecord) -> Vec<Row> {
    let mut rows: Vec<Row> =
        metrics(a).map(|(name, metric)| Row { b: b.find_metric(&name), name, a: Some(metric) }).collect();
    for (name, metric) in metrics(b) {
        if a.find_metric(&name).is_none() {
            rows.push(Row { name, a: None, b: Some(metric) });
        }
    }
    rows
}

fn metrics(run: &RunRecord) -> impl Iterator<Item = (String, Metric)> + '_ {
    run.nodes.iter().flat_map(|node| {
        node.record.metrics.iter().map(|metric| (format!("{}.{}", node.name, metric.name), metric.clone()))
    })
}

impl Row {
    fn unit(&self) -> Option<Unit> {
        self.a.as_ref().or(self.b.as_ref()).map(|metric| metric.unit)
    }

    /// The change in words: points for shares, per cent for the rest; green for the better, red for the worse.
    fn change(&self, style: Style) -> String {
        let (Some(a), Some(b)) = (&self.a, &self.b) else {
            return style.faint(if self.a.is_some() { "only in a" } else { "only in b" });
        };
        if a.value == b.value {
            return style.faint("=");
        }
        let text = match a.unit {
            Unit::Share => format!("{:+.2} points", (b.value - a.value) * 100.0),
            _ if a.value == 0.0 => "from zero".to_owned(),
            _ => format!("{:+.1} %", (b.value / a.value - 1.0) * 100.0),
        };
        match b.better {
            Better::Neither => text,
            better if better.prefers(b.value, a.value) => style.good(&text),
            _ => style.bad(&text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_in_words() {
        let row = |a: Option<f64>, b: Option<f64>, unit| {
            let metric = |value| Metric::new("m", value, unit, Better::Lower);
            Row { name: "m".into(), a: a.map(metric), b: b.map(metric) }.change(Style(false))
        };
        assert_eq!(row(Some(0.86), Some(0.85), Unit::Share), "-1.00 points");
        assert_eq!(row(Some(10.0), Some(5.0), Unit::Milliseconds), "-50.0 %");
        assert_eq!(row(Some(1.0), Some(1.0), Unit::Number), "=");
        assert_eq!(row(Some(1.0), None, Unit::Number), "only in a");
        assert_eq!(row(Some(0.0), Some(1.0), Unit::Bytes), "from zero");
    }
}
