//! The place of the largest value.

/// The place of the first largest value; 0 of an empty row.
#[must_use]
pub fn argmax(values: &[f32]) -> usize {
    let mut best = 0;
    for (place, value) in values.iter().enumerate() {
        if *value > values[best] {
            best = place;
        }
    }
    best
}
