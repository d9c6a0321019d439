//! Words, by the rules of Unicode (UAX #29), and what stands between them.

mod pieces;
mod plain;

use std::borrow::Cow;

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfkc_quick};

pub(super) use self::pieces::{Piece, Pieces};
use self::plain::Words;
use super::edits;

/// The pieces of a text as they are.
pub(super) fn pieces(text: &str) -> impl Iterator<Item = &str> {
    Pieces::of(text).map(|piece| piece.text)
}

/// The pieces of a text that are words.
pub(super) fn words(text: &str) -> impl Iterator<Item = Piece<'_>> {
    let is_plain = plain::is_plain(text);
    let (plain, other) = if is_plain { (text, "") } else { ("", text) };
    let mut pieces = Pieces::of(other);
    let others = std::iter::from_fn(move || {
        loop {
            pieces.skip_marks();
            let piece = pieces.next()?;
            if piece.is_word {
                return Some(piece);
            }
        }
    });
    let of_plain = Words::of(plain).map(|range| Piece { start: range.start, text: &plain[range], is_word: true });
    of_plain.chain(others)
}

/// Whether a piece is a word: it has a letter or a digit.
pub(super) fn is_word(piece: &str) -> bool {
    piece.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric) || piece.chars().any(char::is_alphanumeric)
}

/// A word as word lists have it: small letters, a straight apostrophe.
pub(super) fn list_form(word: &str) -> String {
    folded(word).into_owned()
}

/// The same, borrowed where the word has that form.
pub(super) fn folded(word: &str) -> Cow<'_, str> {
    if word.is_ascii() {
        let is_small = !word.bytes().any(|byte| byte.is_ascii_uppercase());
        return if is_small { Cow::Borrowed(word) } else { Cow::Owned(word.to_ascii_lowercase()) };
    }
    if word.chars().all(|c| c != '\u{2019}' && c.to_lowercase().eq([c])) {
        return Cow::Borrowed(word);
    }
    let small = word.to_lowercase();
    Cow::Owned(if small.contains('\u{2019}') { small.replace('\u{2019}', "'") } else { small })
}

/// The number of words.
#[must_use]
pub fn count_words(text: &str) -> usize {
    if plain::is_plain(text) { plain::count(text) } else { words(text).count() }
}

/// What two texts have in common that differ only in form: their words in small letters, compatible forms made one.
#[must_use]
pub fn normal_form(text: &str) -> String {
    let text: Cow<'_, str> = match is_nfkc_quick(text.chars()) {
        IsNormalized::Yes => Cow::Borrowed(text),
        _ => Cow::Owned(text.nfkc().collect()),
    };
    let mut out = String::with_capacity(text.len());
    for piece in words(&text) {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(&folded(piece.text));
    }
    out
}

