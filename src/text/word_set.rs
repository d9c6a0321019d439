//! A set of words that is asked about every word of a text: no allocation, and no branch but for the answer.

use std::ops::Range;

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
    /// A bit by hash for each of the short words, of 16 bits a word or more: what has none is no word of the set. Its length is
    /// a power of two.
    filter: Vec<u64>,
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
            filter: vec![0; (words.len() / 4 + 1).next_power_of_two()],
        };
        for word in words.into_iter().filter(|word| !word.is_empty()) {
            match key(word.as_bytes()) {
                Some(key) => {
                    let slot = set.slot(key);
                    set.short[slot] = key;
                    let (at, bit) = set.filter_bit(key);
                    set.filter[at] |= bit;
                }
                None => set.long.push(word),
            }
        }
        set
    }

    /// Whether a part of a text, in any case, is a word of the set.
    #[inline]
    pub(super) fn contains(&self, text: &str, word: Range<usize>) -> bool {
        // What stands behind the word is read with it, and taken off.
        if let Some(read) = text.as_bytes()[word.start..].first_chunk()
            && (1..=SHORT).contains(&word.len())
        {
            let key = u128::from_le_bytes(*read) & (u128::MAX >> (8 * (SHORT - word.len())));
            if key & (ONES << 7) == 0 {
                return self.has_key(small(key));
            }
        }
        self.has(segment::folded(&text[word]).as_bytes())
    }

    /// Whether a word that has the form of word lists is in the set.
    fn has(&self, word: &[u8]) -> bool {
        match key(word) {
            Some(key) => self.has_key(key),
            None => self.long.binary_search_by(|long| long.as_bytes().cmp(word)).is_ok(),
        }
    }

    #[inline]
    fn has_key(&self, key: u128) -> bool {
        let (at, bit) = self.filter_bit(key);
        self.filter[at] & bit != 0 && key != 0 && self.short[self.slot(key)] == key
    }

    /// Where a short word is, or would be.
    fn slot(&self, key: u128) -> usize {
        let mask = self.short.len() - 1;
        let mut slot = hash(key) as usize & mask;
        while self.short[slot] != 0 && self.short[slot] != key {
            slot = (slot + 1) & mask;
        }
        slot
    }

    #[inline]
    fn filter_bit(&self, key: u128) -> (usize, u64) {
        let hash = hash(key);
        ((hash >> 6) as usize & (self.filter.len() - 1), 1 << (hash % 64))
    }
}

/// The golden ratio: each bit of a word has a say in the upper half of the product (Knuth, volume 3, section 6.4).
#[inline]
fn hash(key: u128) -> u32 {
    let halves = key as u64 ^ ((key >> 64) as u64).rotate_left(32);
    (halves.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u32
}

/// A short word as a number, padded with zeros.
fn key(word: &[u8]) -> Option<u128> {
    let mut padded = [0; SHORT];
    padded.get_mut(..word.len())?.copy_from_slice(word);
    Some(u128::from_le_bytes(padded))
}

/// A one in each byte.
const ONES: u128 = u128::MAX / 255;

/// The small letters of a short ASCII word, all bytes at once.
#[inline]
fn small(key: u128) -> u128 {
    // The highest bit of a byte: it is `A` or behind; it is behind `Z`.
    let from_a = key + ONES * (0x80 - b'A' as u128);
    let behind_z = key + ONES * (0x7f - b'Z' as u128);
    key | ((from_a ^ behind_z) & (ONES << 7)) >> 2
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
            assert!(words.iter().all(|word| has(&set, word)), "{language}");
            let capitals: Vec<String> = words.iter().map(|word| word.to_uppercase()).collect();
            for word in capitals.iter().map(String::as_str).chain(["xyzzy", "", "ß", "longer than any word is"]) {
                assert_eq!(has(&set, word), words.contains(&segment::list_form(word)), "{word}");
            }
        }
        let long = "ab".repeat(100);
        let set = WordSet::of([long.as_str(), "Don’t", "", "sixteen letters!", "seventeen letters"]);
        assert!(has(&set, &long.to_uppercase()) && has(&set, "DON'T") && !has(&set, &long[1..]));
        assert!(has(&set, "sixteen letters!") && has(&set, "Seventeen letters") && !has(&set, "sixteen letters"));
        assert!(!has(&set, "") && !has(&set, "\0") && !has(&WordSet::of([]), "a"));
    }

    /// Whether a set has a word, alone and within a text.
    fn has(set: &WordSet, word: &str) -> bool {
        let text = format!("xx{word}, and more behind it");
        let (alone, within) = (set.contains(word, 0..word.len()), set.contains(&text, 2..2 + word.len()));
        assert_eq!(alone, within, "{word}");
        alone
    }
}
