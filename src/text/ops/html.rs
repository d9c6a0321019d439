//! HTML.

mod entities;

use std::{borrow::Cow, collections::HashSet};

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

/// The other elements, those of old pages, too; what has another name is no tag but text between two signs.
const OTHERS: &[&str] = &[
    "acronym", "address", "applet", "area", "article", "aside", "audio", "base", "basefont", "bdi", "bdo", "big", "blink",
    "blockquote", "body", "br", "button", "canvas", "caption", "center", "col", "colgroup", "data", "datalist", "dd",
    "details", "dfn", "dialog", "dir", "div", "dl", "dt", "embed", "fieldset", "figcaption", "figure", "footer", "form",
    "frame", "frameset", "h1", "h2", "h3", "h4", "h5", "h6", "head", "header", "hgroup", "hr", "html", "iframe", "img",
    "input", "label", "legend", "li", "link", "main", "map", "marquee", "math", "menu", "meta", "meter", "nav", "nobr",
    "noframes", "noscript", "object", "ol", "optgroup", "option", "output", "p", "param", "picture", "pre", "progress",
    "rp", "rt", "ruby", "script", "search", "section", "select", "slot", "source", "strike", "style", "summary", "svg",
    "table", "tbody", "td", "template", "textarea", "tfoot", "th", "thead", "time", "title", "tr", "track", "ul", "video",
    "wbr",
];

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
    let mut no_tag = HashSet::new();
    while let Some(at) = rest.find('<') {
        entities::resolve(&rest[..at], &mut out);
        rest = &rest[at..];
        let name = name(rest);
        let Some((tag, after)) = tag(rest, &name, &mut no_tag) else {
            // `a < b` is no tag, nor is `<NAME>`.
            out.push('<');
            rest = &rest[1..];
            continue;
        };
        rest = after;
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
        let (end, behind) = (at + 2 + name.len(), text.as_bytes().get(at + 2 + name.len()));
        let is_name = text.as_bytes().get(at + 2..end).is_some_and(|end| end.eq_ignore_ascii_case(name.as_bytes()));
        is_name && behind.is_none_or(|byte| matches!(byte, b'>' | b'/') || byte.is_ascii_whitespace())
    };
    text.match_indices("</").map(|(at, _)| at).find(is_end)
}

/// The tag of a name, or the comment, at the start of the rest of a text, and what follows it. `no_tag` remembers the quotes, by what is
/// left of the text there, behind which a tag does not end: how it was come to them makes no difference, so that each is read behind once.
fn tag<'a>(text: &'a str, name: &str, no_tag: &mut HashSet<usize>) -> Option<(&'a str, &'a str)> {
    if text.starts_with("<!--") {
        let end = text.find("-->").map_or(text.len(), |at| at + 3);
        return Some(text.split_at(end));
    }
    let first = inside(text).chars().next()?;
    if !first.is_ascii_alphabetic() && !matches!(first, '!' | '?') || !is_known(text, name) {
        return None;
    }
    let mut quote = None;
    let mut opened = Vec::new();
    for (at, c) in text.char_indices().skip(1) {
        match (quote, c) {
            (None, '>') => return Some(text.split_at(at + 1)),
            (None, '<') => break,
            (None, '"' | '\'') if text[..at].ends_with('=') => {
                if no_tag.contains(&(text.len() - at)) {
                    break;
                }
                opened.push(text.len() - at);
                quote = Some(c);
            }
            (Some(open), c) if c == open => quote = None,
            _ => {}
        }
    }
    no_tag.extend(opened);
    None
}

/// Whether a tag of a name is one of HTML, or of a language within it (`<o:p>`, `<my-element>`), a doctype or an instruction.
fn is_known(tag: &str, name: &str) -> bool {
    let behind = inside(tag).as_bytes().get(name.len());
    let is_element = || INLINE.contains(&name) || OTHERS.binary_search(&name).is_ok();
    name.is_empty() || matches!(behind, Some(b':' | b'-')) || is_element()
}

/// What stands behind the first sign of a tag, or of its end.
fn inside(tag: &str) -> &str {
    tag[1..].trim_start_matches('/')
}

fn name(tag: &str) -> String {
    inside(tag).chars().take_while(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::{OTHERS, strip};

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
            ("<script>a</SCRIPTx>b", ""),
            ("<script>a</SCRIPTx>b</script >c", "c"),
            ("<style>a", ""),
            ("Dear <NAME>, x<y and y>z, <o:p>a</o:p> <x-y>b<!DOCTYPE html><?xml?>", "Dear <NAME>, x<y and y>z, a  b"),
            ("<a=\"<b=\"x", "<a=\"<b=\"x"),
            ("<a=\"<b>\" c=\"<b>y", "<a=\"\" c=\"y"),
            ("", ""),
        ] {
            assert_eq!(strip(html), expected, "{html}");
        }
    }

    #[test]
    fn elements_are_in_order() {
        assert!(OTHERS.is_sorted());
    }

    #[test]
    fn long_texts_take_linear_time() {
        for unit in ["<a=\"\"=\"", "<a=\"", "<a='\"", "<a", "<", "<!--", "&", "&#", "<script>", "</", "<a b=\"c\" ", "<q=\"\"=\"", "<x=\"\"=\""] {
            // Whether or not a tag ends at last.
            let text = unit.repeat((1 << 20) / unit.len()) + "\">";
            assert!(strip(&text).len() <= text.len() + 1, "{unit}");
        }
    }
}
