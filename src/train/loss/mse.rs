//! Squared error.

use candle_core::{Result, Tensor};

/// `Σ (student − teacher)²`; the caller divides by the number of elements of the update. Nothing flows back into the
/// teacher.
///
/// # Shapes
/// Both of one shape; the result is a scalar.
///
/// # Errors
/// When the shapes do not fit, or a computation fails.
pub fn squared_error(student: &Tensor, teacher: &Tensor) -> Result<Tensor> {
    (student - teacher.detach())?.sqr()?.sum_all()
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::{super::finite_difference, *};

    #[test]
    fn value_and_gradient() {
        let teacher = Tensor::from_vec(finite_difference::numbers(6, 4), (2, 3), &Device::Cpu).unwrap();
        let student = (&teacher + 0.5).unwrap();
        let loss = squared_error(&student, &teacher).unwrap().to_scalar::<f32>().unwrap();
        assert!((loss - 6.0 * 0.25).abs() < 1e-6);
        finite_difference::check(&[2, 3], &finite_difference::numbers(6, 5), 2e-3, |x| squared_error(x, &teacher));
    }
}
