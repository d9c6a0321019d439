//! `predict`: text lines or JSON lines in, one answer a line out.

use std::{
    io::{BufRead, ErrorKind, Write},
    path::Path,
};

use serde::{Deserialize, Serialize, Serializer, ser::SerializeMap};

use super::{EvalError, argmax, labels::classifier_labels, predictions::RunOptions, predictions::run, softmax};
use crate::{
    base::device::DeviceId,
    data::{LongTexts, Rows, Tokenizer},
    model,
    runtime::Executor,
};

/// How the input of [`predict`] is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InputFormat {
    /// JSON lines when the first line begins with `{`, text lines otherwise.
    #[default]
    Auto,
    /// A text a line.
    Text,
    /// `{"text": …, "pair": …}` a line; other keys are ignored.
    Json,
}

/// How the output of [`predict`] is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OutputFormat {
    /// `{"text", "label", "score", "logits": {label: x}}` a line.
    #[default]
    Json,
    /// `label<TAB>score<TAB>text` a line.
    Tsv,
}

/// How [`predict`] runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PredictOptions {
    /// Tokens a row, special ones included; `None` is what the model takes.
    pub max_length: Option<usize>,
    /// Rows that go through the model, and out, together.
    pub batch_size: usize,
    /// Where the model runs.
    pub device: DeviceId,
    /// How the input is read.
    pub input: InputFormat,
    /// How the output is written.
    pub output: OutputFormat,
}

impl Default for PredictOptions {
    fn default() -> Self {
        let (input, output) = (InputFormat::Auto, OutputFormat::Json);
        Self { max_length: None, batch_size: 32, device: DeviceId::Cpu, input, output }
    }
}

/// Classifies every line of the input and writes an answer a line, in order; returns how many.
///
/// Numbers are written with the fewest digits that read back as the same f32.
///
/// # Errors
/// When the model cannot be read or is not a classifier; when a line is empty, not UTF-8 or not the JSON asked for (the
/// lines before its batch are then written); when the output fails.
pub fn predict(
    model_dir: &Path,
    input: impl BufRead,
    mut output: impl Write,
    options: &PredictOptions,
) -> Result<usize, EvalError> {
    let model = Executor::load(model_dir, &model::candle_device(options.device)?)?;
    let name = model_dir.display().to_string();
    let labels = classifier_labels(&name, &model.head)?;
    let tokenizer = Tokenizer::for_model(model_dir, model.spec.vocab_size)?;
    let run_options = RunOptions {
        batch_size: options.batch_size,
        max_length: options.max_length.unwrap_or(model.spec.max_positions),
        long_texts: LongTexts::Cut,
    };
    let mut lines = Lines { input, format: options.input, line: 0 };
    let mut total = 0;
    loop {
        let mut asked = Vec::with_capacity(options.batch_size);
        while asked.len() < options.batch_size.max(1) {
            match lines.next()? {
                Some(row) => asked.push(row),
                None => break,
            }
        }
        if asked.is_empty() {
            break;
        }
        let logits = run(&model, &tokenizer, &rows_of(&asked), run_options, |_| true)?;
        for (asked, logits) in asked.iter().zip(&logits) {
            if logits.iter().any(|value| !value.is_finite()) {
                return Err(asked.fault("the model gives no finite logits for it; its weights are damaged"));
            }
            write(&mut output, asked, labels, logits, options.output)?;
        }
        // Whoever feeds a batch through a pipe waits for its answers.
        output.flush().map_err(cannot_write)?;
        total += asked.len();
    }
    Ok(total)
}

/// A row that an answer is asked for.
struct Asked {
    line: usize,
    text: String,
    pair: Option<String>,
}

impl Asked {
    fn fault(&self, message: impl Into<String>) -> EvalError {
        EvalError::Line { line: self.line, message: message.into() }
    }
}

#[derive(Deserialize)]
struct JsonRow {
    text: String,
    #[serde(default)]
    pair: Option<String>,
}

/// Reads rows line by line.
struct Lines<R> {
    input: R,
    format: InputFormat,
    line: usize,
}

impl<R: BufRead> Lines<R> {
    fn next(&mut self) -> Result<Option<Asked>, EvalError> {
        let mut bytes = Vec::new();
        let cannot_read = |source| EvalError::Io { action: "cannot read the input", source };
        if self.input.read_until(b'\n', &mut bytes).map_err(cannot_read)? == 0 {
            return Ok(None);
        }
        self.line += 1;
        let line = self.line;
        let fault = |message: String| EvalError::Line { line, message };
        let text = String::from_utf8(bytes)
            .map_err(|error| fault(format!("not UTF-8 from byte {} on", error.utf8_error().valid_up_to() + 1)))?;
        let text = text.strip_suffix('\n').unwrap_or(&text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        // Editors of some systems begin a file with a byte order mark.
        let text = if line == 1 { text.strip_prefix('\u{feff}').unwrap_or(text) } else { text };
        if self.format == InputFormat::Auto {
            let json = text.trim_start().starts_with('{');
            self.format = if json { InputFormat::Json } else { InputFormat::Text };
        }
        if text.trim().is_empty() {
            return Err(fault("the line is empty; every line is a text to classify".to_owned()));
        }
        if self.format == InputFormat::Text {
            return Ok(Some(Asked { line, text: text.to_owned(), pair: None }));
        }
        let row: JsonRow = serde_json::from_str(text)
            .map_err(|error| fault(format!("not a JSON object with a `text`: {}", without_line(&error))))?;
        Ok(Some(Asked { line, text: row.text, pair: row.pair }))
    }
}

/// What JSON's parser says, without its own count of lines, which is always 1 here.
fn without_line(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let column = error.column();
    match text.split_once(" at line ") {
        Some((what, _)) if column > 0 => format!("{what} at column {column}"),
        _ => text,
    }
}

/// Rows as the tokenizer takes them: with second texts as soon as one row has one.
fn rows_of(asked: &[Asked]) -> Rows {
    let has_pairs = asked.iter().any(|row| row.pair.is_some());
    Rows {
        texts: asked.iter().map(|row| row.text.clone()).collect(),
        pairs: has_pairs.then(|| asked.iter().map(|row| row.pair.clone().unwrap_or_default()).collect()),
        labels: None,
        ids: asked.iter().map(|row| row.line.to_string()).collect(),
    }
}

#[derive(Serialize)]
struct Answer<'a> {
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pair: Option<&'a str>,
    label: &'a str,
    score: f32,
    logits: ByLabel<'a>,
}

