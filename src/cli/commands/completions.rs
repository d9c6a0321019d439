//! `completions SHELL`: what a shell needs to complete the command line.

use clap::CommandFactory;

use crate::cli::{App, args, error::CliError, exit::Exit};

pub(in crate::cli) fn run(app: &App, args: &args::Completions) -> Result<Exit, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut args::Cli::command(), "lmpipe", &mut script);
    app.output.data(script)?;
    Ok(Exit::Done)
}
