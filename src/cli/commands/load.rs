//! From a recipe file to a plan: what `run`, `plan`, `dag` and `gate` begin with.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::{
    base::{device::DeviceId, every::Every},
    cli::{
        App,
        args::{RecipeArgs, StoreArgs},
        error::CliError,
        machine::{self, Machine},
        output::say_always,
        project::{self, Project},
    },
    engine::{Baseline, RunRecord, Settings, Shared, Store},
    model,
    plan::{Made, Plan},
    recipe,
    stage::{BASELINE, Gate},
};

/// A recipe that is right, and where it belongs.
pub(super) struct Loaded {
    pub(super) plan: Plan,
    pub(super) project: Project,
}

/// Reads, checks and plans a recipe; warnings are told, errors end the command. Gates are compared with what the store has of the
/// baseline.
///
/// # Errors
/// Everything that is wrong with the recipe.
pub(super) fn load(app: &App, args: &RecipeArgs, store: &StoreArgs) -> Result<Loaded, CliError> {
    load_sharing(app, args, store, None)
}

/// The same, with a shared store that may have what the baseline is of where the store has not.
///
/// # Errors
/// As [`load`].
pub(super) fn load_sharing(
    app: &App,
    args: &RecipeArgs,
    store: &StoreArgs,
    shared: Option<&Shared>,
) -> Result<Loaded, CliError> {
    project::check_recipe(&args.recipe)?;
    let recipe = recipe::load(&args.recipe, &args.sets, &app.env, app.registry)?;
    if !recipe.warnings.is_empty() && !app.output.quiet {
        say_always(recipe.warnings.render(app.output.width, app.output.talk.0).trim_end());
    }
    let mut plan = Plan::new(&recipe, app.registry)?;
    let project = Project::of_recipe(&args.recipe);
    let baseline = take_baseline(args, &mut plan)?;
    let store = match shared {
        Some(_) => Store::open(&project.store(store))?,
        None => Store::read(&project.store(store))?,
    };
    let made = |name: &str| {
        let (_, digest) = baseline.as_ref()?.artifacts.iter().find(|(of, _)| of == name)?;
        let pulled =
            || shared.filter(|shared| shared.pull_object(&store, *digest).is_ok()).and(store.object(*digest).ok());
        let object = store.object(*digest).ok().or_else(pulled)?;
        Some(Made { dir: object.dir.canonicalize().ok()?, digest: *digest })
    };
    plan.add_comparisons(app.registry, made).map_err(|faults| CliError::usage(faults.join("; ")))?;
    Ok(Loaded { plan, project })
}

/// The baseline of a recipe, where nobody names another.
pub(super) fn baseline_path(args: &RecipeArgs, name: &str) -> PathBuf {
    let folder = args.recipe.parent().unwrap_or(Path::new("")).join("baselines");
    folder.join(project::as_file_name(name) + ".json")
}

/// Takes what gates compare with from the baseline that was named, or that is beside the recipe.
fn take_baseline(args: &RecipeArgs, plan: &mut Plan) -> Result<Option<Baseline>, CliError> {
    let path = args.baseline.clone().unwrap_or_else(|| baseline_path(args, &plan.name));
    let compared: Vec<_> = plan.gates.iter().filter(|gate| gate.versus.as_deref() == Some(BASELINE)).collect();
    if compared.is_empty() && args.baseline.is_some() {
        let error = CliError::usage("`--baseline` is given, but no gate of the recipe compares with a baseline");
        return Err(error.hint("`{metric: …, vs: baseline, max_rise: 5%}` does"));
    }
    if compared.is_empty() || args.baseline.is_none() && !path.is_file() {
        return Ok(None);
    }
    let baseline = Baseline::load(&path)?;
    if baseline.recipe != plan.name {
        let (path, of) = (path.display(), &baseline.recipe);
        return Err(CliError::usage(format!("`{path}` is the baseline of the recipe `{of}`, not of `{}`", plan.name)));
    }
    let host = if measures(plan) { Machine::detect().host() } else { Value::Null };
    let reference = |gate: &Gate| (gate.reference(), baseline.reference(&gate.metric, &host));
    plan.references = compared.into_iter().map(reference).collect();
    Ok(Some(baseline))
}

