//! `report`: writes the reports of a finished run to where people look for them.

use std::path::{Path, PathBuf};

use super::load;
use crate::{
    cli::{
        App,
        args::{self, RecipeArgs},
        error::CliError,
        exit::Exit,
        project::{self, Project, short},
    },
    engine::{RunRecord, Store},
    stage::ArtifactKind,
};

pub(in crate::cli) fn run(app: &App, args: &args::Report) -> Result<Exit, CliError> {
    let (project, run) = find(app, args)?;
    let store = Store::read(&project.store(&args.store))?;
    let written = export(app, &store, &run, &project.reports(args.reports.as_deref(), &run.name))?;
    if written.is_empty() {
        return Err(CliError::failed(format!("the run `{}` made no report", run.id))
            .hint("a stage with `uses: report` makes one"));
    }
    for path in written {
        app.output.line(short(&path))?;
    }
    Ok(Exit::Done)
}

/// The run that is meant: the latest of a recipe, or one of the store of this project.
fn find(app: &App, args: &args::Report) -> Result<(Project, RunRecord), CliError> {
    let of = args.of.as_deref().unwrap_or("latest");
    let path = Path::new(of);
    if !project::names_recipe(path) {
        let project = Project::here();
        let run = load::find_run(&Store::read(&project.store(&args.store))?, of)?;
        return Ok((project, run));
    }
    let recipe = RecipeArgs { recipe: path.to_owned(), sets: Vec::new(), baseline: None };
    let loaded = load::load(app, &recipe, &args.store)?;
    let store = Store::read(&loaded.project.store(&args.store))?;
    match store.latest_run(&loaded.plan.name)? {
        Some(run) => Ok((loaded.project, run)),
        None => {
            Err(CliError::failed(format!("`{}` was never run", loaded.plan.name))
                .hint(format!("`lmpipe run {of}` does")))
        }
    }
}

/// Copies the reports of a run; tells the page to open of each.
///
/// # Errors
/// When the store is damaged, or a file cannot be written.
pub(super) fn export(app: &App, store: &Store, run: &RunRecord, to: &Path) -> Result<Vec<PathBuf>, CliError> {
    let mut reports = Vec::new();
    for node in &run.nodes {
        let makes_report = app.registry.get(&node.kind).is_some_and(|spec| spec.output == ArtifactKind::Report);
        if let Some(digest) = node.digest.filter(|_| makes_report) {
            reports.push((node.name.as_str(), digest));
        }
    }
    let mut written = Vec::new();
    for (name, digest) in &reports {
        // One report takes the folder, many take a folder each.
        let folder = if reports.len() == 1 { to.to_owned() } else { to.join(name) };
        store.export(*digest, &folder)?;
        let page = folder.join("index.html");
        written.push(if page.is_file() { page } else { folder });
    }
    Ok(written)
}
