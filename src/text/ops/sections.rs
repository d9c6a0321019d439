//! Named sections of a plain-text document, and what stands before the first.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Prepared, TextOperation};
use crate::text::{TextFault, segment};

/// Which parts of a document go.
///
/// A section is a heading and what stands under it, up to the next heading of the same or a higher level. Headings
/// stand alone on their line at the margin (in the middle if they have a number or are named here), with a blank line
/// before: `1.2. Scope`, `IV. SCOPE`, `Appendix A. Scope`, `Status of This Memo`, underlined ones, and `## Scope` of
/// Markdown. What has no number is of the first level. A section that a document does not have is no error.
///
/// ```text
/// sections: {drop: [abstract, table of contents], drop_preamble: true}
///
/// before                                                  after
///
/// Network Working Group                 J. Doe            1.  Introduction
/// Request for Comments: 9999         June 1999
///                                                            Text.
///              An Example
///
/// Abstract
///
///    In short.
///
/// Table of Contents
///
///    1. Introduction ...................... 1
///
/// 1.  Introduction
///
///    Text.
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sections {
    /// Headings of the sections that go, whole: `[Abstract, References]`. Case, numbers before and dots behind do not
    /// matter.
    #[serde(default)]
    drop: Vec<String>,
    /// Whether what stands before the first section goes: the title, its authors, a date.
    #[serde(default)]
    drop_preamble: bool,
    /// Whether the headings of the sections that stay go: they are no sentences.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    drop_headings: bool,
}

impl TextOperation for Sections {
    fn fault(&self) -> Option<TextFault> {
        let fault = |path: String, message: &str| {
            let help = Some("`sections: {drop: [Abstract, References], drop_preamble: true}`".to_owned());
            TextFault { path, message: message.to_owned(), help }
        };
        if self.drop.is_empty() && !self.drop_preamble && !self.drop_headings {
            return Some(fault(String::new(), "nothing is dropped"));
        }
        let nameless = self.drop.iter().position(|name| segment::normal_form(name).is_empty())?;
        Some(fault(format!("drop[{nameless}]"), "a heading has words"))
    }

    fn prepare(&self) -> Prepared {
        let forms = |name: &String| [segment::normal_form(name), segment::normal_form(number(name.trim()).1)];
        let mut names: BTreeSet<String> = self.drop.iter().flat_map(forms).collect();
        names.remove("");
        let Self { drop_preamble, drop_headings, .. } = *self;
        Box::new(move |text| {
            let new = cut(text, &names, drop_preamble, drop_headings);
            // Lines only go.
            if new.len() == text.len() { Cow::Borrowed(text) } else { Cow::Owned(new) }
        })
    }
}

/// Bytes of a line that can be a heading.
const LONGEST: usize = 300;
/// Words of a heading with and without a number.
const MOST_WORDS: (usize, usize) = (16, 10);
/// Entries of a list of contents that come again as headings.
const ENTRIES: usize = 3;

fn cut(text: &str, names: &BTreeSet<String>, drop_preamble: bool, drop_headings: bool) -> String {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let headings = headings(&lines, names);
    let mut out = String::with_capacity(text.len());
    let start = if drop_preamble { end_of_preamble(&lines, &headings) } else { 0 };
    let underlined = |heading: &Heading| lines.get(heading.line + 1).copied().and_then(underline).is_some();
    let of_headings: BTreeSet<usize> = headings
        .iter()
        .filter(|_| drop_headings)
        .flat_map(|heading| heading.line..=heading.line + usize::from(underlined(heading)))
        .collect();
    let mut end = 0;
    for section in kept(&headings, lines.len(), names) {
        end = section.end;
        let stays = |line: &usize| !of_headings.contains(line);
        for line in (section.start.max(start)..section.end.max(start)).filter(stays) {
            out.push_str(lines[line]);
        }
    }
    if end < lines.len() {
        // The blank lines stood before what is gone.
        let text = out.trim_end().len();
        out.truncate(text + out[text..].find('\n').map_or(0, |at| at + 1));
    }
    out
}

