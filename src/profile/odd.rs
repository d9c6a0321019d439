//! What is odd about texts: emptiness, and characters that no one wrote.

use serde::{Deserialize, Serialize};

/// Rows that are odd.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Odd {
    /// Rows with nothing but blanks.
    pub empty: u64,
    /// Rows of more than `very_long_from` characters.
    pub very_long: u64,
    /// Twenty times the median of characters.
    pub very_long_from: u64,
    /// Rows with a replacement character, U+FFFD: something was decoded wrongly.
    pub replacement: u64,
    /// Rows with a control character other than tabulator and ends of lines; NUL is one.
    pub control: u64,
    /// Rows with a NUL.
    pub nul: u64,
}

/// What is odd about one text.
#[expect(clippy::struct_excessive_bools, reason = "what a text has, each by itself")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Signs {
    pub(super) is_blank: bool,
    pub(super) has_replacement: bool,
    pub(super) has_control: bool,
    pub(super) has_nul: bool,
    pub(super) characters: u64,
}

impl Signs {
    pub(super) fn of(text: &str) -> Self {
        let mut signs = Self { is_blank: true, ..Self::default() };
        if text.is_ascii() {
            signs.characters = text.len() as u64;
            for byte in text.bytes() {
                signs.is_blank &= byte.is_ascii_whitespace() || byte == 0x0b;
                signs.has_control |= (byte < b' ' || byte == 0x7f) && !matches!(byte, b'\t' | b'\n' | b'\r');
                signs.has_nul |= byte == 0;
            }
            return signs;
        }
        for c in text.chars() {
            signs.characters += 1;
            signs.is_blank &= c.is_whitespace();
            signs.has_control |= c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}');
            signs.has_nul |= c == '\0';
            signs.has_replacement |= c == char::REPLACEMENT_CHARACTER;
        }
        signs
    }

    /// Of two texts of a row.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            is_blank: self.is_blank && other.is_blank,
            has_replacement: self.has_replacement || other.has_replacement,
            has_control: self.has_control || other.has_control,
            has_nul: self.has_nul || other.has_nul,
            characters: self.characters + other.characters,
        }
    }
}

impl Odd {
    pub(super) fn add(&mut self, signs: Signs) {
        self.empty += u64::from(signs.is_blank);
        self.replacement += u64::from(signs.has_replacement);
        self.control += u64::from(signs.has_control);
        self.nul += u64::from(signs.has_nul);
    }

    pub(super) fn merge(&mut self, next: &Self) {
        self.empty += next.empty;
        self.replacement += next.replacement;
        self.control += next.control;
        self.nul += next.nul;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_of_texts() {
        let show = |text: &str| {
            let signs = Signs::of(text);
            let marks =
                [(signs.is_blank, 'b'), (signs.has_replacement, 'r'), (signs.has_control, 'c'), (signs.has_nul, 'n')];
            let marks: String = marks.iter().filter(|(is, _)| *is).map(|(_, mark)| *mark).collect();
            format!("{} {marks}", signs.characters)
        };
        for (text, expected) in [
            ("", "0 b"),
            (" \t\r\n\u{b}\u{c}", "6 bc"),
            ("\u{a0}\u{3000}\u{85}", "3 b"),
            ("a\0b", "3 cn"),
            ("é\0", "2 cn"),
            ("a\u{7f}", "2 c"),
            ("ein\u{fffd}", "4 r"),
            ("שלום 👋🏽", "7 "),
            ("a b\n", "4 "),
        ] {
            assert_eq!(show(text), expected, "{text:?}");
        }
    }
}
