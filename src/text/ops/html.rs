//! HTML.

mod entities;

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Prepared, TextOperation};

/// What becomes of HTML.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Html {
    /// Tags, comments, scripts and styles go, entities become their characters. A tag that ends a line or a block becomes
    /// a space: `<p>Tom &amp; <b>Jerry</b><br>run` becomes `Tom & Jerry run`.
    Strip,
}

impl TextOperation for Html {
    fn prepare(&self) -> Prepared {
        Box::new(strip)
    }
}

/// The tags within a line: no space takes their place.
const INLINE: &[&str] = &[
    "a", "abbr", "b", "cite", "code", "del", "em", "font", "i", "ins", "kbd", "mark", "q", "s", "samp", "small",
    "span", "strong", "sub", "sup", "tt", "u", "var",
];

fn strip(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(|byte| matches!(byte, b'<' | b'&')) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        entities::resolve(&rest[..at], &mut out);
        rest = &rest[at..];
        let Some((tag, after)) = tag(rest) else {
            // `a < b` is no tag.
            out.push('<');
            rest = &rest[1..];
            continue;
        };
        rest = after;
        let name = name(tag);
        if matches!(name.as_str(), "script" | "style") && !tag.starts_with("</") {
            rest = find_end(rest, &name).map_or("", |at| &rest[at..]);
        }
        if !name.is_empty()
            && !INLINE.contains(&name.as_str())
            && !out.is_empty()
            && !out.ends_with(char::is_whitespace)
        {
            out.push(' ');
        }
    }
    entities::resolve(rest, &mut out);
    if out.ends_with(' ') && !text.ends_with(' ') {
        out.pop();
    }
    Cow::Owned(out)
}

/// Where the tag `</name` stands, in any case.
fn find_end(text: &str, name: &str) -> Option<usize> {
    let is_end = |at: &usize| {
        let end = text.as_bytes().get(at + 2..at + 2 + name.len());
        end.is_some_and(|end| end.eq_ignore_ascii_case(name.as_bytes()))
    };
    text.match_indices("</").map(|(at, _)| at).find(is_end)
}

/// The tag or comment at the start of a text, and what follows it.
fn tag(text: &str) -> Option<(&str, &str)> {
    if text.starts_with("<!--") {
        let end = text.find("-->").map_or(text.len(), |at| at + 3);
        return Some(text.split_at(end));
    }
    let first = text[1..].trim_start_matches('/').chars().next()?;
    if !first.is_ascii_alphabetic() && !matches!(first, '!' | '?') {
        return None;
    }
    let mut quote = None;
    for (at, c) in text.char_indices().skip(1) {
        match (quote, c) {
            (None, '>') => return Some(text.split_at(at + 1)),
            (None, '<') => return None,
            (None, '"' | '\'') if text[..at].ends_with('=') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            _ => {}
        }
    }
    None
}

fn name(tag: &str) -> String {
    let tag = tag.trim_start_matches(['<', '/']);
    tag.chars().take_while(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::strip;

    #[test]
    fn tags_go_and_text_stays() {
        for (html, expected) in [
            ("<p>Good <b>film</b>.<br/>Really!</p>", "Good film. Really!"),
            ("a < b && c > d", "a < b && c > d"),
            ("x<!-- <b>no</b> -->y", "xy"),
            ("<script>if (a < b) {}</SCRIPT>text<style>p{}</style>", "text"),
            ("Tom &amp; &#74;&#x65;rry &unknown; &lt;3", "Tom & Jerry &unknown; <3"),
            ("<a href=\"x>y\">link</a>", "link"),
            ("<unclosed", "<unclosed"),
            ("1 <2", "1 <2"),
            ("été &", "été &"),
            ("&ééééééé;", "&ééééééé;"),
            ("&Eacute;t&eacute;&nbsp;&sum;&#150;&#x80;&#0;&#xd800;&thetasym;", "Été ∑–€\u{fffd}&#xd800;ϑ"),
            ("&amp;amp; &amp", "&amp; &amp"),
            ("<script>a</SCRIPTx>b", "b"),
            ("<style>a", ""),
            ("", ""),
        ] {
            assert_eq!(strip(html), expected, "{html}");
        }
    }
}
