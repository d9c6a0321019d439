//! GELU, exact and tanh, rectified linear units and tanh, forward and backward.

use rayon::prelude::*;

use super::{
    TASK,
    isa::{Isa, multiversion},
    math,
};

/// Which function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// `x Φ(x)` (Hendrycks and Gimpel, 2016, eq. 1), absolute error below 10⁻⁶.
    Gelu,
    /// `½ x (1 + tanh(√(2/π) (x + 0.044715 x³)))` (the same, section 2).
    GeluTanh,
    /// `max(0, x)`.
    Relu,
    /// `tanh(x)`.
    Tanh,
}

/// `out[i] = f(x[i])`.
///
/// # Panics
/// When the lengths differ.
pub fn forward(function: Function, x: &[f32], out: &mut [f32]) {
    assert_eq!(x.len(), out.len(), "an activation keeps the shape");
    let isa = Isa::detect();
    out.par_chunks_mut(TASK).zip(x.par_chunks(TASK)).for_each(|(out, x)| chunk(isa, function, x, out));
}

/// `out[i] = f′(x[i]) · gradient[i]`.
///
/// # Panics
/// When the lengths differ.
pub fn backward(function: Function, x: &[f32], gradient: &[f32], out: &mut [f32]) {
    assert!(x.len() == out.len() && x.len() == gradient.len(), "an activation keeps the shape");
    let isa = Isa::detect();
    out.par_chunks_mut(TASK)
        .zip(x.par_chunks(TASK))
        .zip(gradient.par_chunks(TASK))
        .for_each(|((out, x), gradient)| chunk_backward(isa, function, x, gradient, out));
}

multiversion!(fn chunk(function: Function, x: &[f32], out: &mut [f32]) = chunk_body);
multiversion!(fn chunk_backward(function: Function, x: &[f32], gradient: &[f32], out: &mut [f32]) = chunk_backward_body);

#[inline(always)]
fn chunk_body<const FUSED: bool>(function: Function, x: &[f32], out: &mut [f32]) {
    out.copy_from_slice(x);
    in_place::<FUSED>(function, out);
}

/// `y[i] = f(y[i])`: for a kernel that has the values at hand.
#[inline(always)]
pub(super) fn in_place<const FUSED: bool>(function: Function, y: &mut [f32]) {
    match function {
        Function::Gelu => map(y, |x| x * math::normal::<FUSED>(x).0),
        Function::GeluTanh => map(y, |x| 0.5 * x * (1.0 + math::tanh::<FUSED>(inner(x)))),
        Function::Relu => map(y, |x| if x > 0.0 { x } else { 0.0 }),
        Function::Tanh => map(y, math::tanh::<FUSED>),
    }
}

#[inline(always)]
fn chunk_backward_body<const FUSED: bool>(function: Function, x: &[f32], gradient: &[f32], out: &mut [f32]) {
    match function {
        Function::Gelu => zip(x, gradient, out, |x, gradient| {
            let (phi, bell) = math::normal::<FUSED>(x);
            gradient * math::multiply_add::<FUSED>(x * INVERSE_SQRT_TAU, bell, phi)
        }),
        Function::GeluTanh => zip(x, gradient, out, |x, gradient| {
            let t = math::tanh::<FUSED>(inner(x));
            let slope = SQRT_2_OVER_PI * (1.0 + 3.0 * CUBIC * x * x);
            gradient * (0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * slope)
        }),
        Function::Relu => zip(x, gradient, out, |x, gradient| if x > 0.0 { gradient } else { 0.0 }),
        Function::Tanh => zip(x, gradient, out, |x, gradient| {
            let t = math::tanh::<FUSED>(x);
            gradient * (1.0 - t * t)
        }),
    }
}

const INVERSE_SQRT_TAU: f32 = 0.398_942_3;
const SQRT_2_OVER_PI: f32 = 0.797_884_6;
const CUBIC: f32 = 0.044_715;

#[inline(always)]
fn inner(x: f32) -> f32 {
    SQRT_2_OVER_PI * x * (1.0 + CUBIC * x * x)
}

#[inline(always)]
fn map(y: &mut [f32], f: impl Fn(f32) -> f32) {
    for y in y {
        *y = f(*y);
    }
}

#[inline(always)]
fn zip(x: &[f32], gradient: &[f32], out: &mut [f32], f: impl Fn(f32, f32) -> f32) {
    for ((out, &x), &gradient) in out.iter_mut().zip(x).zip(gradient) {
        *out = f(x, gradient);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::reference;

    #[test]
    fn agrees_with_the_formulas_on_every_isa() {
        let x: Vec<f32> = (-3001..3001).map(|i| i as f32 / 300.0).collect();
        let gradient: Vec<f32> = x.iter().map(|x| (x * 7.0).sin() + 0.3).collect();
        let mut out = vec![0.0; x.len()];
        for isa in Isa::all() {
            for function in [Function::Gelu, Function::GeluTanh, Function::Relu, Function::Tanh] {
                chunk(isa, function, &x, &mut out);
                for (&x, &y) in x.iter().zip(&out) {
                    let expected = reference::activation(function, f64::from(x));
                    assert!((f64::from(y) - expected).abs() <= 1e-6, "{isa:?} {function:?} {x}: {y} {expected}");
                }
                chunk_backward(isa, function, &x, &gradient, &mut out);
                for ((&x, &g), &y) in x.iter().zip(&gradient).zip(&out) {
                    let x = f64::from(x);
                    let h = 1e-5;
                    let slope =
                        (reference::activation(function, x + h) - reference::activation(function, x - h)) / (2.0 * h);
                    // ReLU has no slope at 0.
                    assert!(x == 0.0 || (f64::from(y) - slope * f64::from(g)).abs() < 2e-6, "{isa:?} {function:?} {x}");
                }
            }
        }
    }
}
