//! Names of people: `@someone`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Prepared, TextOperation};
use crate::text::segment;

/// What becomes of names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mentions {
    /// They go.
    Remove,
    /// Each becomes the word `user`.
    Token,
}

impl TextOperation for Mentions {
    fn prepare(&self) -> Prepared {
        match self {
            Self::Remove => Box::new(|text| segment::join_without(parts(text).into_iter(), is_mention)),
            Self::Token => Box::new(|text| {
                parts(text).into_iter().map(|part| if is_mention(part) { "user" } else { part }).collect()
            }),
        }
    }
}

fn is_mention(part: &str) -> bool {
    part.len() > 1 && part.starts_with('@')
}

/// The text cut around mentions, and into words and spaces between them. An `@` after a letter or digit is no mention.
fn parts(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut from = 0;
    for (at, _) in text.match_indices('@') {
        let follows_name = text[..at].ends_with(|c: char| c.is_alphanumeric());
        let name = text[at + 1..].find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len() - at - 1);
        if at >= from && !follows_name && name > 0 {
            parts.extend(segment::pieces(&text[from..at]));
            parts.push(&text[at..=at + name]);
            from = at + 1 + name;
        }
    }
    parts.extend(segment::pieces(&text[from..]));
    parts
}
