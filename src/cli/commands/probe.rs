//! `__probe`: the worker that `bench` starts to measure one model in a process of its own.

use crate::{
    cli::{App, args, error::CliError, exit::Exit},
    stages,
};

pub(in crate::cli) fn run(app: &App, args: &args::Probe) -> Result<Exit, CliError> {
    let found = stages::probe(&args.args).map_err(|error| CliError::failed(error.to_string()))?;
    app.output.line(found)?;
    Ok(Exit::Done)
}