struct Heading {
    line: usize,
    /// 1 is the highest.
    level: usize,
    /// Whether it has a number with digits.
    is_numbered: bool,
    /// Its words, number included: what the entry of a list of contents has, too.
    key: String,
    /// Its words without the number.
    name: String,
}

impl Heading {
    fn is_in(&self, names: &BTreeSet<String>) -> bool {
        names.contains(&self.name) || names.contains(&self.key)
    }
}

/// The ranges of lines that stay; the last ends with the text if its end stays.
fn kept(headings: &[Heading], lines: usize, names: &BTreeSet<String>) -> Vec<Range<usize>> {
    let mut kept = Vec::new();
    let last: BTreeMap<&str, usize> = headings.iter().enumerate().map(|(at, it)| (it.key.as_str(), at)).collect();
    let comes_again = |at: &usize| last.get(headings[*at].key.as_str()).is_some_and(|last| last > at);
    let mut from = 0;
    let mut at = 0;
    while at < headings.len() {
        let heading = &headings[at];
        if !heading.is_in(names) {
            at += 1;
            continue;
        }
        kept.push(from..heading.line);
        at += 1;
        // Entries of a list of contents look like headings. The list ends where one of them comes for the second time.
        if (at..headings.len()).take_while(comes_again).take(ENTRIES).count() == ENTRIES {
            let mut seen = BTreeSet::new();
            while at < headings.len() && seen.insert(headings[at].key.as_str()) {
                at += 1;
            }
        }
        while at < headings.len() && headings[at].level > heading.level {
            at += 1;
        }
        from = headings.get(at).map_or(lines, |heading| heading.line);
    }
    if from < lines {
        kept.push(from..lines);
    }
    kept
}

/// The line at which the document proper begins: the first heading with prose under it or a number, or prose without a
/// heading. Titles and names of authors look like headings, too.
fn end_of_preamble(lines: &[&str], headings: &[Heading]) -> usize {
    let mut begin = None;
    let mut next = headings.iter().peekable();
    let mut block = 0..0;
    for (at, line) in lines.iter().enumerate() {
        if let Some(heading) = next.next_if(|heading| heading.line == at) {
            if heading.is_numbered {
                return at;
            }
            begin = Some(at);
            block = at + 1..at + 1;
            continue;
        }
        if is_blank(line) {
            block = at + 1..at + 1;
            continue;
        }
        block.end = at + 1;
        let is_last =
            lines.get(at + 1).is_none_or(|line| is_blank(line)) || next.peek().is_some_and(|it| it.line == at + 1);
        if is_last && is_prose(&lines[block.clone()]) && !headings.is_empty() {
            return begin.unwrap_or(block.start);
        }
    }
    0
}

/// Whether a paragraph is text: words, most of them in small letters. Names, dates and addresses are in capitals.
fn is_prose(block: &[&str]) -> bool {
    if block.iter().any(|line| has_gap(line.trim())) {
        return false;
    }
    // Some lines are enough to know.
    let words = block.iter().take(20).flat_map(|line| line.split_whitespace().take(40));
    let (mut small, mut all) = (0, 0);
    for word in words {
        if word.contains(['。', '，', '、']) {
            return true;
        }
        all += usize::from(word.chars().any(char::is_alphabetic));
        small += usize::from(word.starts_with(char::is_lowercase) && !word.contains('@'));
    }
    small >= 5 && 2 * small > all
}

fn headings(lines: &[&str], names: &BTreeSet<String>) -> Vec<Heading> {
    let (hashed, plain) = (hashed(lines), plain(lines, names));
    // A comment in an example looks like a heading of Markdown, an item of a list like a numbered heading: the first in
    // the text tells which it is, or else their number.
    let first = |headings: &[Heading]| headings.first().map_or(usize::MAX, |heading| heading.line);
    let is_apart = |heading: &&Heading| heading.line == 0 || is_blank(lines[heading.line - 1]);
    let is_markdown = first(&hashed) < first(&plain) || hashed.iter().filter(is_apart).count() > plain.len();
    if is_markdown { hashed } else { plain }
}

