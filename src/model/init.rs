//! Seeded initialisation: normal weights, zero biases, norms of one.

use candle_core::{Device, Tensor};
use rand::RngCore;

use super::{ModelError, Parameter};
use crate::base::rng;

/// A fresh tensor for a parameter. Each parameter draws from a stream of its own name, so that adding one does not
/// change another.
pub(super) fn tensor(parameter: &Parameter, range: f64, seed: u64, device: &Device) -> Result<Tensor, ModelError> {
    let shape = parameter.shape.as_slice();
    if parameter.is_norm_scale() {
        return Ok(Tensor::ones(shape, candle_core::DType::F32, device)?);
    }
    if shape.len() == 1 {
        return Ok(Tensor::zeros(shape, candle_core::DType::F32, device)?);
    }
    let mut values = normal(&mut rng::stream(seed, &format!("init/{}", parameter.name)), shape.iter().product(), range);
    if parameter.name.ends_with("word_embeddings.weight") {
        // The padding token is 0 in every BERT vocabulary, and `transformers` starts it at zero.
        values.iter_mut().take(shape[1]).for_each(|value| *value = 0.0);
    }
    Ok(Tensor::from_vec(values, shape, device)?)
}

/// Normally distributed numbers (Box and Muller, 1958).
fn normal(stream: &mut impl RngCore, n: usize, deviation: f64) -> Vec<f32> {
    let mut values = Vec::with_capacity(n + 1);
    while values.len() < n {
        // 1 − u is in (0, 1], so the logarithm is finite.
        let radius = (-2.0 * (1.0 - f64::from(rng::uniform(stream))).ln()).sqrt() * deviation;
        let angle = std::f64::consts::TAU * f64::from(rng::uniform(stream));
        values.push((radius * angle.cos()) as f32);
        values.push((radius * angle.sin()) as f32);
    }
    values.truncate(n);
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_normal_and_named() {
        let draw = |name: &str| normal(&mut rng::stream(1, name), 20_001, 0.5);
        let values = draw("a");
        assert_eq!(values.len(), 20_001);
        assert_eq!(values, draw("a"));
        assert_ne!(values, draw("b"));
        let mean = values.iter().sum::<f32>() / values.len() as f32;
        let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / values.len() as f32;
        assert!(mean.abs() < 0.02 && (variance - 0.25).abs() < 0.01, "{mean} {variance}");
    }
}
