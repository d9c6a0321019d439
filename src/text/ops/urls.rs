//! Web addresses and e-mail addresses.

use std::{borrow::Cow, ops::Range};

use memchr::memchr3;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Prepared, TextOperation, emails};
use crate::text::edits::Edits;

/// What becomes of addresses of the web and of e-mail; `emails` in front of it tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Urls {
    /// They go: `(see https://a.b/c?d=e)` becomes `(see )`.
    Remove,
    /// Each becomes the word `url`: `see www.x.org, me@x.org` becomes `see url, url`.
    Token,
}

impl TextOperation for Urls {
    fn prepare(&self) -> Prepared {
        let token = if *self == Self::Token { "url" } else { "" };
        Box::new(move |text| replace(text, token))
    }
}

/// What a web address begins with.
const STARTS: &[&str] = &["http://", "https://", "ftp://", "www."];

fn replace<'a>(text: &'a str, token: &str) -> Cow<'a, str> {
    let mut edits = Edits::of(text);
    addresses(text).for_each(|address| edits.replace(address, token));
    edits.finish()
}

/// Where addresses stand, in order.
pub(super) fn addresses(text: &str) -> impl Iterator<Item = Range<usize>> {
    // Every address has a `:` behind `http`, a `.` behind `www`, or an `@`.
    let (mut from, mut done) = (0, 0);
    std::iter::from_fn(move || {
        loop {
            let at = from + memchr3(b':', b'.', b'@', &text.as_bytes()[from..])?;
            let is_mail = text.as_bytes()[at] == b'@';
            let found = if is_mail { emails::around(text, done, at) } else { web(text, done, at) };
            match found {
                Some(range) => {
                    (from, done) = (range.end, range.end);
                    return Some(range);
                }
                None => from = at + 1,
            }
        }
    })
}

/// The web address whose `:` or first `.` stands at a place; it begins behind `done`.
fn web(text: &str, done: usize, at: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let (start, shortest) = STARTS.iter().find_map(|begin| {
        let sign = begin.find([':', '.'])?;
        let start = at.checked_sub(sign).filter(|start| *start >= done)?;
        let is_it = bytes.get(start..start + begin.len())?.eq_ignore_ascii_case(begin.as_bytes());
        is_it.then_some((start, begin.len()))
    })?;
    let end = start + text[start..].find(ends).unwrap_or(text.len() - start);
    let address = without_trail(&text[start..end]);
    // `www.` alone is no address.
    (address.len() > shortest).then(|| start..start + address.len())
}

/// What no address goes beyond: white space, and punctuation and letters that are written without spaces.
fn ends(c: char) -> bool {
    c.is_whitespace() || matches!(c, '<' | '>' | '"' | '”' | '»' | '\u{3000}'..='\u{9fff}' | '\u{ff00}'..='\u{ffef}')
}

/// An address without the marks behind it that are no part of it; a closing bracket is one if it was opened within: `Foo_(bar)`.
fn without_trail(mut address: &str) -> &str {
    let (opened, mut closed) = (address.matches('(').count(), address.matches(')').count());
    while let Some(last) = address.chars().next_back().filter(|c| trails(*c)) {
        if last == ')' {
            if opened >= closed {
                break;
            }
            closed -= 1;
        }
        address = &address[..address.len() - last.len_utf8()];
    }
    address
}

/// What may stand behind an address and be no part of it.
fn trails(c: char) -> bool {
    matches!(c, '.' | ',' | ';' | ':' | '!' | '?' | ')' | ']' | '}' | '\'' | '’' | '…')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found() {
        for (text, expected) in [
            ("see https://a.b/c?d=e, or www.x.org. Mail: me@x.org!", "see url, or url. Mail: url!"),
            ("at http://a.b/c (or HTTP://X.Y)", "at url (or url)"),
            ("<a href=\"http://a.b/c\">x</a>", "<a href=\"url\">x</a>"),
            ("请看https://a.b/c。谢谢", "请看url。谢谢"),
            ("www. 10:30 a.b http:// wwwx.y", "www. 10:30 a.b http:// wwwx.y"),
            ("http://a.b/ü?x=me@x.org www.a.b:80/c", "url url"),
            ("a.b+c@x.org", "url"),
            ("(http://x.org/Foo_(bar)), http://x.org/a).", "(url), url)."),
            ("écrire à (me@x.org)", "écrire à (url)"),
            ("", ""),
        ] {
            assert_eq!(replace(text, "url"), expected, "{text}");
        }
        assert!(matches!(replace("nothing here: at all.", "url"), Cow::Borrowed(_)));
        for unit in [":", ".", "www.", "http:", "@", "a@a."] {
            let many = unit.repeat((1 << 20) / unit.len());
            assert!(replace(&many, "url").len() <= many.len());
        }
    }
}
