//! Softmax over rows that are padded to whole vectors, and its gradient.

use super::product::padded;
use crate::kernels::{
    isa::multiversion,
    math::{exp, multiply_add, sum_of_lanes},
};

multiversion!(pub(super) fn softmax(scores: &mut [f32], len: usize) = softmax_body);
multiversion!(pub(super) fn softmax_backward(p: &[f32], gradient: &mut [f32], len: usize) = softmax_backward_body);

/// Partial maxima and sums of a row, combined in a fixed order.
const LANES: usize = 16;

/// Softmax over the first `len` of each row; the padding becomes 0.
#[inline(always)]
fn softmax_body<const FUSED: bool>(scores: &mut [f32], len: usize) {
    for row in scores.chunks_exact_mut(padded(len)) {
        row[len..].fill(f32::NEG_INFINITY);
        let mut greatest = [f32::NEG_INFINITY; LANES];
        for chunk in row.chunks_exact(LANES) {
            for (greatest, &x) in greatest.iter_mut().zip(chunk) {
                *greatest = if x > *greatest { x } else { *greatest };
            }
        }
        let greatest = greatest.into_iter().fold(f32::NEG_INFINITY, f32::max);
        // `exp` clamps its input, so the padding is cleared by hand.
        let mut sums = [0.0; LANES];
        for x in row.iter_mut() {
            *x = exp::<FUSED>(*x - greatest);
        }
        row[len..].fill(0.0);
        for chunk in row.chunks_exact(LANES) {
            for (sum, &x) in sums.iter_mut().zip(chunk) {
                *sum += x;
            }
        }
        let inverse = 1.0 / sum_of_lanes(sums);
        for x in row.iter_mut() {
            *x *= inverse;
        }
    }
}

/// `gradient = p · (gradient − Σ gradient · p)` over each row.
#[inline(always)]
fn softmax_backward_body<const FUSED: bool>(p: &[f32], gradient: &mut [f32], len: usize) {
    let stride = padded(len);
    for (p, gradient) in p.chunks_exact(stride).zip(gradient.chunks_exact_mut(stride)) {
        let mut sums = [0.0; LANES];
        for (p, gradient) in p.chunks_exact(LANES).zip(gradient.chunks_exact(LANES)) {
            for ((sum, &p), &gradient) in sums.iter_mut().zip(p).zip(gradient) {
                *sum = multiply_add::<FUSED>(p, gradient, *sum);
            }
        }
        let sum = sum_of_lanes(sums);
        for (gradient, &p) in gradient.iter_mut().zip(p) {
            *gradient = p * (*gradient - sum);
        }
    }
}
