//! Words, by the rules of Unicode (UAX #29), and what stands between them.

use std::{borrow::Cow, ops::Range};

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfkc_quick};
use unicode_segmentation::{UWordBounds, UnicodeSegmentation};

use super::edits;

/// A word, a single mark, a run of white space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    pub(super) text: &'a str,
    /// Where it begins, in bytes.
    pub(super) start: usize,
    /// Whether it has a letter or a digit.
    pub(super) is_word: bool,
}

impl Piece<'_> {
    pub(super) fn range(&self) -> Range<usize> {
        self.start..self.start + self.text.len()
    }
}

/// The pieces of a text, with their places. Joined, they are the text. `don't` is one word.
pub(super) struct Pieces<'a> {
    text: &'a str,
    at: usize,
    /// The pieces of a stretch with characters that the table does not know.
    rare: Option<UWordBounds<'a>>,
}

impl<'a> Pieces<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        Self { text, at: 0, rare: None }
    }
}

impl Pieces<'_> {
    /// Goes on to the next piece that can be a word; not over what a mark behind it could belong to.
    #[inline]
    fn skip_marks(&mut self) {
        if self.rare.is_some() {
            return;
        }
        let is_mark = |byte: u8| byte < 0x80 && !byte.is_ascii_alphanumeric() && byte != b'_';
        let bytes = self.text.as_bytes();
        while let Some(&[byte, next]) = bytes.get(self.at..self.at + 2).and_then(<[u8]>::first_chunk)
            && is_mark(byte)
            && next < 0x80
        {
            self.at += 1;
        }
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = Piece<'a>;

    #[inline]
    fn next(&mut self) -> Option<Piece<'a>> {
        loop {
            let start = self.at;
            if let Some(rare) = &mut self.rare {
                if let Some(text) = rare.next() {
                    self.at += text.len();
                    return Some(Piece { text, start, is_word: is_word(text) });
                }
                self.rare = None;
            }
            if start == self.text.len() {
                return None;
            }
            if let Some((end, is_word)) = piece(self.text, start) {
                self.at = end;
                return Some(Piece { text: &self.text[start..end], start, is_word });
            }
            self.rare = Some(self.text[start..certain(self.text, start)].split_word_bounds());
        }
    }
}

/// The pieces of a text as they are.
pub(super) fn pieces(text: &str) -> impl Iterator<Item = &str> {
    Pieces::of(text).map(|piece| piece.text)
}

/// The pieces of a text that are words.
pub(super) fn words(text: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut pieces = Pieces::of(text);
    std::iter::from_fn(move || {
        loop {
            pieces.skip_marks();
            let piece = pieces.next()?;
            if piece.is_word {
                return Some(piece);
            }
        }
    })
}

/// What the rules tell characters apart by, as far as it matters here.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Letter,
    Digit,
    /// `_`, which belongs to the word beside it.
    Joiner,
    /// Between letters, it belongs to their word: `:`.
    MidLetter,
    /// Between digits, it belongs to their number: `,`.
    MidNumber,
    /// Between letters or between digits: `.`, `'`.
    MidBoth,
    Space,
    Return,
    LineEnd,
    /// A piece of its own: `!`, a Chinese character.
    Single,
    /// Not in the table: marks that stand on a letter, emoji, scripts with rules of their own.
    Rare,
    /// The end of the text.
    End,
}

const ASCII: [Class; 128] = {
    let mut classes = [Class::Single; 128];
    let mut at = 0;
    while at < 128 {
        classes[at] = match at as u8 {
            b'A'..=b'Z' | b'a'..=b'z' => Class::Letter,
            b'0'..=b'9' => Class::Digit,
            b'_' => Class::Joiner,
            b':' => Class::MidLetter,
            b',' | b';' => Class::MidNumber,
            b'.' | b'\'' => Class::MidBoth,
            b' ' => Class::Space,
            b'\r' => Class::Return,
            b'\n' | 0x0b | 0x0c => Class::LineEnd,
            _ => Class::Single,
        };
        at += 1;
    }
    classes
};

/// The class of the characters that most texts of the world are made of.
fn class(c: char) -> Class {
    match c {
        '\0'..='\x7f' => ASCII[c as usize],
        // Letters: Latin,
        'ª' | 'µ' | 'º' | 'À'..='Ö' | 'Ø'..='ö' | 'ø'..='\u{2c1}' | '\u{1e00}'..='\u{1eff}'
        // Greek,
        | '\u{386}' | '\u{388}'..='\u{38a}' | '\u{38c}' | '\u{38e}'..='\u{3a1}' | '\u{3a3}'..='\u{3f5}'
        // Cyrillic, Arabic, Korean.
        | '\u{3f7}'..='\u{481}' | '\u{48a}'..='\u{52f}' | '\u{620}'..='\u{64a}' | '\u{671}'..='\u{6d3}'
        | '\u{ac00}'..='\u{d7a3}' => Class::Letter,
        '\u{660}'..='\u{669}' => Class::Digit,
        '·' | '\u{ff1a}' => Class::MidLetter,
        '\u{60c}' | '\u{ff0c}' | '\u{ff1b}' => Class::MidNumber,
        '\u{2018}' | '\u{2019}' => Class::MidBoth,
        '\u{85}' | '\u{2028}' | '\u{2029}' => Class::LineEnd,
        // Marks of Latin-1, typographic, Arabic and Chinese punctuation,
        '\u{80}'..='\u{84}' | '\u{86}'..='¬' | '®'..='´' | '¶' | '¹' | '»'..='¿' | '×' | '÷' | '\u{61b}' | '\u{61f}'
        | '\u{2010}'..='\u{2017}' | '\u{201a}'..='\u{2023}' | '…' | '\u{2030}'..='\u{203a}' | '€' | '™'
        | '\u{3001}'..='\u{3002}' | '\u{3008}'..='\u{3011}' | '\u{ff01}' | '\u{ff08}' | '\u{ff09}' | '\u{ff1f}'
        // Hiragana and Chinese characters: the rules find no words in them.
        | '\u{3041}'..='\u{3096}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' => Class::Single,
        _ => Class::Rare,
    }
}

