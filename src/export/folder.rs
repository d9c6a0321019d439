//! A folder for other programs: the file, `config.json` and the tokenizer.

use std::path::Path;

use super::{ExportError, Format, Samples, Written, write_file};
use crate::{
    base::fs,
    model::{Model, copy_tokenizer},
};

/// Writes a model's file into a folder, and beside it `config.json` (without what it says of int8, which is about
/// `model.safetensors`) and the tokenizer's files of the folder `from`. The file is written first, and checked as
/// [`write_file`] does.
///
/// # Errors
/// As [`write_file`].
pub fn write_folder(
    model: Model,
    format: Format,
    from: &Path,
    to: &Path,
    samples: &Samples,
) -> Result<Written, ExportError> {
    let mut config = model.config.clone();
    fs::create_dir(to)?;
    let written = write_file(model, format, &to.join(format.file_name()), samples)?;
    if let Some(config) = config.as_object_mut() {
        config.shift_remove("quantization_config");
    }
    copy_tokenizer(from, to)?;
    let text = format!("{config:#}\n");
    fs::write_atomic(&to.join("config.json"), text.as_bytes())?;
    Ok(written)
}
