//! White space at the ends and in between.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Prepared, TextOperation};

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
    let Some(mut at) = next_fault(text, 0) else { return Cow::Borrowed(text) };
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    loop {
        // The white space around the fault becomes one space.
        let before = text[done..at].trim_end();
        out.push_str(before);
        out.push(' ');
        done = text.len() - text[at..].trim_start().len();
        match next_fault(text, done) {
            Some(next) => at = next,
            None => break,
        }
    }
    out.push_str(&text[done..]);
    Cow::Owned(out)
}

/// The next white space that is no single space, behind `from`.
fn next_fault(text: &str, from: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = from;
    loop {
        let byte = *bytes.get(at)?;
        match byte {
            b' ' if bytes.get(at + 1) == Some(&b' ') => return Some(at),
            b'\t'..=b'\r' => return Some(at),
            // What the white space beyond ASCII begins with.
            0xc2 | 0xe1..=0xe3 => {
                let c = text[at..].chars().next()?;
                if c.is_whitespace() {
                    return Some(at);
                }
                at += c.len_utf8();
            }
            _ => at += 1,
        }
    }
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
