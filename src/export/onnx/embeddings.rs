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
    model::{Embedding, Int8Weight, PROJECTION, Positions},
};

/// The table of the words, which may be the decoder of a masked LM, too.
pub(super) const WORDS: &str = "bert.embeddings.word_embeddings";

/// `LayerNorm(word + position + type)`; embeddings of another width than the layers' go through a linear layer, before or
/// after.
///
/// # Shapes
/// → `[batch, sequence, hidden]`.
pub(super) fn forward(b: &mut Builder<'_>, inputs: &Inputs) -> Result<Value, ExportError> {
    const PLACE: &str = "bert.embeddings";
    let mut sum = rows(b, WORDS, &inputs.ids)?;
    if let Embedding::Words { trigrams, .. } = b.model.spec.embedding {
        if trigrams {
            sum = with_neighbours(b, PLACE, inputs, &sum);
        }
        sum = linear::forward(b, PROJECTION, &sum)?;
    }
    if let Some(positions) = positions(b, PLACE, inputs) {
        let positions = rows(b, "bert.embeddings.position_embeddings", &positions)?;
        sum = b.graph.op(PLACE, "Add", &[&sum, &positions]);
    }
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
    if let Embedding::Projected(_) = b.model.spec.embedding { linear::forward(b, PROJECTION, &x) } else { Ok(x) }
}

/// Each word between the next one and the previous one (Sun et al., 2020, section 3.4); what is beyond the ends of a sequence,
/// padding too, is 0: `[batch, sequence, size]` → `[batch, sequence, 3 · size]`.
fn with_neighbours(b: &mut Builder<'_>, place: &str, inputs: &Inputs, words: &Value) -> Value {
    let [start, one, last, end, axis, two] = [0, 1, -1, i64::MAX, 1, 2].map(|value| b.graph.ints(&[value]));
    let mask = linear::cast_to_f32(b, place, &inputs.mask);
    let mask = b.graph.op(place, "Unsqueeze", &[&mask, &two]);
    let real = b.graph.op(place, "Mul", &[words, &mask]);
    let nothing = b.graph.number(0.0);
    let first = b.graph.op(place, "Slice", &[&real, &start, &one, &axis]);
    let nothing = b.graph.op(place, "Mul", &[&first, &nothing]); // [batch, 1, size]
    let mut shifted = |from: &Value, to: &Value, nothing_is_first: bool| {
        let others = b.graph.op(place, "Slice", &[&real, from, to, &axis]);
        let parts = if nothing_is_first { [&nothing, &others] } else { [&others, &nothing] };
        b.graph.op_with(place, "Concat", &parts, vec![AttributeProto::int("axis", 1)])
    };
    let (next, previous) = (shifted(&one, &end, false), shifted(&start, &last, true));
    b.graph.op_with(place, "Concat", &[&next, words, &previous], vec![AttributeProto::int("axis", 2)])
}

/// The row of the position table of each token, `[sequence]` or `[batch, sequence]`; none where there is no table.
fn positions(b: &mut Builder<'_>, place: &str, inputs: &Inputs) -> Option<Value> {
    match b.model.spec.positions {
        Positions::NoTable => None,
        Positions::FromZero => Some(inputs.places.clone()),
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
            Some(b.graph.op(place, "Add", &[&sums, &padding]))
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
