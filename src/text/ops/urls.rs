//! Web addresses and e-mail addresses.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Prepared, TextOperation};

/// What becomes of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Urls {
    /// They go.
    Remove,
    /// Each becomes the word `url`.
    Token,
}

impl TextOperation for Urls {
    fn prepare(&self) -> Prepared {
        let token = if *self == Self::Token { "url" } else { "" };
        Box::new(move |text| replace(text, token))
    }
}

fn replace(text: &str, token: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let word_end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let (word, after) = rest.split_at(word_end);
        match address(word) {
            Some((start, end)) => {
                out.push_str(&word[..start]);
                out.push_str(token);
                out.push_str(&word[end..]);
            }
            None => out.push_str(word),
        }
        let space_end = after.find(|c: char| !c.is_whitespace()).unwrap_or(after.len());
        out.push_str(&after[..space_end]);
        rest = &after[space_end..];
    }
    out
}

/// Where an address stands in a word, without the punctuation around it.
fn address(word: &str) -> Option<(usize, usize)> {
    let lower = word.to_ascii_lowercase();
    let web = ["http://", "https://", "ftp://", "www."].iter().filter_map(|prefix| lower.find(prefix)).min();
    let start = match web {
        Some(start) => start,
        None => mail(word)?,
    };
    let end = word.trim_end_matches(['.', ',', ';', ':', '!', '?', ')', ']', '}', '>', '"', '\'', '»', '”']).len();
    (end > start).then_some((start, end))
}

fn mail(word: &str) -> Option<usize> {
    let (name, host) = word.split_once('@')?;
    let start = name.rfind(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '_' | '-' | '+'));
    let start = start.map_or(0, |at| at + name[at..].chars().next().map_or(1, char::len_utf8));
    let host = host.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
    let has_domain = host.split('.').count() > 1 && host.split('.').all(|part| !part.is_empty());
    (start < name.len() && has_domain).then_some(start)
}
