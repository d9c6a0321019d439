//! `baseline save`: the numbers of a run as a file, for gates with `vs: baseline`.

use crate::{
    base::plural,
    cli::{
        App,
        args::BaselineCommand,
        commands::load::{self, load},
        error::CliError,
        exit::Exit,
        project::short,
    },
    engine::{Baseline, Store},
};

pub(in crate::cli) fn run(app: &App, command: &BaselineCommand) -> Result<Exit, CliError> {
    let BaselineCommand::Save { recipe, run, output, store } = command;
    let loaded = load(app, recipe, store)?;
    let name = &loaded.plan.name;
    let store = Store::read(&loaded.project.store(store))?;
    let record = match run {
        Some(run) => load::find_run(&store, run)?,
        None => store.latest_run(name)?.ok_or_else(|| {
            CliError::failed(format!("`{name}` was never run, so there is nothing to save"))
                .hint("`lmpipe run` it first")
        })?,
    };
    if record.name != *name {
        return Err(CliError::usage(format!(
            "the run `{}` is of the recipe `{}`, not of `{name}`",
            record.id, record.name
        )));
    }
    if record.cancelled || record.failed().next().is_some() {
        return Err(CliError::failed(format!(
            "the run `{}` did not come to its end: its numbers are not whole",
            record.id
        )));
    }
    let path = output.clone().unwrap_or_else(|| load::baseline_path(recipe, name));
    let baseline = Baseline::of(&record);
    baseline.save(&path)?;
    let who = format!("baseline {}", path.canonicalize().unwrap_or_else(|_| path.clone()).display());
    store.pin(&who, baseline.artifacts.iter().map(|(_, digest)| *digest).collect())?;
    let (style, metrics) = (app.output.talk, plural::count(baseline.metrics.len(), "metric"));
    app.output.say(format!("{} {}: {metrics} of the run {}", style.good("saved"), short(&path), record.id));
    let compares = loaded.plan.gates.iter().any(|gate| gate.versus.as_deref() == Some(crate::stage::BASELINE));
    if !compares {
        app.output
            .say("  hint: no gate of the recipe compares with it: `{metric: …, vs: baseline, max_rise: 5%}` does");
    }
    Ok(Exit::Done)
}
