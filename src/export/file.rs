//! One file: written under another name, compared, published.

use std::path::Path;

use super::{Comparison, ExportError, Format, Samples, onnx, readback};
use crate::{
    base::fs,
    model::{Model, Quantized},
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
}

/// Writes a model as one file, which gets its name when it has passed the comparison.
pub(super) fn write(
    model: Model,
    format: Format,
    to: &Path,
    samples: &Samples,
    min_agreement: f64,
) -> Result<Written, ExportError> {
    let bytes = match format {
        Format::Onnx => onnx::encode(&model)?,
    };
    let draft = fs::write_draft(to, &bytes)?;
    let (n_bytes, int8) = (bytes.len() as u64, model.quantized != Quantized::No);
    // The file is read again: what is in memory is no longer needed.
    drop(bytes);
    let comparison = match format {
        Format::Onnx => readback::compare(draft.path(), model, samples)?,
    };
    comparison.judge(int8, samples.are_texts, min_agreement)?;
    draft.publish()?;
    Ok(Written { bytes: n_bytes, comparison, int8, on_texts: samples.are_texts })
}

impl Written {
    /// What the comparison found, in a sentence: `200 rows run again by rten: 99.5 % of labels are the same, …`.
    #[must_use]
    pub fn describe(&self) -> String {
        let Self { comparison, int8, on_texts, .. } = self;
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
        let why =
            if *int8 { "; int8 activations are quantised by the tensor there, and by the token here" } else { "" };
        let (difference, largest) = (comparison.largest_difference, comparison.largest);
        format!("{rows} run again by rten: {labels}{numbers} differ by at most {difference:.1e} of {largest:.1e}{why}")
    }
}
