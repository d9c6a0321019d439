//! `LexRank`: a sentence matters that is similar to sentences that matter (Erkan and Radev, 2004).

use super::{Document, Idf, bag, walk::walk};

/// The threshold of the paper's best results (§5.1).
pub const PAPER_THRESHOLD: f64 = 0.1;
/// With [`Links::Above`], how many sentences take part at most: 2¹⁵ of them need 64 MiB of bits.
pub const MOST_LINKED: usize = 1 << 15;

/// Which sentences are linked, and how strongly.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Links {
    /// All pairs whose cosine is above a threshold, equally (§3.2); see [`PAPER_THRESHOLD`].
    Above(f64),
    /// All pairs, by their cosine: continuous `LexRank` (§3.3).
    Weighted,
}

/// The scores of the sentences: the share of time that a random walk over similar sentences is at each.
///
/// Similar is by the cosine of the vectors of `tf · idf` (equation 2: `idf-modified-cosine`). The walk is at `u` with
/// `p(u) = 0.15 / N + 0.85 Σ_v w(u, v) / Σ_z w(z, v) · p(v)`, where `w` is 1 or the cosine, by `links`. As in the
/// paper's algorithm 3 a sentence is linked to itself. Sentences without words, and those of words without weight, are
/// not in the graph and have 0; the scores of the others sum up to 1. Scores are within 1e-12 of the fixed point, all
/// together.
///
/// [`Links::Weighted`] never computes a similarity: the matrix is `X Xᵀ` of the rows' vectors, so that a round costs as
/// much as the document has words. [`Links::Above`] looks at each pair of sentences with a word in common, which is
/// quadratic in time, and keeps a bit a pair, `N² / 16` bytes: 10,000 sentences need 6 MB. Beyond the first
/// [`MOST_LINKED`] sentences of the graph the others have 0.
#[must_use]
pub fn lex_rank(document: &Document, idf: &Idf, links: Links) -> Vec<f64> {
    let mut vectors = Vectors::new(document, idf);
    let ranks = match links {
        Links::Above(threshold) => {
            vectors.rows.truncate(MOST_LINKED);
            let graph = Graph::new(&vectors, threshold);
            ranks(vectors.rows.len(), |from, to| graph.pass(from, to))
        }
        Links::Weighted => {
            let mut words = vec![0.0; vectors.n_words];
            ranks(vectors.rows.len(), |from, to| vectors.pass(from, &mut words, to))
        }
    };
    let mut scores = vec![0.0; document.len()];
    for ((at, _), rank) in vectors.rows.iter().zip(ranks) {
        scores[*at] = rank;
    }
    scores
}

/// The walk over `n` sentences; `pass(from, to)` adds the product of the symmetric matrix of links with `from` to `to`.
fn ranks(n: usize, mut pass: impl FnMut(&[f64], &mut [f64])) -> Vec<f64> {
    let mut degrees = vec![0.0; n];
    pass(&vec![1.0; n], &mut degrees);
    let mut shares = vec![0.0; n];
    walk(n, 1.0 / n.max(1) as f64, |scores, received| {
        for ((share, score), degree) in shares.iter_mut().zip(scores).zip(&degrees) {
            *share = score / degree;
        }
        pass(&shares, received);
    })
}

/// Vectors of `tf · idf` of length 1.
struct Vectors {
    n_words: usize,
    /// The places of sentences that have one, and their words with weights.
    rows: Vec<(usize, Vec<(u32, f64)>)>,
}

impl Vectors {
    fn new(document: &Document, idf: &Idf) -> Self {
        let mut weights = vec![0.0; document.n_different()];
        for (word, &number) in &document.numbers {
            weights[number as usize] = idf.weight(word);
        }
        let row = |sentence: &Vec<u32>| {
            let weighted = bag(sentence).into_iter().map(|(word, n)| (word, f64::from(n) * weights[word as usize]));
            let mut row: Vec<_> = weighted.filter(|(_, weight)| *weight != 0.0).collect();
            let length = row.iter().map(|(_, weight)| weight * weight).sum::<f64>().sqrt();
            for (_, weight) in &mut row {
                *weight /= length;
            }
            row
        };
        let rows = document.sentences.iter().map(row).enumerate().filter(|(_, row)| !row.is_empty()).collect();
        Self { n_words: weights.len(), rows }
    }

