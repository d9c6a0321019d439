//! Sentences, by the rules of Unicode (UAX #29), with what they get wrong in technical English put right.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

/// Letters of a sentence, at most: what has no ends (tables, base64) is broken between two words.
const MOST: usize = 2_000;
/// What is neither letter nor digit, at most, in what is given to the rules of Unicode: they look ahead over it.
const GAP: usize = 64;
/// Bytes at the end of a sentence that are looked at.
const TAIL: usize = 64;
/// Of a line that could have taken so many letters more, the end is meant.
const RAGGED: usize = 24;

/// The sentences of a text, in order, as they stand in it but for white space around them. Only white space is lost.
///
/// A blank line ends a sentence, and so does a heading or an item of a list; the end of another line does not. A full
/// stop after an abbreviation, an initial or the number of an item does not, either.
///
/// ```text
/// 1.  Terms                                    1.  Terms
///     See Sec. 2 of RFC 2119.  Mr. J. Doe      See Sec. 2 of RFC 2119.
///     wrote it (e.g. Fig. 3).                  Mr. J. Doe wrote it (e.g. Fig. 3).
///     - one                                    - one
///     - two                                    - two
/// ```
#[must_use]
pub fn sentences(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for block in blocks(text) {
        for piece in pieces(&text[block.clone()]) {
            push(&text[block.start + piece.start..block.start + piece.end], &mut found);
        }
    }
    found
}

/// Adds a sentence, in parts if it is too long.
fn push<'a>(sentence: &'a str, found: &mut Vec<&'a str>) {
    let mut rest = sentence.trim();
    while let Some((end, _)) = rest.char_indices().nth(MOST) {
        let window = &rest[..end];
        let space = window.rfind(char::is_whitespace);
        // A word that is too long is broken between two signs that a reader sees as one each.
        let word = || window.split_word_bound_indices().map(|(at, _)| at).next_back();
        let sign = || window.grapheme_indices(true).next_back().map(|(at, _)| at);
        let cut = space.or_else(word).filter(|at| *at > 0).or_else(sign).filter(|at| *at > 0).unwrap_or(end);
        found.push(rest[..cut].trim_end());
        rest = rest[cut..].trim_start();
    }
    if !rest.is_empty() {
        found.push(rest);
    }
}

/// The parts of a text that no sentence goes beyond: paragraphs, headings, items.
fn blocks(text: &str) -> Vec<Range<usize>> {
    let mut blocks = Vec::new();
    let mut from = 0;
    // How wide the lines of the paragraph are so far.
    let mut width = 0;
    let mut before: Option<&str> = None;
    let mut at = 0;
    for line in text.split_inclusive(['\n', '\x0c']) {
        let content = line.trim();
        let is_new = match before {
            None => false,
            Some(_) if content.is_empty() => true,
            Some(before) => parts(before, line, width),
        };
        if is_new {
            blocks.push(from..at);
            width = 0;
        }
        if is_new || before.is_none() {
            from = at;
        }
        before = (!content.is_empty() && !line.ends_with('\x0c')).then_some(line);
        width = width.max(columns(line));
        at += line.len();
        if before.is_none() {
            blocks.push(from..at);
            width = 0;
        }
    }
    if before.is_some() {
        blocks.push(from..at);
    }
    blocks
}

/// Whether a line begins something new after the line before it; both have words.
fn parts(before: &str, line: &str, width: usize) -> bool {
    let (last, next) = (before.trim(), line.trim());
    // Headings of Markdown, and lines that underline a heading or part a text.
    if is_hashed(last) || is_hashed(next) || is_rule(last) {
        return true;
    }
    let ends = last.ends_with(['.', ':', ';', '?', '!', ',', '。', '：', '；', '？', '！', '，']);
    match marker(next) {
        Some(Marker::Bullet) => return true,
        // `see Section` may be followed by a line that begins with `3. `
        Some(Marker::Number)
            if ends || marker(last).is_some() || columns(line) - next.chars().count() != indent(before) =>
        {
            return true;
        }
        _ => {}
    }
    // A heading with the text right below it, an address, a line of verse: the next word would have had its place.
    let word = next.split_whitespace().next().unwrap_or("").chars().count();
    let is_short = columns(before) + word + RAGGED < width.max(columns(line));
    let starts = next.starts_with(|c: char| c.is_uppercase() || c.is_ascii_digit());
    is_short && starts && !last.ends_with(',')
}

