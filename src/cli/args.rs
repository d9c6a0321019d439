//! The command line: global options and one struct a subcommand; declares, does nothing.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum, builder::styling};

use super::exit;
use crate::base::{device::DeviceId, every::Every, units};

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
    /// Judge the gates of a recipe by its latest run, without running
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
    /// Write the report of the latest run again
    Report(Report),
    /// Measure model folders side by side: latency, size, memory
    Bench(Bench),
    /// Classify texts with a model folder: one JSON object a line
    Predict(Predict),
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
#[derive(Clone, Debug, Args)]
pub(super) struct StoreArgs {
    /// The store [default: `.lmpipe` in the project of the recipe]
    #[arg(long, value_name = "DIR", env = "LMPIPE_STORE", hide_env_values = true)]
    pub(super) store: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Run {
    #[command(flatten)]
    pub(super) recipe: RecipeArgs,
    #[command(flatten)]
    pub(super) store: StoreArgs,
    /// Run every stage, whatever the store holds
    #[arg(long)]
    pub(super) force: bool,
    /// Run a stage again though it is cached, and compare what it makes, byte by byte; may be given more than once
    #[arg(long, value_name = "STAGE", conflicts_with = "force")]
    pub(super) verify: Vec<String>,
    /// How often a training leaves a checkpoint to go on from: `30s`, `5m`, `200 steps`, `never`
    #[arg(long, value_name = "EVERY", default_value_t)]
    pub(super) checkpoint_every: Every,
    /// Where reports go [default: `reports/NAME` in the project of the recipe]
    #[arg(long, value_name = "DIR")]
    pub(super) reports: Option<PathBuf>,
    /// What standard output carries: nothing, or every event as a JSON line
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: RunFormat,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum RunFormat {
    #[default]
    Human,
    Json,
}

#[derive(Debug, Args)]
pub(super) struct Plan {
    #[command(flatten)]
    pub(super) recipe: RecipeArgs,
    #[command(flatten)]
    pub(super) store: StoreArgs,
    /// Explain one stage: its key, and how it differs from the key of its latest run
    #[arg(long, value_name = "STAGE")]
    pub(super) why: Option<String>,
    /// Exit with 4 when anything would run
    #[arg(long)]
    pub(super) check: bool,
    /// Text for people, or JSON
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: TextFormat,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum TextFormat {
    #[default]
    Text,
    Json,
}

#[derive(Debug, Args)]
pub(super) struct Validate {
    /// The recipe files
    #[arg(required = true, value_name = "RECIPE")]
    pub(super) recipes: Vec<PathBuf>,
    /// Set a variable of the recipes; may be given more than once
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = assignment)]
    pub(super) sets: Vec<(String, String)>,
    /// Text for people, or JSON
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: TextFormat,
}

#[derive(Debug, Args)]
pub(super) struct Dag {
    #[command(flatten)]
    pub(super) recipe: RecipeArgs,
    /// A tree, or the source of a drawing
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: DagFormat,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum DagFormat {
    #[default]
    Text,
    Dot,
    Mermaid,
}

#[derive(Debug, Args)]
pub(super) struct Gate {
    #[command(flatten)]
    pub(super) recipe: RecipeArgs,
    #[command(flatten)]
    pub(super) store: StoreArgs,
    /// Text for people, or JSON
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: TextFormat,
}

#[derive(Debug, Args)]
pub(super) struct Baseline {
    #[command(subcommand)]
    pub(super) command: BaselineCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum BaselineCommand {
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

#[derive(Debug, Args)]
pub(super) struct Ls {
    /// Only runs of the recipe of this `name`
    pub(super) recipe: Option<String>,
    #[command(flatten)]
    pub(super) store: StoreArgs,
    /// Text for people, or JSON
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: TextFormat,
}

/// A run of the store.
#[derive(Debug, Args)]
pub(super) struct OneRun {
    /// A run: its identifier, the beginning of it, or `latest`
    #[arg(default_value = "latest")]
    pub(super) run: String,
    #[command(flatten)]
    pub(super) store: StoreArgs,
    /// Text for people, or JSON
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: TextFormat,
}

#[derive(Debug, Args)]
pub(super) struct Diff {
    /// A run: its identifier, the beginning of it, or `latest`
    pub(super) a: String,
    /// The run to compare it with
    pub(super) b: String,
    #[command(flatten)]
    pub(super) store: StoreArgs,
    /// Text for people, Markdown, or JSON
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: DiffFormat,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum DiffFormat {
    #[default]
    Text,
    Md,
    Json,
}

#[derive(Debug, Args)]
pub(super) struct Report {
    /// A recipe file, whose latest run is meant, or the identifier of a run; the latest run of all when left out
    #[arg(value_name = "RECIPE|RUN")]
    pub(super) of: Option<String>,
    #[command(flatten)]
    pub(super) store: StoreArgs,
    /// Where the report goes [default: `reports/NAME` in the project]
    #[arg(long, value_name = "DIR")]
    pub(super) reports: Option<PathBuf>,
}

/// The columns of a file of rows.
#[derive(Debug, Args)]
pub(super) struct TextColumns {
    /// The column of the text
    #[arg(long, requires = "data", default_value = "text", value_name = "COLUMN")]
    pub(super) text: String,
    /// The column of a second text, for models of pairs
    #[arg(long, requires = "data", value_name = "COLUMN")]
    pub(super) text_pair: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Bench {
    /// The model folders; the others are compared with the first, or with the baseline
    #[arg(required = true, value_name = "MODEL")]
    pub(super) models: Vec<PathBuf>,
    /// The model folder that the others are compared with, measured in the same rounds
    #[arg(long, value_name = "MODEL")]
    pub(super) baseline: Option<PathBuf>,
    /// Sequences that go through a model together
    #[arg(long, value_delimiter = ',', default_value = "1", value_name = "SEQUENCES", value_parser = positive)]
    pub(super) batch: Vec<usize>,
    /// Tokens a sequence
    #[arg(long, value_delimiter = ',', default_value = "32,128", value_name = "TOKENS", value_parser = positive)]
    pub(super) length: Vec<usize>,
    /// Timed runs of each model at each batch and length [default: 20]
    #[arg(long, value_parser = positive)]
    pub(super) rounds: Option<usize>,
    /// A file of rows (Parquet, CSV, TSV, JSON lines, Arrow IPC) to measure the time a row on, too, in file order
    #[arg(long, value_name = "FILE")]
    pub(super) data: Option<PathBuf>,
    #[command(flatten)]
    pub(super) columns: TextColumns,
    /// How many rows of the file, from the first on [default: all]
    #[arg(long, requires = "data", value_name = "ROWS", value_parser = positive)]
    pub(super) split_rows: Option<usize>,
    /// Cut rows after this many tokens
    #[arg(long, requires = "data", default_value = "128", value_name = "TOKENS", value_parser = positive)]
    pub(super) max_length: usize,
    /// Rows that go through a model together
    #[arg(long, requires = "data", default_value = "32", value_name = "ROWS", value_parser = positive)]
    pub(super) rows_batch: usize,
    /// Passes of each model over the rows; the median counts
    #[arg(long, requires = "data", default_value = "3", value_name = "ROUNDS", value_parser = positive)]
    pub(super) rows_rounds: usize,
    /// Threads
    #[arg(long, default_value = "1", value_parser = positive)]
    pub(super) threads: usize,
    /// Where the models run: `cpu`, `cuda:N`, `metal:N`
    #[arg(long, default_value = "cpu")]
    pub(super) device: DeviceId,
    /// Do not measure the peak memory, which starts a process for each model
    #[arg(long)]
    pub(super) no_memory: bool,
    /// A table for people, or JSON
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: TextFormat,
}

#[derive(Debug, Args)]
pub(super) struct Predict {
    /// The model folder: `config.json`, `tokenizer.json`, `model.safetensors`
    pub(super) model: PathBuf,
    /// Texts, one a line, or JSON lines with a `text`; `-` is standard input
    #[arg(default_value = "-")]
    pub(super) file: PathBuf,
    /// Cut texts after this many tokens [default: what the model takes]
    #[arg(long, value_name = "TOKENS", value_parser = positive)]
    pub(super) max_length: Option<usize>,
    /// How many texts go through the model at once
    #[arg(long, value_name = "TEXTS", default_value = "32", value_parser = positive)]
    pub(super) batch: usize,
    /// Where the model runs: `cpu`, `cuda:N`, `metal:N`
    #[arg(long, default_value = "cpu")]
    pub(super) device: DeviceId,
    /// How the input is read; `auto` is JSON lines when the first line begins with `{`
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(super) input: PredictInput,
    /// JSON lines, or `label<TAB>score<TAB>text`
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: PredictFormat,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum PredictInput {
    #[default]
    Auto,
    Text,
    Json,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum PredictFormat {
    #[default]
    Json,
    Tsv,
}

#[derive(Debug, Args)]
pub(super) struct Export {
    /// The model folder: `config.json`, `model.safetensors`
    pub(super) model: PathBuf,
    /// The format
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(super) to: ExportFormat,
    /// What f32 parameters are stored as [default: f32 of `hf`, `q8_0` of the matrices of `gguf`]
    #[arg(long, value_enum, value_name = "TYPE")]
    pub(super) dtype: Option<ExportType>,
    /// A file, or a folder, which then gets `config.json` and the tokenizer, too [default: NAME.onnx or NAME.gguf, after the
    /// folder]
    #[arg(short, long, value_name = "FILE|DIR")]
    pub(super) output: Option<PathBuf>,
    /// A file of rows (Parquet, CSV, TSV, JSON lines, Arrow IPC) to check on; fixed ids when left out
    #[arg(long, value_name = "FILE")]
    pub(super) data: Option<PathBuf>,
    #[command(flatten)]
    pub(super) columns: TextColumns,
    /// How many rows of the file, from the first on
    #[arg(long, requires = "data", default_value = "200", value_name = "ROWS", value_parser = positive)]
    pub(super) rows: usize,
    /// Cut rows after this many tokens
    #[arg(long, requires = "data", default_value = "128", value_name = "TOKENS", value_parser = positive)]
    pub(super) max_length: usize,
    /// The share of the labels of these rows that must be the same in an int8 ONNX or a GGUF file [default: 0.98]
    #[arg(long, requires = "data", value_name = "SHARE", value_parser = share)]
    pub(super) min_agreement: Option<f64>,
    /// Text for people, or JSON
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: TextFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ExportFormat {
    /// For ONNX Runtime, and what reads the same files
    Onnx,
    /// For llama.cpp: BERT and DistilBERT with their tokenizer, an encoder or a classifier
    Gguf,
    /// A Hugging Face folder with one `model.safetensors`
    Hf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ExportType {
    /// 32 bits, as lmpipe computes
    F32,
    /// 16 bits, 11 of them precision
    F16,
    /// 16 bits, 8 of them precision
    Bf16,
    /// 8 bits, on a scale for 32 numbers; of `gguf` only
    #[value(name = "q8_0")]
    Q8_0,
}

#[derive(Debug, Args)]
pub(super) struct Inspect {
    /// The model folder: `config.json` and weights
    pub(super) model: PathBuf,
    /// Tables for people, or JSON
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: RunFormat,
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
pub(super) struct Cache {
    #[command(subcommand)]
    pub(super) command: CacheCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum CacheCommand {
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

fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim().to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

fn positive(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("expected a whole number from 1".to_owned()),
        Ok(n) => Ok(n),
    }
}

fn size(text: &str) -> Result<u64, String> {
    match units::parse_bytes(text) {
        Some(bytes) if bytes >= 1.0 => Ok(bytes as u64),
        _ => Err(format!("`{text}` is no size as `500MB` or `20GB`")),
    }
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("expected a number from 0 to 1".to_owned()),
    }
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