/// The class of the character that begins at a byte, and where it ends.
#[inline]
fn class_at(text: &str, at: usize) -> (Class, usize) {
    match text.as_bytes().get(at) {
        None => (Class::End, at),
        Some(&byte) if byte < 0x80 => (ASCII[usize::from(byte)], at + 1),
        Some(_) => text[at..].chars().next().map_or((Class::End, at), |c| (class(c), at + c.len_utf8())),
    }
}

/// Where the piece ends that begins at a byte, and whether it is a word; none where a rare character has a say in it.
/// The numbers are those of the rules.
fn piece(text: &str, start: usize) -> Option<(usize, bool)> {
    let bytes = text.as_bytes();
    let (first, mut at) = class_at(text, start);
    match first {
        Class::Rare | Class::End => return None,
        // WB3, WB3a
        Class::LineEnd => return Some((at, false)),
        Class::Return => return Some((at + usize::from(bytes.get(at) == Some(&b'\n')), false)),
        // WB3d, WB4
        Class::Space => {
            while bytes.get(at) == Some(&b' ') {
                at += 1;
            }
            return (class_at(text, at).0 != Class::Rare).then_some((at, false));
        }
        // WB4, WB999
        Class::Single | Class::MidLetter | Class::MidNumber | Class::MidBoth => {
            let is_word = bytes[start] >= 0x80 && is_word(&text[start..at]);
            return (class_at(text, at).0 != Class::Rare).then_some((at, is_word));
        }
        Class::Letter | Class::Digit | Class::Joiner => {}
    }
    let mut before = first;
    let mut is_word = first != Class::Joiner;
    loop {
        while bytes.get(at).is_some_and(u8::is_ascii_lowercase) {
            (before, is_word) = (Class::Letter, true);
            at += 1;
        }
        let (class, end) = class_at(text, at);
        match class {
            // WB5, WB8 to WB10, WB13a, WB13b
            Class::Letter | Class::Digit => is_word = true,
            Class::Joiner => {}
            // WB6, WB7, WB11, WB12
            Class::MidLetter | Class::MidNumber | Class::MidBoth => {
                let joins = match before {
                    Class::Letter => class != Class::MidNumber,
                    Class::Digit => class != Class::MidLetter,
                    _ => false,
                };
                let (next, next_end) = class_at(text, end);
                match next {
                    Class::Rare if joins => return None,
                    next if joins && next == before => {
                        at = next_end;
                        continue;
                    }
                    _ => return Some((at, is_word)),
                }
            }
            Class::Rare => return None,
            _ => return Some((at, is_word)),
        }
        (before, at) = (class, end);
    }
}

/// The first place behind `start` where a piece ends whatever stands around it: before a line end, or before a space
/// that does not follow another one.
fn certain(text: &str, start: usize) -> usize {
    let joins = |before: Option<char>| {
        matches!(before, None | Some('\r' | ' ' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{205f}' | '\u{3000}'))
    };
    let bytes = text.as_bytes()[start..].iter().enumerate();
    let mut ends = bytes.filter(|(_, byte)| matches!(byte, b' ' | b'\n')).map(|(at, _)| start + at);
    ends.find(|&at| !joins(text[start..at].chars().next_back())).unwrap_or(text.len())
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
    // A `_` alone is no word, which needs more than its neighbours to be told.
    let is_simple = text.is_ascii() && !text.as_bytes().contains(&b'_');
    if is_simple { count_ascii(text.as_bytes()) } else { words(text).count() }
}

/// The number of words of ASCII without `_`: runs of letters and digits, less the marks that join two of them (`don't`,
/// `3.5`). Each byte is judged by its neighbours alone, so that the compiler can judge many at once.
#[expect(clippy::needless_bitwise_bool, reason = "branches would keep the compiler from judging many bytes at once")]
fn count_ascii(bytes: &[u8]) -> usize {
    let is_letter = |byte: u8| (byte | 0x20).wrapping_sub(b'a') < 26;
    let is_digit = |byte: u8| byte.wrapping_sub(b'0') < 10;
    let starts =
        |before: u8, byte: u8| u8::from((is_letter(byte) | is_digit(byte)) & !(is_letter(before) | is_digit(before)));
    let joins = |before: u8, byte: u8, next: u8| {
        let both = (byte == b'.') | (byte == b'\'');
        let letters = (both | (byte == b':')) & is_letter(before) & is_letter(next);
        let digits = (both | (byte == b',') | (byte == b';')) & is_digit(before) & is_digit(next);
        u8::from(letters | digits)
    };
    let (Some(&first), Some(&last)) = (bytes.first(), bytes.last()) else { return 0 };
    let mut words = usize::from(starts(b' ', first));
    if let [.., before, _] = bytes {
        words += usize::from(starts(*before, last));
    }
    // A byte holds the counts of as many bytes as it can count.
    let middle = bytes.len().saturating_sub(2);
    for from in (0..middle).step_by(255) {
        let length = (middle - from).min(255);
        let (before, next) = (&bytes[from..from + length], &bytes[from + 2..from + 2 + length]);
        let (mut started, mut joined) = (0_u8, 0_u8);
        for ((&before, &byte), &next) in before.iter().zip(&bytes[from + 1..]).zip(next) {
            started += starts(before, byte);
            joined += joins(before, byte, next);
        }
        words += usize::from(started);
        words -= usize::from(joined);
    }
    words
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
    use super::*;
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
