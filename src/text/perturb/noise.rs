//! What slips into words when they are typed or read from paper: some letters of some words become others.

use unicode_segmentation::UnicodeSegmentation;

use super::{Amount, Words};
use crate::base::rng::{self, Stream};

/// Misspells some words, each in so many places; `misspell` gives a word with one more fault, or none where it has no letter to
/// go wrong.
pub(super) fn misspell_words(
    words: &mut Words<'_>,
    amount: Amount,
    letters: usize,
    random: &mut Stream,
    misspell: impl Fn(&str, &mut Stream) -> Option<String>,
) {
    let mut left = amount.of(words.count());
    let mut places = words.unprotected();
    rng::shuffle(random, &mut places);
    for at in places {
        if left == 0 {
            break;
        }
        let Some(mut word) = misspell(&words.pieces[at].text, random) else { continue };
        for _ in 1..letters {
            match misspell(&word, random) {
                Some(more) => word = more,
                None => break,
            }
        }
        words.set(at, word);
        left -= 1;
    }
}

/// The letters of a word with the marks that belong to them.
pub(super) fn letters(word: &str) -> Vec<&str> {
    word.graphemes(true).collect()
}
