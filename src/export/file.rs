//! One file: written under another name, compared, published.

use std::path::Path;

use super::{Comparison, ExportError, Format, Samples, onnx, readback};
use crate::{
    base::fs,
    model::{FloatType, Model},
};

/// What was written, and what reading it back found.
#[derive(Clone, Debug)]
pub struct Written {
    /// The size of the file.
    pub bytes: u64,
    /// What was compared.
    pub comparison: Comparison,
    /// Whether linear layers are int8.
    pub int8: bool,
    /// Whether it was compared on rows that somebody wrote, and not on random ids.
    pub on_texts: bool,
    /// What f32 parameters became, where the format has a choice.
    pub floats: Option<FloatType>,
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

/// Writes a model as one file under another name, and compares what it says.
pub(super) fn draft(
    model: Model,
    format: Format,
    to: &Path,
    samples: &Samples,
    min_agreement: f64,
) -> Result<Draft, ExportError> {
    let bytes = match format {
        Format::Onnx => onnx::encode(&model)?,
        Format::Hf(_) => return Err(ExportError::Unfit("a Hugging Face model is a folder: name one".to_owned())),
    };
    let draft = fs::write_draft(to, &bytes)?;
    let (n_bytes, int8) = (bytes.len() as u64, model.quantized.is_int8());
    // The file is read again: what is in memory is no longer needed.
    drop(bytes);
    let comparison = readback::compare(draft.path(), model, samples)?;
    comparison.judge(int8, samples.are_texts, min_agreement)?;
    let written = Written { bytes: n_bytes, comparison, int8, on_texts: samples.are_texts, floats: None };
    Ok(Draft { draft, written })
}

impl Written {
    /// The types of its numbers: `int8`, `f16`, `int8 and bf16`.
    #[must_use]
    pub fn weights(&self) -> String {
        let floats = self.floats.unwrap_or_default();
        match (self.int8, floats) {
            (true, FloatType::F32) => "int8".to_owned(),
            (true, half) => format!("int8 and {}", half.name()),
            (false, floats) => floats.name().to_owned(),
        }
    }

    /// What the comparison found, in a sentence: `200 rows run again by rten: 99.5 % of labels are the same, …`.
    #[must_use]
    pub fn describe(&self) -> String {
        let Self { comparison, int8, on_texts, floats, .. } = self;
        let engine = if floats.is_some() { "lmpipe" } else { "rten" };
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
        let why = if *int8 && floats.is_none() {
            "; int8 activations are quantised by the tensor there, and by the token here"
        } else {
            ""
        };
        let (difference, largest) = (comparison.largest_difference, comparison.largest);
        format!(
            "{rows} run again by {engine}: {labels}{numbers} differ by at most {difference:.1e} of {largest:.1e}{why}"
        )
    }
}