/// The headings of Markdown: `## Scope`, outside of code. Underlined ones are only headings beside these.
fn hashed(lines: &[&str]) -> Vec<Heading> {
    let mut found = Vec::new();
    let mut underlined = Vec::new();
    let mut fence = None;
    for (at, line) in lines.iter().enumerate() {
        let text = line.trim();
        let mark = ["```", "~~~"].into_iter().find(|mark| text.starts_with(mark));
        if mark.is_some() && (fence.is_none() || fence == mark) {
            fence = if fence.is_none() { mark } else { None };
        }
        if fence.is_some() || mark.is_some() || line.len() > LONGEST {
            continue;
        }
        let level = line.bytes().take_while(|byte| *byte == b'#').count();
        let title = text.trim_matches('#').trim();
        if (1..=6).contains(&level) && line[level..].starts_with([' ', '\t']) && !title.is_empty() {
            found.push(heading(at, level, title));
        } else if at + 1 < lines.len() && (at == 0 || is_blank(lines[at - 1])) && is_title(text, false) {
            match underline(lines[at + 1]) {
                Some('=') => underlined.push(heading(at, 1, text)),
                Some('-') => underlined.push(heading(at, 2, text)),
                _ => {}
            }
        }
    }
    if !found.is_empty() {
        found.append(&mut underlined);
        found.sort_by_key(|heading| heading.line);
    }
    found
}

/// What the headings before tell about those that follow.
#[derive(Default)]
struct Style {
    /// In papers numbered `II.`, `A.` is a part of such a section.
    is_roman: bool,
    /// Where named sections have their headings in the middle, so have the others.
    is_centred: bool,
}

/// The headings of a text without marks.
fn plain(lines: &[&str], names: &BTreeSet<String>) -> Vec<Heading> {
    let mut found = Vec::new();
    let mut style = Style::default();
    let mut after_heading = 0;
    for (at, line) in lines.iter().enumerate() {
        let is_clear = at == 0 || is_blank(lines[at - 1]) || at == after_heading;
        if !is_clear || is_blank(line) || line.len() > LONGEST {
            continue;
        }
        let next = lines.get(at + 1).copied().unwrap_or("");
        if let Some(heading) = plain_heading(at, line, next, names, &mut style) {
            after_heading = at + 1 + usize::from(underline(next).is_some());
            found.push(heading);
        }
    }
    found
}

fn plain_heading(at: usize, line: &str, next: &str, names: &BTreeSet<String>, style: &mut Style) -> Option<Heading> {
    let line = line.trim_start_matches('\u{feff}');
    let text = line.trim();
    let indent = indent(line);
    let is_alone = is_blank(next) || underline(next).is_some();
    // In the middle of lines of 60 to 80 letters.
    let is_centred = indent >= 8 && is_alone && (60..=80).contains(&(2 * indent + text.chars().count()));
    if indent > 0 && !is_centred {
        return None;
    }
    let (number, title) = number(text);
    style.is_roman |= matches!(number, Number::Roman);
    let level = match number {
        Number::None => 1 + usize::from(underline(next) == Some('-')),
        Number::Levels(levels) => levels,
        Number::Roman => 1,
        Number::Letter => 1 + usize::from(style.is_roman),
    };
    let heading = heading(at, level, text);
    let is_heading = if heading.is_in(names) {
        style.is_centred |= is_centred;
        true
    } else if matches!(number, Number::None) {
        is_alone && (!is_centred || style.is_centred) && is_title(text, false) && is_capitalised(text)
    } else {
        // An indented line below is the first of the section, or the rest of a long heading.
        (is_alone || self::indent(next) > indent) && is_title(title, true)
    };
    is_heading.then_some(heading)
}

