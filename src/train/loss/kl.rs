//! Softened distributions.

use candle_core::{Result, Tensor};

use super::log_softmax;

/// `T² Σ_rows KL(softmax(teacher / T) ‖ softmax(student / T))` (Hinton et al., 2015, §2). The factor keeps the size of
/// the gradient the same whatever the temperature.
///
/// # Shapes
/// `student [rows, classes]`, `teacher [rows, classes]`; the result is a scalar. Nothing flows back into the teacher.
///
/// # Errors
/// When the shapes do not fit, or a computation fails.
pub fn kl_divergence(student: &Tensor, teacher: &Tensor, temperature: f64) -> Result<Tensor> {
    let student = log_softmax(&(student / temperature)?)?;
    let teacher = log_softmax(&(teacher.detach() / temperature)?)?;
    (teacher.exp()? * (teacher - student)?)?.sum_all()?.affine(temperature * temperature, 0.0)
}

/// `Σ teacher · (ln teacher − ln student)` of probabilities of any shape. Nothing flows back into the teacher.
///
/// # Errors
/// When the shapes do not fit, or a computation fails.
pub fn kl_of_probabilities(student: &Tensor, teacher: &Tensor) -> Result<Tensor> {
    // A probability that rounds to 0 has no logarithm.
    let log = |p: &Tensor| (p + 1e-10)?.log();
    let teacher = teacher.detach();
    (&teacher * (log(&teacher)? - log(student)?)?)?.sum_all()
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::{super::finite_difference, *};

    #[test]
    fn equals_torch() {
        // T² · kl_div(log_softmax(s / T), softmax(t / T), reduction="sum")
        let student = Tensor::new(&[[1.0_f32, -2.0, 0.5], [0.0, 3.0, -1.0]], &Device::Cpu).unwrap();
        let teacher = Tensor::new(&[[2.0_f32, 0.0, -0.5], [60.0, -60.0, 1.0]], &Device::Cpu).unwrap();
        for (temperature, expected) in [(1.0, EXPECTED[0]), (2.0, EXPECTED[1])] {
            let loss = kl_divergence(&student, &teacher, temperature).unwrap().to_scalar::<f32>().unwrap();
            assert!((loss - expected).abs() < 1e-5, "{loss} instead of {expected}");
        }
        let same = kl_divergence(&teacher, &teacher, 2.0).unwrap().to_scalar::<f32>().unwrap();
        assert_eq!(same, 0.0);
    }

    const EXPECTED: [f32; 2] = [3.350_061_4, 7.740_173];

    #[test]
    fn probabilities_are_compared_as_logits_are() {
        let [student, teacher] =
            [3, 4].map(|seed| Tensor::from_vec(finite_difference::numbers(12, seed), (3, 4), &Device::Cpu).unwrap());
        let softmax = |x: &Tensor| log_softmax(x).unwrap().exp().unwrap();
        let expected = kl_divergence(&student, &teacher, 1.0).unwrap().to_scalar::<f32>().unwrap();
        let found = kl_of_probabilities(&softmax(&student), &softmax(&teacher)).unwrap().to_scalar::<f32>().unwrap();
        assert!((found - expected).abs() < 1e-6, "{found} instead of {expected}");
        let certain = Tensor::new(&[1.0_f32, 0.0], &Device::Cpu).unwrap();
        let other = Tensor::new(&[0.0_f32, 1.0], &Device::Cpu).unwrap();
        assert!(kl_of_probabilities(&certain, &other).unwrap().to_scalar::<f32>().unwrap().is_finite());
    }

    #[test]
    fn gradient() {
        let teacher = Tensor::from_vec(finite_difference::numbers(12, 2), (3, 4), &Device::Cpu).unwrap();
        let point = finite_difference::numbers(12, 3);
        for temperature in [1.0, 3.0] {
            finite_difference::check(&[3, 4], &point, 2e-3, |x| kl_divergence(x, &teacher, temperature));
        }
    }
}
