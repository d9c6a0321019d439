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
        let right = words.pieces[at].text.clone();
        for fault in 1..letters {
            // The letter that went wrong before may be drawn again: other draws find another one, if there is one.
            let draws = (0..DRAWS).filter_map(|_| misspell(&word, random));
            let Some(more) = draws.into_iter().find(|more| is_worse(&right, more, fault)) else { break };
            word = more;
        }
        words.set(at, word);
        left -= 1;
    }
}

/// Draws of one more fault.
const DRAWS: usize = 16;

/// Whether a word differs from the right one in more than so many letters, as far as letters of words of one length can be compared.
fn is_worse(right: &str, word: &str, faults: usize) -> bool {
    let differ = right.chars().zip(word.chars()).filter(|(right, wrong)| right != wrong).count();
    right.chars().count() != word.chars().count() || differ > faults
}

/// The letters of a word with the marks that belong to them.
pub(super) fn letters(word: &str) -> Vec<&str> {
    word.graphemes(true).collect()
}
