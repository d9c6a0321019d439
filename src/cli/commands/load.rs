//! From a recipe file to a plan: what `run`, `plan`, `dag` and `gate` begin with.

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
    engine::{RunRecord, Settings, Store},
    model,
    plan::Plan,
    recipe,
};

/// A recipe that is right, and where it belongs.
pub(super) struct Loaded {
    pub(super) plan: Plan,
    pub(super) project: Project,
}

/// Reads, checks and plans a recipe; warnings are told, errors end the command.
///
/// # Errors
/// Everything that is wrong with the recipe.
pub(super) fn load(app: &App, args: &RecipeArgs) -> Result<Loaded, CliError> {
    project::check_recipe(&args.recipe)?;
    let recipe = recipe::load(&args.recipe, &args.sets, &app.env, app.registry)?;
    if !recipe.warnings.is_empty() && !app.output.quiet {
        say_always(recipe.warnings.render(app.output.width, app.output.talk.0).trim_end());
    }
    let plan = Plan::new(&recipe, app.registry)?;
    Ok(Loaded { plan, project: Project::of_recipe(&args.recipe) })
}

/// How the engine is to run a plan.
pub(super) fn settings(app: &App, loaded: &Loaded, recipe: &RecipeArgs, store: &StoreArgs) -> Settings {
    let host = measures(&loaded.plan).then(|| Machine::detect().host());
    Settings {
        store: loaded.project.store(store),
        program: app.program.clone(),
        command: command_line(recipe),
        available: |device: DeviceId| model::available(device),
        cores: machine::cores(),
        host: host.unwrap_or(Value::Null),
        force: false,
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

/// Finds a run by its identifier, the beginning or the end of it, or `latest`.
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
        };
        assert_eq!(command_line(&recipe), r"lmpipe run 'my recipes/a.yaml' --set epochs=1 --set 'query=it'\''s'");
    }
}