/// The columns that a line takes, without the white space at its end.
fn columns(line: &str) -> usize {
    line.trim_end().chars().count()
}

fn indent(line: &str) -> usize {
    line.chars().take_while(|c| c.is_whitespace()).count()
}

fn is_hashed(line: &str) -> bool {
    let marks = line.bytes().take_while(|byte| *byte == b'#').count();
    (1..=6).contains(&marks) && line[marks..].starts_with(' ')
}

fn is_rule(line: &str) -> bool {
    let mut chars = line.chars();
    let first = chars.next().filter(|c| matches!(c, '=' | '-' | '~' | '*' | '_' | '#'));
    first.is_some_and(|first| line.len() >= 3 && chars.all(|c| c == first))
}

enum Marker {
    /// `- `, `* `, `• `, `o  `
    Bullet,
    /// `1. `, `(a) `, `[3] `
    Number,
}

/// What marks a line as the item of a list.
fn marker(line: &str) -> Option<Marker> {
    let word_end = line.find(char::is_whitespace)?;
    let (word, rest) = line.split_at(word_end);
    match word {
        "-" | "*" | "+" | "•" | "–" | "·" | "◦" | "‣" => return Some(Marker::Bullet),
        // A word of some languages, too.
        "o" => return rest.starts_with("  ").then_some(Marker::Bullet),
        _ => {}
    }
    let inner = word.trim_start_matches(['(', '[']).trim_end_matches(['.', ')', ']']);
    let is_number = inner.len() <= 8 && inner.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let is_letter = inner.len() == 1 && inner.bytes().all(|byte| byte.is_ascii_alphabetic());
    (inner.len() < word.len() && !inner.is_empty() && (is_number || is_letter)).then_some(Marker::Number)
}

/// The sentences of a block.
fn pieces(block: &str) -> Vec<Range<usize>> {
    // To Unicode the end of a line is the end of a paragraph. Each of these characters is as long as a space.
    let text: String =
        block.chars().map(|c| if matches!(c, '\n' | '\r' | '\x0b' | '\x0c') { ' ' } else { c }).collect();
    let mut found: Vec<Range<usize>> = Vec::new();
    for window in windows(&text) {
        for (at, piece) in text[window.clone()].split_sentence_bound_indices() {
            let start = window.start + at;
            let end = start + piece.len();
            // Where a window ends, no sentence need end.
            let is_within = |last: &Range<usize>| at == 0 && !ends(&text[last.clone()]);
            match found.last_mut() {
                Some(last) if is_within(last) || goes_on(&text[last.clone()], piece) => last.end = end,
                _ => found.push(start..end),
            }
        }
    }
    give_openings(&text, &mut found);
    found
}

/// A text in parts, none of which has a long run of what is neither letter nor digit: looking for the next letter after
/// every sign of such a run takes a time that grows with the square of its length.
fn windows(text: &str) -> Vec<Range<usize>> {
    let mut windows = Vec::new();
    let (mut from, mut gap) = (0, 0);
    for (at, c) in text.char_indices() {
        if c.is_alphanumeric() {
            gap = 0;
            continue;
        }
        if gap == GAP {
            windows.push(from..at);
            (from, gap) = (at, 0);
        }
        gap += 1;
    }
    windows.push(from..text.len());
    windows
}

/// Whether a text ends as sentences do, as far as its last letters tell.
fn ends(text: &str) -> bool {
    let is_closing =
        |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ')' | ']' | '}' | '”' | '’' | '」' | '』' | '）');
    tail(text).trim_end_matches(is_closing).ends_with(['.', '?', '!', '…', '。', '？', '！'])
}

