//! Words, by the rules of Unicode (UAX #29), and what stands between them.

use unicode_normalization::UnicodeNormalization;
use unicode_segmentation::UnicodeSegmentation;

/// The pieces of a text: words, single marks, runs of white space. Joined, they are the text. `don't` is one word.
pub(super) fn pieces(text: &str) -> impl Iterator<Item = &str> {
    text.split_word_bounds()
}

/// Whether a piece is a word: it has a letter or a digit.
pub(super) fn is_word(piece: &str) -> bool {
    piece.chars().any(char::is_alphanumeric)
}

/// A word as word lists have it: small letters, a straight apostrophe.
pub(super) fn list_form(word: &str) -> String {
    word.to_lowercase().replace('\u{2019}', "'")
}

/// The number of words.
#[must_use]
pub fn count_words(text: &str) -> usize {
    pieces(text).filter(|piece| is_word(piece)).count()
}

/// What two texts have in common that differ only in form: their words in small letters, compatible forms made one.
#[must_use]
pub fn normal_form(text: &str) -> String {
    let text: String = text.nfkc().collect();
    let words: Vec<String> = pieces(&text).filter(|piece| is_word(piece)).map(list_form).collect();
    words.join(" ")
}

/// Puts pieces together again without some words, and without the white space that a word leaves behind.
pub(super) fn join_without<'a>(pieces: impl Iterator<Item = &'a str>, goes: impl Fn(&str) -> bool) -> String {
    join_marked(pieces.map(|piece| (piece, goes(piece))))
}

/// The same, for pieces that are marked as going.
pub(super) fn join_marked<'a>(pieces: impl Iterator<Item = (&'a str, bool)>) -> String {
    let mut out = String::new();
    let mut gap = false;
    for (piece, goes) in pieces {
        if goes {
            gap = true;
            continue;
        }
        let is_space = piece.chars().all(char::is_whitespace);
        if gap && is_space && (out.is_empty() || out.ends_with(char::is_whitespace)) {
            continue;
        }
        gap &= is_space;
        out.push_str(piece);
    }
    if gap {
        out.truncate(out.trim_end().len());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_normal_forms() {
        assert_eq!(count_words("I don't know, 3.5 stars!"), 5);
        assert_eq!(normal_form("  It’s  GOOD,   no?\u{a0}"), "it's good no");
        assert_eq!(normal_form("ﬁne"), normal_form("Fine."));
        let text = "a  b, c";
        assert_eq!(pieces(text).collect::<String>(), text);
    }

    #[test]
    fn a_word_that_goes_leaves_no_hole() {
        let without = |text: &str| join_without(pieces(text), |piece| piece == "x");
        for (text, expected) in [
            ("x a x b x", "a b"),
            ("a x, b", "a , b"),
            ("a x x b", "a b"),
            ("x", ""),
            ("x  a", "a"),
            ("a  b", "a  b"),
            ("", ""),
        ] {
            assert_eq!(without(text), expected, "{text:?}");
        }
    }
}
