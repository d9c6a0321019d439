//! Numbers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Prepared, TextOperation};
use crate::text::segment;

/// What becomes of numbers; `B2B` is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Numbers {
    /// They go.
    Remove,
    /// Each becomes the word `number`.
    Token,
}

impl TextOperation for Numbers {
    fn prepare(&self) -> Prepared {
        match self {
            Self::Remove => Box::new(|text| segment::join_without(segment::pieces(text), is_number)),
            Self::Token => Box::new(|text| {
                segment::pieces(text).map(|piece| if is_number(piece) { "number" } else { piece }).collect()
            }),
        }
    }
}

fn is_number(piece: &str) -> bool {
    piece.starts_with(char::is_numeric) && piece.chars().all(|c| c.is_numeric() || matches!(c, '.' | ','))
}
