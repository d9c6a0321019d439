//! Commands about rows: of datasets, and of files that are none yet.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{DiffFormat, StoreArgs, TextFormat, values::positive};

#[derive(Debug, Args)]
pub(in crate::cli) struct Data {
    #[command(subcommand)]
    pub(in crate::cli) command: DataCommand,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum DataCommand {
    /// Show the first rows
    Head(DataHead),
    /// Tell what is in a dataset: lengths, labels, repeats, languages, words
    Stats(DataStats),
    /// Compare two datasets row by row: what was added, removed, changed
    Diff(DataDiff),
}

/// What is known of rows beside where they are.
#[derive(Debug, Args)]
pub(in crate::cli) struct RowArgs {
    /// The column of the text, in files that are no dataset [default: `text`]
    #[arg(long, value_name = "COLUMN")]
    pub(in crate::cli) text: Option<String>,
    /// The column of the label, in files that are no dataset [default: `label`, where it is]
    #[arg(long, value_name = "COLUMN")]
    pub(in crate::cli) label: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) store: StoreArgs,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct DataHead {
    /// A folder of a dataset, a table, a folder or pattern of tables, `STAGE` of the latest run,
    /// `RECIPE/STAGE` of the latest of a recipe, or `RUN/STAGE`
    pub(in crate::cli) target: String,
    /// How many rows
    #[arg(short, default_value = "5", value_name = "ROWS", value_parser = positive)]
    pub(in crate::cli) n: usize,
    /// Rows of one split only
    #[arg(long, value_enum)]
    pub(in crate::cli) split: Option<SplitName>,
    #[command(flatten)]
    pub(in crate::cli) rows: RowArgs,
    /// A listing for people, or a JSON object a line
    #[arg(long, value_enum, default_value_t)]
    pub(in crate::cli) format: TextFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum SplitName {
    Train,
    Validation,
    Test,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct DataStats {
    /// A folder of a dataset, a table, a folder or pattern of tables, `STAGE` of the latest run,
    /// `RECIPE/STAGE` of the latest of a recipe, or `RUN/STAGE`
    pub(in crate::cli) target: String,
    /// A model folder, by whose tokenizer rows are measured in tokens, too
    #[arg(long, value_name = "MODEL")]
    pub(in crate::cli) tokenizer: Option<PathBuf>,
    /// Tokens that a model is to read: longer rows are counted
    #[arg(long, requires = "tokenizer", value_name = "TOKENS", value_parser = positive)]
    pub(in crate::cli) max_length: Option<usize>,
    #[command(flatten)]
    pub(in crate::cli) rows: RowArgs,
    /// Tables for people, or JSON
    #[arg(long, value_enum, default_value_t)]
    pub(in crate::cli) format: TextFormat,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct DataDiff {
    /// The rows before: as of `data stats`
    pub(in crate::cli) before: String,
    /// The rows after
    pub(in crate::cli) after: String,
    /// How many changed, added and removed rows are shown of each
    #[arg(short, default_value = "5", value_name = "ROWS")]
    pub(in crate::cli) n: usize,
    #[command(flatten)]
    pub(in crate::cli) rows: RowArgs,
    /// Text for people, Markdown, or JSON
    #[arg(long, value_enum, default_value_t)]
    pub(in crate::cli) format: DiffFormat,
}
