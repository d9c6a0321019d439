//! Commands about a recipe: run it, plan it, judge it.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{RecipeArgs, StoreArgs, TextFormat, values::assignment};
use crate::base::every::Every;

#[derive(Debug, Args)]
pub(in crate::cli) struct Run {
    #[command(flatten)]
    pub(in crate::cli) recipe: RecipeArgs,
    #[command(flatten)]
    pub(in crate::cli) store: StoreArgs,
    /// A folder or `s3://BUCKET/PREFIX` that other machines use, too: what one of them has made is taken from there, and what is
    /// made is put there. Address and credentials of a bucket are those that the environment has for the AWS tools
    #[arg(long, value_name = "DIR|URL", env = "LMPIPE_SHARED_STORE", hide_env_values = true)]
    pub(in crate::cli) shared_store: Option<String>,
    /// Run every stage, whatever the store holds
    #[arg(long)]
    pub(in crate::cli) force: bool,
    /// Run a stage again though it is cached, and compare what it makes, byte by byte; may be given more than once
    #[arg(long, value_name = "STAGE", conflicts_with = "force")]
    pub(in crate::cli) verify: Vec<String>,
    /// How often a training leaves a checkpoint to go on from: `30s`, `5m`, `200 steps`, `never`
    #[arg(long, value_name = "EVERY", default_value_t)]
    pub(in crate::cli) checkpoint_every: Every,
    /// Where reports go [default: `reports/NAME` in the project of the recipe]
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) reports: Option<PathBuf>,
    /// What standard output carries: nothing, or every event as a JSON line
    #[arg(long, value_enum, default_value_t)]
    pub(in crate::cli) format: RunFormat,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum RunFormat {
    #[default]
    Human,
    Json,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Plan {
    #[command(flatten)]
    pub(in crate::cli) recipe: RecipeArgs,
    #[command(flatten)]
    pub(in crate::cli) store: StoreArgs,
    /// Explain one stage: its key, and how it differs from the key of its latest run
    #[arg(long, value_name = "STAGE")]
    pub(in crate::cli) why: Option<String>,
    /// Exit with 4 when anything would run
    #[arg(long)]
    pub(in crate::cli) check: bool,
    /// Text for people, or JSON
    #[arg(long, value_enum, default_value_t)]
    pub(in crate::cli) format: TextFormat,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Validate {
    /// The recipe files
    #[arg(required = true, value_name = "RECIPE")]
    pub(in crate::cli) recipes: Vec<PathBuf>,
    /// Set a variable of the recipes; may be given more than once
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = assignment)]
    pub(in crate::cli) sets: Vec<(String, String)>,
    /// Text for people, or JSON
    #[arg(long, value_enum, default_value_t)]
    pub(in crate::cli) format: TextFormat,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Dag {
    #[command(flatten)]
    pub(in crate::cli) recipe: RecipeArgs,
    /// A tree, or the source of a drawing
    #[arg(long, value_enum, default_value_t)]
    pub(in crate::cli) format: DagFormat,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum DagFormat {
    #[default]
    Text,
    Dot,
    Mermaid,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Gate {
    /// The recipe file, which is judged by its latest run; or a run: its identifier, the beginning of it, or `latest`
    #[arg(value_name = "RECIPE|RUN")]
    pub(in crate::cli) of: PathBuf,
    /// Set a variable of the recipe; may be given more than once
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = assignment)]
    pub(in crate::cli) sets: Vec<(String, String)>,
    /// What gates with `vs: baseline` compare with [default: `baselines/NAME.json` beside the recipe, where it is]
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) baseline: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) store: StoreArgs,
    /// Text for people, or JSON
    #[arg(long, value_enum, default_value_t)]
    pub(in crate::cli) format: TextFormat,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Baseline {
    #[command(subcommand)]
    pub(in crate::cli) command: BaselineCommand,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum BaselineCommand {
    /// Write the numbers of a run to a file that is committed with the recipe, and keep what they are of in the store
    Save {
        #[command(flatten)]
        recipe: RecipeArgs,
        /// The run: its identifier, the beginning of it [default: the latest of the recipe]
        #[arg(long)]
        run: Option<String>,
        /// The file [default: `baselines/NAME.json` beside the recipe]
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
        #[command(flatten)]
        store: StoreArgs,
    },
}
