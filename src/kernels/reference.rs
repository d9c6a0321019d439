//! Each kernel as plain loops in double precision; tests compare against it.

use super::activation::Function;

/// Numbers in `[−1, 1)` that look random and are the same everywhere.
pub(super) fn noise(n: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9).wrapping_add(1);
    (0..n)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / 8_388_608.0 - 1.0
        })
        .collect()
}

pub(super) fn assert_close(found: &[f32], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        let difference = (f64::from(*found) - expected).abs();
        assert!(difference <= tolerance, "element {i}: {found} is not {expected}");
    }
}

/// Compares a gradient with central differences of a loss, at up to 64 elements.
pub(super) fn check_gradient(x: &[f32], gradient: &[f32], tolerance: f64, loss: impl Fn(&[f32]) -> f64) {
    assert_eq!(x.len(), gradient.len());
    for i in (0..x.len()).step_by(x.len().div_ceil(64).max(1)) {
        let at = |step: f32| {
            let mut moved = x.to_vec();
            moved[i] += step;
            (loss(&moved), f64::from(moved[i]))
        };
        let ((above, x_above), (below, x_below)) = (at(2e-3), at(-2e-3));
        let slope = (above - below) / (x_above - x_below);
        let difference = (slope - f64::from(gradient[i])).abs();
        assert!(difference <= tolerance * (1.0 + slope.abs()), "gradient {i}: {} is not {slope}", gradient[i]);
    }
}

pub(super) fn activation(function: Function, x: f64) -> f64 {
    match function {
        Function::Gelu => 0.5 * x * (1.0 + erf(x / std::f64::consts::SQRT_2)),
        Function::GeluTanh => {
            0.5 * x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x * x * x)).tanh())
        }
        Function::Relu => x.max(0.0),
        Function::Tanh => x.tanh(),
    }
}

/// The error function by its series (Abramowitz and Stegun 1964, 7.1.6).
pub(super) fn erf(x: f64) -> f64 {
    let x = x.clamp(-6.0, 6.0);
    let (mut term, mut sum, mut n) = (x, x, 0.0);
    while term.abs() > 1e-17 * sum.abs() {
        n += 1.0;
        term *= 2.0 * x * x / (2.0 * n + 1.0);
        sum += term;
    }
    2.0 / std::f64::consts::PI.sqrt() * sum * (-x * x).exp()
}

pub(super) fn layer_norm(x: &[f32], scale: &[f32], shift: &[f32], eps: f64) -> Vec<f64> {
    let width = scale.len();
    let mut out = Vec::with_capacity(x.len());
    for row in x.chunks_exact(width) {
        let mean = row.iter().map(|x| f64::from(*x)).sum::<f64>() / width as f64;
        let variance = row.iter().map(|x| (f64::from(*x) - mean).powi(2)).sum::<f64>() / width as f64;
        for ((x, scale), shift) in row.iter().zip(scale).zip(shift) {
            out.push((f64::from(*x) - mean) / (variance + eps).sqrt() * f64::from(*scale) + f64::from(*shift));
        }
    }
    out
}

/// The probabilities of one head of one sequence, `[len, len]`, from its queries and keys, `[len, head_dim]`; `sees` says
/// whether a query sees a key.
pub(super) fn probabilities(q: &[f32], k: &[f32], head_dim: usize, sees: impl Fn(usize, usize) -> bool) -> Vec<f64> {
    let len = q.len() / head_dim;
    let mut out = Vec::with_capacity(len * len);
    for i in 0..len {
        let scores: Vec<f64> = (0..len)
            .map(|j| {
                let dot: f64 =
                    (0..head_dim).map(|d| f64::from(q[i * head_dim + d]) * f64::from(k[j * head_dim + d])).sum();
                if sees(i, j) { (dot / (head_dim as f64).sqrt()).exp() } else { 0.0 }
            })
            .collect();
        let sum: f64 = scores.iter().sum();
        out.extend(scores.iter().map(|score| score / sum));
    }
    out
}
