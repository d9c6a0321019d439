//! How many n-grams two texts have in common.

use std::cmp::Ordering;

/// The n-grams of one text that another has, too: of one that is there `a` and `b` times, the lesser of the two (the
/// numerator of Lin, 2004, equation 1).
pub(super) fn common(a: &[u32], b: &[u32], n: usize) -> usize {
    let [a, b] = [a, b].map(|words| {
        let mut ngrams: Vec<&[u32]> = words.windows(n).collect();
        ngrams.sort_unstable();
        ngrams
    });
    let (mut a, mut b) = (a.as_slice(), b.as_slice());
    let mut common = 0;
    while let ([first_a, rest_a @ ..], [first_b, rest_b @ ..]) = (a, b) {
        let order = first_a.cmp(first_b);
        common += usize::from(order == Ordering::Equal);
        if order != Ordering::Greater {
            a = rest_a;
        }
        if order != Ordering::Less {
            b = rest_b;
        }
    }
    common
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_counts_as_often_as_both_have_it() {
        assert_eq!(common(&[1, 1, 1, 2, 3], &[3, 1, 1, 4], 1), 3);
        assert_eq!(common(&[1, 1, 1, 2, 3], &[3, 1, 1, 4], 2), 1);
        assert_eq!(common(&[1, 2, 3], &[2, 1, 3], 2), 0);
        assert_eq!(common(&[1], &[1], 2), 0);
        assert_eq!(common(&[], &[1], 1), 0);
    }
}