fn tail(text: &str) -> &str {
    &text[text.floor_char_boundary(text.len().saturating_sub(TAIL))..]
}

/// Abbreviations that a sentence does not end with, in any case; and titles, which are capitalised: `10 ms.` is a time.
const NEVER: &[&str] = &["e.g", "i.e", "cf", "vs", "viz", "z.b", "d.h", "bzw"];
const TITLES: &[&str] =
    &["Mr", "Mrs", "Ms", "Dr", "Prof", "Messrs", "Rev", "Hon", "Gen", "Capt", "Col", "Lt", "Sgt", "St", "Mt"];
/// Abbreviations that stand before a number; before anything else a sentence may end with them.
const BEFORE_NUMBERS: &[&str] = &[
    "fig", "figs", "sec", "secs", "sect", "eq", "eqs", "eqn", "no", "nos", "nr", "ch", "chap", "vol", "vols", "pp",
    "pg", "app", "art", "ref", "refs", "def", "thm", "tab", "approx", "ca", "jan", "feb", "mar", "apr", "jun", "jul",
    "aug", "sep", "sept", "oct", "nov", "dec", "ver", "rel", "ed", "par", "para", "ex", "max", "min", "incl", "resp",
];
/// The same for brackets: `et al. [5]`.
const BEFORE_BRACKETS: &[&str] = &["al", "etc", "eq", "eqs", "eqn", "fig", "figs", "ref", "refs"];
/// Words that begin a sentence rather than a name.
const STARTERS: &str = "A All Also An And Any As At Because Both But By Each Finally First For From He Hence How \
                        However I If In It Its Let Like Many Most No Not Note Now On Once One Only Or Other Our Second \
                        See She Since So Some Such That The Their Then There Therefore These They This Those Thus To \
                        Two Unless Until Using We What When Where Whether Which While Who Why With You Your";
/// Words that a single letter names a kind of: after `Appendix A.` a sentence can begin.
const NAMED_BY_LETTER: &[&str] = &[
    "appendix", "annex", "section", "table", "figure", "case", "class", "type", "option", "plan", "step", "vitamin",
    "part", "node", "host", "router", "version", "level", "group", "point", "and", "or", "to", "is",
];

/// Whether a sentence goes on where Unicode ends it.
fn goes_on(sentence: &str, next: &str) -> bool {
    if !next.chars().any(char::is_alphanumeric) {
        return true;
    }
    let Some(whole) = sentence.trim_end().strip_suffix('.') else { return false };
    // A sentence may be one long word; its end is enough.
    let stem = tail(whole);
    let mut words = stem.rsplit(char::is_whitespace);
    let word = words.next().unwrap_or("");
    let before = words.find(|word| !word.is_empty()).unwrap_or("");
    let is_first = before.is_empty() && stem.len() == whole.len();
    let word = word.trim_start_matches(['(', '[', '{', '"', '\'', '“', '„', '<', '/', '-']);
    if word.is_empty() || word.len() > TAIL / 2 {
        return false;
    }
    let lower = word.to_lowercase();
    if NEVER.contains(&lower.as_str()) || TITLES.contains(&word) {
        return true;
    }
    let next = next.trim_start();
    if next.starts_with(|c: char| c.is_ascii_digit() || c == '#') && BEFORE_NUMBERS.contains(&lower.as_str())
        || next.starts_with(['(', '[']) && BEFORE_BRACKETS.contains(&lower.as_str())
    {
        return true;
    }
    // `1. Foo` at the start is the number of an item.
    if is_first && is_item_number(word) {
        return true;
    }
    // Initials: `J. Doe`, `U.S. Army`, `J. R. R. Tolkien`.
    let is_initials = word.split('.').all(|part| {
        let mut chars = part.chars();
        chars.next().is_some_and(char::is_uppercase) && chars.next().is_none()
    });
    if !is_initials {
        return false;
    }
    let first: String = next.chars().take_while(|c| c.is_alphanumeric()).take(TAIL / 2).collect();
    let is_name = first.starts_with(char::is_uppercase) && !STARTERS.split(' ').any(|starter| starter == first);
    is_name && !NAMED_BY_LETTER.contains(&before.to_lowercase().as_str())
}

