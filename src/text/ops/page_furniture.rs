//! Running headers and footers of paginated plain text.

use std::{borrow::Cow, ops::Range};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Prepared, TextOperation};

/// What becomes of the furniture of pages.
///
/// What goes is known by evidence, not by words: a page mark (`[Page 3]`) beside a form feed, page marks that count up,
/// and lines that come again at the next page boundaries, the same or with one number that counts the pages.
///
/// ```text
/// before                                                  after
///
///    The protocol consists of two phases, and each           The protocol consists of two phases, and each
///                                                            of them is optional.
/// Doe                                           [Page 1]
/// ␌
/// RFC 9999              An Example             June 1999
///
///    of them is optional.
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PageFurniture {
    /// Running headers and footers and form feeds go, and a paragraph that a page break parted is one again. A text
    /// without page breaks stays as it is.
    Strip,
}

impl TextOperation for PageFurniture {
    fn prepare(&self) -> Prepared {
        Box::new(strip)
    }
}

/// Lines of a header or a footer, at most.
const DEPTH: usize = 3;
/// How many pages away a line is looked for again: left and right pages have headers of their own.
const REACH: usize = 2;
/// Lines that tell how wide a paragraph is set.
const WIDTH_LINES: usize = 8;
/// A line shorter than this is a heading or an item rather than the full line of a paragraph.
const SHORT: usize = 50;
/// What `Page` is in front of a number.
const PAGE: &[&str] = &["page", "seite", "página", "pagina", "pág."];

fn strip(text: &str) -> Cow<'_, str> {
    let lines = lines(text);
    let boundaries = boundaries(&lines);
    if boundaries.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut goes = vec![false; lines.len()];
    let mut seams = vec![false; lines.len() + 1];
    find_furniture(&lines, &boundaries, &mut goes, &mut seams);
    Cow::Owned(join(text, &lines, &goes, &seams))
}

struct Line<'a> {
    /// Without its end.
    text: &'a str,
    /// `\n`, `\r\n` or nothing.
    end: &'a str,
    /// Whether a form feed stands before it.
    after_feed: bool,
}

impl Line<'_> {
    fn is_blank(&self) -> bool {
        self.text.trim().is_empty()
    }
}

/// The lines of a text; a form feed ends one, too. A feed at the end of the text stands before a last, empty line.
fn lines(text: &str) -> Vec<Line<'_>> {
    let mut lines = Vec::new();
    let mut after_feed = false;
    for part in text.split_inclusive(['\n', '\x0c']) {
        let (line, is_feed) = part.strip_suffix('\x0c').map_or((part, false), |line| (line, true));
        let content = line.strip_suffix('\n').map_or(line, |line| line.strip_suffix('\r').unwrap_or(line));
        // `\n\f\n` is a line that begins with a feed, not a feed with an empty line on either side.
        if !(is_feed && line.is_empty()) {
            lines.push(Line { text: content, end: &line[content.len()..], after_feed });
            after_feed = false;
        }
        after_feed |= is_feed;
    }
    if after_feed {
        lines.push(Line { text: "", end: "", after_feed });
    }
    lines
}

