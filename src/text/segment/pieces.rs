//! The pieces that the rules of Unicode (UAX #29) cut a text into. What most texts are made of is told by a table of ours,
//! ten times as fast; the stretches around other characters by `unicode-segmentation`.

use std::ops::Range;

use unicode_segmentation::{UWordBounds, UnicodeSegmentation};

use super::is_word;

/// A word, a single mark, a run of white space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::text) struct Piece<'a> {
    pub(in crate::text) text: &'a str,
    /// Where it begins, in bytes.
    pub(in crate::text) start: usize,
    /// Whether it has a letter or a digit.
    pub(in crate::text) is_word: bool,
}

impl Piece<'_> {
    pub(in crate::text) fn range(&self) -> Range<usize> {
        self.start..self.start + self.text.len()
    }
}

/// The pieces of a text, with their places. Joined, they are the text. `don't` is one word.
pub(in crate::text) struct Pieces<'a> {
    text: &'a str,
    at: usize,
    /// The pieces of a stretch with characters that the table does not know.
    rare: Option<UWordBounds<'a>>,
}

impl<'a> Pieces<'a> {
    pub(in crate::text) fn of(text: &'a str) -> Self {
        Self { text, at: 0, rare: None }
    }
}

impl Pieces<'_> {
    /// Goes on to the next piece that can be a word; not over what a mark behind it could belong to.
    #[inline]
    pub(super) fn skip_marks(&mut self) {
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

/// What the rules tell characters apart by, as far as it matters here.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
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
pub(super) fn class(c: char) -> Class {
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
