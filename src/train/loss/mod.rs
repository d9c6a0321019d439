//! Losses: sums over rows as scalars with gradients, so that the caller says what they are divided by.

mod cross_entropy;
mod kl;
mod mse;

pub use cross_entropy::cross_entropy;
pub use kl::{kl_divergence, kl_of_probabilities};
pub use mse::squared_error;

use candle_core::{D, Result, Tensor};

/// `log softmax` of the last dimension, from operations that all have gradients: candle 0.11 silently drops the
/// gradient of its fused `softmax_last_dim`.
///
/// # Errors
/// When a computation fails.
pub fn log_softmax(logits: &Tensor) -> Result<Tensor> {
    // The result does not depend on what is subtracted, so nothing flows back through the maximum.
    let shifted = logits.broadcast_sub(&logits.max_keepdim(D::Minus1)?.detach())?;
    shifted.broadcast_sub(&shifted.exp()?.sum_keepdim(D::Minus1)?.log()?)
}

#[cfg(test)]
pub(crate) mod finite_difference {
    //! Gradients against finite differences.

    use candle_core::{Device, Result, Tensor, Var};

    /// Asserts that the gradient of a scalar function at a point is that of its central differences.
    pub(crate) fn check(shape: &[usize], point: &[f32], tolerance: f64, f: impl Fn(&Tensor) -> Result<Tensor>) {
        let at = |values: &[f32]| {
            let x = Tensor::from_slice(values, shape, &Device::Cpu).unwrap();
            f64::from(f(&x).unwrap().to_scalar::<f32>().unwrap())
        };
        let var = Var::from_slice(point, shape, &Device::Cpu).unwrap();
        let gradients = f(var.as_tensor()).unwrap().backward().unwrap();
        let gradient = gradients.get(var.as_tensor()).expect("a gradient");
        let gradient = gradient.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let h = 1e-2_f32;
        for i in 0..point.len() {
            let (mut up, mut down) = (point.to_vec(), point.to_vec());
            up[i] += h;
            down[i] -= h;
            let numeric = (at(&up) - at(&down)) / f64::from(up[i] - down[i]);
            let difference = (numeric - f64::from(gradient[i])).abs();
            assert!(difference < tolerance, "element {i}: {} analytic, {numeric} numeric", gradient[i]);
        }
    }

    /// Numbers that look random, in `[-1, 1)`.
    pub(crate) fn numbers(n: usize, seed: u64) -> Vec<f32> {
        let mut rng = crate::base::rng::stream(seed, "test");
        (0..n).map(|_| crate::base::rng::uniform(&mut rng) * 2.0 - 1.0).collect()
    }
}
