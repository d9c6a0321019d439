//! Commands about runs and the store that they are in.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{
    StoreArgs, TextFormat,
    values::{positive, size},
};

#[derive(Debug, Args)]
pub(in crate::cli) struct Ls {
    /// Only runs of the recipe of this `name`
    pub(in crate::cli) recipe: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) store: StoreArgs,
    /// Text for people, or JSON
    #[arg(long, value_enum, default_value_t)]
    pub(in crate::cli) format: TextFormat,
}

/// A run of the store.
#[derive(Debug, Args)]
pub(in crate::cli) struct OneRun {
    /// A run: its identifier, the beginning of it, or `latest`
    #[arg(default_value = "latest")]
    pub(in crate::cli) run: String,
    #[command(flatten)]
    pub(in crate::cli) store: StoreArgs,
    /// Text for people, or JSON
    #[arg(long, value_enum, default_value_t)]
    pub(in crate::cli) format: TextFormat,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Diff {
    /// A run: its identifier, the beginning of it, or `latest`
    pub(in crate::cli) a: String,
    /// The run to compare it with
    pub(in crate::cli) b: String,
    #[command(flatten)]
    pub(in crate::cli) store: StoreArgs,
    /// Text for people, Markdown, or JSON
    #[arg(long, value_enum, default_value_t)]
    pub(in crate::cli) format: DiffFormat,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum DiffFormat {
    #[default]
    Text,
    Md,
    Json,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Report {
    /// A recipe file, whose latest run is meant, or the identifier of a run; the latest run of all when left out
    #[arg(value_name = "RECIPE|RUN")]
    pub(in crate::cli) of: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) store: StoreArgs,
    /// Where the report goes [default: `reports/NAME` in the project]
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) reports: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Cache {
    #[command(subcommand)]
    pub(in crate::cli) command: CacheCommand,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum CacheCommand {
    /// List what the store holds, the latest first
    Ls {
        #[command(flatten)]
        store: StoreArgs,
        /// Text for people, or JSON
        #[arg(long, value_enum, default_value_t)]
        format: TextFormat,
    },
    /// Read everything back and compare it with its digest
    Verify(StoreArgs),
    /// Print where the store is, or where the latest output of a stage is: `cache path mobile int8`
    Path {
        /// A recipe: its file, or its `name`
        #[arg(requires = "stage")]
        recipe: Option<String>,
        /// One of its stages, with its cell
        stage: Option<String>,
        #[command(flatten)]
        store: StoreArgs,
    },
    /// Print how much disk space the store takes
    Size(StoreArgs),
    /// Remove old runs, and what was used least recently; never what the latest run of a recipe made
    Gc {
        /// Bytes of artifacts that stay, as `20GB`; those used least recently go
        #[arg(long, value_name = "SIZE", value_parser = size)]
        max_size: Option<u64>,
        /// Runs of each recipe that stay; with the others goes what they alone refer to
        #[arg(long, value_name = "N", value_parser = positive)]
        keep_runs: Option<usize>,
        /// Tell what would go, and remove nothing
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        store: StoreArgs,
        /// Text for people, or JSON
        #[arg(long, value_enum, default_value_t)]
        format: TextFormat,
    },
}
