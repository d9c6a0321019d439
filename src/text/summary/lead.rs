//! Lead: how a document begins.

use super::{Budget, Document};

/// The first sentences, up to the one that would go over the budget; sentences without words are passed over.
///
/// Of a document that has sentences at least one is given: the first that has words, the first where none has.
#[must_use]
pub fn lead(document: &Document, budget: Budget) -> Vec<usize> {
    let (mut chosen, mut n_words) = (Vec::new(), 0);
    for at in (0..document.len()).filter(|&at| document.n_words(at) > 0) {
        n_words += document.n_words(at);
        if !chosen.is_empty() && !budget.allows(chosen.len() + 1, n_words) {
            break;
        }
        chosen.push(at);
    }
    if chosen.is_empty() && !document.is_empty() {
        chosen.push(0);
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn up_to_the_first_that_does_not_fit() {
        let text = Document::new(&[vec![], vec!["a", "b", "c"], vec!["d"], vec![], vec!["e", "f", "g"], vec!["h"]]);
        for (budget, expected) in [
            (Budget::Sentences(3), vec![1, 2, 4]),
            (Budget::Sentences(9), vec![1, 2, 4, 5]),
            (Budget::Words(7), vec![1, 2, 4]),
            (Budget::Words(5), vec![1, 2]),
            (Budget::Words(1), vec![1]),
            (Budget::Sentences(0), vec![1]),
        ] {
            assert_eq!(lead(&text, budget), expected, "{budget:?}");
        }
        assert_eq!(lead(&Document::default(), Budget::Words(9)), [0; 0]);
        assert_eq!(lead(&Document::new(&[Vec::<&str>::new(), vec![]]), Budget::Words(9)), [0]);
    }
}
