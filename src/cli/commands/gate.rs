//! `gate`: judges the gates of a recipe by its latest run, without running.

use serde_json::json;

use super::{
    load::{self, load},
    summary,
};
use crate::{
    base::plural,
    cli::{
        App,
        args::{self, TextFormat},
        error::CliError,
        exit::Exit,
    },
    engine::{self, Forecast, Store},
    stage::{Gate, Reference, Verdict},
};

pub(in crate::cli) fn run(app: &App, args: &args::Gate) -> Result<Exit, CliError> {
    let loaded = load(app, &args.recipe)?;
    let plan = &loaded.plan;
    let settings = load::settings(app, &loaded, &args.recipe, &args.store);
    let Some(run) = Store::read(&settings.store)?.latest_run(&plan.name)? else {
        return Err(CliError::failed(format!("`{}` was never run, so there is nothing to judge", plan.name))
            .hint(format!("`{}` does", settings.command)));
    };
    // The gates are those of the file, which may have changed since.
    let baseline = |name: &str| Reference::among(&plan.references, name);
    let judge = |gate: &Gate| gate.evaluate(|name| run.find_metric(name), baseline);
    let verdicts: Vec<Verdict> = plan.gates.iter().map(judge).collect();
    // A report changes no number.
    let counts = |forecast: &&Forecast| !plan.nodes[forecast.node].spec.sees_run;
    let stale =
        engine::forecast(plan, &settings)?.iter().filter(counts).filter(|forecast| !forecast.is_cached()).count();
    if stale > 0 {
        let (stages, would) = (plural::count(stale, "stage"), app.output.talk.warning("warning:"));
        app.output
            .say(format!("{would} {stages} would run again, so these numbers are not those of the recipe as it is"));
    }
    match args.format {
        TextFormat::Json => {
            let shown = json!({"version": 1, "run": run.id, "stale_stages": stale, "verdicts": verdicts});
            app.output.line(format!("{shown:#}"))?;
        }
        TextFormat::Text if verdicts.is_empty() => app.output.say("the recipe has no gates"),
        TextFormat::Text => app.output.line(summary::gates(&verdicts, app.output.data).join("\n"))?,
    }
    Ok(if verdicts.iter().any(Verdict::fails) { Exit::Gate } else { Exit::Done })
}
