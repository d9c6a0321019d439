//! `After`: what follows a product.

use crate::kernels::activation::{self, Function};

/// What becomes of a product with its bias added.
#[derive(Clone, Copy, Debug, Default)]
pub struct After {
    /// An activation function.
    pub activation: Option<Function>,
    /// Whether the result is added to what stands in the output: a residual connection.
    pub add: bool,
}

/// Turns a row of products with bias, `y`, into a row of the output.
#[inline(always)]
pub(super) fn write(fused: bool, y: &mut [f32], after: After, out: &mut [f32]) {
    match after.activation {
        None => {}
        Some(function) if fused => activation::in_place::<true>(function, y),
        Some(function) => activation::in_place::<false>(function, y),
    }
    if after.add {
        for (out, y) in out.iter_mut().zip(&*y) {
            *out += y;
        }
    } else {
        out.copy_from_slice(y);
    }
}
