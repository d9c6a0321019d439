//! Which layer of the teacher each layer of the student follows.

/// The teacher's layer for each of the student's, evenly spread, so that the last follows the last (TinyBERT, Jiao et
/// al., 2020, §4.2: `g(m) = m · N / M` with layers counted from 1). Here layers count from 0.
#[must_use]
pub fn uniform_mapping(student_layers: usize, teacher_layers: usize) -> Vec<usize> {
    (1..=student_layers).map(|layer| (layer * teacher_layers).div_ceil(student_layers.max(1)) - 1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evenly_spread_to_the_last() {
        assert_eq!(uniform_mapping(3, 6), [1, 3, 5]);
        assert_eq!(uniform_mapping(4, 12), [2, 5, 8, 11]);
        assert_eq!(uniform_mapping(2, 3), [1, 2]);
        assert_eq!(uniform_mapping(4, 2), [0, 0, 1, 1]);
        assert_eq!(uniform_mapping(0, 2), [0; 0]);
    }
}
