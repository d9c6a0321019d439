//! The words of texts: how many there are, and which.

use std::{
    collections::{BTreeSet, HashMap},
    hash::{BuildHasherDefault, Hasher},
};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

/// Distinct words that are counted at most, the first that come.
pub(super) const MOST: usize = 1 << 21;
/// Bytes of a word that are kept to show it.
const SHOWN: usize = 64;
/// Frequent words that are told.
const FREQUENT: usize = 20;

/// The words of some texts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vocabulary {
    /// All words.
    pub words: u64,
    /// Distinct words.
    pub distinct: u64,
    /// Words that occur once.
    pub once: u64,
    /// Distinct words by all words. It falls with the number of words: comparable between texts of about the same size.
    pub type_token_ratio: f64,
    /// The most frequent words that are no stop words, and how often they occur.
    pub frequent: Vec<(String, u64)>,
    /// Words beyond the first 2,097,152 distinct ones, which are not told apart: `distinct` and `once` are then too small.
    pub uncounted: u64,
}

/// Words and how often they occur, in the order in which they first came.
#[derive(Clone, Debug, Default)]
pub(super) struct WordTally {
    /// The place of a word by its hash; that two of two million have the same is one chance in eight million.
    places: HashMap<u64, u32, BuildHasherDefault<AsItIs>>,
    words: Vec<Counted>,
    all: u64,
    uncounted: u64,
}

#[derive(Clone, Debug)]
struct Counted {
    hash: u64,
    word: Box<str>,
    count: u64,
}

/// A hash is a hash already.
#[derive(Clone, Copy, Debug, Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64(bytes);
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

impl WordTally {
    pub(super) fn add(&mut self, word: &str) {
        self.all += 1;
        self.count(xxh3_64(word.as_bytes()), 1, || word[..word.floor_char_boundary(SHOWN)].into());
    }

    pub(super) fn merge(&mut self, next: Self) {
        self.all += next.all;
        self.uncounted += next.uncounted;
        for Counted { hash, word, count } in next.words {
            self.count(hash, count, || word);
        }
    }

    fn count(&mut self, hash: u64, count: u64, word: impl FnOnce() -> Box<str>) {
        if let Some(&place) = self.places.get(&hash) {
            self.words[place as usize].count += count;
        } else if self.words.len() < MOST {
            self.places.insert(hash, self.words.len() as u32);
            self.words.push(Counted { hash, word: word(), count });
        } else {
            self.uncounted += count;
        }
    }

    /// What there is, without the stop words among the frequent ones.
    pub(super) fn vocabulary(&self, stop_words: &BTreeSet<String>) -> Vocabulary {
        let mut frequent: Vec<&Counted> =
            self.words.iter().filter(|counted| !stop_words.contains(&*counted.word)).collect();
        let order = |a: &&Counted, b: &&Counted| b.count.cmp(&a.count).then_with(|| a.word.cmp(&b.word));
        if frequent.len() > FREQUENT {
            frequent.select_nth_unstable_by(FREQUENT, order);
            frequent.truncate(FREQUENT);
        }
        frequent.sort_unstable_by(order);
        Vocabulary {
            words: self.all,
            distinct: self.words.len() as u64,
            once: self.words.iter().filter(|word| word.count == 1).count() as u64,
            type_token_ratio: if self.all == 0 { 0.0 } else { self.words.len() as f64 / self.all as f64 },
            frequent: frequent.into_iter().map(|word| (word.word.to_string(), word.count)).collect(),
            uncounted: self.uncounted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(text: &str) -> WordTally {
        let mut tally = WordTally::default();
        text.split(' ').for_each(|word| tally.add(word));
        tally
    }

    #[test]
    fn words_are_counted() {
        let text = "the cat and the dog and the bird";
        let found = tally(text).vocabulary(&["the".to_owned()].into());
        assert_eq!((found.words, found.distinct, found.once), (8, 5, 3));
        assert_eq!(found.type_token_ratio, 0.625);
        let expected = [("and", 2), ("bird", 1), ("cat", 1), ("dog", 1)].map(|(word, count)| (word.to_owned(), count));
        assert_eq!(found.frequent, expected);
        let mut parts = WordTally::default();
        for part in ["the cat and", "the", "dog and the bird"] {
            parts.merge(tally(part));
        }
        assert_eq!(parts.vocabulary(&BTreeSet::new()), tally(text).vocabulary(&BTreeSet::new()));
        assert_eq!(WordTally::default().vocabulary(&BTreeSet::new()), Vocabulary::default());
    }

    #[test]
    fn the_most_frequent_are_those_of_a_sort() {
        let words: Vec<String> = (0..5_000_u64).map(|i| format!("w{}", i * i % 97)).collect();
        let found = tally(&words.join(" ")).vocabulary(&BTreeSet::new()).frequent;
        let mut counts = std::collections::BTreeMap::<&str, u64>::new();
        for word in &words {
            *counts.entry(word).or_default() += 1;
        }
        let mut sorted: Vec<(String, u64)> = counts.into_iter().map(|(word, count)| (word.to_owned(), count)).collect();
        sorted.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        sorted.truncate(20);
        assert_eq!(found, sorted);
    }

    #[test]
    fn long_words_are_kept_short_and_told_apart() {
        let long = "é".repeat(1 << 20);
        let found = tally(&format!("{long}a {long}b {long}a")).vocabulary(&BTreeSet::new());
        assert_eq!((found.distinct, found.once), (2, 1));
        assert_eq!(found.frequent[0], ("é".repeat(32), 2));
    }
}
