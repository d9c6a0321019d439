//! One file: written under another name, compared, published.

use std::path::Path;

use super::{Comparison, ExportError, Format, Request, Samples, gguf, onnx, readback};
use crate::{base::fs, model::Model};

/// What was written, and what reading it back found.
#[derive(Clone, Debug)]
pub struct Written {
    /// The size of the file.
    pub bytes: u64,
    /// The types of its numbers: `int8`, `f16`, `int8 and bf16`, `q8_0`.
    pub weights: String,
    /// What was compared.
    pub comparison: Comparison,
    /// Whether it was compared on rows that somebody wrote, and not on random ids.
    pub on_texts: bool,
    /// What ran it.
    pub(super) reader: Reader,
    /// What a user should know of what became of the model.
    pub notes: Vec<String>,
}

/// What runs a file for the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reader {
    /// lmpipe, which reads what it wrote.
    Lmpipe,
    /// lmpipe, as llama.cpp computes.
    AsLlama,
    /// Another engine; `int8` where it quantises activations otherwise.
    Rten { int8: bool },
}

/// A model as the bytes of a file.
pub(super) struct Encoded {
    pub(super) bytes: Vec<u8>,
    pub(super) weights: String,
    pub(super) notes: Vec<String>,
}

/// A file that has passed the comparison, and has not got its name yet.
pub(super) struct Draft {
    draft: fs::Draft,
    written: Written,
}

impl Draft {
    /// Gives it its name; it replaces what had it.
    pub(super) fn publish(self) -> Result<Written, ExportError> {
        self.draft.publish()?;
        Ok(self.written)
    }
}

/// A model as one file.
pub(super) fn encode(model: &Model, request: &Request<'_>) -> Result<Encoded, ExportError> {
    match request.format {
        Format::Onnx => {
            let weights = if model.quantized.is_int8() { "int8" } else { "f32" };
            Ok(Encoded { bytes: onnx::encode(model)?, weights: weights.to_owned(), notes: Vec::new() })
        }
        Format::Gguf(matrices) => gguf::encode(model, request.model, matrices),
        Format::Hf(_) => Err(ExportError::Unfit("a Hugging Face model is a folder: name one".to_owned())),
    }
}

/// Writes a model as one file under another name, and compares what it says.
pub(super) fn draft(
    encoded: Encoded,
    model: Model,
    request: &Request<'_>,
    to: &Path,
    samples: &Samples,
) -> Result<Draft, ExportError> {
    let Encoded { bytes: content, weights, notes } = encoded;
    let draft = fs::write_draft(to, &content)?;
    let bytes = content.len() as u64;
    // The file is read again: what is in memory is no longer needed.
    drop(content);
    let (comparison, reader) = match request.format {
        Format::Gguf(matrices) => (gguf::compare(draft.path(), model, request, matrices, samples)?, Reader::AsLlama),
        Format::Onnx | Format::Hf(_) => {
            let int8 = model.quantized.is_int8();
            let comparison = readback::compare(draft.path(), model, samples)?;
            comparison.judge(int8, samples.are_texts, request.min_agreement)?;
            (comparison, Reader::Rten { int8 })
        }
    };
    let written = Written { bytes, weights, comparison, on_texts: samples.are_texts, reader, notes };
    Ok(Draft { draft, written })
}

impl Written {
    /// What the comparison found, in a sentence: `200 rows run again by rten: 99.5 % of labels are the same, …`.
    #[must_use]
    pub fn describe(&self) -> String {
        let Self { comparison, on_texts, reader, .. } = self;
        let (engine, why) = match reader {
            Reader::Lmpipe => ("lmpipe", ""),
            Reader::AsLlama => ("lmpipe as llama.cpp computes", "; GELU is the tanh approximation there"),
            Reader::Rten { int8: false } => ("rten", ""),
            Reader::Rten { int8: true } => ("rten", "; int8 activations are rounded a little otherwise there"),
        };
        let what = if *on_texts { "row" } else { "row of fixed ids" };
        let rows = match comparison.rows {
            1 => format!("1 {what}"),
            n => format!("{n} {}", what.replacen("row", "rows", 1)),
        };
        let labels = match comparison.agreement() {
            Some(share) => {
                let of = if comparison.answers == comparison.rows { "labels" } else { "words" };
                format!("{:.1} % of {of} are the same, ", 100.0 * share)
            }
            None => String::new(),
        };
        let numbers = if comparison.answers > 0 { "logits" } else { "hidden states" };
        let (difference, largest) = (comparison.largest_difference, comparison.largest);
        format!(
            "{rows} run again by {engine}: {labels}{numbers} differ by at most {difference:.1e} of {largest:.1e}{why}"
        )
    }
}
