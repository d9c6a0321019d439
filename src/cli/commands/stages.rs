//! `stages [KIND]`: the stage reference, from the registry.

use crate::{
    base::suggest,
    cli::{
        App, args,
        error::CliError,
        exit::Exit,
        reference::{self, StageDoc},
    },
};

pub(in crate::cli) fn run(app: &App, args: &args::Stages) -> Result<Exit, CliError> {
    let output = &app.output;
    match &args.kind {
        _ if args.markdown => output.data(reference::markdown(app.registry))?,
        None => output.line(reference::list(app.registry, output.data))?,
        Some(kind) => {
            let Some(spec) = app.registry.get(kind) else {
                let kinds: Vec<&str> = app.registry.0.iter().map(|spec| spec.kind).collect();
                let error = CliError::usage(format!("no stage is called `{kind}`"));
                return Err(error.maybe_hint(suggest::help(kind, &kinds)));
            };
            output.line(reference::text(&StageDoc::of(spec), output.data, output.width))?;
        }
    }
    Ok(Exit::Done)
}
