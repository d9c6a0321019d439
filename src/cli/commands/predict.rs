//! `predict MODEL [FILE|-]`: classifies texts, one answer a line.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, ErrorKind, IsTerminal, Write},
    path::Path,
};

use crate::{
    cli::{
        App,
        args::{self, PredictFormat, PredictInput},
        error::CliError,
        exit::Exit,
    },
    model,
    stages::{self, InputFormat, OutputFormat, PredictOptions},
};

pub(in crate::cli) fn run(app: &App, args: &args::Predict) -> Result<Exit, CliError> {
    let model = args.model.display();
    if !args.model.is_dir() {
        let error = CliError::usage(format!("there is no folder `{model}`"));
        return Err(error.hint("a model is a folder with `config.json`, `tokenizer.json` and `model.safetensors`"));
    }
    model::available(args.device).map_err(CliError::usage)?;
    let options = PredictOptions {
        max_length: args.max_length,
        batch_size: args.batch,
        device: args.device,
        input: match args.input {
            PredictInput::Auto => InputFormat::Auto,
            PredictInput::Text => InputFormat::Text,
            PredictInput::Json => InputFormat::Json,
        },
        output: match args.format {
            PredictFormat::Json => OutputFormat::Json,
            PredictFormat::Tsv => OutputFormat::Tsv,
        },
    };
    let (name, input) = open(app, &args.file)?;
    let mut broken = false;
    let output = Watched { inner: BufWriter::new(io::stdout().lock()), broken: &mut broken };
    match stages::predict(&args.model, input, output, &options) {
        Ok(_) => Ok(Exit::Done),
        // `lmpipe predict … | head` is no failure.
        Err(_) if broken => Ok(Exit::Done),
        Err(error) => Err(CliError::failed(format!("cannot classify {name} with `{model}`: {error}"))),
    }
}

fn open(app: &App, file: &Path) -> Result<(String, Box<dyn BufRead>), CliError> {
    if file == Path::new("-") {
        if io::stdin().is_terminal() {
            app.output.say("reading texts from the terminal, one a line; Ctrl-D ends");
        }
        return Ok(("standard input".to_owned(), Box::new(io::stdin().lock())));
    }
    let shown = file.display();
    let opened = File::open(file).map_err(|error| CliError::usage(format!("cannot read `{shown}`: {error}")))?;
    if opened.metadata().is_ok_and(|about| about.is_dir()) {
        return Err(CliError::usage(format!("`{shown}` is a folder, not a file of texts")));
    }
    Ok((format!("`{shown}`"), Box::new(BufReader::new(opened))))
}

/// A writer that remembers that nobody reads any more.
struct Watched<'a, W> {
    inner: W,
    broken: &'a mut bool,
}

impl<W: Write> Watched<'_, W> {
    fn watch<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        if result.as_ref().is_err_and(|error| error.kind() == ErrorKind::BrokenPipe) {
            *self.broken = true;
        }
        result
    }
}

impl<W: Write> Write for Watched<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes);
        self.watch(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.inner.flush();
        self.watch(flushed)
    }
}
