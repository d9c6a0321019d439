//! Punctuation.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Prepared, TextOperation};
use crate::text::{bits, edits::Edits};

/// What becomes of punctuation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Punctuation {
    /// It goes: `It's so-so (fine)!` becomes `It's soso fine`.
    Remove,
    /// It becomes a space: `so-so, ok` becomes `so so  ok`.
    Space,
    /// Typographic and Chinese punctuation becomes what a keyboard has: `“It’s” – fine…` becomes `"It's" - fine...`, and
    /// `好，是吗？` becomes `好,是吗?`.
    Ascii,
}

impl TextOperation for Punctuation {
    fn prepare(&self) -> Prepared {
        match self {
            Self::Remove => Box::new(|text| replace(text, "")),
            Self::Space => Box::new(|text| replace(text, " ")),
            Self::Ascii => Box::new(plain),
        }
    }
}

fn replace<'a>(text: &'a str, with: &str) -> Cow<'a, str> {
    let mut edits = Edits::of(text);
    let mut done = 0;
    for at in bits::places(text.as_bytes(), |byte| !matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b' ')) {
        // The other bytes of a character.
        if at < done {
            continue;
        }
        let Some(c) = text[at..].chars().next() else { break };
        let end = at + c.len_utf8();
        let is_inside = || {
            text[..at].ends_with(char::is_alphabetic) && text[end..].starts_with(char::is_alphabetic)
        };
        if is_punctuation(c) && !(matches!(c, '\'' | '\u{2019}') && is_inside()) {
            edits.replace(at..end, with);
        }
        done = end;
    }
    edits.finish()
}

/// The marks of ASCII, of Latin-1, and the blocks of general, CJK and full-width punctuation.
fn is_punctuation(c: char) -> bool {
    c.is_ascii_punctuation()
        || matches!(c,
            '¡' | '§' | '«' | '¶' | '·' | '»' | '¿'
            | '\u{2010}'..='\u{2027}' | '\u{2030}'..='\u{205e}'
            | '\u{3001}'..='\u{3003}' | '\u{3008}'..='\u{3011}' | '\u{3014}'..='\u{301f}' | '\u{30fb}'
            | '\u{ff01}'..='\u{ff0f}' | '\u{ff1a}'..='\u{ff20}' | '\u{ff3b}'..='\u{ff40}' | '\u{ff5b}'..='\u{ff65}')
}

fn plain(text: &str) -> Cow<'_, str> {
    let mut edits = Edits::of(text);
    if text.is_ascii() {
        return edits.finish();
    }
    for (at, c) in text.char_indices().filter(|(_, c)| !c.is_ascii()) {
        if let Some(with) = of_keyboard(c) {
            edits.replace(at..at + c.len_utf8(), with);
        }
    }
    edits.finish()
}

/// What stands for a mark on a keyboard, if anything does.
fn of_keyboard(c: char) -> Option<&'static str> {
    Some(match c {
        '‘' | '’' | '‚' | '‛' | '′' | '‹' | '›' | '＇' => "'",
        '“' | '”' | '„' | '‟' | '″' | '«' | '»' | '＂' | '「' | '」' | '『' | '』' | '〝' | '〞' => "\"",
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '－' => "-",
        '…' => "...",
        '‥' => "..",
        '•' | '‣' | '＊' => "*",
        '⁄' | '／' => "/",
        '，' | '、' => ",",
        '。' | '．' => ".",
        '！' => "!",
        '？' => "?",
        '：' => ":",
        '；' => ";",
        '（' => "(",
        '）' => ")",
        '［' | '【' => "[",
        '］' | '】' => "]",
        '｛' => "{",
        '｝' => "}",
        '《' | '〈' | '＜' => "<",
        '》' | '〉' | '＞' => ">",
        '～' => "~",
        '％' => "%",
        '＆' => "&",
        '＃' => "#",
        '＠' => "@",
        '＋' => "+",
        '＝' => "=",
        '＿' => "_",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_go_and_apostrophes_inside_stay() {
        for (text, removed, spaced) in [
            ("Don't, «stop»… it's (so-so)!", "Don't stop it's soso", "Don't   stop   it's  so so  "),
            ("'tis the dogs' rock'n'roll ’", "tis the dogs rock'n'roll ", " tis the dogs  rock'n'roll  "),
            ("好，是吗？", "好是吗", "好 是吗 "),
            ("a\0b\tc é", "a\0b\tc é", "a\0b\tc é"),
            ("", "", ""),
        ] {
            assert_eq!(replace(text, ""), removed);
            assert_eq!(replace(text, " "), spaced);
        }
        assert!(matches!(replace("nothing to do é", " "), Cow::Borrowed(_)));
    }

    #[test]
    fn marks_of_a_keyboard() {
        for (text, expected) in [
            ("“It’s” – fine…", "\"It's\" - fine..."),
            ("好，是吗？（对）", "好,是吗?(对)"),
            ("5−3 € ½ é ñ ¿", "5-3 € ½ é ñ ¿"),
        ] {
            assert_eq!(plain(text), expected);
            assert!(matches!(plain(expected), Cow::Borrowed(_)));
        }
    }
}