/// A text without some of its words, and without the white space that a word leaves behind.
pub(super) fn without<'a>(text: &'a str, goes: impl Fn(&Piece<'a>) -> bool) -> Cow<'a, str> {
    edits::cut(text, words(text).filter(|piece| goes(piece)).map(|piece| piece.range()))
}

#[cfg(test)]
mod tests {
    use unicode_segmentation::UnicodeSegmentation;

    use super::{
        pieces::{Class, class},
        *,
    };
    use crate::base::rng;

    /// Puts pieces together again without those that are marked as going, and without the white space that they leave.
    fn join_marked<'a>(pieces: impl Iterator<Item = (&'a str, bool)>) -> String {
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

    #[test]
    fn words_and_normal_forms() {
        assert_eq!(count_words("I don't know, 3.5 stars!"), 5);
        assert_eq!(normal_form("  It’s  GOOD,   no?\u{a0}"), "it's good no");
        assert_eq!(normal_form("ﬁne"), normal_form("Fine."));
        let text = "a  b, c";
        assert_eq!(pieces(text).collect::<String>(), text);
        for word in ["don't", "DON’T", "Ärger", "ärger", "ΤΟΥΣ", "é", "", "naïve’s"] {
            assert_eq!(list_form(word), word.to_lowercase().replace('\u{2019}', "'"));
        }
        assert!(matches!(folded("don't"), Cow::Borrowed(_)));
        assert!(matches!(folded("ärger"), Cow::Borrowed(_)));
    }

    #[test]
    fn a_word_that_goes_leaves_no_hole() {
        for (text, expected) in [("x a x b x", "a b"), ("a x, b", "a , b"), ("x", ""), ("a  b", "a  b"), ("", "")] {
            assert_eq!(without(text, |piece| piece.text == "x"), expected, "{text:?}");
        }
    }

    /// The pieces are those of the rules.
    fn check(text: &str) {
        let ours: Vec<Piece<'_>> = Pieces::of(text).collect();
        let theirs: Vec<&str> = text.split_word_bounds().collect();
        assert_eq!(ours.iter().map(|piece| piece.text).collect::<Vec<_>>(), theirs, "{text:?}");
        let mut at = 0;
        for piece in &ours {
            assert_eq!((piece.start, piece.is_word), (at, piece.text.chars().any(char::is_alphanumeric)), "{text:?}");
            at += piece.text.len();
        }
        let words: Vec<Piece<'_>> = words(text).collect();
        assert!(words.iter().eq(ours.iter().filter(|piece| piece.is_word)), "{text:?}: {words:?}");
        assert_eq!(count_words(text), theirs.iter().filter(|piece| is_word(piece)).count(), "{text:?}");
    }

    #[test]
    fn pieces_are_those_of_the_rules() {
        // Every character of the table, between characters of every class.
        let around = ["a", "Z", "é", "1", "_", ":", ",", ".", "'", " ", "\r", "\n", "\u{301}", "\u{200d}", "ב", "字"];
        let known: Vec<char> = ('\0'..='\u{ffff}').filter(|c| class(*c) != Class::Rare).collect();
        assert!(known.len() > 30_000);
        for c in known.iter().filter(|c| !matches!(c, '\u{3400}'..='\u{9fef}' | '\u{ac00}'..='\u{d7a0}')) {
            for left in around {
                for right in around {
                    check(&format!("{left}{c}{right}"));
                    check(&format!("{left}{right}{c}"));
                }
            }
        }
        // Three and four of every class in every order.
        let of_each = [
            "a", "1", "_", ":", ",", "'", ".", "\"", " ", "\r", "\n", "!", "é", "’", "字", "\u{3000}", "\u{301}", "カ",
            "\u{200d}", "😀", "🇩", "ב", "\u{ad}",
        ];
        for a in of_each {
            for b in of_each {
                for c in of_each {
                    check(&format!("{a}{b}{c}"));
                    for d in of_each {
                        check(&format!("{a}{b}{c}{d}"));
                    }
                }
            }
        }
        let mut random = rng::stream(7, "segment");
        for _ in 0..20_000 {
            let length = rng::below(&mut random, 24);
            let ascii: String = (0..length).map(|_| rng::below(&mut random, 128) as u8 as char).collect();
            check(&ascii);
            check(&ascii.repeat(40));
            let mixed: String = (0..length).map(|_| of_each[rng::below(&mut random, of_each.len())]).collect();
            check(&mixed);
        }
    }

    #[test]
    fn taking_out_is_joining_without() {
        let mut random = rng::stream(8, "without");
        for _ in 0..20_000 {
            let length = rng::below(&mut random, 16);
            let text: String = (0..length)
                .map(|_| ["x", "ab", " ", "  ", "\n", ",", "\t", "字", "\r\n"][rng::below(&mut random, 9)])
                .collect();
            let marked = pieces(&text).map(|piece| (piece, piece == "x"));
            assert_eq!(without(&text, |piece| piece.text == "x"), join_marked(marked), "{text:?}");
        }
    }

    #[test]
    fn long_texts_take_linear_time() {
        for unit in ["a", "a.", "a.\u{301}", "1,", "é\u{301}", "ב'", "😀", "_", " ", "\u{3000}", "\u{200d}", "a\0"]
        {
            let text = unit.repeat((1 << 20) / unit.len());
            assert_eq!(pieces(&text).map(str::len).sum::<usize>(), text.len());
            assert!(count_words(&text) <= text.len());
        }
    }
}
