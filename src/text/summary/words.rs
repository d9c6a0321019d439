//! The words of sentences: all of them, and those that say what a sentence is about.

use std::collections::BTreeSet;

use rust_stemmers::Stemmer;

use crate::text::{language, ops, segment};

/// Cuts sentences of a language into words.
pub struct Words {
    stop_words: BTreeSet<String>,
    /// None where a language has no stems.
    stemmer: Option<Stemmer>,
}

impl Words {
    /// For a language, by its code; of one without stop words or stems, words stay as they are.
    #[must_use]
    pub fn of(language: &str) -> Self {
        let known = language::STEMMERS.iter().find(|(code, _)| *code == language);
        let stemmer = known.map(|(_, algorithm)| Stemmer::create(*algorithm));
        Self { stop_words: ops::stop_words_of(language), stemmer }
    }

    /// All words in small letters.
    #[must_use]
    pub fn all(&self, sentence: &str) -> Vec<String> {
        segment::pieces(sentence).filter(|piece| segment::is_word(piece)).map(segment::list_form).collect()
    }

    /// The stems of the words that are no stop words.
    #[must_use]
    pub fn content(&self, sentence: &str) -> Vec<String> {
        let stem = |word: String| match &self.stemmer {
            Some(stemmer) => stemmer.stem(&word).into_owned(),
            None => word,
        };
        self.all(sentence).into_iter().filter(|word| !self.stop_words.contains(word)).map(stem).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stop_words_go_and_stems_stay() {
        let words = Words::of("en");
        assert_eq!(
            words.all("The routers aren't routing, 2 times!"),
            ["the", "routers", "aren't", "routing", "2", "times"]
        );
        assert_eq!(words.content("The routers aren't routing, 2 times!"), ["router", "rout", "2", "time"]);
        assert_eq!(Words::of("none").content("The routers"), ["the", "routers"]);
    }
}
