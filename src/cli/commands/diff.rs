//! `diff`: the metrics of two runs, side by side, and what else differs.

use serde_json::{Value, json};

use super::load;
use crate::{
    cli::{
        App,
        args::{self, DiffFormat},
        error::CliError,
        exit::Exit,
        output::Style,
        project::Project,
        table::Table,
    },
    engine::{self, RunRecord, Store},
    stage::{Better, Metric, Unit},
};

pub(in crate::cli) fn run(app: &App, args: &args::Diff) -> Result<Exit, CliError> {
    let store = Store::read(&Project::here().store(&args.store))?;
    let (a, b) = (load::find_run(&store, &args.a)?, load::find_run(&store, &args.b)?);
    let (rows, others) = (compare(&a, &b), other_changes(&a, &b));
    match args.format {
        DiffFormat::Json => {
            let metrics: Vec<_> = rows
                .iter()
                .map(|row| {
                    let value = |metric: &Option<Metric>| metric.as_ref().map(|metric| metric.value);
                    json!({"metric": row.name, "a": value(&row.a), "b": value(&row.b), "unit": row.unit()})
                })
                .collect();
            let changes =
                others.iter().map(|change| json!({"what": change.what, "of": change.of, "change": change.text}));
            let shown = json!({
                "version": 1, "a": a.id, "b": b.id, "metrics": metrics, "changes": changes.collect::<Vec<_>>(),
            });
            app.output.line(format!("{shown:#}"))?;
        }
        DiffFormat::Md => app.output.line(markdown(&a, &b, &rows, &others))?,
        DiffFormat::Text => {
            let style = app.output.data;
            let mut lines = vec![format!("a  {}\nb  {}", a.id, b.id)];
            if !rows.is_empty() {
                let mut table = Table::new(&[1, 2, 3]);
                table.row(["metric", "a", "b", "change"].map(|cell| style.strong(cell)));
                for row in &rows {
                    table.row([row.name.clone(), shown(row.a.as_ref()), shown(row.b.as_ref()), row.change(style)]);
                }
                lines.push(table.lines().join("\n"));
            }
            if !others.is_empty() {
                let mut table = Table::new(&[]);
                for Change { what, of, text } in &others {
                    table.row([style.strong(what), of.clone(), text.clone()]);
                }
                lines.push(table.lines().join("\n"));
            }
            if lines.len() == 1 {
                lines.push("nothing differs, and neither has a metric".to_owned());
            }
            app.output.line(lines.join("\n\n"))?;
        }
    }
    Ok(Exit::Done)
}

/// Something else than a metric that differs.
struct Change {
    /// `parameters`, `artifact`, `environment`.
    what: &'static str,
    /// The stage.
    of: String,
    text: String,
}

/// What differs between the stages of two runs, and around them.
fn other_changes(a: &RunRecord, b: &RunRecord) -> Vec<Change> {
    let mut found = Vec::new();
    let mut add = |what, of: &str, text: String| found.push(Change { what, of: of.to_owned(), text });
    for node in &a.nodes {
        let Some(other) = b.node(&node.name) else {
            add("stage", &node.name, "only in a".to_owned());
            continue;
        };
        if without_inputs(&node.key) != without_inputs(&other.key) {
            add("parameters", &node.name, engine::why(&without_inputs(&node.key), &without_inputs(&other.key)));
        }
        if let (Some(was), Some(is)) = (node.digest, other.digest)
            && was != is
        {
            add("artifact", &node.name, format!("{} → {}", was.short(), is.short()));
        }
    }
    for node in b.nodes.iter().filter(|node| a.node(&node.name).is_none()) {
        add("stage", &node.name, "only in b".to_owned());
    }
    if a.tool_version != b.tool_version {
        add("environment", "lmpipe", format!("{} → {}", a.tool_version, b.tool_version));
    }
    for (name, was) in a.host.as_object().into_iter().flatten() {
        let is = &b.host[name];
        if was != is {
            add("environment", name, format!("{was} → {is}"));
        }
    }
    found
}

/// A key without what the stage took: that is told where it was made.
fn without_inputs(key: &Value) -> Value {
    let mut key = key.clone();
    if let Some(key) = key.as_object_mut() {
        key.remove("inputs");
    }
    key
}

/// Both as tables of a pull request's comment.
fn markdown(a: &RunRecord, b: &RunRecord, rows: &[Row], others: &[Change]) -> String {
    let cell = |text: &str| text.replace('|', "\\|").replace('\n', " ");
    let mut lines = vec![format!("`{}` → `{}`", a.id, b.id)];
    if !rows.is_empty() {
        lines.extend([String::new(), "| Metric | a | b | Change |".to_owned(), "|:--|--:|--:|--:|".to_owned()]);
        lines.extend(rows.iter().map(|row| {
            let cells =
                [format!("`{}`", row.name), shown(row.a.as_ref()), shown(row.b.as_ref()), row.change(Style(false))];
            format!("| {} |", cells.map(|text| cell(&text)).join(" | "))
        }));
    }
    if !others.is_empty() {
        lines.extend([String::new(), "| What | Of | Change |".to_owned(), "|:--|:--|:--|".to_owned()]);
        let line = |change: &Change| format!("| {} | `{}` | {} |", change.what, cell(&change.of), cell(&change.text));
        lines.extend(others.iter().map(line));
    }
    lines.join("\n")
}

fn shown(metric: Option<&Metric>) -> String {
    metric.map_or_else(|| "–".to_owned(), Metric::show)
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
