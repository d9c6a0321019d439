//! Names of people: `@someone`.

use std::{borrow::Cow, ops::Range};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Prepared, TextOperation};
use crate::text::edits::{self, Edits};

/// What becomes of names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mentions {
    /// They go: `@ann look!` becomes `look!`.
    Remove,
    /// Each becomes the word `user`: `@ann look!` becomes `user look!`.
    Token,
}

impl TextOperation for Mentions {
    fn prepare(&self) -> Prepared {
        match self {
            Self::Remove => Box::new(|text| edits::cut(text, mentions(text))),
            Self::Token => Box::new(token),
        }
    }
}

fn token(text: &str) -> Cow<'_, str> {
    let mut edits = Edits::of(text);
    for range in mentions(text) {
        edits.replace(range, "user");
    }
    edits.finish()
}

/// Bytes of the host of a name that has one, as in `@ann@mastodon.social`.
fn host(behind: &str) -> usize {
    let Some(host) = behind.strip_prefix('@') else { return 0 };
    let end = host.find(|c: char| !c.is_alphanumeric() && !matches!(c, '.' | '-')).unwrap_or(host.len());
    let host = host[..end].trim_end_matches(['.', '-']);
    if host.contains('.') { 1 + host.len() } else { 0 }
}

/// Where mentions stand. An `@` after a letter or digit is no mention.
pub(super) fn mentions(text: &str) -> impl Iterator<Item = Range<usize>> {
    text.match_indices('@').filter_map(|(at, _)| {
        let follows_name = text[..at].ends_with(char::is_alphanumeric);
        let behind = &text[at + 1..];
        let name = behind.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(behind.len());
        (!follows_name && name > 0).then(|| at..at + 1 + name + host(&behind[name..]))
    })
}
