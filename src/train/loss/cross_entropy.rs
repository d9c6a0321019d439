//! Hard labels, with smoothing.

use candle_core::{Result, Tensor};

use super::log_softmax;

/// `Σ_rows −Σ_c q_c log softmax(logits)_c` with `q = (1 − ε) · onehot(target) + ε / classes`
/// (Szegedy et al., 2016, §7; as torch's `cross_entropy(…, label_smoothing=ε, reduction="sum")`).
///
/// # Shapes
/// `logits [rows, classes]`, `targets [rows]`; the result is a scalar.
///
/// # Errors
/// When a target is not a class, the shapes do not fit, or a computation fails.
pub fn cross_entropy(logits: &Tensor, targets: &[u32], label_smoothing: f64) -> Result<Tensor> {
    let (rows, classes) = logits.dims2()?;
    if targets.len() != rows {
        candle_core::bail!("{} targets for {rows} rows of logits", targets.len());
    }
    if let Some(target) = targets.iter().find(|&&target| target as usize >= classes) {
        candle_core::bail!("target {target} of a model with {classes} classes");
    }
    let log_probabilities = log_softmax(logits)?;
    let targets = Tensor::from_slice(targets, (rows, 1), logits.device())?;
    let hard = log_probabilities.gather(&targets, 1)?.sum_all()?.neg()?;
    if label_smoothing == 0.0 {
        return Ok(hard);
    }
    let uniform = log_probabilities.sum_all()?.affine(-label_smoothing / classes as f64, 0.0)?;
    (hard * (1.0 - label_smoothing))? + uniform
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::{super::finite_difference, *};

    #[test]
    fn equals_torch() {
        // torch.nn.functional.cross_entropy(logits, targets, reduction="sum", label_smoothing=s)
        let logits =
            Tensor::new(&[[1.0_f32, -2.0, 0.5], [0.0, 3.0, -1.0], [100.0, -100.0, 0.0]], &Device::Cpu).unwrap();
        for (smoothing, expected) in [(0.0, EXPECTED[0]), (0.1, EXPECTED[1])] {
            let loss = cross_entropy(&logits, &[0, 2, 0], smoothing).unwrap().to_scalar::<f32>().unwrap();
            assert!((loss - expected).abs() < 1e-5, "{loss} instead of {expected}");
        }
    }

    const EXPECTED: [f32; 2] = [4.570_481, 14.520_481];

    #[test]
    fn gradient() {
        for smoothing in [0.0, 0.2] {
            let point = finite_difference::numbers(12, 1);
            finite_difference::check(&[3, 4], &point, 1e-3, |x| cross_entropy(x, &[1, 0, 3], smoothing));
        }
    }

    #[test]
    fn wrong_targets_are_told() {
        let logits = Tensor::zeros((2, 3), candle_core::DType::F32, &Device::Cpu).unwrap();
        assert!(cross_entropy(&logits, &[0, 3], 0.0).unwrap_err().to_string().contains("target 3"));
        assert!(cross_entropy(&logits, &[0], 0.0).unwrap_err().to_string().contains("1 targets for 2 rows"));
    }
}
