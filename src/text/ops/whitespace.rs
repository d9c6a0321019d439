//! White space at the ends and in between.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Prepared, TextOperation};
use crate::text::{bits, edits::Edits};

/// What becomes of white space.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Whitespace {
    /// None at the ends, and one space where there was any: tabs and line ends become spaces.
    Collapse,
    /// None at the ends.
    Trim,
}

impl TextOperation for Whitespace {
    fn prepare(&self) -> Prepared {
        match self {
            Self::Collapse => Box::new(collapse),
            Self::Trim => Box::new(|text| Cow::Borrowed(text.trim())),
        }
    }
}

fn collapse(text: &str) -> Cow<'_, str> {
    let text = text.trim();
    let bytes = text.as_bytes();
    let mut edits = Edits::of(text);
    let mut done = 0;
    // White space beyond ASCII begins with one of four bytes.
    for at in bits::places(bytes, |byte| matches!(byte, b' ' | b'\t'..=b'\r' | 0xc2 | 0xe1..=0xe3)) {
        let is_one = bytes[at] == b' ' && bytes.get(at + 1).is_some_and(|next| !matches!(next, b' ' | b'\t'..=b'\r' | 0x80..));
        if is_one || at < done {
            continue;
        }
        done = text.len() - text[at..].trim_start().len();
        if done > at {
            edits.replace(at..done, " ");
        }
    }
    edits.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_space_is_left() {
        let spaces: Vec<char> = ('\0'..=char::MAX).filter(|c| c.is_whitespace()).collect();
        let all: String = spaces.iter().collect();
        let mut texts = vec![format!("{all}a{all}b{all}"), all, "a b".to_owned(), " a".to_owned(), String::new()];
        for c in &spaces {
            texts.extend([format!("a{c}b"), format!("a {c}b"), format!("a{c} b"), format!("字{c}é{c}{c}ü")]);
        }
        texts.extend(["a\u{200b}b", "“a” b", "\0 \0", "a  b   c d"].map(str::to_owned));
        for text in texts {
            let expected = text.split_whitespace().collect::<Vec<_>>().join(" ");
            assert_eq!(collapse(&text), expected, "{text:?}");
        }
        assert!(matches!(collapse(" “a” b c "), Cow::Borrowed("“a” b c")));
    }
}
