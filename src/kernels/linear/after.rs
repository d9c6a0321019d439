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

/// What the caller was compiled for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Compiled {
    /// Anything.
    Plain,
    /// Where a fused multiply-add is one instruction.
    Fused,
    /// [`crate::kernels::isa::Isa::Avx512`].
    #[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "x86 alone has it"))]
    Avx512,
}

/// Turns a row of products with bias, `y`, into a row of the output.
#[inline(always)]
pub(super) fn write(compiled: Compiled, y: &mut [f32], after: After, out: &mut [f32]) {
    if let Some(function) = after.activation {
        activate(compiled, function, y);
    }
    if after.add {
        for (out, y) in out.iter_mut().zip(&*y) {
            *out += y;
        }
    } else {
        out.copy_from_slice(y);
    }
}

#[inline(always)]
fn activate(compiled: Compiled, function: Function, y: &mut [f32]) {
    match (compiled, function) {
        #[cfg(target_arch = "x86_64")]
        (Compiled::Avx512, Function::Gelu) => {
            // SAFETY: the caller was compiled for AVX-512, and runs where the processor has it.
            let rest = unsafe { crate::kernels::avx512::gelu_in_place(y) };
            activation::in_place::<true>(function, rest);
        }
        (Compiled::Plain, _) => activation::in_place::<false>(function, y),
        _ => activation::in_place::<true>(function, y),
    }
}