fn heading(line: usize, level: usize, text: &str) -> Heading {
    let (number, title) = number(text);
    let (key, name) = (segment::normal_form(text), segment::normal_form(title));
    Heading { line, level, is_numbered: matches!(number, Number::Levels(_)), key, name }
}

enum Number {
    None,
    /// `1.2`: two.
    Levels(usize),
    /// `IV.`
    Roman,
    /// `A.`, `Appendix A`
    Letter,
}

/// The number before a heading, and its title.
fn number(text: &str) -> (Number, &str) {
    const NAMES: &[&str] = &["appendix", "annex", "section", "chapter", "part", "§"];
    let (word, rest) = split_word(text);
    if NAMES.contains(&word.to_lowercase().as_str()) {
        let (id, rest) = split_word(rest);
        let bare = id.trim_end_matches(['.', ':', ')', ',']);
        let title = rest.trim_start_matches(['-', '–', '—', ':', '.', ' ']);
        let number = if bare.len() > 1 && bare.chars().all(is_roman) {
            Number::Levels(1)
        } else {
            levels(bare, false).map_or(Number::None, Number::Levels)
        };
        // `Section 3 says` is text.
        let is_text = matches!(number, Number::None) || title.starts_with(char::is_lowercase);
        return if is_text { (Number::None, text) } else { (number, title) };
    }
    let bare = word.trim_end_matches('.');
    let has_dot = bare.len() < word.len();
    if bare.len() > 1 && has_dot && bare.chars().all(is_roman) {
        return (Number::Roman, rest);
    }
    if bare.len() == 1 && has_dot && bare.chars().all(|c| c.is_ascii_uppercase()) {
        // `I.`, `V.` and `X.` are numbers in papers only, where they are of the first level all the same.
        return if bare.chars().all(is_roman) { (Number::Roman, rest) } else { (Number::Letter, rest) };
    }
    match levels(bare, true) {
        // `10 packets were sent` and `1 May 1999` are no headings.
        Some(1) if !word.contains('.') && !rest.starts_with(char::is_uppercase) || is_month(rest) => {
            (Number::None, text)
        }
        Some(levels) => (Number::Levels(levels), rest),
        // `1.Introduction`
        None => match text.find(|c: char| !c.is_ascii_digit() && c != '.') {
            Some(at) if text[..at].ends_with('.') && text[at..].starts_with(char::is_uppercase) => {
                match levels(text[..at].trim_end_matches('.'), true) {
                    Some(levels) => (Number::Levels(levels), &text[at..]),
                    None => (Number::None, text),
                }
            }
            _ => (Number::None, text),
        },
    }
}

