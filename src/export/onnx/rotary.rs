//! Positions as turns of queries and keys (Su et al., 2021, eq. 34).

use super::{builder::Builder, graph::Value, linear, proto::AttributeProto};
use crate::{export::ExportError, model::rotary_frequencies};

/// The cosines and sines of the places of tokens, `[sequence, head_dim / 2]` each.
pub(super) struct Turns {
    cosines: Value,
    sines: Value,
    half: i64,
}

impl Turns {
    /// Those of tokens at `places`, `[sequence]`; `theta` is the base of the angles.
    pub(super) fn new(b: &mut Builder<'_>, places: &Value, theta: f64, head_dim: usize) -> Result<Self, ExportError> {
        let place = format!("turns.{theta}");
        let frequencies = rotary_frequencies(theta, head_dim);
        let half = frequencies.len();
        let frequencies = b.constant(&format!("{place}.frequencies"), &[1, half], &frequencies)?;
        let axis = b.graph.ints(&[1]);
        let places = linear::cast_to_f32(b, &place, places);
        let places = b.graph.op(&place, "Unsqueeze", &[&places, &axis]);
        let angles = b.graph.op(&place, "Mul", &[&places, &frequencies]);
        let [cosines, sines] = ["Cos", "Sin"].map(|op| b.graph.op(&place, op, &[&angles]));
        Ok(Self { cosines, sines, half: half as i64 })
    }

    /// Turns pairs of numbers, one of a head's first half and one of its second: `[batch, heads, sequence, head_dim]` → the
    /// same.
    pub(super) fn apply(&self, b: &mut Builder<'_>, place: &str, x: &Value) -> Value {
        let [start, middle, end, axis] = [0, self.half, 2 * self.half, -1].map(|value| b.graph.ints(&[value]));
        let first = b.graph.op(place, "Slice", &[x, &start, &middle, &axis]);
        let second = b.graph.op(place, "Slice", &[x, &middle, &end, &axis]);
        let mut times = |x: &Value, y: &Value| b.graph.op(place, "Mul", &[x, y]);
        let (a, c) = (times(&first, &self.cosines), times(&second, &self.sines));
        let (d, e) = (times(&second, &self.cosines), times(&first, &self.sines));
        let first = b.graph.op(place, "Sub", &[&a, &c]);
        let second = b.graph.op(place, "Add", &[&d, &e]);
        b.graph.op_with(place, "Concat", &[&first, &second], vec![AttributeProto::int("axis", -1)])
    }
}
