//! What a scheme stores: bits, symmetry, granularity; plain data.

use crate::model::Width;

/// A scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Weights int8, symmetric, a scale an output channel; activations int8, symmetric, a scale a token, found as they
    /// come. What compressed-tensors calls `int-quantized` with `W8A8`.
    W8A8,
    /// Weights in 4 or 8 bits, symmetric; computed in f32. What compressed-tensors calls `pack-quantized`, with `W4A16` or
    /// `W8A16`.
    WeightOnly(Width),
}

impl Scheme {
    /// What it stores, for reports.
    #[must_use]
    pub fn describe(self) -> String {
        match self {
            Self::W8A8 => {
                "int8 weights per output channel, int8 activations per token (dynamic), both symmetric".to_owned()
            }
            Self::WeightOnly(Width { bits, group_size }) => {
                let by = group_size.map_or_else(|| "output channel".to_owned(), |size| format!("{size} in a row"));
                format!("int{bits} weights per {by}, symmetric, computed in f32")
            }
        }
    }

    /// Bits of a weight.
    #[must_use]
    pub fn bits(self) -> u32 {
        match self {
            Self::W8A8 => 8,
            Self::WeightOnly(width) => width.bits,
        }
    }
}
