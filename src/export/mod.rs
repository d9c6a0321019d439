//! Writes a model in the formats of other programs, reads the file back with another engine, and compares.

mod comparison;
mod error;
mod file;
mod gguf;
mod hf;
mod onnx;
mod readback;
mod samples;

use std::path::Path;

pub use comparison::Comparison;
pub use error::ExportError;
pub use file::Written;
pub use gguf::MatrixType;
pub use samples::Samples;

use crate::{
    base::{
        device::DeviceId,
        fs::{self, AtPath},
    },
    model::{self, FloatType, Model, copy_tokenizer},
};

/// A format of another program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// ONNX, for ONNX Runtime and what reads the same files.
    Onnx,
    /// GGUF, for llama.cpp and what reads the same files; word embeddings and linear layers in this type.
    Gguf(MatrixType),
    /// A Hugging Face directory with safetensors, f32 parameters in this type.
    Hf(FloatType),
}

impl Format {
    /// What a file of this format is called in a model's folder.
    #[must_use]
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Onnx => "model.onnx",
            Self::Gguf(_) => "model.gguf",
            Self::Hf(_) => "model.safetensors",
        }
    }

    /// Whether one file holds all of it.
    #[must_use]
    pub fn is_one_file(self) -> bool {
        !matches!(self, Self::Hf(_))
    }
}

/// The share of the labels of rows that must be the same in an int8 or GGUF file, where nobody says another: a wrong graph is far
/// below it. Measured in ONNX Runtime on 1,081 reviews, MiniLM keeps 99.2 to 99.5 % of its int8 labels; 200 rows of these are
/// one in a hundred apart by chance.
pub const MIN_AGREEMENT: f64 = 0.98;

/// What is exported, and what it is compared on.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The folder of the model.
    pub model: &'a Path,
    /// The format.
    pub format: Format,
    /// The folder of a dataset whose test split the file is compared on; fixed random ids where there is none.
    pub data: Option<&'a Path>,
    /// How many rows of it, from the first on.
    pub rows: usize,
    /// Tokens a row, special ones included; longer rows are cut.
    pub max_length: usize,
    /// The share of the labels of these rows that must be the same in an int8 or GGUF file, from 0 to 1.
    pub min_agreement: f64,
}

/// Where it goes.
#[derive(Clone, Copy, Debug)]
pub enum Target<'a> {
    /// One file.
    File(&'a Path),
    /// A folder, which is made: the file, and beside it `config.json` (without what it says of int8, which is about
    /// `model.safetensors`) and the tokenizer's files.
    Folder(&'a Path),
}

/// Writes a model in another format, and compares what another engine makes of the file with what the model says. The file
/// gets its name when it has passed, and replaces what had it.
///
/// # Errors
/// When the model or the data cannot be read, the format cannot hold the model, the file cannot be written or read back,
/// or its answers differ: in f32 by more than 10⁻⁴ of the largest; of an int8 model, whose activations are rounded
/// otherwise, in more labels of rows than `min_agreement` allows, or by more than a quarter of the answers' size. A GGUF file is
/// read back and run as llama.cpp computes; labels count as in int8, and answers may differ by 1 % of their size in f32 and
/// f16, by 3 % in `Q8_0` and by 5 % in bf16. A Hugging Face directory is read back: it must hold the same model, with parameters
/// rounded and nothing else, and its answers may differ by 1 % of their size in f16, by 5 % in bf16, and not at all in f32.
pub fn export(request: &Request<'_>, target: Target<'_>) -> Result<Written, ExportError> {
    // int8 models are on the processor only, and nothing is gained elsewhere.
    let model = Model::load(request.model, &model::candle_device(DeviceId::Cpu)?)?;
    let samples = match request.data {
        Some(data) => Samples::of_rows(&model.spec, request.model, data, request.rows, request.max_length)?,
        // GGUF has no types to tell apart.
        None if matches!(request.format, Format::Gguf(_)) => Samples::fixed(&model.spec, 1),
        None => Samples::fixed(&model.spec, model.spec.type_vocab_size),
    };
    if let (Format::Hf(floats), Target::Folder(folder)) = (request.format, target) {
        make_folder(folder, request.model)?;
        return hf::write(model, floats, request.model, folder, &samples);
    }
    // First: what the format cannot hold is told before anything is written.
    let encoded = file::encode(&model, request)?;
    let folder = match target {
        Target::File(file) => return file::draft(encoded, model, request, file, &samples)?.publish(),
        Target::Folder(folder) => folder,
    };
    make_folder(folder, request.model)?;
    let mut config = model.config.clone();
    if let Some(config) = config.as_object_mut() {
        config.shift_remove("quantization_config");
    }
    let draft = file::draft(encoded, model, request, &folder.join(request.format.file_name()), &samples)?;
    copy_tokenizer(request.model, folder)?;
    fs::write_atomic(&folder.join("config.json"), format!("{config:#}\n").as_bytes())?;
    // Last: a folder with the file is whole.
    draft.publish()
}

/// Makes a folder, which must not be that of the model.
fn make_folder(folder: &Path, model: &Path) -> Result<(), ExportError> {
    fs::create_dir(folder)?;
    if model.canonicalize().at("cannot find", model)? == folder.canonicalize().at("cannot find", folder)? {
        return Err(ExportError::Unfit("it would replace the model itself: name another folder".to_owned()));
    }
    Ok(())
}
