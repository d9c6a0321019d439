//! How rare words are: the inverse document frequency.

use std::collections::{BTreeMap, BTreeSet};

use super::Document;

/// Inverse document frequencies, `ln(N / n)` of a word that `n` of `N` texts have (Erkan and Radev, 2004, equation 1).
/// A word of no text has `ln(N + 1)`, a little more than any other.
///
/// The paper counts over a large collection. Where there is none, the sentences of the document can stand for texts, as
/// is common.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Idf {
    n_texts: usize,
    with_word: BTreeMap<String, usize>,
}

impl Idf {
    /// Over the sentences of a document, those without words not counted.
    #[must_use]
    pub fn of_sentences(document: &Document) -> Self {
        let mut counts = vec![0; document.n_different()];
        for sentence in &document.sentences {
            for (word, _) in super::bag(sentence) {
                counts[word as usize] += 1;
            }
        }
        let with_word =
            document.numbers.iter().map(|(word, &number)| (word.clone(), counts[number as usize])).collect();
        Self { n_texts: document.sentences.iter().filter(|sentence| !sentence.is_empty()).count(), with_word }
    }

    /// Counts one more text of a collection.
    pub fn add<'a>(&mut self, words: impl IntoIterator<Item = &'a str>) {
        self.n_texts += 1;
        for word in words.into_iter().collect::<BTreeSet<_>>() {
            if let Some(count) = self.with_word.get_mut(word) {
                *count += 1;
            } else {
                self.with_word.insert(word.to_owned(), 1);
            }
        }
    }

    /// The weight of a word, 0 or more; 0 where all texts have it.
    #[must_use]
    pub fn weight(&self, word: &str) -> f64 {
        match self.with_word.get(word) {
            Some(&count) => (self.n_texts as f64 / count as f64).ln(),
            None => (self.n_texts as f64).ln_1p(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rare_words_weigh_more() {
        let mut idf = Idf::default();
        assert_eq!(idf.weight("a"), 0.0);
        idf.add(["a", "b", "a"]);
        idf.add(["a"]);
        idf.add([]);
        assert_eq!(idf.weight("a"), 1.5_f64.ln());
        assert_eq!(idf.weight("b"), 3_f64.ln());
        assert_eq!(idf.weight("c"), 3_f64.ln_1p());
        let text = Document::new(&[vec!["a", "b", "a"], vec![], vec!["a"]]);
        assert_eq!([Idf::of_sentences(&text).weight("a"), Idf::of_sentences(&text).weight("b")], [0.0, 2_f64.ln()]);
    }
}
