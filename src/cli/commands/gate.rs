//! `gate`: judges the gates of a recipe by its latest run, or those of a run again, without running.

use serde_json::json;

use super::{
    load::{self, load},
    summary,
};
use crate::{
    base::plural,
    cli::{
        App,
        args::{self, RecipeArgs, TextFormat},
        error::CliError,
        exit::Exit,
        machine::Machine,
        project::{self, Project},
    },
    engine::{self, Baseline, Forecast, Store},
    stage::{BASELINE, Gate, References, Verdict},
};

pub(in crate::cli) fn run(app: &App, args: &args::Gate) -> Result<Exit, CliError> {
    let Judged { run, stale, verdicts } =
        if project::names_recipe(&args.of) { of_recipe(app, args)? } else { of_run(args)? };
    if stale > 0 {
        let (stages, would) = (plural::count(stale, "stage"), app.output.talk.warning("warning:"));
        app.output
            .say(format!("{would} {stages} would run again, so these numbers are not those of the recipe as it is"));
    }
    match args.format {
        TextFormat::Json => {
            let shown = json!({"version": 1, "run": run, "stale_stages": stale, "verdicts": verdicts});
            app.output.line(format!("{shown:#}"))?;
        }
        TextFormat::Text if verdicts.is_empty() => app.output.say("there are no gates"),
        TextFormat::Text => app.output.line(summary::gates(&verdicts, app.output.data).join("\n"))?,
    }
    Ok(if verdicts.iter().any(Verdict::fails) { Exit::Gate } else { Exit::Done })
}

/// What became of the gates.
struct Judged {
    /// The run by whose numbers.
    run: String,
    /// How many stages would run again.
    stale: usize,
    verdicts: Vec<Verdict>,
}

fn of_recipe(app: &App, args: &args::Gate) -> Result<Judged, CliError> {
    let recipe = RecipeArgs { recipe: args.of.clone(), sets: args.sets.clone(), baseline: args.baseline.clone() };
    let loaded = load(app, &recipe, &args.store)?;
    let plan = &loaded.plan;
    let settings = load::settings(app, &loaded, &recipe, &args.store);
    let Some(run) = Store::read(&settings.store)?.latest_run(&plan.name)? else {
        return Err(CliError::failed(format!("`{}` was never run, so there is nothing to judge", plan.name))
            .hint(format!("`{}` does", settings.command)));
    };
    // The gates are those of the file, which may have changed since.
    let judge = |gate: &Gate| gate.evaluate(|name| run.find_metric(name), &plan.references);
    let verdicts = plan.gates.iter().map(judge).collect();
    // A report changes no number.
    let counts = |forecast: &&Forecast| !plan.nodes[forecast.node].spec.sees_run;
    let stale =
        engine::forecast(plan, &settings)?.iter().filter(counts).filter(|forecast| !forecast.is_cached()).count();
    Ok(Judged { run: run.id, stale, verdicts })
}

/// The gates that a run had; those that compare with a baseline are compared with another where one is named.
fn of_run(args: &args::Gate) -> Result<Judged, CliError> {
    let store = Store::read(&Project::here().store(&args.store))?;
    let wanted = args.of.to_string_lossy();
    if !args.sets.is_empty() {
        return Err(CliError::usage(format!(
            "`--set` changes a recipe, and `{wanted}` is a run: what it had is known"
        )));
    }
    let run = load::find_run(&store, &wanted)?;
    let Some(path) = &args.baseline else {
        return Ok(Judged { run: run.id, stale: 0, verdicts: run.verdicts });
    };
    let (baseline, host) = (Baseline::load(path)?, Machine::detect().host());
    let gates = || run.verdicts.iter().map(|verdict| &verdict.gate);
    let compared = gates().filter(|gate| gate.versus.as_deref() == Some(BASELINE));
    let references =
        compared.map(|gate| (gate.reference(), baseline.reference(&gate.metric, &host))).collect::<References>();
    if references.is_empty() {
        let text = format!("`--baseline` is given, but no gate of the run `{}` compares with a baseline", run.id);
        return Err(CliError::usage(text));
    }
    let verdicts = run.verdicts.iter().map(|verdict| {
        let gate = &verdict.gate;
        // What compares with the run itself was judged by its numbers, or in pairs.
        if references.contains_key(&gate.reference()) {
            gate.evaluate(|name| run.find_metric(name), &references)
        } else {
            verdict.clone()
        }
    });
    let verdicts = verdicts.collect();
    Ok(Judged { run: run.id, stale: 0, verdicts })
}
