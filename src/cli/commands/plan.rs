//! `plan`: what a run would do, why, and how long it may take.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::load::{self, Loaded, load};
use crate::{
    base::{plural, suggest},
    cli::{
        App,
        args::{self, TextFormat},
        error::CliError,
        exit::Exit,
        output::Style,
        progress::seconds,
        table::Table,
    },
    engine::{self, Forecast, ForecastState, Store},
    plan::{PlanNode, explain},
};

pub(in crate::cli) fn run(app: &App, args: &args::Plan) -> Result<Exit, CliError> {
    let loaded = load(app, &args.recipe, &args.store)?;
    let settings = load::settings(app, &loaded, &args.recipe, &args.store);
    let forecasts = engine::forecast(&loaded.plan, &settings)?;
    let work = forecasts.iter().any(|forecast| !forecast.is_cached());
    let rows = rows(&loaded, &forecasts, &times(&Store::read(&settings.store)?, &loaded.plan.name)?);
    match (&args.why, args.format) {
        (Some(stage), format) => why(app, &rows, stage, format)?,
        (None, TextFormat::Json) => app.output.line(format!("{:#}", to_json(&loaded, &rows)))?,
        (None, TextFormat::Text) => app.output.line(text(&loaded.plan.name, &rows, app.output.data))?,
    }
    Ok(if args.check && work { Exit::Work } else { Exit::Done })
}

/// A stage and what would become of it.
struct Row<'a> {
    node: &'a PlanNode,
    forecast: &'a Forecast,
    /// How long it took when it ran last; for a cached one, when it was made.
    seconds: Option<f64>,
}

fn rows<'a>(loaded: &'a Loaded, forecasts: &'a [Forecast], times: &BTreeMap<String, f64>) -> Vec<Row<'a>> {
    forecasts
        .iter()
        .map(|forecast| {
            let node = &loaded.plan.nodes[forecast.node];
            let seconds = match &forecast.state {
                ForecastState::Cached { seconds, .. } => Some(*seconds),
                _ => times.get(&node.name).copied(),
            };
            Row { node, forecast, seconds }
        })
        .collect()
}

/// How long each stage of a recipe took last.
fn times(store: &Store, recipe: &str) -> Result<BTreeMap<String, f64>, CliError> {
    let mut times = BTreeMap::new();
    for run in load::runs(store)?.into_iter().filter(|run| run.name == recipe) {
        // A stage that is done has an output; the time of one that was stopped or failed predicts nothing.
        times.extend(run.nodes.into_iter().filter(|node| node.digest.is_some()).map(|node| (node.name, node.seconds)));
    }
    Ok(times)
}