/// How many levels `1.2.3`, `A.1` or `1.0` has.
fn levels(number: &str, digits_first: bool) -> Option<usize> {
    let parts: Vec<&str> = number.split('.').collect();
    let digits = |part: &&str| (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    let letter = |part: &&str| part.len() == 1 && part.bytes().all(|byte| byte.is_ascii_alphabetic());
    let (first, rest) = parts.split_first()?;
    let first_is = digits(first) || letter(first) && (!digits_first || !rest.is_empty());
    if !first_is || !rest.iter().all(|part| digits(part) || letter(part)) || parts.len() > 8 {
        return None;
    }
    let zeros = rest.iter().rev().take_while(|part| part.bytes().all(|byte| byte == b'0')).count();
    Some(parts.len() - zeros)
}

/// Whether a text is a month, by its form: a word and a year.
fn is_month(text: &str) -> bool {
    let (month, year) = split_word(text);
    !month.is_empty() && year.parse().is_ok_and(|year: u32| (1900..2100).contains(&year))
}

fn is_roman(c: char) -> bool {
    matches!(c, 'I' | 'V' | 'X')
}

/// Whether a line can be a title, by its form: no row of a table, no entry of contents, no line of code. What has
/// no number must not be a sentence either.
fn is_title(text: &str, is_numbered: bool) -> bool {
    let words = text.split_whitespace().count();
    let has_letter = text.chars().any(char::is_alphabetic);
    let is_entry = text.contains("....") || text.contains(". . .") || has_gap(text);
    let is_drawn =
        text.starts_with(['|', '+', '-', '*', '=', '<', '[', '{', '/', '%', ';', '@']) || text.contains("::=");
    let goes_on = text.ends_with([',', ';', '，', '；', '{', '}', '|', '\\']);
    let fits = if is_numbered {
        words <= MOST_WORDS.0 && (has_letter || text.is_empty())
    } else {
        words <= MOST_WORDS.1 && has_letter && !text.ends_with(['.', ':', '?', '!', '。', '？', '！', '：'])
    };
    fits && !is_entry && !is_drawn && !goes_on
}

/// Whether a line begins with a capital, and so do its longer words; a few words need not. Scripts without capitals
/// have short lines for titles.
fn is_capitalised(text: &str) -> bool {
    let start = text.trim_start_matches(['"', '\'', '(', '“', '„', '«']);
    let Some(first) = start.chars().next() else { return false };
    if first.is_alphabetic() && !first.is_lowercase() && !first.is_uppercase() {
        return text.chars().count() <= 30;
    }
    let is_small = |word: &str| word.len() > 4 && word.starts_with(char::is_lowercase);
    first.is_uppercase() && (text.split_whitespace().count() <= 6 || !text.split_whitespace().any(is_small))
}

/// The mark of a line that underlines the one before it.
fn underline(line: &str) -> Option<char> {
    let text = line.trim_end();
    let mark = text.chars().next().filter(|c| matches!(c, '=' | '-' | '~' | '*' | '_'))?;
    (text.len() >= 3 && text.len() <= LONGEST && text.chars().all(|c| c == mark)).then_some(mark)
}

/// Whether there is a gap in a line, as between the columns of a table.
fn has_gap(text: &str) -> bool {
    text.contains("   ") || text.contains('\t')
}

fn split_word(text: &str) -> (&str, &str) {
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

fn is_blank(line: &str) -> bool {
    line.trim().is_empty()
}

fn indent(line: &str) -> usize {
    line.chars().take_while(|c| matches!(c, ' ' | '\t')).count()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn run(drop: &[&str], drop_preamble: bool, text: &str) -> String {
        let drop = drop.iter().map(|&name| name.to_owned()).collect();
        let sections = Sections { drop, drop_preamble, drop_headings: false };
        sections.prepare()(text).into_owned()
    }

    #[test]
    fn headings_go_and_what_stands_under_them_stays() {
        let sections = Sections { drop: vec!["Notes".to_owned()], drop_preamble: false, drop_headings: true };
        for (before, expected) in [
            ("1. Intro\n\n   Text.\n\nNotes\n\n   b\n\nEnd\n\n   c\n", "\n   Text.\n\n\n   c\n"),
            ("Intro\n=====\n\nText.\n\n1) an item\n", "\nText.\n\n1) an item\n"),
            ("## Intro\n\nText.\n", "\nText.\n"),
            ("No heading.\n", "No heading.\n"),
        ] {
            assert_eq!(sections.prepare()(before), expected);
        }
        let sections: Sections = serde_json::from_value(json!({"drop_headings": true})).unwrap();
        assert_eq!(sections.fault(), None);
        assert_eq!(sections.prepare()("1. Intro\n\nText.\n"), "\nText.\n");
    }

    #[test]
    fn named_sections_go() {
        for (drop, before, expected) in [
            // A section ends at its level or above; number, case, dot and blanks do not matter.
            (&["scope"][..], "1. Scope\n\na\n\n1.1. X\n\nb\n\n2. End\n\nc\n", "2. End\n\nc\n"),
            (&["Scope"], "1 Overview\n\na\n\n1.1 SCOPE.\n\nb\n\n1.2 X\n\nc\n", "1 Overview\n\na\n\n1.2 X\n\nc\n"),
            (&["1. Scope:"], "1.0  Intro\n\na\n\n2.0  Scope\n\nb\n\n3.0  End\n", "1.0  Intro\n\na\n\n3.0  End\n"),
            (&["a", "b"], "A\n\n1\n\nB\n\n2\n\nC\n\n3\n", "C\n\n3\n"),
            (&["Author's Address"], "Text.\n\nAuthor's Address\n\n   A. B.\n   C\n", "Text.\n"),
            (&["Author’s Address"], "Text.\n\nAUTHOR'S  ADDRESS:\n   A. B.\n   C\n", "Text.\n"),
            (
                &["Notes"],
                "1. Intro\n\na\n\nAppendix A. Notes\n\nb\n\nA.1 More\n\nc\n\nAppendix B\n\nd\n",
                "1. Intro\n\na\n\nAppendix B\n\nd\n",
            ),
            // What is no heading ends nothing: text, items, rows, drawings.
            (
                &["Notes"],
                "Notes\n\n   1. one\n\nSection 3 says it.\n\nName    Size\n\n+---+\n\nEND;\n\nEnd\n\na\n",
                "End\n\na\n",
            ),
            (&["notes"], "see the\nNotes\nbelow\n", "see the\nNotes\nbelow\n"),
            (&["notes"], "Some notes\n\na\n", "Some notes\n\na\n"),
            // A list of contents, indented, with dots, and at the margin.
            (&["Contents"], "Contents\n\n  1. One\n  2. Two\n\n1. One\n\na\n", "1. One\n\na\n"),
            (&["Contents"], "Contents\n\n1. One .... 1\n\n2. Two .... 2\n\n1. One\n\na\n", "1. One\n\na\n"),
            (
                &["Contents"],
                "Contents\n\n1. One\n\n2. Two\n\n3. Three\n\nNotes\n\n1. One\n\na\n\n2. Two\n\n3. Three\n\nb\n",
                "1. One\n\na\n\n2. Two\n\n3. Three\n\nb\n",
            ),
            // A paper: headings in the middle, Roman numbers with letters below.
            (
                &["abstract", "methods"],
                "                            Abstract\n\na\n\n                         I. INTRODUCTION\n\nb\n\n\
                 \x20                          II. METHODS\n\nc\n\nA. Data\n\nd\n\n\
                 \x20                          III. RESULTS\n\ne\n",
                "                         I. INTRODUCTION\n\nb\n\n                           III. RESULTS\n\ne\n",
            ),
            (
                &["abstract"],
                "                               ABSTRACT\n\na\n\n                             INTRODUCTION\n\nb\n",
                "                             INTRODUCTION\n\nb\n",
            ),
            // Markdown and underlined headings.
            (
                &["Usage"],
                "# Tool\n\na\n\n## 1. Usage\n\nb\n```\n# Notes\n```\n### More\n\n1. Item\n\n## End ##\nc\n",
                "# Tool\n\na\n\n## End ##\nc\n",
            ),
            (
                &["Usage"],
                "Tool\n====\n\na\n\nUsage\n-----\n\nb\n\nMore\n~~~~\n\nEnd\n===\n\nc\n",
                "Tool\n====\n\na\n\nMore\n~~~~\n\nEnd\n===\n\nc\n",
            ),
            // Other scripts and line ends.
            (
                &["摘要"],
                "摘要\n\n这是摘要。\n\n1. 引言\n\n正文。\n\n参考文献\n\n[1]\n",
                "1. 引言\n\n正文。\n\n参考文献\n\n[1]\n",
            ),
            (&["one"], "One\r\n\r\na\r\n\r\nTwo\r\n\r\nb\r\n\r\nOne\r\n\r\nc", "Two\r\n\r\nb\r\n"),
            (&["missing"], "a\n\n\n\n", "a\n\n\n\n"),
            (&["all"], "All\n\na\n", ""),
        ] {
            assert_eq!(run(drop, false, before), expected, "{drop:?} of {before:?}");
        }
    }

    #[test]
    fn a_preamble_goes() {
        const PROSE: &str = "This is what the text has to say about it, in a few words.\n";
        for (before, expected) in [
            // Titles and names look like headings, but no text stands under them.
            ("Deep Nets\n\nJ. Doe, R. Roe\n\n1 May 1999\n\nAbstract\n\n{}", "Abstract\n\n{}"),
            (
                "\u{feff}\nGroup      J. Doe\nNo: 1      May 1999\n\n         Title\n\nStatus\n\n   {}",
                "Status\n\n   {}",
            ),
            ("Title\n\n1. Intro\n\n1.1. More\n\n{}", "1. Intro\n\n1.1. More\n\n{}"),
            ("# Title\n\nJ. Doe\n\n## Abstract\n\n{}", "## Abstract\n\n{}"),
            // Text before the first heading stays, and so does a text without headings.
            ("    J. Doe, May 1999\n\n{}\nIntro\n\n{}", "{}\nIntro\n\n{}"),
            ("{}\n{}", "{}\n{}"),
            ("Tools\n\n{}\nUsage\n\n{}", "Tools\n\n{}\nUsage\n\n{}"),
            ("", ""),
        ] {
            let (before, expected) = (before.replace("{}", PROSE), expected.replace("{}", PROSE));
            assert_eq!(run(&[], true, &before), expected, "{before:?}");
        }
    }

    #[test]
    fn a_published_document_is_cut_to_its_body() {
        let text = "


Network Working Group                                            D. Rand
Request for Comments: 1663                                        Novell
Category: Standards Track                                      July 1994


                       PPP Reliable Transmission

Status of this Memo

   This document specifies an Internet standards track protocol for the
   Internet community, and requests discussion.

Abstract

   The Point-to-Point Protocol (PPP) [1] provides a standard method for
   transporting multi-protocol datagrams over point-to-point links.

Table of Contents

   1.     Introduction ..........................................    1
   SECURITY CONSIDERATIONS ......................................    9


1.  Introduction

   By default, PPP packets over HDLC framed links are \"connectionless\".

2.1.  Frame Format

   It is compatible with HDLC.

References

   [1]   Simpson, W., \"The Point-to-Point Protocol\", 1993.

Author's Address

   Dave Rand
   Novell, Inc.
";
        let body = "1.  Introduction

   By default, PPP packets over HDLC framed links are \"connectionless\".

2.1.  Frame Format

   It is compatible with HDLC.
";
        let drop = ["Status of This Memo", "Abstract", "Table of Contents", "References", "Author's Address"];
        assert_eq!(run(&drop, true, text), body);
        assert_eq!(run(&drop, true, &text.replace('\n', "\r\n")), body.replace('\n', "\r\n"));
    }

    #[test]
    fn odd_texts_do_no_harm() {
        let drop = ["a", "abstract"];
        for text in [
            "\0",
            "\x0c\x0c",
            "#",
            "# ",
            "## \n",
            "1.\n\n",
            "Appendix\n",
            "§",
            "1.2.3.4.5.6.7.8.9 x\n",
            "\r\n\r\n",
            "👩‍👩‍👧 שלום\n",
        ] {
            assert_eq!(run(&drop, true, text), text, "{text:?}");
        }
        for unit in ["x", "x\n\n", "1. A\n\n", "# B\n", "```\n", "B\n---\n", "\r\n", "\0 ", "一 "] {
            let text = unit.repeat(200_000);
            assert!(run(&drop, false, &text).len() <= text.len());
            assert!(run(&drop, true, &text).len() <= text.len());
        }
    }

    #[test]
    fn what_drops_nothing_is_a_fault() {
        for (params, path) in [(json!({}), ""), (json!({"drop": ["Notes", " 。"]}), "drop[1]")] {
            let sections: Sections = serde_json::from_value(params).unwrap();
            assert_eq!(sections.fault().unwrap().path, path);
        }
        assert!(serde_json::from_value::<Sections>(json!({"keep": []})).is_err());
    }
}
