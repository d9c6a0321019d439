//! HTML.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Prepared, TextOperation};

/// What becomes of HTML.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Html {
    /// Tags, comments, scripts and styles go, entities become their characters. A tag that ends a line or a block becomes
    /// a space.
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

fn strip(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        entities(&rest[..at], &mut out);
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
            let end = format!("</{name}");
            // ASCII letters keep their bytes, so the place is the same in both.
            rest = rest.to_ascii_lowercase().find(&end).map_or("", |at| &rest[at..]);
        }
        if !name.is_empty()
            && !INLINE.contains(&name.as_str())
            && !out.is_empty()
            && !out.ends_with(char::is_whitespace)
        {
            out.push(' ');
        }
    }
    entities(rest, &mut out);
    if out.ends_with(' ') && !text.ends_with(' ') {
        out.pop();
    }
    out
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

/// Resolves `&amp;`, `&#39;`, `&#x27;` and the other entities that texts use.
fn entities(text: &str, out: &mut String) {
    const NAMED: &[(&str, char)] = &[
        ("amp", '&'),
        ("lt", '<'),
        ("gt", '>'),
        ("quot", '"'),
        ("apos", '\''),
        ("nbsp", ' '),
        ("ndash", '–'),
        ("mdash", '—'),
        ("hellip", '…'),
        ("lsquo", '‘'),
        ("rsquo", '’'),
        ("ldquo", '“'),
        ("rdquo", '”'),
        ("laquo", '«'),
        ("raquo", '»'),
        ("eacute", 'é'),
        ("egrave", 'è'),
        ("agrave", 'à'),
        ("ccedil", 'ç'),
        ("auml", 'ä'),
        ("ouml", 'ö'),
        ("uuml", 'ü'),
        ("szlig", 'ß'),
        ("copy", '©'),
        ("reg", '®'),
        ("trade", '™'),
        ("euro", '€'),
        ("pound", '£'),
        ("deg", '°'),
    ];
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        // The longest entity is short; a text with many `&` must not be searched to its end for each.
        let end = rest.bytes().take(12).position(|byte| byte == b';');
        let code = end.map(|end| &rest[1..end]);
        let number = code.and_then(|code| code.strip_prefix('#'));
        let found = match number {
            Some(digits) => {
                let hex = digits.strip_prefix(['x', 'X']);
                let value = hex.map_or_else(|| digits.parse().ok(), |hex| u32::from_str_radix(hex, 16).ok());
                value.and_then(char::from_u32)
            }
            None => NAMED.iter().find(|(name, _)| Some(*name) == code).map(|(_, c)| *c),
        };
        if let (Some(c), Some(end)) = (found, end) {
            out.push(c);
            rest = &rest[end + 1..];
        } else {
            out.push('&');
            rest = &rest[1..];
        }
    }
    out.push_str(rest);
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
            ("", ""),
        ] {
            assert_eq!(strip(html), expected, "{html}");
        }
    }
}
