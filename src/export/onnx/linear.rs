//! Linear layers, f32 and int8, and norms.

use super::{
    builder::{Builder, Quantized, transpose},
    graph::Value,
    proto::{AttributeProto, DataType},
};
use crate::{export::ExportError, model::Int8Weight};

/// `x Wᵀ + b`, or without `b` where the family has none.
///
/// # Shapes
/// `[…, in]` → `[…, out]`.
pub(super) fn forward(b: &mut Builder<'_>, module: &str, x: &Value) -> Result<Value, ExportError> {
    let product = if let Some(weight) = b.int8(module) {
        int8_product(b, module, weight, x)?
    } else {
        let weight = b.transposed(&format!("{module}.weight"))?;
        b.graph.op(module, "MatMul", &[x, &weight])
    };
    add_bias(b, module, &product)
}

/// Adds the bias of a module, where there is one.
pub(super) fn add_bias(b: &mut Builder<'_>, module: &str, x: &Value) -> Result<Value, ExportError> {
    let name = format!("{module}.bias");
    if !b.model.params.contains_key(&name) {
        return Ok(x.clone());
    }
    let bias = b.parameter(&name)?;
    Ok(b.graph.op(module, "Add", &[x, &bias]))
}

/// The product with an int8 weight as ONNX Runtime fuses it (`DynamicQuantizeMatMul`, or `MatMulIntegerToFloat` where
/// several layers share the quantised input).
///
/// `DynamicQuantizeLinear` has one scale a tensor, asymmetric in `u8`; lmpipe's own engine has one a token, symmetric in `i8`. So
/// each token is divided by its largest number first, and its products are multiplied by it: the tensor's scale, about 2 / 255 then, is
/// as fine for a token of small numbers as for the largest one, and what a text is batched with does not change its answer.
fn int8_product(b: &mut Builder<'_>, module: &str, weight: &Int8Weight, x: &Value) -> Result<Value, ExportError> {
    let [outputs, inputs] = weight.shape();
    let Quantized { values: quantized, scale, zero, largest } = quantize(b, module, x);
    let name = format!("{module}.weight");
    let values = transpose(weight.values(), outputs, inputs);
    let matrix = b.int8_constant(&format!("{name}.T"), &[inputs, outputs], &values)?;
    let weight_zero = b.int8_constant(&format!("{name}_zero_point"), &[outputs], &vec![0; outputs])?;
    let weight_scale = b.constant(&format!("{name}_scale"), &[outputs], weight.scales())?;
    let sums = b.graph.op(module, "MatMulInteger", &[&quantized, &matrix, &zero, &weight_zero]);
    let sums = cast_to_f32(b, module, &sums);
    let scale = b.graph.op(module, "Mul", &[&scale, &weight_scale]);
    let product = b.graph.op(module, "Mul", &[&sums, &scale]);
    Ok(b.graph.op(module, "Mul", &[&product, &largest]))
}

/// A value as `u8`, by the token; once for all that read it.
fn quantize(b: &mut Builder<'_>, module: &str, x: &Value) -> Quantized {
    if let Some(known) = b.quantized.get(x) {
        return known.clone();
    }
    let sizes = b.graph.op(module, "Abs", &[x]);
    let largest = b.graph.op_with(module, "ReduceMax", &[&sizes], vec![AttributeProto::ints("axes", &[-1])]);
    // A token of zeros stays one.
    let smallest = b.graph.number(f32::MIN_POSITIVE);
    let largest = b.graph.op(module, "Max", &[&largest, &smallest]);
    let scaled = b.graph.op(module, "Div", &[x, &largest]);
    let [values, scale, zero] = b.graph.ops(module, "DynamicQuantizeLinear", &[&scaled], Vec::new());
    let quantized = Quantized { values, scale, zero, largest };
    b.quantized.insert(x.clone(), quantized.clone());
    quantized
}

/// Any numbers as f32.
pub(super) fn cast_to_f32(b: &mut Builder<'_>, place: &str, x: &Value) -> Value {
    b.graph.op_with(place, "Cast", &[x], vec![AttributeProto::int("to", DataType::Float as i64)])
}

/// The norm of a module: `LayerNorm(x)` over the last axis, or a scale and a shift.
pub(super) fn norm(b: &mut Builder<'_>, module: &str, x: &Value) -> Result<Value, ExportError> {
    let scale = b.parameter(&format!("{module}.weight"))?;
    let Some(eps) = b.model.spec.norm_eps(module) else {
        let scaled = b.graph.op(module, "Mul", &[x, &scale]);
        return add_bias(b, module, &scaled);
    };
    let attributes = vec![AttributeProto::int("axis", -1), AttributeProto::float("epsilon", eps as f32)];
    let shift = format!("{module}.bias");
    if !b.model.params.contains_key(&shift) {
        return Ok(b.graph.op_with(module, "LayerNormalization", &[x, &scale], attributes));
    }
    let shift = b.parameter(&shift)?;
    Ok(b.graph.op_with(module, "LayerNormalization", &[x, &scale, &shift], attributes))
}