/// Whether a word without its full stop is the number of an item or of a section: `1`, `2.1`, `a`, `iv`.
fn is_item_number(word: &str) -> bool {
    let is_number = word.len() <= 8 && word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let is_letter = word.len() == 1 && word.bytes().all(|byte| byte.is_ascii_alphabetic());
    let is_roman = word.len() <= 4 && word.bytes().all(|byte| matches!(byte.to_ascii_lowercase(), b'i' | b'v' | b'x'));
    is_number || is_letter || is_roman
}

/// Gives what opens to the sentence that it opens: a quotation mark, or a number, as in `two kinds: 1. Foo. 2. Bar.`
fn give_openings(text: &str, found: &mut [Range<usize>]) {
    for at in 1..found.len() {
        let sentence = &text[found[at - 1].clone()];
        let open = sentence.trim_end_matches(['“', '‘', '„', '«', '「', '『', '（', '《', '〈', '【', '(', '[']).len();
        if open < sentence.len() && open > 0 {
            found[at].start -= sentence.len() - open;
            found[at - 1].end = found[at].start;
            continue;
        }
        let Some((before, word)) = sentence.trim_end().rsplit_once(' ') else { continue };
        let is_number = word.len() <= 3 && word.strip_suffix('.').is_some_and(is_item_number);
        if is_number && before.trim_end().ends_with([':', ';']) {
            found[at].start = found[at - 1].start + before.len() + 1;
            found[at - 1].end = found[at].start;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAWING: &str = "+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|             Type              |            Length             |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+";

    #[test]
    fn sentences_end_where_readers_end_them() {
        for (text, expected) in [
            ("One. Two? Three! Four", &["One.", "Two?", "Three!", "Four"][..]),
            ("It is\nwrapped over\r\nlines. So is\nthis.", &["It is\nwrapped over\r\nlines.", "So is\nthis."]),
            // Abbreviations, numbers, initials.
            ("Tools, e.g. Make, i.e. The tool, are old.", &["Tools, e.g. Make, i.e. The tool, are old."]),
            ("Mr. Doe and Dr. J. R. Roe met. They spoke.", &["Mr. Doe and Dr. J. R. Roe met.", "They spoke."]),
            ("See Fig. 3 and Sec. 4.1. The rest is Eq. (2).", &["See Fig. 3 and Sec. 4.1.", "The rest is Eq. (2)."]),
            ("Say no. No means no. No. 5 is alive.", &["Say no.", "No means no.", "No. 5 is alive."]),
            ("As in RFC 2119. The words are v1.2.3 now.", &["As in RFC 2119.", "The words are v1.2.3 now."]),
            ("Hosts, routers, etc. The rest is not.", &["Hosts, routers, etc.", "The rest is not."]),
            ("Doe et al. [5] did it. We do not.", &["Doe et al. [5] did it.", "We do not."]),
            (
                "IPv4 vs. IPv6 (cf. Annex B). See Appendix A. Hosts do.",
                &["IPv4 vs. IPv6 (cf. Annex B).", "See Appendix A.", "Hosts do."],
            ),
            (
                "The U.S. Army has it. In the U.S. The army has.",
                &["The U.S. Army has it.", "In the U.S.", "The army has."],
            ),
            ("It costs 3.50. It is 5 p.m. now.", &["It costs 3.50.", "It is 5 p.m. now."]),
            ("He said \"Go.\" Then he went.", &["He said \"Go.\"", "Then he went."]),
            ("It takes 10 ms. The rest is 5 max. (Maybe.)", &["It takes 10 ms.", "The rest is 5 max.", "(Maybe.)"]),
            ("Wait... What? Go ... now.", &["Wait...", "What?", "Go ... now."]),
            // Items and headings.
            ("1. First. Second.", &["1. First.", "Second."]),
            ("Two kinds: 1. Foo is. 2. Bar is.", &["Two kinds:", "1. Foo is.", "2. Bar is."]),
            ("Kinds:\n- one\n- two\n  lines\n* three", &["Kinds:", "- one", "- two\n  lines", "* three"]),
            ("o  one\n   more\no  two", &["o  one\n   more", "o  two"]),
            ("(a) One.\n(b) Two", &["(a) One.", "(b) Two"]),
            ("It is told in Section\n3. Then it goes on.", &["It is told in Section\n3.", "Then it goes on."]),
            ("Heading\n\nText\nhere\n\n\nMore", &["Heading", "Text\nhere", "More"]),
            ("# Heading\nText\n## Two", &["# Heading", "Text", "## Two"]),
            ("Heading\n=======\nText", &["Heading\n=======", "Text"]),
            (
                "1. Terms\n   These are the terms that we use in all of this text,\n   and more.",
                &["1. Terms", "These are the terms that we use in all of this text,\n   and more."],
            ),
            // Other scripts.
            ("这是第一句。这是第二句！“第三句？”第四句", &["这是第一句。", "这是第二句！", "“第三句？”", "第四句"]),
            ("שלום. מה? טוב!", &["שלום.", "מה?", "טוב!"]),
            ("Tja. Es ist z.B. Holz. Éa. Ö.", &["Tja.", "Es ist z.B. Holz.", "Éa.", "Ö."]),
            ("Yes 👍. No 👩‍👩‍👧!", &["Yes 👍.", "No 👩‍👩‍👧!"]),
            ("page\x0cnext", &["page", "next"]),
            ("", &[]),
            (" \n\t\r\n ", &[]),
            ("...", &["..."]),
            // A drawing is one piece.
            (DRAWING, &[DRAWING]),
        ] {
            assert_eq!(sentences(text), expected, "{text:?}");
        }
    }

    #[test]
    fn only_white_space_is_lost_and_nothing_is_long() {
        let units = [
            "x",
            "x ",
            "a. ",
            "A. B ",
            ".",
            ")",
            "a.)",
            "。",
            "1. ",
            "\n",
            "\r\n",
            "\x0c",
            "\0",
            "- a\n",
            "a\n  B\n",
            "e\u{301}",
            "👩‍👩‍👧",
            "ש ",
            "# ",
            "(",
            "e.g. ",
            ": 1. ",
            "\u{200d}",
            "\u{2028}",
            "Mr. ",
            "A.B.",
            "a. ) ",
            "   ",
            "あ",
        ];
        let bare = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
        for unit in units {
            for lead in ["", "a."] {
                let text = format!("{lead}{}", unit.repeat((1 << 20) / unit.len()));
                let found = sentences(&text);
                assert_eq!(bare(&found.concat()), bare(&text), "{unit:?}");
                assert!(
                    found.iter().all(|it| it.chars().count() <= MOST && it.trim() == *it && !it.is_empty()),
                    "{unit:?}"
                );
            }
        }
    }

    #[test]
    fn long_sentences_are_broken_between_words() {
        let text = "word ".repeat(1_000);
        let found = sentences(&text);
        assert_eq!(found.len(), 3);
        assert!(found.iter().all(|it| it.starts_with("word") && it.ends_with("word")));
        assert_eq!(sentences(&"字".repeat(4_500)).len(), 3);
    }

    #[test]
    fn a_published_text() {
        let text = "6.  Guidance in the use of these Imperatives

   Imperatives of the type defined in this memo must be used with care
   and sparingly.  In particular, they MUST only be used where it is
   actually required for interoperation or to limit behavior which has
   potential for causing harm (e.g., limiting retransmisssions)  For
   example, they must not be used to try to impose a particular method
   on implementors where the method is not required for
   interoperability.
";
        let found = sentences(text);
        assert_eq!(found.len(), 3, "{found:#?}");
        assert_eq!(found[0], "6.  Guidance in the use of these Imperatives");
        assert!(found[1].ends_with("sparingly.") && found[2].starts_with("In particular"));
    }
}
