//! Where rows are: a path, or what a stage of a run made.

use std::path::Path;

use crate::{
    base::{inputs, suggest},
    cli::{
        args::RowArgs,
        commands::load,
        error::CliError,
        project::{Project, short},
    },
    engine::Store,
    stages::{Columns, RowSource},
};

/// Opens what is named: what is there under that name, or what a stage made.
///
/// # Errors
/// When there is neither, or it holds no rows.
pub(super) fn open(target: &str, args: &RowArgs) -> Result<RowSource, CliError> {
    let path = Path::new(target);
    if path.exists() || inputs::is_pattern(target) {
        return open_path(path, args);
    }
    let store = Store::read(&Project::here().store(&args.store))?;
    let (run, stage) = target.rsplit_once('/').unwrap_or(("latest", target));
    let nothing = || CliError::usage(format!("there is no file, folder or stage `{target}`"));
    if load::runs(&store)?.is_empty() {
        return Err(nothing().hint(format!("the store `{}` holds no run", short(store.root()))));
    }
    let record = load::find_run(&store, run).map_err(|error| if run == "latest" { error } else { nothing() })?;
    let Some(node) = record.node(stage) else {
        let datasets = record
            .nodes
            .iter()
            .filter(|node| node.digest.is_some_and(|digest| store.object_dir(digest).join("dataset.json").is_file()));
        let names: Vec<&str> = datasets.map(|node| node.name.as_str()).collect();
        let hint = suggest::help(stage, &names).map(|help| format!("of the run `{}`: {help}", record.id));
        return Err(nothing().maybe_hint(hint));
    };
    let Some(digest) = node.digest else {
        return Err(CliError::usage(format!("`{stage}` made nothing in the run `{}`", record.id)));
    };
    let dir = store.object_dir(digest);
    if !dir.is_dir() {
        return Err(CliError::usage(format!(
            "what `{stage}` made in the run `{}` is not in the store any more",
            record.id
        ))
        .hint("the run can be made again: `lmpipe reproduce`"));
    }
    if !dir.join("dataset.json").is_file() {
        return Err(CliError::usage(format!("`{stage}` is made by `{}`: that is no dataset", node.kind)));
    }
    open_path(&dir, args)
}

fn open_path(path: &Path, args: &RowArgs) -> Result<RowSource, CliError> {
    let columns = Columns { text: args.text.clone(), label: args.label.clone() };
    RowSource::open(path, &columns).map_err(|error| {
        let error = error.to_string();
        let hint = error.contains("there is no column `text`").then(|| "`--text COLUMN` names the column".to_owned());
        CliError::usage(error).maybe_hint(hint)
    })
}
