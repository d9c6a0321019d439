//! Emoji.

use std::{borrow::Cow, ops::Range};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use unicode_segmentation::UnicodeSegmentation;

use super::{Prepared, TextOperation};
use crate::text::edits::{self, Edits};

/// What becomes of emoji. What a reader sees as one sign is one: a family, a skin tone, a flag, a digit on a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Emoji {
    /// They go: `so good 😀👍🏽!` becomes `so good !`.
    Remove,
    /// Each becomes the word `emoji`: `so good 😀` becomes `so good emoji`.
    Token,
    /// Each becomes its name in Unicode: `so good😀` becomes `so good grinning face`, `🇩🇪` becomes `flag: Germany`.
    Name,
}

impl TextOperation for Emoji {
    fn prepare(&self) -> Prepared {
        match self {
            Self::Remove => Box::new(|text| edits::cut(text, found(text).map(|(range, _)| range))),
            Self::Token => Box::new(|text| replace(text, |_| "emoji")),
            Self::Name => Box::new(|text| replace(text, emojis::Emoji::name)),
        }
    }
}

/// Puts words in the place of emoji, with spaces where there are none.
fn replace(text: &str, word: impl Fn(&'static emojis::Emoji) -> &'static str) -> Cow<'_, str> {
    let mut edits = Edits::of(text);
    let mut new = String::new();
    // Where the emoji before ends, which became a word.
    let mut done = None;
    for (range, emoji) in found(text) {
        new.clear();
        let is_behind_word = done == Some(range.start) || text[..range.start].ends_with(char::is_alphanumeric);
        if is_behind_word {
            new.push(' ');
        }
        new.push_str(word(emoji));
        if text[range.end..].starts_with(char::is_alphanumeric) {
            new.push(' ');
        }
        done = Some(range.end);
        edits.replace(range, &new);
    }
    edits.finish()
}

/// Where emoji stand, and which they are.
fn found(text: &str) -> impl Iterator<Item = (Range<usize>, &'static emojis::Emoji)> {
    let mut from = 0;
    std::iter::from_fn(move || {
        loop {
            let at = from + next(&text[from..])?;
            // A sign may begin with a plain character: `1` and a key. A base begins behind the last of the text before.
            let cluster = text[at..].graphemes(true).next()?;
            from = at + cluster.len();
            if let Some(emoji) = emoji(cluster) {
                return Some((at..from, emoji));
            }
        }
    })
}

/// Where the next character stands that can begin an emoji.
fn next(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 0;
    loop {
        // Below U+2000, only `©`, `®` and keys.
        let skip = bytes[at..].iter().position(|byte| matches!(byte, 0xc2 | 0xe2 | 0xe3 | 0xf0))?;
        at += skip;
        let c = text[at..].chars().next()?;
        match c {
            // The frame of a key: the sign begins one or two characters before.
            '\u{20e3}' => {
                let before = text[..at].trim_end_matches('\u{fe0f}');
                if let Some(key) = before.chars().next_back().filter(|c| c.is_ascii_digit() || matches!(c, '#' | '*')) {
                    return Some(before.len() - key.len_utf8());
                }
            }
            '©' | '®' | '\u{203c}'..='\u{3299}' | '\u{1f000}'..='\u{1faff}' => return Some(at),
            _ => {}
        }
        at += c.len_utf8();
    }
}

/// The emoji that a sign is, if it is one.
///
/// What is a plain character as often as an emoji (`©`, `™`, `↔`, `▶`, digits) is one only if U+FE0F says so; `☀`, `✔` and
/// `❤` are emoji unless U+FE0E says no.
fn emoji(cluster: &str) -> Option<&'static emojis::Emoji> {
    let first = cluster.chars().next()?;
    if cluster.contains('\u{fe0e}') {
        return None;
    }
    let base = &cluster[..first.len_utf8()];
    let found = emojis::get(cluster).or_else(|| {
        // A sequence that is not in the list is shown as its parts.
        let qualified = cluster.char_indices().nth(1).map_or(cluster.len(), |(at, c)| at + c.len_utf8());
        emojis::get(&cluster[..qualified]).or_else(|| emojis::get(base))
    })?;
    let is_emoji = cluster.contains(['\u{fe0f}', '\u{20e3}'])
        || !found.as_str().contains('\u{fe0f}')
        || matches!(first, '\u{2600}'..='\u{27bf}' | '\u{1f000}'..);
    is_emoji.then_some(found)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::text::ops::tests::run;

    fn names(text: &str) -> String {
        run(json!({"emoji": "name"}), text)
    }

    #[test]
    fn emoji_become_their_names() {
        for (text, expected) in [
            ("so good😀!", "so good grinning face!"),
            ("😀😀a", "grinning face grinning face a"),
            ("👍🏽 👩\u{200d}🔬 👨\u{200d}👩\u{200d}👧", "thumbs up: medium skin tone woman scientist family: man, woman, girl"),
            ("🇩🇪🇫🇷", "flag: Germany flag: France"),
            ("1\u{fe0f}\u{20e3} #\u{20e3} 10", "keycap: 1 keycap: # 10"),
            ("❤ ❤\u{fe0f} ❤\u{fe0e} ✔", "red heart red heart ❤\u{fe0e} check mark"),
            ("© 2020 ™ → ▶ 5 ℹ", "© 2020 ™ → ▶ 5 ℹ"),
            ("©\u{fe0f} 🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}", "copyright flag: England"),
            ("字。é “x” 한", "字。é “x” 한"),
            ("", ""),
        ] {
            assert_eq!(names(text), expected);
        }
    }

    #[test]
    fn emoji_go_whole() {
        for (text, removed, token) in [
            ("so good 😀👍🏽!", "so good !", "so good emoji emoji!"),
            ("😀 a 👩\u{200d}❤\u{fe0f}\u{200d}💋\u{200d}👨 b", "a b", "emoji a emoji b"),
            ("🏳\u{fe0f}\u{200d}🌈", "", "emoji"),
            ("plain", "plain", "plain"),
        ] {
            assert_eq!(run(json!({"emoji": "remove"}), text), removed);
            assert_eq!(run(json!({"emoji": "token"}), text), token);
        }
        assert!(matches!(replace("“no” – emoji…", |_| ""), Cow::Borrowed(_)));
    }

    #[test]
    fn every_emoji_is_one() {
        for known in emojis::iter() {
            let text = format!("a {known} b");
            assert_eq!(run(json!({"emoji": "remove"}), &text), "a b", "{known}");
            assert_eq!(names(&text), format!("a {} b", known.name()), "{known}");
            if let Some(tones) = known.skin_tones() {
                for toned in tones {
                    assert_eq!(names(&format!("{toned}")), toned.name());
                }
            }
        }
        let many = "👩\u{200d}".repeat(1 << 17);
        assert_eq!(run(json!({"emoji": "remove"}), &many), "");
    }
}
