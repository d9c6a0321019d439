//! `TextRank`: a sentence matters that shares words with sentences that matter (Mihalcea and Tarau, 2004).

use std::collections::BTreeSet;

use super::{Document, bag, walk::walk};

/// The scores of the sentences: what a random walk over sentences with words in common gives each; where all have some,
/// 1 on the average.
///
/// Two sentences are linked by `|Sᵢ ∩ Sⱼ| / (ln |Sᵢ| + ln |Sⱼ|)` (§4.1), their different words counted; two of a single
/// word each, for which that divides by 0, are not. The score is `WS(Vᵢ) = 0.15 + 0.85 Σⱼ wⱼᵢ / Σₖ wⱼₖ · WS(Vⱼ)`
/// (§2.2), so that a sentence without links has 0.15. A sentence without words has 0. Sentences of one or two words
/// score high, since their logarithms are small: that is the formula. Scores are within 1e-12 of the fixed point, as a
/// share of all together.
///
/// The links are never listed, so that no bound on the sentences is needed. What a sentence has from others depends on
/// them by their words and lengths only, so that sums are kept for each word and length of sentence that it occurs in.
/// A round costs `Σ_w L_w²` for the `L_w` different lengths of sentences that have the word `w`, and as much as the
/// document has words.
#[must_use]
pub fn text_rank(document: &Document) -> Vec<f64> {
    let graph = Graph::new(document);
    let n = document.len();
    let mut sums = Sums { by_length: vec![0.0; graph.lengths.len()], weighted: vec![0.0; graph.lengths.len()] };
    let mut degrees = vec![0.0; n];
    graph.pass(&vec![1.0; n], &mut sums, &mut degrees);
    let mut shares = vec![0.0; n];
    let mut scores = walk(n, 1.0, |scores, received| {
        for ((share, score), degree) in shares.iter_mut().zip(scores).zip(&degrees) {
            *share = if *degree > 0.0 { score / degree } else { 0.0 };
        }
        graph.pass(&shares, &mut sums, received);
    });
    for (score, sentence) in scores.iter_mut().zip(&document.sentences) {
        if sentence.is_empty() {
            *score = 0.0;
        }
    }
    scores
}

/// The links, by pairs of a word and a length of sentences that it occurs in; a pair has a number.
struct Graph {
    /// For each sentence the pairs of its words, those aside that no other sentence has.
    sentences: Vec<Vec<u32>>,
    /// For each sentence which of the lengths it has.
    of_sentence: Vec<u32>,
    /// For each pair which of the lengths it is of.
    lengths: Vec<u32>,
    /// Where the pairs of each word begin, and the end.
    words: Vec<usize>,
    /// `1 / (ln a + ln b)` of lengths `a` and `b`, `[length, length]`; 0 for 1 and 1.
    inverses: Vec<f64>,
    n_lengths: usize,
}

/// Room for sums over sentences, `[pair]` each.
struct Sums {
    /// Of what sentences of the length pass on that have the word.
    by_length: Vec<f64>,
    /// Of the same over all lengths, divided as a sentence of this length has it.
    weighted: Vec<f64>,
}

impl Graph {
    fn new(document: &Document) -> Self {
        let bags: Vec<Vec<(u32, u32)>> = document.sentences.iter().map(|sentence| bag(sentence)).collect();
        let lengths: Vec<usize> = bags.iter().map(Vec::len).collect::<BTreeSet<_>>().into_iter().collect();
        let inverse = |a: usize, b: usize| if a * b > 1 { 1.0 / ((a as f64).ln() + (b as f64).ln()) } else { 0.0 };
        let inverses = lengths.iter().flat_map(|&a| lengths.iter().map(move |&b| inverse(a, b))).collect();
        let of_sentence: Vec<u32> =
            bags.iter().map(|bag| lengths.partition_point(|length| *length < bag.len()) as u32).collect();
        // All occurrences, by word and length.
        let mut occurrences: Vec<(u32, u32, u32)> = Vec::new();
        for (at, (bag, &length)) in bags.iter().zip(&of_sentence).enumerate() {
            occurrences.extend(bag.iter().map(|&(word, _)| (word, length, at as u32)));
        }
        occurrences.sort_unstable();
        let mut graph = Self {
            sentences: vec![Vec::new(); bags.len()],
            of_sentence,
            lengths: Vec::new(),
            words: vec![0],
            inverses,
            n_lengths: lengths.len(),
        };
        for of_word in occurrences.chunk_by(|a, b| a.0 == b.0).filter(|of_word| of_word.len() > 1) {
            for of_pair in of_word.chunk_by(|a, b| a.1 == b.1) {
                for &(_, _, at) in of_pair {
                    graph.sentences[at as usize].push(graph.lengths.len() as u32);
                }
                graph.lengths.push(of_pair[0].1);
            }
            graph.words.push(graph.lengths.len());
        }
        graph
    }

    /// The weights that a sentence's length gives to others, by their lengths.
    fn inverses_of(&self, length: u32) -> &[f64] {
        &self.inverses[length as usize * self.n_lengths..][..self.n_lengths]
    }

    /// Adds to each of `to` the sum of `from` over its links, times their weights.
    fn pass(&self, from: &[f64], sums: &mut Sums, to: &mut [f64]) {
        sums.by_length.fill(0.0);
        for (pairs, from) in self.sentences.iter().zip(from) {
            for &pair in pairs {
                sums.by_length[pair as usize] += from;
            }
        }
        for word in self.words.windows(2) {
            let (lengths, by_length) = (&self.lengths[word[0]..word[1]], &sums.by_length[word[0]..word[1]]);
            for (length, weighted) in lengths.iter().zip(&mut sums.weighted[word[0]..word[1]]) {
                let inverses = self.inverses_of(*length);
                *weighted = lengths.iter().zip(by_length).map(|(other, sum)| inverses[*other as usize] * sum).sum();
            }
        }
        for (((pairs, length), from), to) in self.sentences.iter().zip(&self.of_sentence).zip(from).zip(to) {
            let all: f64 = pairs.iter().map(|&pair| sums.weighted[pair as usize]).sum();
            // The sums have the sentence itself, which is not linked to itself.
            *to += all - pairs.len() as f64 * self.inverses_of(*length)[*length as usize] * from;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(sentences: &[&str]) -> Vec<f64> {
        let words: Vec<Vec<&str>> = sentences.iter().map(|sentence| sentence.split_whitespace().collect()).collect();
        text_rank(&Document::new(&words))
    }

    #[test]
    fn the_middle_of_a_star_is_highest_and_the_lonely_have_the_least() {
        let found = scores(&["a b c", "a x", "b y", "c z", "", "q q", "q", "d d"]);
        assert!(found[0] > found[1] && found[1] > 0.2, "{found:?}");
        assert_eq!(found[4], 0.0);
        // `q` and `q q` are a single word each, and not linked.
        for alone in &found[5..] {
            assert!((alone - 0.15).abs() < 1e-12, "{found:?}");
        }
        // One word, and others have it among several.
        assert!(scores(&["a b c", "a"])[1] > 0.9);
    }

    #[test]
    fn two_that_are_linked_have_the_average() {
        for (sentences, expected) in
            [(&["a b", "a c d"][..], &[1.0, 1.0][..]), (&["", "a"], &[0.0, 0.15]), (&["a b"], &[0.15]), (&[], &[])]
        {
            let found = scores(sentences);
            assert_eq!(found.len(), expected.len());
            for (found, expected) in found.iter().zip(expected) {
                assert!((found - expected).abs() < 1e-12, "{sentences:?}: {found} {expected}");
            }
        }
    }
}
