//! The command line: parses, dispatches, turns a result into an exit code; the only floor that prints or exits.

mod args;
mod commands;
mod error;
mod exit;
mod headline;
mod logging;
mod machine;
mod output;
mod progress;
mod project;
mod reference;
mod table;

use std::{collections::BTreeMap, env, ffi::OsString, path::PathBuf, process::ExitCode};

use clap::Parser;

pub use exit::Exit;

use self::{
    args::{Cli, Command},
    error::CliError,
    output::Output,
};
use crate::{model, stage::Registry, stages};

/// The whole program.
#[must_use]
pub fn main() -> ExitCode {
    let env = environment(env::vars_os());
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are errors to clap; they go to standard output and end with 0.
            let printed = error.print();
            drop(printed);
            return if error.use_stderr() { Exit::Usage } else { Exit::Done }.into();
        }
    };
    let app = App { output: Output::new(&cli.global, &env), env, registry: &stages::REGISTRY, program: program() };
    match app.run(&cli.command) {
        Ok(exit) => exit,
        Err(error) => error.report(&app.output),
    }
    .into()
}

/// What every command works with.
struct App {
    output: Output,
    /// The environment, read once; what it says is passed on as values.
    env: BTreeMap<String, String>,
    registry: &'static Registry,
    program: PathBuf,
}

impl App {
    fn run(&self, command: &Command) -> Result<Exit, CliError> {
        logging::start(&self.output, &self.env)?;
        if let Some(isa) = self.env.get("LMPIPE_ISA").filter(|isa| !isa.is_empty()) {
            model::limit_isa(isa).map_err(|why| CliError::usage(format!("`LMPIPE_ISA`: {why}")))?;
        }
        match command {
            Command::Run(args) => commands::run::run(self, args),
            Command::Plan(args) => commands::plan::run(self, args),
            Command::Validate(args) => commands::validate::run(self, args),
            Command::Dag(args) => commands::dag::run(self, args),
            Command::Baseline(args) => commands::baseline::run(self, &args.command),
            Command::Gate(args) => commands::gate::run(self, args),
            Command::Ls(args) => commands::ls::list(self, args),
            Command::Show(args) => commands::ls::show(self, args),
            Command::Reproduce(args) => commands::reproduce::run(self, args),
            Command::Diff(args) => commands::diff::run(self, args),
            Command::Data(args) => commands::data::run(self, args),
            Command::Report(args) => commands::report::run(self, args),
            Command::Bench(args) => commands::bench::run(self, args),
            Command::Predict(args) => commands::predict::run(self, args),
            Command::Summarize(args) => commands::summarize::run(self, args),
            Command::Export(args) => commands::export::run(self, args),
            Command::Inspect(args) => commands::inspect::run(self, args),
            Command::Stages(args) => commands::stages::run(self, args),
            Command::Schema => commands::schema::run(self),
            Command::Init(args) => commands::init::run(self, args),
            Command::Cache(args) => commands::cache::run(self, &args.command),
            Command::Doctor(args) => commands::doctor::run(self, args),
            Command::Completions(args) => commands::completions::run(self, args),
            Command::Probe(args) => commands::probe::run(self, args),
        }
    }
}

/// The environment as text; a variable that is not Unicode is nothing that a recipe could name.
fn environment(variables: impl Iterator<Item = (OsString, OsString)>) -> BTreeMap<String, String> {
    variables.filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))).collect()
}

/// The program itself, which `bench` starts again to measure memory.
fn program() -> PathBuf {
    env::current_exe().unwrap_or_else(|_| PathBuf::from("lmpipe"))
}
