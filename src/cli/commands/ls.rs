//! `ls` and `show`: the runs of a store, and one of them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;

use super::{load, summary};
use crate::{
    base::{plural, units},
    cli::{
        App,
        args::{self, TextFormat},
        error::CliError,
        exit::Exit,
        progress::seconds,
        project::Project,
        table::Table,
    },
    engine::{RunRecord, Store, seconds_since_1970},
    stage::{RunStatus, Verdict},
};

/// Lists the runs, the latest first.
pub(in crate::cli) fn list(app: &App, args: &args::Ls) -> Result<Exit, CliError> {
    let store = Store::read(&Project::here().store(&args.store))?;
    let mut runs = load::runs(&store)?;
    runs.retain(|run| args.recipe.as_ref().is_none_or(|recipe| run.name == *recipe));
    runs.reverse();
    if args.format == TextFormat::Json {
        let shown = runs.iter().map(|run| {
            json!({
                "id": run.id, "recipe": run.name, "file": run.recipe, "started": run.started, "seconds": run.seconds,
                "state": state(run), "stages": run.nodes.len(), "ran": run.count(RunStatus::Ran),
                "gates": run.verdicts.len(), "failed_gates": run.verdicts.iter().filter(|verdict| verdict.fails()).count(),
                "command": run.command,
            })
        });
        app.output.line(format!("{:#}", json!({"version": 1, "runs": shown.collect::<Vec<_>>()})))?;
        return Ok(Exit::Done);
    }
    if runs.is_empty() {
        app.output.say("no run was made here; `lmpipe run RECIPE` makes one");
        return Ok(Exit::Done);
    }
    let style = app.output.data;
    let mut table = Table::new(&[3]);
    for run in &runs {
        let state = match state(run) {
            "done" => style.good("done"),
            "interrupted" => style.faint("interrupted"),
            other => style.bad(other),
        };
        let gates = match run.verdicts.len() {
            0 => String::new(),
            n => {
                let kept = run.verdicts.iter().filter(|verdict| !verdict.fails()).count();
                format!("{kept} of {}", plural::count(n, "gate"))
            }
        };
        let ran = format!("{} of {} ran", run.count(RunStatus::Ran), plural::count(run.nodes.len(), "stage"));
        table.row([
            style.accent(&run.id),
            state,
            gates,
            seconds(run.seconds),
            style.faint(&ran),
            style.faint(&age(run)),
        ]);
    }
    app.output.line(table.lines().join("\n"))?;
    Ok(Exit::Done)
}

/// Shows a run again, as it was told when it ended.
pub(in crate::cli) fn show(app: &App, args: &args::OneRun) -> Result<Exit, CliError> {
    let store = Store::read(&Project::here().store(&args.store))?;
    let run = load::find_run(&store, &args.run)?;
    if args.format == TextFormat::Json {
        app.output.line(format!("{:#}", json!(run)))?;
        return Ok(Exit::Done);
    }
    let style = app.output.data;
    let mut head = Table::new(&[]);
    for (name, text) in [
        ("run", run.id.clone()),
        ("started", format!("{}, {}", run.started, age(&run))),
        ("again", run.command.clone()),
        ("version", run.tool_version.clone()),
    ] {
        head.row([style.faint(name), text]);
    }
    app.output.line(format!("{}\n\n{}", head.lines().join("\n"), summary::summary(&run, app.registry, style)))?;
    Ok(Exit::Done)
}

/// How a run ended, in a word.
fn state(run: &RunRecord) -> &'static str {
    if run.cancelled {
        "interrupted"
    } else if run.failed().next().is_some() {
        "failed"
    } else if run.verdicts.iter().any(Verdict::fails) {
        "gate failed"
    } else {
        "done"
    }
}

/// How long ago it began.
fn age(run: &RunRecord) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    seconds_since_1970(&run.started).map_or_else(String::new, |started| {
        format!("{} ago", units::duration(now.saturating_sub(Duration::from_secs(started))))
    })
}
