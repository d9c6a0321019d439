//! White space at the ends and in between.

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
            Self::Trim => Box::new(|text| text.trim().to_owned()),
        }
    }
}

fn collapse(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}