fn text(name: &str, rows: &[Row<'_>], style: Style) -> String {
    let mut table = Table::new(&[4]).indent(2);
    for row in rows {
        let node = row.node;
        let (mark, state, reason) = match &row.forecast.state {
            ForecastState::Cached { .. } => (style.good("✓"), style.faint("cached"), ""),
            ForecastState::WillRun { reason } => (style.accent("▸"), style.strong("will run"), reason.as_str()),
            ForecastState::Unknown { reason } => (style.warning("▸"), style.strong("may run"), reason.as_str()),
        };
        let time = match row.seconds {
            Some(took) if row.forecast.is_cached() => style.faint(&format!("({})", seconds(took))),
            Some(took) => format!("~{}", seconds(took)),
            None => String::new(),
        };
        table.row([mark, node.name.clone(), style.faint(node.spec.kind), state, time, reason.to_owned()]);
    }
    let mut lines = vec![style.strong(name), String::new()];
    lines.extend(table.lines());
    lines.extend([String::new(), total(rows)]);
    lines.join("\n")
}

fn total(rows: &[Row<'_>]) -> String {
    let work: Vec<&Row<'_>> = rows.iter().filter(|row| !row.forecast.is_cached()).collect();
    if work.is_empty() {
        return format!("nothing to do: {} cached", all(rows.len()));
    }
    let known: f64 = work.iter().filter_map(|row| row.seconds).sum();
    let unknown = work.iter().filter(|row| row.seconds.is_none()).count();
    let time = match unknown {
        0 => format!(", about {} by earlier runs", seconds(known)),
        _ if unknown == work.len() => String::new(),
        n => format!(
            ", about {} by earlier runs, without {} never run before",
            seconds(known),
            plural::count(n, "stage")
        ),
    };
    format!("{} of {} would run{time}", work.len(), plural::count(rows.len(), "stage"))
}

fn all(count: usize) -> String {
    if count == 1 { "the only stage is".to_owned() } else { format!("all {count} stages are") }
}

fn why(app: &App, rows: &[Row<'_>], wanted: &str, format: TextFormat) -> Result<(), CliError> {
    let names: Vec<&str> = rows.iter().map(|row| row.node.name.as_str()).collect();
    let of_family = |row: &&Row<'_>| row.node.name == wanted || row.node.name.split('@').next() == Some(wanted);
    let meant: Vec<&Row<'_>> = rows.iter().filter(of_family).collect();
    if meant.is_empty() {
        return Err(
            CliError::usage(format!("the recipe has no stage `{wanted}`")).maybe_hint(suggest::help(wanted, &names))
        );
    }
    if format == TextFormat::Json {
        let shown: Vec<Value> = meant.iter().map(|row| row_json(row, &names, true)).collect();
        return Ok(app.output.line(format!("{:#}", Value::Array(shown)))?);
    }
    let style = app.output.data;
    let mut blocks = Vec::new();
    for row in meant {
        let (state, reason) = match &row.forecast.state {
            ForecastState::Cached { digest, .. } => ("is cached", format!("its output is {}", digest.short())),
            ForecastState::WillRun { reason } => ("will run", reason.clone()),
            ForecastState::Unknown { reason } => ("may run", reason.clone()),
        };
        let mut lines = vec![format!("{} {state}: {reason}", style.strong(&row.node.name))];
        lines.extend(keys(row.forecast, style));
        blocks.push(lines.join("\n"));
    }
    Ok(app.output.line(blocks.join("\n\n"))?)
}

/// The key that a stage would be made from, the one that it was made from last, and what differs.
fn keys(forecast: &Forecast, style: Style) -> Vec<String> {
    let mut lines = Vec::new();
    let mut block = |title: &str, key: &Value| {
        let fingerprint = crate::base::canonical::digest(key).short();
        lines.extend([String::new(), format!("{}  {}", style.strong(title), style.accent(&fingerprint))]);
        lines.extend(format!("{key:#}").lines().map(|line| format!("  {line}")));
    };
    let key = forecast.key.as_ref().map(|key| &key.0);
    let previous = forecast.previous_key.as_ref();
    if let Some(previous) = previous.filter(|previous| Some(*previous) != key) {
        block("key when it was made last", previous);
    }
    match key {
        Some(key) => block("key now", key),
        None => lines.extend([String::new(), "its key now is known once what it takes is made".to_owned()]),
    }
    if let (Some(previous), Some(key)) = (previous, key) {
        let difference = explain::difference(previous, key);
        if !difference.is_empty() {
            lines.extend([String::new(), style.strong("difference")]);
        }
        lines.extend(difference.iter().map(|line| format!("  {line}")));
    }
    lines
}

fn to_json(loaded: &Loaded, rows: &[Row<'_>]) -> Value {
    let names: Vec<&str> = loaded.plan.nodes.iter().map(|node| node.name.as_str()).collect();
    let stages: Vec<Value> = rows.iter().map(|row| row_json(row, &names, false)).collect();
    json!({"version": 1, "name": loaded.plan.name, "stages": stages})
}

fn row_json(row: &Row<'_>, names: &[&str], with_keys: bool) -> Value {
    let Row { node, forecast, .. } = row;
    let state = match &forecast.state {
        ForecastState::Cached { .. } => "cached",
        ForecastState::WillRun { .. } => "will_run",
        ForecastState::Unknown { .. } => "may_run",
    };
    let inputs: Vec<&str> = node.inputs.iter().flat_map(|(_, from)| from).map(|from| names[*from]).collect();
    let mut shown = json!({
        "stage": node.name, "kind": node.spec.kind, "state": state, "reason": forecast.reason(), "seconds": row.seconds,
        "inputs": inputs, "fingerprint": forecast.key.as_ref().map(crate::plan::Key::fingerprint),
    });
    if with_keys {
        shown["key"] = json!(forecast.key.as_ref().map(|key| &key.0));
        shown["previous_key"] = json!(forecast.previous_key);
    }
    shown
}
