//! Characters that nobody sees: control characters, and characters without width.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Prepared, TextOperation};
use crate::text::edits::Edits;

/// What becomes of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Control {
    /// They go: NUL and other control characters but white space, soft hyphens, zero-width spaces, byte-order marks, marks
    /// of writing direction: `fi\u{ad}ne\0` becomes `fine`. Joiners of emoji, Persian and Hindi stay where they are needed.
    Remove,
}

impl TextOperation for Control {
    fn prepare(&self) -> Prepared {
        Box::new(remove)
    }
}

fn remove(text: &str) -> Cow<'_, str> {
    let mut edits = Edits::of(text);
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        // Beyond ASCII: not what characters without width begin with.
        let is_plain = match byte {
            b' '..=b'~' | b'\t'..=b'\r' => true,
            0..=0x7f => false,
            _ => !matches!(byte, 0xc2 | 0xd8 | 0xe1 | 0xe2 | 0xef | 0xf3),
        };
        if is_plain {
            at += 1;
            continue;
        }
        let Some(c) = text[at..].chars().next() else { break };
        let end = at + c.len_utf8();
        if is_unseen(c) || matches!(c, '\u{200c}' | '\u{200d}') && !joins(&text[..at]) {
            edits.remove(at..end);
        }
        at = end;
    }
    edits.finish()
}

fn is_unseen(c: char) -> bool {
    match c {
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0001}' => true,
        _ => c.is_control() && !c.is_whitespace(),
    }
}

/// Whether a joiner behind a text can mean something: in scripts whose letters join, and behind emoji and their marks.
fn joins(before: &str) -> bool {
    let letters = |c| matches!(c, '\u{5d0}'..='\u{1cff}' | '\u{fb00}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}');
    let emoji = |c| matches!(c, '\u{20d0}'..='\u{20ff}' | '\u{2190}'..='\u{2bff}' | '\u{fe0f}' | '\u{10000}'..);
    before.chars().next_back().is_some_and(|c| letters(c) || emoji(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_sees_goes() {
        for (text, expected) in [
            ("a\0b\u{7f}c\u{1b}[0m\u{9d}", "abc[0m"),
            ("\u{feff}fi\u{ad}ne\u{200b}\u{200e}\u{2060}\u{202e}", "fine"),
            ("a\tb\r\nc\x0cd\u{85}e\u{2028}f\u{a0}g", "a\tb\r\nc\x0cd\u{85}e\u{2028}f\u{a0}g"),
            ("👩\u{200d}🔬 🏳\u{fe0f}\u{200d}🌈 می\u{200c}خواهم क्\u{200d}ष", "👩\u{200d}🔬 🏳\u{fe0f}\u{200d}🌈 می\u{200c}خواهم क्\u{200d}ष"),
            ("a\u{200d}b\u{200c}", "ab"),
            ("“Ünïcode” 字 Ω – ﬁ ’", "“Ünïcode” 字 Ω – ﬁ ’"),
            ("\0", ""),
        ] {
            assert_eq!(remove(text), expected, "{text:?}");
            assert!(matches!(remove(expected), Cow::Borrowed(_)));
        }
        let all: String = ('\0'..=char::MAX).flat_map(|c| ['a', c]).collect();
        let expected: String = ('\0'..=char::MAX).filter(|c| !is_unseen(*c)).flat_map(|c| ['a', c]).collect();
        let clean = |text: &str| text.replace(['a', '\u{200c}', '\u{200d}'], "");
        assert_eq!(clean(&remove(&all)), clean(&expected));
    }
}
