//! Word, position and type embeddings, normalised.

use super::{
    Inputs,
    builder::Builder,
    graph::Value,
    linear,
    proto::{AttributeProto, DataType},
};
use crate::{
    export::ExportError,
    model::{Int8Weight, PROJECTION, Positions},
};

/// The table of the words, which may be the decoder of a masked LM, too.
pub(super) const WORDS: &str = "bert.embeddings.word_embeddings";

/// `LayerNorm(word + position + type)`; embeddings of another width than the layers' go through a linear layer.
///
/// # Shapes
/// → `[batch, sequence, hidden]`.
pub(super) fn forward(b: &mut Builder<'_>, inputs: &Inputs) -> Result<Value, ExportError> {
    const PLACE: &str = "bert.embeddings";
    let words = rows(b, WORDS, &inputs.ids)?;
    let positions = positions(b, PLACE, inputs);
    let positions = rows(b, "bert.embeddings.position_embeddings", &positions)?;
    let mut sum = b.graph.op(PLACE, "Add", &[&words, &positions]);
    if b.model.spec.type_vocab_size > 0 {
        // A family that has one type has none to tell apart, and no input for it.
        let types = match &inputs.types {
            Some(types) => types.clone(),
            None => b.graph.ints(&[0]),
        };
        let types = rows(b, "bert.embeddings.token_type_embeddings", &types)?;
        sum = b.graph.op(PLACE, "Add", &[&sum, &types]);
    }
    let x = linear::norm(b, "bert.embeddings.LayerNorm", &sum)?;
    if b.model.spec.embedding_size.is_some() { linear::forward(b, PROJECTION, &x) } else { Ok(x) }
}

/// The row of the position table of each token, `[sequence]` or `[batch, sequence]`.
fn positions(b: &mut Builder<'_>, place: &str, inputs: &Inputs) -> Value {
    match b.model.spec.positions {
        Positions::FromZero => inputs.places.clone(),
        // `cumsum(id ≠ padding) · (id ≠ padding) + padding`, as `RoBERTa` counts.
        Positions::AfterPadding(padding) => {
            let padding = b.graph.int(i64::from(padding));
            let is_padding = b.graph.op(place, "Equal", &[&inputs.ids, &padding]);
            let counts = b.graph.op(place, "Not", &[&is_padding]);
            let to = vec![AttributeProto::int("to", DataType::Int64 as i64)];
            let counts = b.graph.op_with(place, "Cast", &[&counts], to);
            let along_the_sequence = b.graph.int(1);
            let sums = b.graph.op(place, "CumSum", &[&counts, &along_the_sequence]);
            let sums = b.graph.op(place, "Mul", &[&sums, &counts]);
            b.graph.op(place, "Add", &[&sums, &padding])
        }
    }
}

/// Rows of a table.
fn rows(b: &mut Builder<'_>, module: &str, ids: &Value) -> Result<Value, ExportError> {
    if let Some(table) = b.int8(module) {
        let (values, scales) = int8_table(b, module, table)?;
        let rows = b.graph.op(module, "Gather", &[&values, ids]);
        let rows = linear::cast_to_f32(b, module, &rows);
        let scales = b.graph.op(module, "Gather", &[&scales, ids]);
        return Ok(b.graph.op(module, "Mul", &[&rows, &scales]));
    }
    let table = b.parameter(&format!("{module}.weight"))?;
    Ok(b.graph.op(module, "Gather", &[&table, ids]))
}

/// The numbers of an int8 table, `[rows, width]`, and their scales, `[rows, 1]`.
pub(super) fn int8_table(b: &mut Builder<'_>, module: &str, table: &Int8Weight) -> Result<(Value, Value), ExportError> {
    let [rows, width] = table.shape();
    let values = b.int8_constant(&format!("{module}.weight"), &[rows, width], table.values())?;
    let scales = b.constant(&format!("{module}.weight_scale"), &[rows, 1], table.scales())?;
    Ok((values, scales))
}
