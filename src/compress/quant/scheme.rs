//! What a scheme stores: bits, symmetry, granularity; plain data.

/// A scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Weights int8, symmetric, a scale an output channel; activations int8, symmetric, a scale a token, found as they
    /// come. What compressed-tensors calls `int-quantized` with `W8A8`.
    W8A8,
}

impl Scheme {
    /// What it stores, for reports.
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Self::W8A8 => "int8 weights per output channel, int8 activations per token (dynamic), both symmetric",
        }
    }
}