/// How the engine is to run a plan.
pub(super) fn settings(app: &App, loaded: &Loaded, recipe: &RecipeArgs, store: &StoreArgs) -> Settings {
    let host = measures(&loaded.plan).then(|| Machine::detect().host());
    Settings {
        store: loaded.project.store(store),
        shared: None,
        program: app.program.clone(),
        command: command_line(recipe),
        sets: recipe.sets.clone(),
        available: |device: DeviceId| model::available(device),
        cores: machine::cores(),
        host: host.unwrap_or(Value::Null),
        kernels: model::kernels(),
        force: false,
        verify: Vec::new(),
        checkpoints: Every::default(),
        base_dir: base_dir(recipe),
    }
}

/// The runs of a store, the latest last; those that were killed before they ended are left out.
///
/// # Errors
/// When the store cannot be read.
pub(super) fn runs(store: &Store) -> Result<Vec<RunRecord>, CliError> {
    Ok(store.runs()?.into_iter().filter_map(|run| run.record).collect())
}

/// Finds a run by its identifier, the beginning of it, the name of its recipe (the latest of them), or `latest`.
///
/// # Errors
/// When there is none, or more than one.
pub(super) fn find_run(store: &Store, wanted: &str) -> Result<RunRecord, CliError> {
    let mut runs = runs(store)?;
    let at = store.root().display();
    if runs.is_empty() {
        return Err(CliError::usage(format!("the store `{at}` holds no run")).hint("`lmpipe run RECIPE` makes one"));
    }
    if wanted == "latest" {
        return Ok(runs.pop().expect("there is a run"));
    }
    if let Some(exact) = runs.iter().position(|run| run.id == wanted) {
        return Ok(runs.swap_remove(exact));
    }
    if let Some(latest) = runs.iter().rposition(|run| run.name == wanted) {
        return Ok(runs.swap_remove(latest));
    }
    let ids: Vec<String> = runs.iter().rev().take(5).map(|run| run.id.clone()).collect();
    let mut matching: Vec<RunRecord> =
        runs.into_iter().filter(|run| !wanted.is_empty() && run.id.starts_with(wanted)).collect();
    match matching.len() {
        1 => Ok(matching.pop().expect("there is one")),
        0 => Err(CliError::usage(format!("the store `{at}` holds no run `{wanted}`"))
            .hint(format!("the latest are {}", crate::base::plural::list(&ids)))),
        _ => {
            let ids: Vec<&str> = matching.iter().map(|run| run.id.as_str()).collect();
            Err(CliError::usage(format!("`{wanted}` may be {}", crate::base::plural::list(&ids))))
        }
    }
}

fn measures(plan: &Plan) -> bool {
    plan.nodes.iter().any(|node| node.spec.measures)
}

fn base_dir(recipe: &RecipeArgs) -> std::path::PathBuf {
    let absolute = recipe.recipe.canonicalize().unwrap_or_else(|_| recipe.recipe.clone());
    absolute.parent().map_or_else(|| ".".into(), Into::into)
}

/// The command that makes the run again, as it can be pasted into a shell.
fn command_line(recipe: &RecipeArgs) -> String {
    let mut words = vec!["lmpipe".to_owned(), "run".to_owned(), quoted(&recipe.recipe.display().to_string())];
    for (name, value) in &recipe.sets {
        words.extend(["--set".to_owned(), quoted(&format!("{name}={value}"))]);
    }
    if let Some(baseline) = &recipe.baseline {
        words.extend(["--baseline".to_owned(), quoted(&baseline.display().to_string())]);
    }
    words.join(" ")
}

/// A word as a shell reads it.
pub(super) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=@:,+%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_can_be_pasted() {
        let recipe = RecipeArgs {
            recipe: "my recipes/a.yaml".into(),
            sets: vec![("epochs".into(), "1".into()), ("query".into(), "it's".into())],
            baseline: None,
        };
        assert_eq!(command_line(&recipe), r"lmpipe run 'my recipes/a.yaml' --set epochs=1 --set 'query=it'\''s'");
    }
}
