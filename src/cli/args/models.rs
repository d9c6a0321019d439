//! Commands about model folders, without a recipe.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{
    RunFormat, TextFormat,
    values::{positive, share},
};
use crate::base::device::DeviceId;

/// The columns of a file of rows.
#[derive(Debug, Args)]
pub(in crate::cli) struct TextColumns {
    /// The column of the text
    #[arg(long, requires = "data", default_value = "text", value_name = "COLUMN")]
    pub(in crate::cli) text: String,
    /// The column of a second text, for models of pairs
    #[arg(long, requires = "data", value_name = "COLUMN")]
    pub(in crate::cli) text_pair: Option<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Bench {
    /// The model folders; the others are compared with the first, or with the baseline
    #[arg(required = true, value_name = "MODEL")]
    pub(in crate::cli) models: Vec<PathBuf>,
    /// The model folder that the others are compared with, measured in the same rounds
    #[arg(long, value_name = "MODEL")]
    pub(in crate::cli) baseline: Option<PathBuf>,
    /// Sequences that go through a model together
    #[arg(long, value_delimiter = ',', default_value = "1", value_name = "SEQUENCES", value_parser = positive)]
    pub(in crate::cli) batch: Vec<usize>,
    /// Tokens a sequence
    #[arg(long, value_delimiter = ',', default_value = "32,128", value_name = "TOKENS", value_parser = positive)]
    pub(in crate::cli) length: Vec<usize>,
    /// Timed runs of each model at each batch and length [default: 20]
    #[arg(long, value_parser = positive)]
    pub(in crate::cli) rounds: Option<usize>,
    /// A file of rows (Parquet, CSV, TSV, JSON lines, Arrow IPC) to measure the time a row on, too, in file order
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) data: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) columns: TextColumns,
    /// How many rows of the file, from the first on [default: all]
    #[arg(long, requires = "data", value_name = "ROWS", value_parser = positive)]
    pub(in crate::cli) split_rows: Option<usize>,
    /// Cut rows after this many tokens
    #[arg(long, requires = "data", default_value = "128", value_name = "TOKENS", value_parser = positive)]
    pub(in crate::cli) max_length: usize,
    /// Rows that go through a model together
    #[arg(long, requires = "data", default_value = "32", value_name = "ROWS", value_parser = positive)]
    pub(in crate::cli) rows_batch: usize,
    /// Passes of each model over the rows; the median counts
    #[arg(long, requires = "data", default_value = "3", value_name = "ROUNDS", value_parser = positive)]
    pub(in crate::cli) rows_rounds: usize,
    /// Threads
    #[arg(long, default_value = "1", value_parser = positive)]
    pub(in crate::cli) threads: usize,
    /// Where the models run: `cpu`, `cuda:N`, `metal:N`
    #[arg(long, default_value = "cpu")]
    pub(in crate::cli) device: DeviceId,
    /// Do not measure the peak memory, which starts a process for each model
    #[arg(long)]
    pub(in crate::cli) no_memory: bool,
    /// A table for people, or JSON
    #[arg(long, value_enum, default_value_t)]
    pub(in crate::cli) format: TextFormat,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Predict {
    /// The model folder: `config.json`, `tokenizer.json`, `model.safetensors`
    pub(in crate::cli) model: PathBuf,
    /// Texts, one a line, or JSON lines with a `text`; `-` is standard input
    #[arg(default_value = "-")]
    pub(in crate::cli) file: PathBuf,
    /// Cut texts after this many tokens [default: what the model takes]
    #[arg(long, value_name = "TOKENS", value_parser = positive)]
    pub(in crate::cli) max_length: Option<usize>,
    /// How many texts go through the model at once
    #[arg(long, value_name = "TEXTS", default_value = "32", value_parser = positive)]
    pub(in crate::cli) batch: usize,
    /// Where the model runs: `cpu`, `cuda:N`, `metal:N`
    #[arg(long, default_value = "cpu")]
    pub(in crate::cli) device: DeviceId,
    /// How the input is read; `auto` is JSON lines when the first line begins with `{`
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(in crate::cli) input: PredictInput,
    /// JSON lines, or `label<TAB>score<TAB>text`
    #[arg(long, value_enum, default_value_t)]
    pub(in crate::cli) format: PredictFormat,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum PredictInput {
    #[default]
    Auto,
    Text,
    Json,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum PredictFormat {
    #[default]
    Json,
    Tsv,
}

/// What is not given is as the model proposes.
#[derive(Debug, Args)]
pub(in crate::cli) struct Summarize {
    /// The model folder of a LED: `config.json`, `tokenizer.json`, `model.safetensors`
    pub(in crate::cli) model: PathBuf,
    /// Files, each of them one text; `-` is standard input
    #[arg(default_value = "-", value_name = "FILE")]
    pub(in crate::cli) files: Vec<PathBuf>,
    /// Texts that are followed at once; 1 is greedy search
    #[arg(long, value_name = "BEAMS", value_parser = positive)]
    pub(in crate::cli) num_beams: Option<usize>,
    /// The power of its length by which the score of a text is divided; above 0, longer ones win
    #[arg(long, value_name = "POWER", allow_negative_numbers = true)]
    pub(in crate::cli) length_penalty: Option<f64>,
    /// When a search ends that has found as many texts as beams: at once, when the best beam is no better, or when none can be
    #[arg(long, value_enum, value_name = "WHEN")]
    pub(in crate::cli) early_stopping: Option<EarlyStopping>,
    /// So many tokens in a row stand once in a summary; 0 turns it off
    #[arg(long, value_name = "TOKENS")]
    pub(in crate::cli) no_repeat_ngram_size: Option<usize>,
    /// The least number of tokens
    #[arg(long, value_name = "TOKENS")]
    pub(in crate::cli) min_length: Option<usize>,
    /// The greatest number of tokens
    #[arg(long, value_name = "TOKENS", value_parser = positive)]
    pub(in crate::cli) max_length: Option<usize>,
    /// Quantise weights to int8 when they are read: faster, and not to the token what f32 writes
    #[arg(long)]
    pub(in crate::cli) int8: bool,
    /// Summaries, or a JSON object each, with counts and times
    #[arg(long, value_enum, default_value_t)]
    pub(in crate::cli) format: TextFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum EarlyStopping {
    True,
    False,
    Never,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Export {
    /// The model folder: `config.json`, `model.safetensors`
    pub(in crate::cli) model: PathBuf,
    /// The format
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(in crate::cli) to: ExportFormat,
    /// What f32 parameters are stored as [default: f32 of `hf`, `q8_0` of the matrices of `gguf`]
    #[arg(long, value_enum, value_name = "TYPE")]
    pub(in crate::cli) dtype: Option<ExportType>,
    /// A file, or a folder, which then gets `config.json` and the tokenizer, too [default: NAME.onnx or NAME.gguf, after the
    /// folder]
    #[arg(short, long, value_name = "FILE|DIR")]
    pub(in crate::cli) output: Option<PathBuf>,
    /// A file of rows (Parquet, CSV, TSV, JSON lines, Arrow IPC) to check on; fixed ids when left out
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) data: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) columns: TextColumns,
    /// How many rows of the file, from the first on
    #[arg(long, requires = "data", default_value = "200", value_name = "ROWS", value_parser = positive)]
    pub(in crate::cli) rows: usize,
    /// Cut rows after this many tokens
    #[arg(long, requires = "data", default_value = "128", value_name = "TOKENS", value_parser = positive)]
    pub(in crate::cli) max_length: usize,
    /// The share of the labels of these rows that must be the same in an int8 ONNX or a GGUF file [default: 0.98]
    #[arg(long, requires = "data", value_name = "SHARE", value_parser = share)]
    pub(in crate::cli) min_agreement: Option<f64>,
    /// Text for people, or JSON
    #[arg(long, value_enum, default_value_t)]
    pub(in crate::cli) format: TextFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ExportFormat {
    /// For ONNX Runtime, and what reads the same files
    Onnx,
    /// For llama.cpp: BERT and DistilBERT with their tokenizer, an encoder or a classifier
    Gguf,
    /// A Hugging Face folder with one `model.safetensors`
    Hf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ExportType {
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
pub(in crate::cli) struct Inspect {
    /// The model folder: `config.json` and weights
    pub(in crate::cli) model: PathBuf,
    /// Tables for people, or JSON
    #[arg(long, value_enum, default_value_t)]
    pub(in crate::cli) format: RunFormat,
}
