//! What a token may see: no padding and, where attention has windows, those near it and those that all see.

use std::collections::BTreeMap;

use super::{
    Inputs,
    builder::Builder,
    graph::Value,
    linear,
    proto::{AttributeProto, DataType},
};

/// What is added to the score of a token that is not seen: its softmax is 0, and a row of nothing else is no NaN.
const UNSEEN: f32 = f32::MIN;
const PLACE: &str = "mask";

/// The masks of the layers, each drawn once.
pub(super) struct Masks {
    /// Which tokens are no padding, `[batch, 1, 1, sequence]`.
    keys: Value,
    /// 0, 1, 2, …, `[sequence]`.
    pub(super) places: Value,
    /// Whether the first token sees everything and everything sees it, where attention has windows.
    pub(super) first_is_global: bool,
    drawn: BTreeMap<Option<usize>, Value>,
}

impl Masks {
    pub(super) fn new(b: &mut Builder<'_>, inputs: &Inputs) -> Self {
        let [one, two] = [1, 2].map(|axis| b.graph.ints(&[axis]));
        let keys = b.graph.op(PLACE, "Unsqueeze", &[&inputs.mask, &one]);
        let keys = b.graph.op(PLACE, "Unsqueeze", &[&keys, &two]);
        let first_is_global = b.model.globals(&[0, 1]) == [0];
        Self { keys, places: inputs.places.clone(), first_is_global, drawn: BTreeMap::new() }
    }

    /// What is added to the scores of tokens that see so far each way, or everything.
    ///
    /// # Shapes
    /// `[batch, 1, 1, sequence]`, or with windows `[batch, 1, sequence, sequence]`.
    pub(super) fn of_reach(&mut self, b: &mut Builder<'_>, reach: Option<usize>) -> Value {
        if let Some(known) = self.drawn.get(&reach) {
            return known.clone();
        }
        let mask = match reach {
            None => self.of_padding(b),
            Some(reach) => self.of_windows(b, reach),
        };
        self.drawn.insert(reach, mask.clone());
        mask
    }

    /// `(1 − mask) · UNSEEN`.
    fn of_padding(&self, b: &mut Builder<'_>) -> Value {
        let [one, unseen] = [1.0, UNSEEN].map(|value| b.graph.number(value));
        let keys = linear::cast_to_f32(b, PLACE, &self.keys);
        let padding = b.graph.op(PLACE, "Sub", &[&one, &keys]);
        b.graph.op(PLACE, "Mul", &[&padding, &unseen])
    }

    /// Pairs of tokens that are near each other, and the first token for all where it is global. Every pair has a number:
    /// time and memory grow with the square of the length, as they do not in lmpipe's own engine.
    fn of_windows(&self, b: &mut Builder<'_>, reach: usize) -> Value {
        let [zero, one] = [0, 1].map(|axis| b.graph.ints(&[axis]));
        let reach = i64::try_from(reach).unwrap_or(i64::MAX);
        let [low, high] = [-reach, reach].map(|reach| b.graph.int(reach));
        let queries = b.graph.op(PLACE, "Unsqueeze", &[&self.places, &one]);
        let keys = b.graph.op(PLACE, "Unsqueeze", &[&self.places, &zero]);
        let distance = b.graph.op(PLACE, "Sub", &[&keys, &queries]);
        let not_before = b.graph.op(PLACE, "GreaterOrEqual", &[&distance, &low]);
        let not_behind = b.graph.op(PLACE, "LessOrEqual", &[&distance, &high]);
        let mut near = b.graph.op(PLACE, "And", &[&not_before, &not_behind]); // [sequence, sequence]
        if self.first_is_global {
            let first = b.graph.int(0);
            let first = b.graph.op(PLACE, "Equal", &[&keys, &first]);
            near = b.graph.op(PLACE, "Or", &[&near, &first]);
        }
        let is_key = vec![AttributeProto::int("to", DataType::Bool as i64)];
        let is_key = b.graph.op_with(PLACE, "Cast", &[&self.keys], is_key);
        let seen = b.graph.op(PLACE, "And", &[&near, &is_key]);
        let [nothing, unseen] = [0.0, UNSEEN].map(|value| b.graph.number(value));
        b.graph.op(PLACE, "Where", &[&seen, &nothing, &unseen])
    }
}