/// The line that each page boundary stands before, in order; with the start and the end of the text if there are any.
fn boundaries(lines: &[Line<'_>]) -> Vec<usize> {
    let mut found: Vec<usize> = (0..lines.len()).filter(|&at| lines[at].after_feed).collect();
    // Where feeds were lost, page marks remain; but a text may speak of a page, so they must count up.
    let mut marks: Vec<(usize, u32)> =
        lines.iter().enumerate().filter_map(|(at, line)| Some((at, page_mark(line.text)?))).collect();
    let follows = |(_, a): (usize, u32), (_, b): (usize, u32)| a.checked_add(1) == Some(b);
    let counts: Vec<bool> = (0..marks.len())
        .map(|at| {
            at > 0 && follows(marks[at - 1], marks[at]) || at + 1 < marks.len() && follows(marks[at], marks[at + 1])
        })
        .collect();
    let mut counts = counts.into_iter();
    marks.retain(|_| counts.next().unwrap_or(false));
    let mut feeds = found.clone().into_iter().peekable();
    let mut last_feed = None;
    for (mark, _) in marks {
        while let Some(feed) = feeds.next_if(|&feed| feed <= mark) {
            last_feed = Some(feed);
        }
        // A mark stands at the end of its page or at its top; a feed there is the boundary.
        let near = |range: Range<usize>| range.len() <= 4 * DEPTH && text_lines(lines, range) <= DEPTH;
        let has_feed = last_feed.is_some_and(|feed| near(feed..mark)) || feeds.peek().is_some_and(|&at| near(mark..at));
        if !has_feed {
            found.push(mark + 1);
        }
    }
    if !found.is_empty() {
        found.extend([0, lines.len()]);
    }
    found.sort_unstable();
    found.dedup();
    found
}

fn text_lines(lines: &[Line<'_>], range: Range<usize>) -> usize {
    lines[range].iter().filter(|line| !line.is_blank()).count()
}

/// The page number of a line that ends in `[Page 3]`, or has `Page 3` or `Page 3 of 9` at an end, set apart.
fn page_mark(line: &str) -> Option<u32> {
    let line = line.trim();
    // Most lines are read no further than this.
    if let Some(rest) = line.strip_suffix(']') {
        let (before, mark) = rest.rsplit_once('[')?;
        return (before.is_empty() || before.ends_with(char::is_whitespace)).then(|| numbered_page(mark)).flatten();
    }
    if line.ends_with(|c: char| c.is_ascii_alphanumeric()) && line.contains(char::is_whitespace) {
        let end = line.rsplit("  ").next().unwrap_or(line);
        let start = line.split("  ").next().unwrap_or(line);
        return numbered_page(end.trim()).or_else(|| numbered_page(start.trim()));
    }
    None
}

/// `Page 3`, `page iv`, `Seite 3`, `Page 3 of 9`, `Page 3/9`.
fn numbered_page(mark: &str) -> Option<u32> {
    let mut words = mark.split_whitespace();
    let word = words.next().filter(|word| word.len() <= 8)?.to_lowercase();
    let number = words.next()?;
    let number = number.split_once('/').map_or(number, |(number, _)| number);
    match (words.next(), words.next(), words.next()) {
        (None, ..) => {}
        (Some(_), Some(all), None) if all.parse::<u32>().is_ok() => {}
        _ => return None,
    }
    PAGE.contains(&word.as_str()).then(|| number.parse().ok().or_else(|| roman(number))).flatten()
}

/// A Roman number, up to 89: `iv`.
fn roman(number: &str) -> Option<u32> {
    if number.is_empty() || number.len() > 8 {
        return None;
    }
    let (mut sum, mut before) = (0, 0);
    for c in number.chars().rev() {
        let value = match c.to_ascii_lowercase() {
            'i' => 1,
            'v' => 5,
            'x' => 10,
            'l' => 50,
            _ => return None,
        };
        if value < before {
            sum = u32::checked_sub(sum, value)?;
        } else {
            sum += value;
            before = value;
        }
    }
    Some(sum)
}

/// A line at the edge of a page.
struct Candidate {
    line: usize,
    /// Its words, digits as `#`.
    shape: String,
    numbers: Vec<u64>,
    /// Whether a blank line stands between it and the one that is nearer to the boundary.
    is_apart: bool,
    is_mark: bool,
}

/// The lines at one side of a boundary, the nearest first.
fn candidates(lines: &[Line<'_>], around: impl Iterator<Item = usize>) -> Vec<Candidate> {
    let mut found: Vec<Candidate> = Vec::with_capacity(DEPTH);
    let mut is_apart = false;
    for line in around {
        if lines[line].is_blank() {
            is_apart = !found.is_empty();
            continue;
        }
        // No header is that long; to take a copy of the whole text for one would be a waste.
        if found.len() == DEPTH || lines[line].text.len() > 1_000 {
            break;
        }
        let (shape, numbers) = shape(lines[line].text);
        found.push(Candidate { line, shape, numbers, is_apart, is_mark: page_mark(lines[line].text).is_some() });
        is_apart = false;
    }
    found
}

fn shape(line: &str) -> (String, Vec<u64>) {
    let mut shape = String::with_capacity(line.len());
    let mut numbers = Vec::new();
    let mut number: Option<u64> = None;
    for c in line.trim().chars() {
        if let Some(digit) = c.to_digit(10) {
            if number.is_none() {
                shape.push('#');
            }
            number = Some(number.unwrap_or(0).saturating_mul(10).saturating_add(u64::from(digit)));
            continue;
        }
        numbers.extend(number.take());
        if !c.is_whitespace() {
            shape.push(c);
        } else if !shape.ends_with(' ') {
            shape.push(' ');
        }
    }
    numbers.extend(number);
    (shape, numbers)
}

/// Whether two lines at the edges of pages are the same piece of furniture; `b` stands so many pages after `a`.
fn agree(a: &Candidate, b: &Candidate, pages: i128) -> bool {
    if a.shape != b.shape {
        return false;
    }
    let mut differing = a.numbers.iter().zip(&b.numbers).filter(|(a, b)| a != b);
    match (differing.next(), differing.next()) {
        // Rules and frames of drawings are alike on all pages; words are needed.
        (None, _) => a.shape.chars().any(char::is_alphabetic),
        (Some((a, b)), None) => i128::from(*a) + pages == i128::from(*b),
        _ => false,
    }
}

fn find_furniture(lines: &[Line<'_>], boundaries: &[usize], goes: &mut [bool], seams: &mut [bool]) {
    let page = |at: usize| boundaries[at]..boundaries.get(at + 1).copied().unwrap_or(lines.len());
    let heads: Vec<Vec<Candidate>> = (0..boundaries.len()).map(|at| candidates(lines, page(at))).collect();
    let feet: Vec<Vec<Candidate>> = (0..boundaries.len())
        .map(|at| if at == 0 { Vec::new() } else { candidates(lines, page(at - 1).rev()) })
        .collect();
    for at in 0..boundaries.len() {
        let is_inner = at > 0 && at + 1 < boundaries.len();
        let has_feed = lines.get(boundaries[at]).is_some_and(|line| line.after_feed);
        let foot = furniture(&feet, at);
        let has_mark = feet[at][..foot].iter().any(|candidate| candidate.is_mark);
        let mut head = furniture(&heads, at);
        // A text of two pages shows its header once; after a page mark and a feed its form is enough.
        if head == 0 && has_mark && has_feed && heads[at].first().is_some_and(|first| is_header(lines, first.line)) {
            head = 1;
        }
        if !is_inner && !has_feed && foot == 0 && head == 0 {
            continue;
        }
        seams[boundaries[at]] = true;
        for candidate in feet[at][..foot].iter().chain(&heads[at][..head]) {
            goes[candidate.line] = true;
        }
        let blank_or_gone = |line: &usize, goes: &[bool]| goes[*line] || lines[*line].is_blank();
        let before = if at == 0 { 0..0 } else { page(at - 1) };
        for line in before.rev() {
            if !blank_or_gone(&line, goes) {
                break;
            }
            goes[line] = true;
        }
        for line in page(at) {
            if !blank_or_gone(&line, goes) {
                break;
            }
            goes[line] = true;
        }
    }
}

/// How many of the lines at one side of a boundary are furniture.
fn furniture(edges: &[Vec<Candidate>], at: usize) -> usize {
    let near = at.saturating_sub(REACH)..(at + REACH + 1).min(edges.len());
    let mut has_words = false;
    let is_furniture = |candidate: &&Candidate| {
        let comes_again = |other: usize| {
            let pages = other as i128 - at as i128;
            other != at && edges[other].iter().any(|it| agree(candidate, it, pages))
        };
        // Beyond a blank line the text begins, which may be alike on many pages. A page number has its title there.
        let may = !(candidate.is_apart && has_words);
        has_words |= candidate.shape.chars().any(char::is_alphabetic);
        may && (candidate.is_mark || near.clone().any(comes_again))
    };
    edges[at].iter().take_while(is_furniture).count()
}

/// Whether a line is set as headers are: three parts with gaps between, and a blank line after it.
fn is_header(lines: &[Line<'_>], at: usize) -> bool {
    let parts = lines[at].text.trim().split("  ").filter(|part| !part.trim().is_empty()).count();
    parts == 3 && lines.get(at + 1).is_none_or(Line::is_blank)
}

/// Puts what stays together again.
fn join(text: &str, lines: &[Line<'_>], goes: &[bool], seams: &[bool]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut last: Option<usize> = None;
    let mut is_seam = false;
    for (at, line) in lines.iter().enumerate() {
        is_seam |= seams[at];
        if goes[at] {
            continue;
        }
        if let Some(before) = last.filter(|_| is_seam) {
            // A line that only a form feed ended.
            let end = if lines[before].end.is_empty() { "\n" } else { lines[before].end };
            if lines[before].end.is_empty() {
                out.push_str(end);
            }
            if !goes_on(lines, goes, before, at) {
                out.push_str(end);
            }
        }
        is_seam = false;
        out.push_str(line.text);
        out.push_str(line.end);
        last = Some(at);
    }
    out
}

/// Whether the paragraph of the last line of a page goes on with the first line of the next.
fn goes_on(lines: &[Line<'_>], goes: &[bool], last: usize, first: usize) -> bool {
    let stays = |at: &usize| !goes[*at] && !lines[*at].is_blank();
    let block_before: Vec<usize> = (0..last).rev().take_while(stays).take(WIDTH_LINES).collect();
    let block_after: Vec<usize> = (first + 1..lines.len()).take_while(stays).take(WIDTH_LINES).collect();
    let (a, b) = (lines[last].text.trim_end(), lines[first].text.trim_end());
    let is_set_apart = |line: &str| line.trim().contains("   ") || line.trim().contains('\t');
    if marker(b).is_some() || is_set_apart(b) || marker(a).is_none() && is_set_apart(a) {
        return false;
    }
    // An item hangs; a paragraph may begin with an indent.
    let (indent_a, indent_b) = (indent(a), indent(b));
    let is_first = block_before.is_empty();
    let hangs = marker(a).is_some_and(|text_at| text_at == indent_b);
    let starts_small = b.trim_start().starts_with(char::is_lowercase);
    let begins = is_first && starts_small && indent_b < indent_a && indent_a - indent_b <= 8;
    if indent_a != indent_b && !hangs && !begins {
        return false;
    }
    let bare = a.trim_end_matches(['"', '\'', ')', ']', '”', '’', '」', '』', '）']);
    if bare.ends_with([':', ';', '|', '+', '='])
        || bare.ends_with(['.', '?', '!', '。', '！', '？', '…']) && !starts_small
    {
        return false;
    }
    // Words go to the next line when they do not fit.
    let length = |at: &usize| lines[*at].text.trim_end().chars().count();
    let around = block_before.iter().chain(&block_after).map(length);
    let length_a = length(&last);
    let width = around.chain([length_a, length(&first)]).max().unwrap_or(0);
    let word = b.split_whitespace().next().unwrap_or("");
    // Scripts without spaces are broken between any two letters, which are twice as wide.
    let is_wide = word.starts_with(|c| c >= '\u{2e80}');
    let room = if is_wide { 2 } else { 1 + word.chars().count() };
    let is_full = length_a + room > width;
    if starts_small { is_full || 3 * length_a >= 2 * width } else { is_full && length_a << u8::from(is_wide) >= SHORT }
}

fn indent(line: &str) -> usize {
    line.chars().take_while(|c| c.is_whitespace()).count()
}

/// Where the text of a list item begins, if a line is one: `o  text`, `- text`, `1. text`, `(a) text`.
fn marker(line: &str) -> Option<usize> {
    let text = line.trim_start();
    let word = text.split_whitespace().next()?;
    let is_bullet = matches!(word, "-" | "*" | "o" | "•" | "+" | "–" | "·");
    let inner = word.trim_start_matches(['(', '[']).trim_end_matches(['.', ')', ']', ':']);
    let is_short =
        inner.chars().count() == 1 || inner.len() <= 8 && inner.chars().all(|c| c.is_ascii_digit() || c == '.');
    let is_number = inner != word && is_short && inner.chars().all(|c| c.is_alphanumeric() || c == '.');
    let rest = &text[word.len()..];
    (!rest.is_empty() && !inner.is_empty() | is_bullet && (is_bullet || is_number))
        .then(|| indent(line) + word.chars().count() + indent(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn furniture_goes_and_text_stays() {
        for (before, expected) in [
            // Nothing says that there are pages.
            ("", ""),
            ("A text.\n\n\n\nsee [Page 3]\n", "A text.\n\n\n\nsee [Page 3]\n"),
            ("Section 1\n\nx\n\nSection 2\n\ny\n\nSection 3\n", "Section 1\n\nx\n\nSection 2\n\ny\n\nSection 3\n"),
            // Only form feeds.
            ("One.\n\x0c\nTwo.\n\x0cThree.\n", "One.\n\nTwo.\n\nThree.\n"),
            ("the end of\x0cthe line", "the end of\nthe line"),
            ("\x0cOne.\n\x0c", "One.\n"),
            ("\x0c\x0c\n\x0c", ""),
            // A header and a footer, a paragraph that goes on and one that ends.
            (
                "The first page ends within a sentence which\n\n\
                 Doe     [Page 1]\n\x0c\nRFC 1     A Title     May 1999\n\n\
                 goes on here. And then it ends.\n\n\
                 Doe     [Page 2]\n\x0c\nRFC 1     A Title     May 1999\n\n\
                 New.\n\nDoe     [Page 3]\n\x0c",
                "The first page ends within a sentence which\ngoes on here. And then it ends.\n\nNew.\n",
            ),
            // One break only: the form of the header is all that there is.
            ("One.\n\nDoe   [Page 1]\n\x0c\nRFC 1   Title   May 1999\n\n\nTwo.\n", "One.\n\nTwo.\n"),
            ("One.\n\nDoe   [Page 1]\n\x0c\nA sentence.\n\n\nTwo.\n", "One.\n\nA sentence.\n\n\nTwo.\n"),
            // Feeds are lost, marks are not; Roman numbers; `Page 2 of 3`.
            ("One.\n\nDoe   [Page i]\n\nTwo.\n\nDoe   [Page ii]\n\nThree.\n", "One.\n\nTwo.\n\nThree.\n"),
            ("One.\n\nPage 1 of 2\n\nTwo.\n\nPage 2 of 2\n", "One.\n\nTwo.\n"),
            ("One, see\nPage 5\n\nTwo, see\nPage 2\n", "One, see\nPage 5\n\nTwo, see\nPage 2\n"),
            // Numbers alone, if they count the pages; left and right headers.
            ("A.\n1\n\x0cB.\n2\n\x0cC.\n3\n\x0c", "A.\n\nB.\n\nC.\n"),
            ("A.\n7\n\x0cB.\n2\n\x0cC.\n3.5\n\x0c", "A.\n7\n\nB.\n2\n\nC.\n3.5\n"),
            ("L 2\nA.\n\x0cR 3\nB.\n\x0cL 4\nC.\n\x0cR 5\nD.\n", "A.\n\nB.\n\nC.\n\nD.\n"),
            // A page number and its title, two lines apart; text that is alike at the top of all pages.
            ("1\n\nTitle\n\nA.\n\x0c2\n\nTitle\n\nB.\n\x0c3\n\nTitle\n\nC.\n", "A.\n\nB.\n\nC.\n"),
            ("H\n\nNo.\nA.\n\x0cH\n\nNo.\nB.\n\x0cH\n\nNo.\nC.\n", "No.\nA.\n\nNo.\nB.\n\nNo.\nC.\n"),
            // Drawings and tables at the top of pages are no headers.
            ("A.\n\x0c+--+--+\n|1 |2 |\n\x0c+--+--+\n|3 |4 |\n", "A.\n\n+--+--+\n|1 |2 |\n\n+--+--+\n|3 |4 |\n"),
            ("X 1 a\n\x0cX 3 b\n\x0cX 9 c\n", "X 1 a\n\nX 3 b\n\nX 9 c\n"),
            // Other line ends stay.
            ("One.\r\n\r\n[Page 1]\r\n\x0c\r\nTwo.\r\n\r\n[Page 2]\r\n\x0c", "One.\r\n\r\nTwo.\r\n"),
        ] {
            assert_eq!(strip(before), expected, "{before:?}");
        }
    }

    #[test]
    fn paragraphs_are_joined_where_they_were_parted() {
        for (last, first, expected) in [
            ("   It is the first of several lines that are", "   full, and goes on.", true),
            ("   It is the first of several lines that are of the", "   TCP/IP protocols, as they are known.", true),
            ("   It is the first of several lines, and full.", "   Then the next paragraph is here.", false),
            ("   Contact: somebody@example.org", "Authors' Addresses", false),
            ("   It is the first of several lines (e.g.", "   one that ends in a full stop), and more.", true),
            ("   These are the items of the list which is:", "   first of all it.", false),
            ("   o  An item which is longer than one line is", "      hanging.", true),
            ("   It is the first of several lines that are", "   o  An item.", false),
            ("   It is the first of several lines that are", "   1. An item.", false),
            ("   It is the first of several lines that are", "      Deeper.", false),
            ("   Short heading", "   And some text.", false),
            ("   name      value      what it is, in some words", "   count     3", false),
            ("这是一个很长的段落的最后一行它在这一页的末尾被分成了两个部分所以", "下一页继续。", true),
            ("这是一个很长的段落的最后一行它在这一页的末尾被分成了两个部分。", "下一页继续。", false),
        ] {
            let text = format!("{last}\n\x0c\n{first}\n");
            let between = if expected { "\n" } else { "\n\n" };
            assert_eq!(strip(&text), format!("{last}{between}{first}\n"), "{text}");
        }
    }

    #[test]
    fn a_published_document_loses_its_pages() {
        let text = "   numbers of routers in the routing
   environment grows? This should include topologies at least an order



[Moy]                                                           [Page 1]
\x0c
RFC 1245                 OSPF protocol analysis                July 1991


   of magnitude larger than the current environment.

o  Virtual links. They remove restrictions on area layout.




[Moy]                                                           [Page 2]
\x0c
RFC 1245                 OSPF protocol analysis                July 1991


o  Authentication of routing protocol exchanges.




[Moy]                                                           [Page 3]
\x0c
";
        let expected = "   numbers of routers in the routing
   environment grows? This should include topologies at least an order
   of magnitude larger than the current environment.

o  Virtual links. They remove restrictions on area layout.

o  Authentication of routing protocol exchanges.
";
        assert_eq!(strip(text), expected);
        assert_eq!(strip(&text.replace('\n', "\r\n")), expected.replace('\n', "\r\n"));
        assert_eq!(strip(expected), expected);
    }

    #[test]
    fn odd_texts_do_no_harm() {
        let long = "x".repeat(1 << 20);
        assert_eq!(strip(&long), long);
        assert_eq!(strip(&format!("{long}\x0c{long}")).len(), 2 * long.len() + 1);
        assert_eq!(strip("\0\x0c\0"), "\0\n\n\0");
        assert_eq!(strip(&"\x0c".repeat(1 << 20)), "");
        assert_eq!(strip(&"\x0c\n".repeat(1 << 19)), "");
        assert_eq!(strip("👩‍👩‍👧\r\n\x0cשלום\u{202e}\r\n"), "👩‍👩‍👧\r\n\r\nשלום\u{202e}\r\n");
        assert_eq!(strip(&"[Page 1]\n[Page 2]\n".repeat(1_000)), "");
        assert_eq!(strip("[Page 99999999999999]\n\x0c[Page]\n\x0c[]\n"), "[Page 99999999999999]\n\n[Page]\n\n[]\n");
    }
}
