//! Hashtags: `#topic`.

use std::{borrow::Cow, ops::Range};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Prepared, TextOperation};
use crate::text::edits::{self, Edits};

/// What becomes of hashtags; `#1` is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Hashtags {
    /// They go: `love it #nowPlaying` becomes `love it`.
    Remove,
    /// Each becomes the word `hashtag`: `love it #nowPlaying` becomes `love it hashtag`.
    Token,
    /// Each becomes its words: `#nowPlaying #best_film` becomes `now Playing best film`.
    Words,
}

impl TextOperation for Hashtags {
    fn prepare(&self) -> Prepared {
        match self {
            Self::Remove => Box::new(|text| edits::cut(text, hashtags(text))),
            Self::Token => Box::new(|text| replace(text, |_, out| out.push_str("hashtag"))),
            Self::Words => Box::new(|text| replace(text, words)),
        }
    }
}

fn replace(text: &str, with: impl Fn(&str, &mut String)) -> Cow<'_, str> {
    let mut edits = Edits::of(text);
    let mut new = String::new();
    for range in hashtags(text) {
        new.clear();
        with(&text[range.start + 1..range.end], &mut new);
        edits.replace(range, &new);
    }
    edits.finish()
}

/// Cuts `nowPlaying` and `now_playing` into words; `BBCNews` is `BBC News`.
fn words(name: &str, out: &mut String) {
    let mut before = '_';
    let mut rest = name.chars().peekable();
    while let Some(c) = rest.next() {
        let starts = c.is_uppercase()
            && (before.is_lowercase()
                || before.is_numeric()
                || before.is_uppercase() && rest.peek().is_some_and(|next| next.is_lowercase()));
        if (starts || c == '_') && !out.is_empty() && !out.ends_with(' ') {
            out.push(' ');
        }
        if c != '_' {
            out.push(c);
        }
        before = c;
    }
    out.truncate(out.trim_end().len());
}

/// Where hashtags stand: a `#` that no letter, digit, `&` or `/` stands before, and a name with a letter.
pub(super) fn hashtags(text: &str) -> impl Iterator<Item = Range<usize>> {
    text.match_indices('#').filter_map(|(at, _)| {
        let is_inside = text[..at].ends_with(|c: char| c.is_alphanumeric() || matches!(c, '&' | '/' | '#' | '_'));
        let behind = &text[at + 1..];
        let end = behind.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(behind.len());
        (!is_inside && behind[..end].contains(char::is_alphabetic)).then_some(at..at + 1 + end)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::text::ops::tests::run;

    #[test]
    fn hashtags_go_or_become_words() {
        for (what, text, expected) in [
            ("remove", "so good #film #nowPlaying!", "so good !"),
            ("remove", "ranked #1, C# and &#39; at a.html#top", "ranked #1, C# and &#39; at a.html#top"),
            ("token", "#été #字 ##x", "hashtag hashtag ##x"),
            ("words", "#nowPlaying #best_film #BBCNews #ai2go #_x_ #Top10Films", "now Playing best film BBC News ai2go x Top10 Films"),
            ("words", "plain", "plain"),
            ("remove", "#", "#"),
        ] {
            assert_eq!(run(json!({ "hashtags": what }), text), expected);
        }
    }
}
