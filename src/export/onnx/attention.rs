//! Self-attention: full, or of windows and a first token that sees everything.

use super::{
    builder::Builder,
    graph::Value,
    linear,
    mask::Masks,
    proto::{AttributeProto, DataType, Dimension},
    rotary::Turns,
};
use crate::export::ExportError;

/// What queries, keys and values are projected from.
#[derive(Clone, Copy)]
pub(super) struct Sources<'a> {
    pub(super) queries_and_keys: &'a Value,
    pub(super) values: &'a Value,
}

/// The heads' outputs side by side.
///
/// # Shapes
/// `[batch, sequence, …]` → `[batch, sequence, heads · head_dim]`.
pub(super) fn forward(
    b: &mut Builder<'_>,
    masks: &mut Masks,
    index: usize,
    prefix: &str,
    sources: Sources<'_>,
) -> Result<Value, ExportError> {
    let place = format!("{prefix}.attention.self");
    let (shape, head_dim) = (b.model.spec.layers[index], b.model.spec.head_dim);
    let x = sources.queries_and_keys;
    let turns = b.model.spec.theta(index).map(|theta| Turns::new(b, &masks.places, theta, head_dim)).transpose()?;
    let heads = Heads { place: &place, count: shape.heads, dim: head_dim, turns };
    let mask = masks.of_reach(b, shape.reach);
    let context = heads.attend(b, ["query", "key", "value"], [x, x, sources.values], &mask)?;
    if shape.reach.is_none() || !masks.first_is_global {
        return Ok(context);
    }
    // The first token has projections of its own for it (Beltagy et al., 2020, section 3.1); what its window gave it is not
    // used.
    let [start, one, end, axis] = [0, 1, i64::MAX, 1].map(|value| b.graph.ints(&[value]));
    let first = b.graph.op(&place, "Slice", &[x, &start, &one, &axis]); // [batch, 1, hidden]
    let mask = masks.of_reach(b, None);
    let global = heads.attend(b, ["query_global", "key_global", "value_global"], [&first, x, x], &mask)?;
    let others = b.graph.op(&place, "Slice", &[&context, &one, &end, &axis]);
    let all = b.graph.op_with(&place, "Concat", &[&global, &others], vec![AttributeProto::int("axis", 1)]);
    let width = Dimension::of(heads.count * heads.dim);
    b.graph.shape(&all, DataType::Float, vec![Dimension::named("batch"), Dimension::named("sequence"), width]);
    Ok(all)
}

struct Heads<'a> {
    place: &'a str,
    count: usize,
    dim: usize,
    turns: Option<Turns>,
}

impl Heads<'_> {
    /// `softmax(Q Kᵀ / √d + mask) V` (Vaswani et al., 2017, eq. 1), by the head; queries, keys and values each of their own. ONNX Runtime fuses product and division (`FusedMatMul`); its `AttentionFusion` asks for masks
    /// as opsets before 13 wrote them.
    fn attend(
        &self,
        b: &mut Builder<'_>,
        names: [&str; 3],
        [of_queries, of_keys, of_values]: [&Value; 3],
        mask: &Value,
    ) -> Result<Value, ExportError> {
        let place = self.place;
        let mut project = |name: &str, x: &Value, order: &[i64]| -> Result<Value, ExportError> {
            let projected = linear::forward(b, &format!("{place}.{name}"), x)?;
            let shape = b.graph.ints(&[0, 0, self.count as i64, self.dim as i64]);
            let by_head = b.graph.op(place, "Reshape", &[&projected, &shape]);
            Ok(b.graph.op_with(place, "Transpose", &[&by_head], vec![AttributeProto::ints("perm", order)]))
        };
        let mut query = project(names[0], of_queries, &[0, 2, 1, 3])?; // [batch, heads, queries, head_dim]
        let key_order: &[i64] = if self.turns.is_some() { &[0, 2, 1, 3] } else { &[0, 2, 3, 1] };
        let mut key = project(names[1], of_keys, key_order)?;
        let value = project(names[2], of_values, &[0, 2, 1, 3])?; // [batch, heads, sequence, head_dim]
        if let Some(turns) = &self.turns {
            query = turns.apply(b, place, &query);
            key = turns.apply(b, place, &key);
            key = b.graph.op_with(place, "Transpose", &[&key], vec![AttributeProto::ints("perm", &[0, 1, 3, 2])]);
        }
        // Keys are [batch, heads, head_dim, sequence].
        let root = b.graph.number((self.dim as f32).sqrt());
        let scores = b.graph.op(place, "MatMul", &[&query, &key]);
        let scores = b.graph.op(place, "Div", &[&scores, &root]);
        let scores = b.graph.op(place, "Add", &[&scores, mask]);
        let probabilities = b.graph.op_with(place, "Softmax", &[&scores], vec![AttributeProto::int("axis", -1)]);
        let context = b.graph.op(place, "MatMul", &[&probabilities, &value]);
        let by_token = vec![AttributeProto::ints("perm", &[0, 2, 1, 3])];
        let context = b.graph.op_with(place, "Transpose", &[&context], by_token);
        let shape = b.graph.ints(&[0, 0, (self.count * self.dim) as i64]);
        Ok(b.graph.op(place, "Reshape", &[&context, &shape]))
    }
}