    /// Adds `X (Xᵀ from)` to `to`; `words` is room for what is between.
    fn pass(&self, from: &[f64], words: &mut [f64], to: &mut [f64]) {
        words.fill(0.0);
        for ((_, row), from) in self.rows.iter().zip(from) {
            for (word, weight) in row {
                words[*word as usize] += weight * from;
            }
        }
        for ((_, row), to) in self.rows.iter().zip(to) {
            *to += row.iter().map(|(word, weight)| weight * words[*word as usize]).sum::<f64>();
        }
    }
}

/// Which pairs are linked: for each sentence a bit an earlier one, the first in the lowest bit, in whole words.
struct Graph {
    bits: Vec<u64>,
}

impl Graph {
    fn new(vectors: &Vectors, threshold: f64) -> Self {
        // For each word the sentences so far that have it, and its weight in them.
        let mut having: Vec<Vec<(u32, f64)>> = vec![Vec::new(); vectors.n_words];
        let mut cosines = vec![0.0; vectors.rows.len()];
        let mut bits = Vec::new();
        for (i, (_, row)) in vectors.rows.iter().enumerate() {
            cosines[..i].fill(0.0);
            for &(word, weight) in row {
                let having = &mut having[word as usize];
                for &(j, other) in having.iter() {
                    cosines[j as usize] += weight * other;
                }
                having.push((i as u32, weight));
            }
            bits.extend(cosines[..i].chunks(64).map(|cosines| {
                cosines.iter().rev().fold(0, |bits, &cosine| bits << 1 | u64::from(cosine > threshold))
            }));
        }
        Self { bits }
    }

    /// Adds to each of `to` the sum of `from` over what it is linked to.
    fn pass(&self, from: &[f64], to: &mut [f64]) {
        let mut bits = self.bits.iter();
        for i in 0..from.len() {
            let mut sum = from[i];
            for (start, &bits) in (0..i).step_by(64).zip(&mut bits) {
                let mut bits = bits;
                while bits != 0 {
                    let j = start + bits.trailing_zeros() as usize;
                    sum += from[j];
                    to[j] += from[i];
                    bits &= bits - 1;
                }
            }
            to[i] += sum;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(sentences: &[&str], links: Links) -> Vec<f64> {
        let words: Vec<Vec<&str>> = sentences.iter().map(|sentence| sentence.split_whitespace().collect()).collect();
        let document = Document::new(&words);
        lex_rank(&document, &Idf::of_sentences(&document), links)
    }

    #[test]
    fn the_middle_of_a_star_is_highest_and_the_lonely_have_their_share() {
        for links in [Links::Above(PAPER_THRESHOLD), Links::Weighted] {
            let found = scores(&["a b c", "a x", "b y", "c z", "", "q"], links);
            assert!(found[0] > found[1] && found[1] > 0.0, "{found:?}");
            assert_eq!(found[4], 0.0);
            // Linked to itself only: p = 0.15 / 5 + 0.85 p.
            assert!((found[5] - 0.2).abs() < 1e-12, "{found:?}");
            assert!((found.iter().sum::<f64>() - 1.0).abs() < 1e-12, "{found:?}");
        }
    }

    #[test]
    fn documents_without_a_graph() {
        for links in [Links::Above(PAPER_THRESHOLD), Links::Weighted] {
            assert_eq!(scores(&[], links), [0.0; 0]);
            assert_eq!(scores(&["", ""], links), [0.0; 2]);
            // What all sentences have weighs nothing.
            assert_eq!(scores(&["a b"], links), [0.0]);
            assert_eq!(scores(&["a", "a", "a"], links), [0.0; 3]);
        }
    }

    #[test]
    fn more_than_a_word_of_bits() {
        // Sentence `i` has the words `i` and `i + 1`: a chain, its cosines ½; in it all but the ends have three links.
        let sentences: Vec<String> = (0..150).map(|i| format!("w{i} w{}", i + 1)).collect();
        let sentences: Vec<&str> = sentences.iter().map(String::as_str).collect();
        let found = scores(&sentences, Links::Above(PAPER_THRESHOLD));
        assert!((found.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        for i in 0..75 {
            assert!((found[i] - found[149 - i]).abs() < 1e-12, "{i}");
        }
        assert!((found[75] - 1.0 / 150.0).abs() < 1e-5, "{}", found[75]);
        // With a threshold that nothing reaches all are alone.
        assert!(scores(&sentences, Links::Above(1.0)).iter().all(|score| (score - 1.0 / 150.0).abs() < 1e-15));
    }
}
