//! `cache ls|verify|path|size|gc`: looks into the store, and tidies it.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use serde_json::json;

use crate::{
    base::{plural, suggest, units},
    cli::{
        App,
        args::{CacheCommand, StoreArgs, TextFormat},
        error::CliError,
        exit::Exit,
        project::{Project, short},
        table::Table,
    },
    engine::{Limits, Object, Removed, Store, Tidying},
    recipe,
};

pub(in crate::cli) fn run(app: &App, command: &CacheCommand) -> Result<Exit, CliError> {
    match command {
        CacheCommand::Ls { store, format } => list(app, &open(store)?, *format),
        CacheCommand::Verify(store) => verify(app, &open(store)?),
        CacheCommand::Path { recipe: Some(recipe), stage: Some(stage), store } => {
            let (project, recipe) = named(app, recipe)?;
            app.output.line(output_of(&open_in(&project, store)?, &recipe, stage)?.display().to_string())?;
            Ok(Exit::Done)
        }
        CacheCommand::Path { store, .. } => {
            app.output.line(Project::here().store(store).display().to_string())?;
            Ok(Exit::Done)
        }
        CacheCommand::Gc { max_size, keep_runs, dry_run, store, format } => {
            let limits = Limits { max_bytes: *max_size, keep_runs: *keep_runs };
            tidy(app, &open(store)?, limits, *dry_run, *format)
        }
        CacheCommand::Size(store) => {
            let size = open(store)?.size()?;
            let mut table = Table::new(&[1]);
            table.row(["objects", &size.objects.to_string(), &units::bytes(size.object_bytes)]);
            table.row(["actions", &size.actions.to_string()]);
            table.row(["runs", &size.runs.to_string()]);
            table.row(["in all", "", &units::bytes(size.total_bytes)]);
            app.output.line(table.lines().join("\n"))?;
            Ok(Exit::Done)
        }
    }
}

/// The project and the name of a recipe, which is a file or the name of one that has run in this project.
fn named(app: &App, recipe: &str) -> Result<(Project, String), CliError> {
    let path = Path::new(recipe);
    if !path.is_file() {
        return Ok((Project::here(), recipe.to_owned()));
    }
    let name = recipe::load(path, &[], &app.env, app.registry)?.name;
    Ok((Project::of_recipe(path), name))
}

fn open(args: &StoreArgs) -> Result<Store, CliError> {
    open_in(&Project::here(), args)
}

fn open_in(project: &Project, args: &StoreArgs) -> Result<Store, CliError> {
    let path = project.store(args);
    if args.store.is_some() && !path.is_dir() {
        return Err(CliError::usage(format!("there is no store `{}`", path.display())));
    }
    Ok(Store::read(&path)?)
}

/// The folder that a stage made in the latest run of a recipe.
fn output_of(store: &Store, recipe: &str, stage: &str) -> Result<PathBuf, CliError> {
    let Some(run) = store.latest_run(recipe)? else {
        let known: BTreeSet<String> = store.runs()?.into_iter().filter_map(|run| Some(run.record?.name)).collect();
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        return Err(CliError::usage(format!("no recipe called `{recipe}` has run here"))
            .maybe_hint(suggest::help(recipe, &known)));
    };
    let Some(node) = run.nodes.iter().find(|node| node.name == stage) else {
        let names: Vec<&str> = run.nodes.iter().map(|node| node.name.as_str()).collect();
        return Err(CliError::usage(format!("the recipe `{recipe}` has no stage `{stage}`"))
            .maybe_hint(suggest::help(stage, &names)));
    };
    match node.digest {
        Some(digest) => Ok(store.object_dir(digest)),
        None => Err(CliError::usage(format!("`{stage}` made nothing in the latest run of `{recipe}`"))),
    }
}

