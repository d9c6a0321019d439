//! Extractive summaries: scores for the sentences of a document, and the choice of a few of them.
//!
//! Whoever calls has split the text into sentences and words. What the words are (small letters, stems, without stop
//! words) is up to them: a document of stems may be scored, and the same sentences as they stand be counted against a
//! budget.

use std::collections::{BTreeMap, HashSet};

mod idf;
mod lead;
mod lex_rank;
mod oracle;
mod random;
mod text_rank;
mod walk;
mod words;

pub use idf::Idf;
pub use lead::lead;
pub use lex_rank::{Links, MOST_LINKED, PAPER_THRESHOLD, lex_rank};
pub use oracle::oracle;
pub use random::random;
pub use text_rank::text_rank;
pub use words::Words;

/// A document: its sentences in order, each a row of words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document {
    /// Words as numbers, by their first occurrence; numbers, and with them the order of sums, depend on nothing else.
    sentences: Vec<Vec<u32>>,
    numbers: BTreeMap<String, u32>,
}

impl Document {
    /// A document of sentences of words; either may be empty.
    #[must_use]
    pub fn new<S: AsRef<str>>(sentences: &[Vec<S>]) -> Self {
        let mut document = Self::default();
        for sentence in sentences {
            let words = sentence.iter().map(|word| document.number(word.as_ref())).collect();
            document.sentences.push(words);
        }
        document
    }

    fn number(&mut self, word: &str) -> u32 {
        // `entry` would copy every word, and most are known.
        if let Some(number) = self.numbers.get(word) {
            return *number;
        }
        let number = self.numbers.len() as u32;
        self.numbers.insert(word.to_owned(), number);
        number
    }

    /// The number of sentences.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sentences.len()
    }

    /// Whether it has no sentence.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sentences.is_empty()
    }

    /// The number of words of a sentence, repeated ones counted each time.
    ///
    /// # Panics
    /// When there is no such sentence.
    #[must_use]
    pub fn n_words(&self, sentence: usize) -> usize {
        self.sentences[sentence].len()
    }

    /// The number of different words.
    fn n_different(&self) -> usize {
        self.numbers.len()
    }
}

/// The different words of a sentence by their numbers, and how often each occurs.
fn bag(words: &[u32]) -> Vec<(u32, u32)> {
    let mut words = words.to_vec();
    words.sort_unstable();
    words.chunk_by(u32::eq).map(|same| (same[0], same.len() as u32)).collect()
}

/// How long a summary may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Budget {
    /// At most so many words.
    Words(usize),
    /// At most so many sentences.
    Sentences(usize),
}

impl Budget {
    fn allows(self, sentences: usize, words: usize) -> bool {
        match self {
            Self::Words(most) => words <= most,
            Self::Sentences(most) => sentences <= most,
        }
    }
}

/// Which sentences are passed over because they repeat what has been said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocking {
    /// None.
    Off,
    /// Those that have three words in a row which the summary has, too. Paulus et al. (2018, §2.5, on repetition at
    /// test time) keep a decoder from writing a trigram twice; Liu (2019, "Fine-tune BERT for Extractive
    /// Summarization") passes over sentences.
    Trigrams,
}

/// Chooses sentences by their scores, the highest first and of equals the earlier; the result is in the order of the
/// document.
///
/// What would go over the budget, or is blocked, is passed over, and the next one tried. Sentences without words are
/// not chosen. Of a document that has sentences at least one is given: the highest with words where none fits, the
/// highest where none has words. A score that is not a number is the lowest.
///
/// # Panics
/// When there is not a score for each sentence.
#[must_use]
pub fn select(scores: &[f64], document: &Document, budget: Budget, blocking: Blocking) -> Vec<usize> {
    assert_eq!(scores.len(), document.len(), "a score for each sentence");
    // A sum with 0 makes −0 and 0 equal.
    let score = |at: usize| if scores[at].is_nan() { f64::NEG_INFINITY } else { scores[at] + 0.0 };
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| score(b).total_cmp(&score(a)));
    let (mut chosen, mut n_words, mut said) = (Vec::new(), 0, HashSet::new());
    for &at in order.iter().filter(|&&at| document.n_words(at) > 0) {
        let longer = n_words + document.n_words(at);
        let trigrams = || document.sentences[at].windows(3);
        if !budget.allows(chosen.len() + 1, longer) || trigrams().any(|trigram| said.contains(trigram)) {
            continue;
        }
        if blocking == Blocking::Trigrams {
            said.extend(trigrams());
        }
        chosen.push(at);
        n_words = longer;
    }
    if chosen.is_empty() {
        chosen.extend(order.iter().find(|&&at| document.n_words(at) > 0).or(order.first()));
    }
    chosen.sort_unstable();
    chosen
}

#[cfg(test)]
mod goldens;
#[cfg(test)]
mod tests {
    use super::*;

    fn document(sentences: &[&str]) -> Document {
        let words: Vec<Vec<&str>> = sentences.iter().map(|sentence| sentence.split_whitespace().collect()).collect();
        Document::new(&words)
    }

    #[test]
    fn the_highest_that_fit() {
        let text = document(&["a b c", "d e f g h i", "j", "k l m", ""]);
        let scores = [0.2, 0.9, 0.5, 0.2, 7.0];
        for (budget, expected) in [
            (Budget::Sentences(1), vec![1]),
            (Budget::Sentences(3), vec![0, 1, 2]),
            (Budget::Sentences(9), vec![0, 1, 2, 3]),
            (Budget::Words(6), vec![1]),
            (Budget::Words(5), vec![0, 2]),
            (Budget::Words(7), vec![1, 2]),
            (Budget::Words(1), vec![2]),
            // None fits: the highest.
            (Budget::Words(0), vec![1]),
            (Budget::Sentences(0), vec![1]),
        ] {
            assert_eq!(select(&scores, &text, budget, Blocking::Off), expected, "{budget:?}");
        }
    }

    #[test]
    fn odd_scores_and_odd_documents() {
        let text = document(&["a", "b", "c"]);
        let one = |scores: &[f64]| select(scores, &text, Budget::Sentences(1), Blocking::Off);
        assert_eq!(one(&[-0.0, 0.0, 0.0]), [0]);
        assert_eq!(one(&[f64::NAN, f64::NEG_INFINITY, -1.0]), [2]);
        assert_eq!(select(&[], &document(&[]), Budget::Words(5), Blocking::Trigrams), [0; 0]);
        assert_eq!(select(&[0.0, 1.0], &document(&["", ""]), Budget::Words(5), Blocking::Trigrams), [1]);
    }

    #[test]
    fn what_repeats_a_trigram_is_passed_over() {
        let text = document(&["the cat sat down", "then the cat sat", "the cat ran", "x y z x y z"]);
        let scores = [4.0, 3.0, 2.0, 1.0];
        assert_eq!(select(&scores, &text, Budget::Sentences(3), Blocking::Trigrams), [0, 2, 3]);
        assert_eq!(select(&scores, &text, Budget::Sentences(3), Blocking::Off), [0, 1, 2]);
    }
}
