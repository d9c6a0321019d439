//! One configurable encoder: its spec, its families, its checkpoints, its devices.

mod attention;
mod checkpoint;
mod device;
mod difference;
mod embeddings;
mod encoder;
mod error;
mod families;
mod float_type;
mod heads;
mod init;
mod inspect;
mod int8;
mod layer;
mod led;
mod linear;
mod memory;
mod network;
mod ops;
mod packed;
mod params;
mod quantization;
mod spec;

pub use crate::kernels::rotary::frequencies as rotary_frequencies;
pub(crate) use checkpoint::copy_tokenizer;
pub use device::{available, candle_device, int8_kernel, kernels, limit_isa};
pub use error::{ModelError, told};
pub use float_type::FloatType;
pub use inspect::{Inspection, Opening, Part, Place, StoredFile, StoredType, Within, inspect};
pub use int8::Int8Weight;
pub use led::{DecoderSpec, EarlyStopping, Led, Writing, is_led};
pub use memory::TrainingMemory;
pub(crate) use network::globals;
pub use network::{Head, Keep, Model, Output, Packed};
pub use ops::relations;
pub use packed::{PackedWeight, Width};
pub(crate) use params::{DECODER_REST, FINAL_NORM, PROJECTION, TOKEN_CLASSIFIER, TRANSFORM, TRANSFORM_NORM};
pub use params::{Parameter, parameters};
pub use quantization::Quantized;
pub use spec::{
    Activation, Biases, Bottleneck, ClassifierHead, Embedding, EncoderSpec, LayerShape, Norm, Positions, Rotary,
};

#[cfg(test)]
pub(crate) mod tests;
