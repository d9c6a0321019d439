//! Activation functions, in the forms that ONNX Runtime fuses.

use std::f32::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI, SQRT_2};

use super::{builder::Builder, graph::Value};
use crate::model::Activation;

/// `f(x)`, for each number.
pub(super) fn forward(b: &mut Builder<'_>, place: &str, activation: Activation, x: &Value) -> Value {
    match activation {
        Activation::Gelu => gelu(b, place, x),
        Activation::GeluTanh => gelu_tanh(b, place, x),
        Activation::Relu => b.graph.op(place, "Relu", &[x]),
        Activation::Tanh => b.graph.op(place, "Tanh", &[x]),
    }
}

/// `½ x (1 + erf(x / √2))` (Hendrycks and Gimpel, 2016, eq. 1), multiplied in the order of the pattern of `GeluFusion`.
fn gelu(b: &mut Builder<'_>, place: &str, x: &Value) -> Value {
    let [half, one, root] = [0.5, 1.0, SQRT_2].map(|value| b.graph.number(value));
    let scaled = b.graph.op(place, "Div", &[x, &root]);
    let erf = b.graph.op(place, "Erf", &[&scaled]);
    let sum = b.graph.op(place, "Add", &[&erf, &one]);
    let product = b.graph.op(place, "Mul", &[x, &sum]);
    b.graph.op(place, "Mul", &[&product, &half])
}

/// `½ x (1 + tanh(√(2/π) (x + 0.044715 x³)))` (the same, section 2), in the order of the pattern of `FastGeluFusion`.
fn gelu_tanh(b: &mut Builder<'_>, place: &str, x: &Value) -> Value {
    let root = FRAC_2_SQRT_PI * FRAC_1_SQRT_2; // √(2/π)
    let [half, one, three, cubic, root] = [0.5, 1.0, 3.0, 0.044_715, root].map(|value| b.graph.number(value));
    let cube = b.graph.op(place, "Pow", &[x, &three]);
    let cube = b.graph.op(place, "Mul", &[&cube, &cubic]);
    let sum = b.graph.op(place, "Add", &[x, &cube]);
    let inner = b.graph.op(place, "Mul", &[&sum, &root]);
    let tanh = b.graph.op(place, "Tanh", &[&inner]);
    let sum = b.graph.op(place, "Add", &[&tanh, &one]);
    let halved = b.graph.op(place, "Mul", &[x, &half]);
    b.graph.op(place, "Mul", &[&halved, &sum])
}
