//! Numbers.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Prepared, TextOperation};
use crate::text::{
    edits::Edits,
    segment,
};

/// What becomes of numbers; `B2B` is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Numbers {
    /// They go: `rated 3.5 times` becomes `rated times`.
    Remove,
    /// Each becomes the word `number`: `1,000 of 2` becomes `number of number`.
    Token,
}

impl TextOperation for Numbers {
    fn prepare(&self) -> Prepared {
        match self {
            Self::Remove => Box::new(|text| segment::without(text, |piece| is_number(piece.text))),
            Self::Token => Box::new(token),
        }
    }
}

fn token(text: &str) -> Cow<'_, str> {
    let mut edits = Edits::of(text);
    for piece in segment::words(text).filter(|piece| is_number(piece.text)) {
        edits.replace(piece.range(), "number");
    }
    edits.finish()
}

fn is_number(word: &str) -> bool {
    word.starts_with(char::is_numeric) && word.chars().all(|c| c.is_numeric() || matches!(c, '.' | ','))
}
