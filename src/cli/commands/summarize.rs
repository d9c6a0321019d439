//! `summarize MODEL [FILE|-]…`: writes a summary of each file.

use std::{
    io::{self, IsTerminal, Read},
    path::Path,
};

use serde_json::json;

use crate::{
    base::fs,
    cli::{
        App,
        args::{self, EarlyStopping, TextFormat},
        error::CliError,
        exit::Exit,
    },
    model,
    stages::{Generation, Precision, Stopping, Summarizer},
};

pub(in crate::cli) fn run(app: &App, args: &args::Summarize) -> Result<Exit, CliError> {
    let model = args.model.display();
    if !args.model.is_dir() {
        let error = CliError::usage(format!("there is no folder `{model}`"));
        return Err(error.hint("a model is a folder with `config.json`, `tokenizer.json` and `model.safetensors`"));
    }
    let generation = generation(args);
    if let Some((_, what)) = generation.fault() {
        return Err(CliError::usage(what));
    }
    let failed = |why: &dyn std::fmt::Display| CliError::failed(format!("cannot summarise with `{model}`: {why}"));
    let precision = if args.int8 { Precision::Int8 } else { Precision::F32 };
    let summarizer = Summarizer::load_as(&args.model, precision).map_err(|why| failed(&why))?;
    summarizer.settings(&generation).map_err(|why| failed(&why))?;
    for note in &summarizer.notes {
        app.output.say(note);
    }
    for file in &args.files {
        let text = read(app, file)?;
        let name = file.display().to_string();
        let summary = summarizer.summary(&text, &generation).map_err(|why| failed(&format!("`{name}`: {why}")))?;
        match args.format {
            TextFormat::Json => app.output.line(
                json!({
                    "file": name,
                    "summary": summary.text,
                    "tokens": {"read": summary.read, "written": summary.written},
                    "is_cut": summary.is_cut,
                    "ms": {
                        "reading": summary.reading.as_secs_f64() * 1e3,
                        "writing": summary.writing.as_secs_f64() * 1e3,
                    },
                })
                .to_string(),
            )?,
            TextFormat::Text => {
                if summary.is_cut {
                    app.output.say(format!("only the first {} tokens of `{name}` were read", summary.read));
                }
                app.output.line(summary.text.trim())?;
            }
        }
    }
    Ok(Exit::Done)
}

fn generation(args: &args::Summarize) -> Generation {
    Generation {
        num_beams: args.num_beams,
        length_penalty: args.length_penalty,
        early_stopping: args.early_stopping.map(|stopping| {
            Stopping(match stopping {
                EarlyStopping::True => model::EarlyStopping::AtOnce,
                EarlyStopping::False => model::EarlyStopping::Heuristic,
                EarlyStopping::Never => model::EarlyStopping::Never,
            })
        }),
        no_repeat_ngram_size: args.no_repeat_ngram_size,
        min_length: args.min_length,
        max_length: args.max_length,
    }
}

fn read(app: &App, file: &Path) -> Result<String, CliError> {
    if file != Path::new("-") {
        return fs::read_text(file).map_err(|error| CliError::usage(error.to_string()));
    }
    let mut input = io::stdin();
    if input.is_terminal() {
        app.output.say("reading a text from the terminal; Ctrl-D ends it");
    }
    let mut text = String::new();
    input.read_to_string(&mut text).map_err(|error| CliError::usage(format!("cannot read standard input: {error}")))?;
    Ok(text)
}