fn list(app: &App, store: &Store, format: TextFormat) -> Result<Exit, CliError> {
    let mut objects: Vec<(SystemTime, Object)> = store
        .objects()?
        .into_iter()
        .filter_map(|digest| {
            let object = store.object(digest).ok()?;
            let made = fs::metadata(&object.dir).and_then(|dir| dir.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
            Some((made, object))
        })
        .collect();
    objects.sort_by(|a, b| (b.0, a.1.manifest.digest).cmp(&(a.0, b.1.manifest.digest)));
    let bytes = |object: &Object| object.manifest.files.iter().map(|file| file.bytes).sum::<u64>();
    if format == TextFormat::Json {
        let shown: Vec<_> = objects
            .iter()
            .map(|(_, object)| {
                let manifest = &object.manifest;
                json!({
                    "digest": manifest.digest, "kind": manifest.kind, "stage": manifest.stage, "name": manifest.name,
                    "bytes": bytes(object), "path": object.dir,
                })
            })
            .collect();
        app.output.line(format!("{:#}", json!(shown)))?;
        return Ok(Exit::Done);
    }
    if objects.is_empty() {
        app.output.say(format!("the store `{}` is empty", short(store.root())));
        return Ok(Exit::Done);
    }
    let style = app.output.data;
    let mut table = Table::new(&[4]);
    for (made, object) in &objects {
        let manifest = &object.manifest;
        table.row([
            style.accent(&manifest.digest.short()),
            manifest.kind.to_string(),
            manifest.name.clone(),
            style.faint(&manifest.stage),
            units::bytes(bytes(object)),
            style.faint(&made.elapsed().map_or_else(|_| String::new(), |age| format!("{} ago", units::duration(age)))),
        ]);
    }
    app.output.line(table.lines().join("\n"))?;
    Ok(Exit::Done)
}

fn verify(app: &App, store: &Store) -> Result<Exit, CliError> {
    let damage = store.verify()?;
    for found in &damage {
        app.output.line(found.to_string())?;
    }
    let size = store.size()?;
    if damage.is_empty() {
        let (objects, actions) = (plural::count(size.objects, "object"), plural::count(size.actions, "action"));
        app.output.say(format!("{} {objects} and {actions} are as they were written", app.output.talk.good("✓")));
        return Ok(Exit::Done);
    }
    Err(CliError::with(
        Exit::Store,
        format!("{} in `{}`", plural::count(damage.len(), "damaged file"), short(store.root())),
    )
    .hint("remove what is named; the next run makes it again"))
}

fn tidy(app: &App, store: &Store, limits: Limits, dry_run: bool, format: TextFormat) -> Result<Exit, CliError> {
    if !store.root().is_dir() {
        app.output.say(format!("there is no store `{}`", short(store.root())));
        return Ok(Exit::Done);
    }
    let tidying = if dry_run {
        store.plan_tidying(limits)?
    } else {
        // From here on no run begins; what would go is looked at again.
        let _alone = store.lock()?;
        let tidying = store.plan_tidying(limits)?;
        store.tidy(&tidying)?;
        tidying
    };
    let kind = |removed: &Removed| if removed.is_partial { "checkpoint" } else { "object" };
    if format == TextFormat::Json {
        let objects = tidying.objects.iter().map(|removed| {
            let Removed { name, digest, bytes, .. } = removed;
            json!({"kind": kind(removed), "name": name, "digest": digest, "bytes": bytes})
        });
        let json = json!({
            "version": 1, "dry_run": dry_run, "runs": tidying.runs, "objects": objects.collect::<Vec<_>>(),
            "freed_bytes": tidying.freed, "left_bytes": tidying.left, "pinned_bytes": tidying.pinned,
        });
        app.output.line(format!("{json:#}"))?;
        return Ok(Exit::Done);
    }
    let style = app.output.data;
    let mut table = Table::new(&[3]);
    for removed in &tidying.objects {
        let digest = style.accent(&removed.digest.short());
        table.row([digest, kind(removed).to_owned(), removed.name.clone(), units::bytes(removed.bytes)]);
    }
    if !tidying.objects.is_empty() {
        app.output.line(table.lines().join("\n"))?;
    }
    tell_tidied(app, &tidying, limits, dry_run);
    Ok(Exit::Done)
}

fn tell_tidied(app: &App, tidying: &Tidying, limits: Limits, dry_run: bool) {
    let Tidying { runs, objects, freed, left, pinned, .. } = tidying;
    let done = if dry_run { "would free" } else { "freed" };
    let (objects, runs) = (plural::count(objects.len(), "artifact"), plural::count(runs.len(), "run"));
    app.output.say(format!(
        "{done} {}: {objects} and {runs}; {} stay, {} of them pinned",
        units::bytes(*freed),
        units::bytes(*left),
        units::bytes(*pinned)
    ));
    if limits == Limits::default() {
        app.output.say("  hint: `--max-size 20GB` and `--keep-runs 5` say how much is to stay");
    }
    if let Some(max) = limits.max_bytes.filter(|max| left > max) {
        let (left, max) = (units::bytes(*left), units::bytes(max));
        app.output.say(format!(
            "{} {left} stay, more than the {max} that were asked for: they are what the latest run of each recipe made, or what \
             a baseline names",
            app.output.talk.warning("warning:")
        ));
    }
}
