//! `export MODEL --to FORMAT`: writes a model folder in the format of another program, and checks it there.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::{
    base::units,
    cli::{
        App,
        args::{self, ExportFormat, ExportType, TextFormat},
        error::CliError,
        exit::Exit,
    },
    model::FloatType,
    stages::{self, Format, MatrixType, Request, Target, Written},
};

pub(in crate::cli) fn run(app: &App, args: &args::Export) -> Result<Exit, CliError> {
    let model = args.model.display();
    if !args.model.is_dir() {
        let error = CliError::usage(format!("there is no folder `{model}`"));
        return Err(error.hint("a model is a folder with `config.json`, `tokenizer.json` and `model.safetensors`"));
    }
    if let Some(file) = args.data.as_ref().filter(|file| !file.is_file()) {
        return Err(CliError::usage(format!("there is no file `{}`", file.display())));
    }
    let format = format(args)?;
    let extension = Path::new(format.file_name()).extension().unwrap_or_default();
    let output = args.output.clone().unwrap_or_else(|| named_after(&args.model).with_added_extension(extension));
    let is_file = format.is_one_file() && !output.is_dir() && output.extension() == Some(extension);
    let file = if is_file { output.clone() } else { output.join(format.file_name()) };
    let target = if is_file { Target::File(&output) } else { Target::Folder(&output) };
    let written = write(args, format, target)
        .map_err(|why| CliError::failed(format!("cannot export `{model}` to `{}`: {why}", file.display())))?;
    match args.format {
        TextFormat::Json => app.output.line(json_of(&file, &written))?,
        TextFormat::Text => {
            let style = app.output.data;
            let (file, bytes) = (file.display(), units::bytes(written.bytes));
            app.output.line(format!("{} {file}, {bytes}", style.good("wrote")))?;
            for note in &written.notes {
                app.output.line(format!("{} {note}", style.strong("note:")))?;
            }
            app.output.line(format!("{} {}", style.good("checked:"), written.describe()))?;
        }
    }
    Ok(Exit::Done)
}

/// The format, where what was asked for fits together.
fn format(args: &args::Export) -> Result<Format, CliError> {
    match args.to {
        ExportFormat::Onnx if args.dtype.is_some() => {
            let error = CliError::usage(
                "`--dtype` is for `--to hf` and `--to gguf`: an ONNX file is f32, with int8 layers where the model has them",
            );
            Err(error.hint("`--to hf --dtype f16` writes halves, which `transformers` reads"))
        }
        ExportFormat::Onnx => Ok(Format::Onnx),
        ExportFormat::Gguf => Ok(Format::Gguf(args.dtype.and_then(floats).map_or(MatrixType::Q8_0, MatrixType::Float))),
        ExportFormat::Hf if args.min_agreement.is_some() => Err(CliError::usage(
            "`--min-agreement` is of int8 in ONNX and of GGUF; a Hugging Face folder says the same as the model",
        )),
        ExportFormat::Hf if args.output.is_none() => {
            Err(CliError::usage("`--to hf` writes a folder: name it with `-o DIR`"))
        }
        ExportFormat::Hf => {
            let of_gguf =
                || CliError::usage("`--dtype q8_0` is for `--to gguf`: no Hugging Face folder has such numbers");
            Ok(Format::Hf(floats(args.dtype.unwrap_or(ExportType::F32)).ok_or_else(of_gguf)?))
        }
    }
}

/// The type of floats; none of blocks.
fn floats(of: ExportType) -> Option<FloatType> {
    match of {
        ExportType::F32 => Some(FloatType::F32),
        ExportType::F16 => Some(FloatType::F16),
        ExportType::Bf16 => Some(FloatType::Bf16),
        ExportType::Q8_0 => None,
    }
}

fn write(args: &args::Export, format: Format, target: Target<'_>) -> Result<Written, String> {
    let folder = tempfile::tempdir().map_err(|error| format!("no temporary folder: {error}"))?;
    if let Some(file) = &args.data {
        stages::import_whole(file, &args.columns.text, args.columns.text_pair.as_deref(), folder.path())
            .map_err(|error| format!("`{}`: {error}", file.display()))?;
    }
    let data = args.data.is_some().then(|| folder.path());
    let request = Request {
        model: &args.model,
        format,
        data,
        rows: args.rows,
        max_length: args.max_length,
        min_agreement: args.min_agreement.unwrap_or(stages::MIN_AGREEMENT),
    };
    stages::export(&request, target).map_err(|error| error.to_string())
}

/// A file in the current folder that is called after a model's folder.
fn named_after(model: &Path) -> PathBuf {
    let whole = model.canonicalize().unwrap_or_else(|_| model.to_owned());
    whole.file_name().map_or_else(|| PathBuf::from("model"), PathBuf::from)
}

fn json_of(file: &Path, written: &Written) -> String {
    let comparison = &written.comparison;
    let json = json!({
        "version": 1,
        "file": file.display().to_string(),
        "size_bytes": written.bytes,
        "weights": written.weights,
        "notes": written.notes,
        "rows": comparison.rows,
        "agreement": comparison.agreement(),
        "largest_difference": comparison.largest_difference,
        "largest": comparison.largest,
        "deviation": comparison.deviation(),
    });
    serde_json::to_string_pretty(&json).expect("plain data")
}
