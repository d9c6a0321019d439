//! Punctuation.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Prepared, TextOperation};

/// What becomes of punctuation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Punctuation {
    /// It goes.
    Remove,
    /// It becomes a space.
    Space,
}

impl TextOperation for Punctuation {
    fn prepare(&self) -> Prepared {
        let space = *self == Self::Space;
        Box::new(move |text| {
            let mut out = String::with_capacity(text.len());
            let mut before = ' ';
            let mut rest = text.chars().peekable();
            while let Some(c) = rest.next() {
                let mut is_inside = || before.is_alphabetic() && rest.peek().is_some_and(|next| next.is_alphabetic());
                if !is_punctuation(c) || matches!(c, '\'' | '\u{2019}') && is_inside() {
                    out.push(c);
                } else if space {
                    out.push(' ');
                }
                before = c;
            }
            out
        })
    }
}

/// The marks of ASCII, of Latin-1, and the blocks of general, CJK and full-width punctuation.
fn is_punctuation(c: char) -> bool {
    c.is_ascii_punctuation()
        || matches!(c,
            '¡' | '§' | '«' | '¶' | '·' | '»' | '¿'
            | '\u{2010}'..='\u{2027}' | '\u{2030}'..='\u{205e}'
            | '\u{3001}'..='\u{3003}' | '\u{3008}'..='\u{3011}' | '\u{3014}'..='\u{301f}' | '\u{30fb}'
            | '\u{ff01}'..='\u{ff0f}' | '\u{ff1a}'..='\u{ff20}' | '\u{ff3b}'..='\u{ff40}' | '\u{ff5b}'..='\u{ff65}')
}
