//! E-mail addresses.

use std::{borrow::Cow, ops::Range};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Prepared, TextOperation};
use crate::text::edits::{self, Edits};

/// What becomes of e-mail addresses; `urls` takes them, too, but for one word with those of the web.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Emails {
    /// They go: `write to ann@x.org today` becomes `write to today`.
    Remove,
    /// Each becomes the word `email`: `write to ann@x.org` becomes `write to email`.
    Token,
}

impl TextOperation for Emails {
    fn prepare(&self) -> Prepared {
        match self {
            Self::Remove => Box::new(|text| edits::cut(text, addresses(text))),
            Self::Token => Box::new(token),
        }
    }
}

fn token(text: &str) -> Cow<'_, str> {
    let mut edits = Edits::of(text);
    for range in addresses(text) {
        edits.replace(range, "email");
    }
    edits.finish()
}

/// Where e-mail addresses stand, in order.
fn addresses(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut done = 0;
    text.match_indices('@').filter_map(move |(at, _)| {
        let address = around(text, done, at)?;
        done = address.end;
        Some(address)
    })
}

/// The address around an `@`: a name of letters, digits and a few signs, and a host of at least two parts. It begins
/// behind `from`.
pub(super) fn around(text: &str, from: usize, at: usize) -> Option<Range<usize>> {
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'+' | b'%');
    let is_host = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    let bytes = text.as_bytes();
    let name = bytes.get(from..at)?.iter().rev().take_while(|byte| is_name(byte)).count();
    // `...ann@x.org`: a name does not start with a dot.
    let name = name - bytes[at - name..at].iter().take_while(|byte| **byte == b'.').count();
    let host = bytes[at + 1..].iter().take_while(|byte| is_host(byte)).count();
    let host = text[at + 1..at + 1 + host].trim_end_matches(['.', '-']);
    let top = host.rsplit('.').next()?;
    let is_whole = host.len() > top.len()
        && top.bytes().all(|byte| byte.is_ascii_alphabetic())
        && host.split('.').all(|part| !part.is_empty());
    (name > 0 && is_whole).then_some(at - name..at + 1 + host.len())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::text::ops::tests::run;

    #[test]
    fn addresses_of_mail() {
        for (text, token, removed) in [
            ("Mail <a.b+c@sub.x-y.org>, or me@x.de.", "Mail <email>, or email.", "Mail <>, or ."),
            ("@x a@b a@b.1 a@.de a@b..de @x.org ..@x.org", "@x a@b a@b.1 a@.de a@b..de @x.org ..@x.org", "=",),
            ("a@x.org@y.org é@x.org 写信给ann@x.org谢谢", "email@y.org é@x.org 写信给email谢谢", "@y.org é@x.org 写信给谢谢"),
            ("http://a.b/c", "http://a.b/c", "="),
            ("see ann@x.org today", "see email today", "see today"),
        ] {
            assert_eq!(run(json!({"emails": "token"}), text), token);
            assert_eq!(run(json!({"emails": "remove"}), text), if removed == "=" { text } else { removed });
        }
        assert!(matches!(token("no address @ all"), Cow::Borrowed(_)));
        let many = "a@".repeat(1 << 19);
        assert_eq!(token(&many), many);
        let long = format!("{}@x.org", "a".repeat(1 << 20));
        assert_eq!(token(&long), "email");
    }
}
