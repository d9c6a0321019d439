//! Writes a model in the formats of other programs, reads the file back with another engine, and compares.

mod error;
mod folder;
mod onnx;
mod readback;
mod samples;

use std::path::Path;

pub use error::ExportError;
pub use folder::write_folder;
pub use readback::Comparison;
pub use samples::Samples;

use crate::{
    base::fs,
    model::{Model, Quantized},
};

/// A format of another program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// ONNX, for ONNX Runtime and what reads the same files.
    Onnx,
}

impl Format {
    /// What a file of this format is called in a model's folder.
    #[must_use]
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Onnx => "model.onnx",
        }
    }
}

/// What was written, and what reading it back found.
#[derive(Clone, Debug)]
pub struct Written {
    /// The size of the file.
    pub bytes: u64,
    /// What was compared.
    pub comparison: Comparison,
    /// Whether linear layers are int8.
    pub int8: bool,
}

/// Writes a model as one file and compares what another engine makes of it with what the model says. The file gets its name
/// when it has passed, and replaces what had it.
///
/// # Errors
/// When the format cannot hold the model, the file cannot be written or read back, or its answers differ: in f32 by more
/// than 10⁻⁴ of the largest; of an int8 model, whose activations the format quantises otherwise, in more than 1 % of the
/// labels of rows, or by more than half the size of the answers where there are no rows or no labels.
pub fn write_file(model: Model, format: Format, to: &Path, samples: &Samples) -> Result<Written, ExportError> {
    let bytes = match format {
        Format::Onnx => onnx::encode(&model)?,
    };
    let draft = fs::write_draft(to, &bytes)?;
    let (n_bytes, int8) = (bytes.len() as u64, model.quantized != Quantized::No);
    drop(bytes);
    let comparison = match format {
        Format::Onnx => readback::compare(draft.path(), model, samples)?,
    };
    comparison.judge(int8, samples)?;
    draft.publish()?;
    Ok(Written { bytes: n_bytes, comparison, int8 })
}
