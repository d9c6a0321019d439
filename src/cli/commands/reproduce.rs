//! `reproduce RUN`: makes a run again, and compares the bytes of what its stages make with what they made then.

use serde_json::json;

use super::{
    load::{self, load},
    run::{self, News},
};
use crate::{
    base::plural,
    cli::{
        App,
        args::{self, RecipeArgs, RunFormat, TextFormat},
        error::CliError,
        exit::Exit,
        project::Project,
        table::Table,
    },
    engine::{self, NodeRecord, RunRecord, Settings, Store},
    stage::{Cancel, RunStatus},
};

/// What came of a stage.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    /// The same bytes.
    Same,
    /// Other bytes from the same inputs and parameters.
    Differs,
    /// It was made from something else: the recipe, its data or the machine changed.
    OtherKey,
    /// What it makes is of the moment it runs.
    OfItsMoment,
    /// It was not made, then or now.
    NotMade,
}

pub(in crate::cli) fn run(app: &App, args: &args::OneRun) -> Result<Exit, CliError> {
    let store = Store::read(&Project::here().store(&args.store))?;
    let before = load::find_run(&store, &args.run)?;
    let recipe = RecipeArgs { recipe: before.recipe.clone().into(), sets: before.sets.clone(), baseline: None };
    if !recipe.recipe.is_file() {
        let (id, path) = (&before.id, &before.recipe);
        return Err(CliError::usage(format!("the recipe of the run `{id}` was `{path}`, which is not there"))
            .hint("run it in the folder where the run was made"));
    }
    let loaded = load(app, &recipe, &args.store)?;
    let of_moment = |kind: &str| app.registry.get(kind).is_some_and(|spec| spec.measures || spec.sees_run);
    let verified = loaded.plan.nodes.iter().filter(|node| !of_moment(node.spec.kind)).map(|node| node.name.clone());
    let settings = Settings {
        verify: verified.collect(),
        store: store.root().to_owned(),
        ..load::settings(app, &loaded, &recipe, &args.store)
    };
    let cancel = Cancel::default();
    let now = {
        let mut news = News::new(app, RunFormat::Human, &loaded.plan);
        run::stop_on_signal(cancel.clone(), news.writer());
        engine::run(&loaded.plan, &settings, &cancel, &mut news.sinks())?
    };
    let found: Vec<(&NodeRecord, Found)> = before
        .nodes
        .iter()
        .map(|node| (node, if of_moment(&node.kind) { Found::OfItsMoment } else { compare(node, &now) }))
        .collect();
    tell(app, args.format, &before, &now, &found)?;
    Ok(if now.cancelled {
        Exit::Interrupted
    } else if found.iter().all(|(_, found)| matches!(found, Found::Same | Found::OfItsMoment)) {
        Exit::Done
    } else {
        Exit::Failed
    })
}

fn compare(before: &NodeRecord, now: &RunRecord) -> Found {
    let Some(node) = now.node(&before.name) else { return Found::OtherKey };
    if before.fingerprint != node.fingerprint {
        return Found::OtherKey;
    }
    match (before.digest, node.digest) {
        (Some(before), Some(now)) if before == now => Found::Same,
        (Some(_), Some(_)) => Found::Differs,
        // It ran again and was not what it had been: the error says in what.
        (Some(_), None) if node.status == RunStatus::Failed => Found::Differs,
        _ => Found::NotMade,
    }
}

fn tell(
    app: &App,
    format: TextFormat,
    before: &RunRecord,
    now: &RunRecord,
    found: &[(&NodeRecord, Found)],
) -> Result<(), CliError> {
    let word = |found: Found| match found {
        Found::Same => "same bytes",
        Found::Differs => "differs",
        Found::OtherKey => "made from something else",
        Found::OfItsMoment => "of its moment",
        Found::NotMade => "not made",
    };
    if format == TextFormat::Json {
        let stages = found.iter().map(|(node, found)| json!({"name": node.name, "found": word(*found)}));
        let shown = json!({"version": 1, "run": before.id, "again": now.id, "stages": stages.collect::<Vec<_>>()});
        app.output.line(format!("{shown:#}"))?;
        return Ok(());
    }
    let style = app.output.data;
    let mut table = Table::new(&[]);
    for (node, found) in found {
        let mark = match found {
            Found::Same => style.good("✓"),
            Found::OfItsMoment => style.faint("–"),
            _ => style.bad("✗"),
        };
        let why = match (found, now.node(&node.name)) {
            (Found::OtherKey, Some(other)) => engine::why(&node.key, &other.key),
            (Found::OtherKey, None) => "the recipe has no such stage any more".to_owned(),
            (Found::Differs | Found::NotMade, Some(other)) => other.error.clone().unwrap_or_default(),
            _ => String::new(),
        };
        table.row([mark, node.name.clone(), word(*found).to_owned(), style.faint(&why)]);
    }
    app.output.line(table.lines().join("\n"))?;
    let same = found.iter().filter(|(_, found)| *found == Found::Same).count();
    let of_moment = found.iter().filter(|(_, found)| *found == Found::OfItsMoment).count();
    let of = plural::count(found.len() - of_moment, "stage");
    app.output.say(format!("\n{same} of {of} made the same bytes as in {}", before.id));
    Ok(())
}
