//! rten's kernel, where the processor has 8-bit dot products that do not saturate: ARM.

use rten_gemm::{GemmExecutor, GemmInputA, GemmInputB, GemmUninitOptions, PackedBMatrix, QuantParams};
use rten_tensor::NdTensorView;

use super::ZERO;

/// Weights in rten's order.
pub(super) struct Matrix {
    weights: PackedBMatrix<i8>,
    inputs: usize,
    outputs: usize,
}

/// rten's kernel for this processor: a choice made from cached processor flags, which cannot be shared by threads.
fn executor() -> GemmExecutor<u8, i8, i32> {
    GemmExecutor::new()
}

/// Whether rten has more than plain loops for this processor, and its sums are exact.
#[cfg_attr(target_arch = "x86_64", expect(dead_code, reason = "our own kernels serve x86"))]
pub(super) fn is_there() -> bool {
    !executor().may_saturate() && !executor().kernel_name().contains("generic")
}

impl Matrix {
    pub(super) fn new(weights: &[i8], outputs: usize, inputs: usize) -> Self {
        let view = NdTensorView::from_data([outputs, inputs], weights);
        Self { weights: executor().prepack_b(view.permuted([1, 0])), inputs, outputs }
    }

    /// The sums of `rows` rows of unsigned activations.
    pub(super) fn sums(&self, x: &[u8], rows: usize, sums: &mut Vec<i32>) {
        let n = rows * self.outputs;
        if n == 0 {
            return;
        }
        let zeros = vec![ZERO; rows];
        let options =
            GemmUninitOptions { a_quant: Some(QuantParams { zero_point: &zeros }), ..GemmUninitOptions::default() };
        sums.clear();
        sums.reserve(n);
        let a = NdTensorView::from_data([rows, self.inputs], x);
        let spare = &mut sums.spare_capacity_mut()[..n];
        executor()
            .gemm_uninit(spare, GemmInputA::Unpacked(a), GemmInputB::Packed(&self.weights), options)
            .expect("the shapes were checked by the caller");
        // SAFETY: `gemm_uninit` has initialised all `n` elements of the spare capacity that it was given.
        unsafe { sums.set_len(n) };
    }
}
