//! Order and descent among steps that are known by their places.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, BinaryHeap},
};

/// An order in which everything comes after what it waits for, and otherwise stays as it is written; `before[i]` are
/// those that `i` waits for. What is part of a circle is left out, which a checked recipe has none of.
pub(super) fn order(before: &[Vec<usize>]) -> Vec<usize> {
    let before: Vec<BTreeSet<usize>> = before.iter().map(|all| all.iter().copied().collect()).collect();
    let mut waiting: Vec<usize> = before.iter().map(BTreeSet::len).collect();
    let mut after: Vec<Vec<usize>> = vec![Vec::new(); before.len()];
    for (step, all) in before.iter().enumerate() {
        for earlier in all {
            after[*earlier].push(step);
        }
    }
    let mut ready: BinaryHeap<_> = (0..before.len()).filter(|step| waiting[*step] == 0).map(Reverse).collect();
    let mut order = Vec::with_capacity(before.len());
    while let Some(Reverse(step)) = ready.pop() {
        order.push(step);
        for later in &after[step] {
            waiting[*later] -= 1;
            if waiting[*later] == 0 {
                ready.push(Reverse(*later));
            }
        }
    }
    order
}

/// Those that wait, directly or not, for one of `roots`; the roots themselves included.
pub(super) fn descendants(before: &[Vec<usize>], roots: impl IntoIterator<Item = usize>) -> BTreeSet<usize> {
    let mut found: BTreeSet<usize> = roots.into_iter().collect();
    // In an order in which parents come first one pass is enough.
    for step in order(before) {
        if before[step].iter().any(|earlier| found.contains(earlier)) {
            found.insert(step);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_written_where_possible() {
        assert_eq!(order(&[vec![], vec![0], vec![]]), [0, 1, 2]);
        assert_eq!(order(&[vec![2], vec![], vec![1]]), [1, 2, 0]);
        assert_eq!(order(&[vec![], vec![0, 0]]), [0, 1]);
        assert_eq!(descendants(&[vec![2], vec![], vec![1], vec![]], [1]), BTreeSet::from([0, 1, 2]));
    }
}
