//! `inspect MODEL`: what a model folder holds, and who opens it.

mod facts;
mod json;
mod led;
mod parts;

use std::path::Path;

use crate::{
    base::model_dir::{self, TokenizerSource},
    cli::{
        App,
        args::{self, RunFormat},
        error::CliError,
        exit::Exit,
    },
    model::{self, Inspection, Led},
    stages::Tokenizer,
};

/// The length that the work of a pass is told for.
const TOKENS: usize = 128;

pub(in crate::cli) fn run(app: &App, args: &args::Inspect) -> Result<Exit, CliError> {
    let model = args.model.display();
    if !args.model.is_dir() {
        let error = CliError::usage(format!("there is no folder `{model}`"));
        return Err(error.hint("a model is a folder with `config.json`, `tokenizer.json` and `model.safetensors`"));
    }
    let failed = |why: &dyn std::fmt::Display| CliError::failed(format!("cannot inspect `{model}`: {why}"));
    if model::is_led(&args.model) {
        let led = Led::load(&args.model).map_err(|why| failed(&why))?;
        let (words, files) = (Words::of(&args.model), model_dir::weights(&args.model).map_err(|why| failed(&why))?);
        match args.format {
            RunFormat::Json => app.output.line(format!("{:#}", led::json(&led, &words, &files)))?,
            RunFormat::Human => {
                let style = app.output.data;
                let lines = [vec![style.strong(&model.to_string())], led::lines(style, &led, &words, &files)].concat();
                app.output.line(lines.join("\n"))?;
            }
        }
        return Ok(Exit::Done);
    }
    let inspection = model::inspect(&args.model).map_err(|why| failed(&why))?;
    let words = Words::of(&args.model);
    match args.format {
        RunFormat::Json => app.output.line(format!("{:#}", json::of(&inspection, &words)))?,
        RunFormat::Human => {
            let style = app.output.data;
            let mut lines = vec![style.strong(&model.to_string())];
            lines.extend(facts::lines(style, &inspection, &words));
            lines.push(String::new());
            lines.extend(parts::lines(style, &inspection));
            app.output.line(lines.join("\n"))?;
        }
    }
    Ok(Exit::Done)
}

/// What there is of a tokenizer. A model without one is a model, too.
enum Words {
    /// There is one: the files that it is made from, and how many tokens it knows.
    Known { files: &'static str, kind: &'static str, tokens: usize },
    /// There is none, or it is damaged: why.
    Missing(String),
}

impl Words {
    fn of(dir: &Path) -> Self {
        let (files, kind) = match model_dir::tokenizer(dir) {
            Ok(TokenizerSource::Json) => ("tokenizer.json", "json"),
            Ok(TokenizerSource::WordPiece) => ("vocab.txt", "word_piece"),
            Ok(TokenizerSource::ByteLevelBpe) => ("vocab.json and merges.txt", "byte_level_bpe"),
            Err(why) => return Self::Missing(format!("the folder {why}")),
        };
        match Tokenizer::load(dir) {
            Ok(tokenizer) => Self::Known { files, kind, tokens: tokenizer.vocab_size() },
            Err(why) => Self::Missing(why.to_string()),
        }
    }

    /// What is wrong between it and the model, in words.
    fn fault(&self, inspection: &Inspection) -> Option<String> {
        let vocab_size = inspection.model.spec.vocab_size;
        match self {
            Self::Missing(why) => Some(why.clone()),
            Self::Known { tokens, .. } if *tokens > vocab_size => {
                Some(format!("it has {tokens} tokens, but the model has embeddings for {vocab_size}"))
            }
            Self::Known { .. } => None,
        }
    }
}
