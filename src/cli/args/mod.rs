//! The command line: global options and one struct a subcommand; declares, does nothing.

mod data;
mod models;
mod recipes;
mod runs;
mod values;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum, builder::styling};
pub(super) use data::{Data, DataCommand, DataDiff, DataHead, DataStats, RowArgs, SplitName};
pub(super) use models::{
    Bench, EarlyStopping, Export, ExportFormat, ExportType, Inspect, Predict, PredictFormat, PredictInput, Summarize,
};
pub(super) use recipes::{Baseline, BaselineCommand, Dag, DagFormat, Gate, Plan, Run, RunFormat, Validate};
pub(super) use runs::{Cache, CacheCommand, Diff, DiffFormat, Ls, OneRun, Report};
use values::assignment;

use super::exit;

const STYLES: styling::Styles = styling::Styles::styled()
    .header(styling::AnsiColor::Green.on_default().bold())
    .usage(styling::AnsiColor::Green.on_default().bold())
    .literal(styling::AnsiColor::Cyan.on_default().bold())
    .placeholder(styling::AnsiColor::Cyan.on_default());

/// One recipe from raw text and a pretrained encoder to a small, fast, proven language model.
#[derive(Debug, Parser)]
#[command(
    name = "lmpipe", version, styles = STYLES, max_term_width = 100, propagate_version = false,
    subcommand_required = true, arg_required_else_help = true, after_help = exit::HELP
)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// Options of every command.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(super) struct Global {
    /// When to color output; `auto` is: on a terminal, unless `NO_COLOR` is set
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub(super) color: ColorWhen,
    /// Say nothing but errors
    #[arg(short, long, global = true)]
    pub(super) quiet: bool,
    /// Say more; twice for debugging. `LMPIPE_LOG` chooses by module
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(super) verbose: u8,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum ColorWhen {
    #[default]
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run a recipe: what the store already holds is taken from there
    Run(Run),
    /// Show what a run would do, and why
    Plan(Plan),
    /// Check recipes without running anything; every problem is told at once
    Validate(Validate),
    /// Print the graph of a recipe's stages
    Dag(Dag),
    /// Judge the gates of a recipe by its latest run, or those of a run, without running
    Gate(Gate),
    /// Save the numbers of a recipe's latest run, for gates with `vs: baseline`
    Baseline(Baseline),
    /// List the runs of the store, the latest first
    Ls(Ls),
    /// Show a run again, as it was told when it ended
    Show(OneRun),
    /// Make a run again and compare the bytes of what its stages make
    Reproduce(OneRun),
    /// Compare two runs: metrics, parameters, artifacts, environment
    Diff(Diff),
    /// Look at rows: the first ones, what is in a dataset, what changed from one to another
    Data(Data),
    /// Write the report of the latest run again
    Report(Report),
    /// Measure model folders side by side: latency, size, memory
    Bench(Bench),
    /// Classify texts with a model folder: one JSON object a line
    Predict(Predict),
    /// Write summaries of files with a model folder of LED
    Summarize(Summarize),
    /// Write a model folder in the format of another program, and check it there
    Export(Export),
    /// Show what a model folder holds: shape, weights, zeros, tokenizer, and who opens it
    Inspect(Inspect),
    /// List the kinds of stages, or explain one
    Stages(Stages),
    /// Print the JSON Schema of recipes, for editors
    Schema,
    /// Write a commented starter recipe with a little data
    Init(Init),
    /// Look into the store
    Cache(Cache),
    /// Show what this machine offers and what is missing
    Doctor(Doctor),
    /// Print the completions of a shell
    Completions(Completions),
    /// Measure one model in a process of its own (`bench` starts this)
    #[command(name = "__probe", hide = true)]
    Probe(Probe),
}

/// A recipe and what changes it.
#[derive(Debug, Args)]
pub(super) struct RecipeArgs {
    /// The recipe file
    pub(super) recipe: PathBuf,
    /// Set a variable of the recipe; may be given more than once
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = assignment)]
    pub(super) sets: Vec<(String, String)>,
    /// What gates with `vs: baseline` compare with [default: `baselines/NAME.json` beside the recipe, where it is]
    #[arg(long, value_name = "FILE")]
    pub(super) baseline: Option<PathBuf>,
}

/// Where the store is.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct StoreArgs {
    /// The store [default: `.lmpipe` in the project of the recipe]
    #[arg(long, value_name = "DIR", env = "LMPIPE_STORE", hide_env_values = true)]
    pub(super) store: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum TextFormat {
    #[default]
    Text,
    Json,
}

#[derive(Debug, Args)]
pub(super) struct Stages {
    /// The kind to explain; all kinds are listed when left out
    pub(super) kind: Option<String>,
    /// The whole reference as Markdown
    #[arg(long, conflicts_with = "kind")]
    pub(super) markdown: bool,
}

#[derive(Debug, Args)]
pub(super) struct Init {
    /// The folder to write to; made if needed
    #[arg(default_value = ".")]
    pub(super) dir: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct Doctor {
    #[command(flatten)]
    pub(super) store: StoreArgs,
    /// Text for people, or JSON
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: TextFormat,
}

#[derive(Debug, Args)]
pub(super) struct Completions {
    /// The shell
    #[arg(value_enum)]
    pub(super) shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub(super) struct Probe {
    /// What to measure, as `bench` writes it
    #[arg(allow_hyphen_values = true, trailing_var_arg = true)]
    pub(super) args: Vec<String>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_declaration_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn assignments_split_at_the_first_equals_sign() {
        let cli = Cli::parse_from(["lmpipe", "run", "r.yaml", "--set", "a=1", "--set", "query=x = 1"]);
        let Command::Run(run) = cli.command else { panic!("not a run") };
        assert_eq!(run.recipe.sets, [("a".into(), "1".into()), ("query".into(), "x = 1".into())]);
        for wrong in ["a", "=1", ""] {
            assert!(Cli::try_parse_from(["lmpipe", "run", "r.yaml", "--set", wrong]).is_err(), "{wrong}");
        }
    }
}