struct ByLabel<'a>(&'a [String], &'a [f32]);

impl Serialize for ByLabel<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (label, logit) in self.0.iter().zip(self.1) {
            map.serialize_entry(label, logit)?;
        }
        map.end()
    }
}

fn write(
    output: &mut impl Write,
    asked: &Asked,
    labels: &[String],
    logits: &[f32],
    format: OutputFormat,
) -> Result<(), EvalError> {
    let best = argmax(logits);
    let score = softmax(logits)[best];
    let label = labels[best].as_str();
    let line = match format {
        OutputFormat::Tsv => {
            let text = asked.text.replace(['\t', '\n', '\r'], " ");
            format!("{label}\t{score}\t{text}\n")
        }
        OutputFormat::Json => {
            let pair = asked.pair.as_deref();
            let answer = Answer { text: &asked.text, pair, label, score, logits: ByLabel(labels, logits) };
            serde_json::to_string(&answer).expect("texts and finite numbers are JSON") + "\n"
        }
    };
    output.write_all(line.as_bytes()).map_err(cannot_write)
}

fn cannot_write(source: std::io::Error) -> EvalError {
    let action = match source.kind() {
        ErrorKind::BrokenPipe => "the reader of the output went away",
        _ => "cannot write the output",
    };
    EvalError::Io { action, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(input: &[u8], format: InputFormat) -> Result<Vec<(String, Option<String>)>, String> {
        let mut lines = Lines { input, format, line: 0 };
        let mut rows = Vec::new();
        while let Some(row) = lines.next().map_err(|error| error.to_string())? {
            rows.push((row.text, row.pair));
        }
        Ok(rows)
    }

    #[test]
    fn lines_are_texts_or_json() {
        struct Case<'a>(&'a [u8], InputFormat, &'a [(&'a str, Option<&'a str>)]);
        let cases = [
            Case(b"good film\nbad\r\n", InputFormat::Auto, &[("good film", None), ("bad", None)]),
            Case(b"\xef\xbb\xbfgood", InputFormat::Auto, &[("good", None)]),
            Case(
                b"{\"text\": \"a\", \"pair\": \"b\"}\n{\"id\": 7, \"text\": \"{\"}",
                InputFormat::Auto,
                &[("a", Some("b")), ("{", None)],
            ),
            Case(b"{not json}", InputFormat::Text, &[("{not json}", None)]),
            Case(b"", InputFormat::Auto, &[]),
        ];
        for Case(input, format, expected) in cases {
            let expected: Vec<_> = expected.iter().map(|(a, b)| ((*a).to_owned(), b.map(str::to_owned))).collect();
            assert_eq!(read(input, format), Ok(expected), "{}", String::from_utf8_lossy(input));
        }
    }

    #[test]
    fn a_wrong_line_is_named() {
        let cases: [(&[u8], &str); 5] = [
            (b"a\n\nb\n", "line 2: the line is empty"),
            (b"a\nb\xff\n", "line 2: not UTF-8 from byte 2 on"),
            (
                b"{\"text\": \"a\"}\n{\"text\": 3}\n",
                "line 2: not a JSON object with a `text`: invalid type: integer `3`",
            ),
            (b"{\"text\": \"a\"}\n{\"txt\": \"b\"}\n", "line 2: not a JSON object with a `text`: missing field `text`"),
            (b"{\"text\": \"a\"\n", "line 1: not a JSON object with a `text`: EOF while parsing an object"),
        ];
        for (input, expected) in cases {
            let error = read(input, InputFormat::Auto).unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[test]
    fn an_answer_keeps_labels_in_order_and_floats_short() {
        let asked = Asked { line: 1, text: "so \"good\"".into(), pair: None };
        let labels = ["pos".to_owned(), "neg".to_owned()];
        let mut out = Vec::new();
        write(&mut out, &asked, &labels, &[0.1, -2.0], OutputFormat::Json).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.starts_with(r#"{"text":"so \"good\"","label":"pos","score":0.89"#), "{text}");
        assert!(text.ends_with("\"logits\":{\"pos\":0.1,\"neg\":-2.0}}\n"), "{text}");
    }
}
