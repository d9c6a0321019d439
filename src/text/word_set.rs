//! A set of words that is asked about every word of a text: no allocation, and most questions end at the first letter.

use xxhash_rust::xxh3::xxh3_64;

use super::segment;

/// Bytes of the words that are kept in the table itself, which nearly all are.
const SHORT: usize = 16;

/// A set of words in the form of word lists.
#[derive(Clone, Debug)]
pub(super) struct WordSet {
    /// The words of at most [`SHORT`] bytes, padded with zeros, by hash with linear probing; 0 is empty. Its length is a
    /// power of two, at least twice the number of words.
    short: Vec<u128>,
    /// The others, sorted.
    long: Vec<Box<str>>,
    /// By first byte: a bit for each length in bytes that a word has.
    shapes: Box<[u64; 256]>,
}

impl WordSet {
    /// Of words in any form.
    pub(super) fn of<'a>(words: impl IntoIterator<Item = &'a str>) -> Self {
        let mut words: Vec<Box<str>> = words.into_iter().map(|word| segment::list_form(word).into()).collect();
        words.sort_unstable();
        words.dedup();
        let mut set = Self {
            short: vec![0; (words.len() * 2).next_power_of_two()],
            long: Vec::new(),
            shapes: Box::new([0; 256]),
        };
        for word in words {
            let Some(&first) = word.as_bytes().first() else { continue };
            set.shapes[usize::from(first)] |= length_bit(word.len());
            match key(word.as_bytes()) {
                Some(key) => {
                    let slot = set.slot(key);
                    set.short[slot] = key;
                }
                None => set.long.push(word),
            }
        }
        set
    }

    /// Whether a word, in any case, is in the set.
    pub(super) fn contains(&self, word: &str) -> bool {
        if !word.is_ascii() {
            return self.has(segment::folded(word).as_bytes());
        }
        let Some(first) = word.as_bytes().first() else { return false };
        if self.shapes[usize::from(first.to_ascii_lowercase())] & length_bit(word.len()) == 0 {
            return false;
        }
        let mut folded = [0; SHORT];
        match folded.get_mut(..word.len()) {
            Some(start) => {
                start.copy_from_slice(word.as_bytes());
                folded.make_ascii_lowercase();
                self.has_key(u128::from_le_bytes(folded))
            }
            None => self.has(segment::folded(word).as_bytes()),
        }
    }

    /// Whether a word that has the form of word lists is in the set.
    fn has(&self, word: &[u8]) -> bool {
        match key(word) {
            Some(key) => self.has_key(key),
            None => self.long.binary_search_by(|long| long.as_bytes().cmp(word)).is_ok(),
        }
    }

    fn has_key(&self, key: u128) -> bool {
        key != 0 && self.short[self.slot(key)] == key
    }

    /// Where a short word is, or would be.
    fn slot(&self, key: u128) -> usize {
        let mask = self.short.len() - 1;
        let mut slot = xxh3_64(&key.to_le_bytes()) as usize & mask;
        while self.short[slot] != 0 && self.short[slot] != key {
            slot = (slot + 1) & mask;
        }
        slot
    }
}

/// A short word as a number.
fn key(word: &[u8]) -> Option<u128> {
    let mut padded = [0; SHORT];
    padded.get_mut(..word.len())?.copy_from_slice(word);
    Some(u128::from_le_bytes(padded))
}

fn length_bit(length: usize) -> u64 {
    1 << length.min(63)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::ops::stop_words_of;

    #[test]
    fn it_is_a_set() {
        for language in ["en", "de", "el", "ru", "zh", "ar", "sl"] {
            let words = stop_words_of(language);
            let set = WordSet::of(words.iter().map(String::as_str));
            assert!(words.iter().all(|word| set.contains(word)), "{language}");
            let capitals: Vec<String> = words.iter().map(|word| word.to_uppercase()).collect();
            for word in capitals.iter().map(String::as_str).chain(["xyzzy", "", "ß", "longer than any word is"]) {
                assert_eq!(set.contains(word), words.contains(&segment::list_form(word)), "{word}");
            }
        }
        let long = "ab".repeat(100);
        let set = WordSet::of([long.as_str(), "Don’t", "", "sixteen letters!", "seventeen letters"]);
        assert!(set.contains(&long.to_uppercase()) && set.contains("DON'T") && !set.contains(&long[1..]));
        assert!(set.contains("sixteen letters!") && set.contains("Seventeen letters") && !set.contains("don't\0"));
        assert!(!set.contains("") && !set.contains("\0") && !WordSet::of([]).contains("a"));
    }
}
