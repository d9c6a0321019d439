//! Text that was read in the wrong encoding.

use std::{borrow::Cow, ops::Range};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Prepared, TextOperation};
use crate::text::edits::Edits;

/// What becomes of text that was read in the wrong encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// UTF-8 that was read as Windows-1252 or Latin-1, once or several times over, is what it was: `cafÃ© itâ€™s` becomes
    /// `café it’s`, and `ÃƒÂ©` becomes `é`. A control character that is a sign in Windows-1252 becomes that sign. What can
    /// be meant as it stands stays: `CAFÉ…`, `5 Å²`.
    Fix,
}

impl TextOperation for Encoding {
    fn prepare(&self) -> Prepared {
        Box::new(fix)
    }
}

/// The signs of Windows-1252 from 0x80 to 0x9F; five bytes have none.
const WINDOWS_1252: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}', '‘', '’',
    '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

/// How often a text can have been read wrongly, one time over the other.
const ROUNDS: usize = 4;

/// The sign of a byte from 0x80 to 0x9F, if it has one.
pub(super) fn windows_1252(byte: u8) -> Option<char> {
    let sign = *WINDOWS_1252.get(usize::from(byte.checked_sub(0x80)?))?;
    (!is_control(sign)).then_some(sign)
}

/// The byte that a character above ASCII was read from, in Windows-1252 or in Latin-1.
fn byte(c: char) -> Option<u8> {
    if let '\u{80}'..='\u{ff}' = c {
        return Some(c as u8);
    }
    WINDOWS_1252.iter().position(|sign| *sign == c).map(|at| 0x80 + at as u8)
}

fn is_control(c: char) -> bool {
    matches!(c, '\u{80}'..='\u{9f}')
}

fn fix(text: &str) -> Cow<'_, str> {
    let mut text = Cow::Borrowed(text);
    if text.is_ascii() {
        return text;
    }
    for _ in 0..ROUNDS {
        match round(&text) {
            Some(new) => text = Cow::Owned(new),
            None => break,
        }
    }
    let sign = |c: char| windows_1252(u8::try_from(c).ok()?);
    if text.chars().any(|c| sign(c).is_some()) {
        text = Cow::Owned(text.chars().map(|c| sign(c).unwrap_or(c)).collect());
    }
    text
}

/// What looks like the bytes of one character, each read as one.
struct Suspect {
    range: Range<usize>,
    /// The character that it is in UTF-8.
    is: char,
    /// The first byte.
    lead: u8,
    /// How sure it is that it is not meant as it stands.
    proof: Proof,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Proof {
    /// It can be meant: a capital letter and punctuation.
    None,
    /// It cannot be meant beside another one of its kind.
    Pair,
    /// It cannot be meant.
    Alone,
}

/// Puts right what was read wrongly once; none where nothing proves that it was.
fn round(text: &str) -> Option<String> {
    let suspects = suspects(text);
    // With its neighbours that follow one another without anything between them.
    let is_in_run = |at: usize| {
        let is_next = |left: usize, right: usize| {
            suspects.get(left).zip(suspects.get(right)).is_some_and(|(left, right)| left.range.end == right.range.start)
        };
        at > 0 && is_next(at - 1, at) || is_next(at, at + 1)
    };
    let is_proof = |at: usize| match suspects[at].proof {
        Proof::Alone => true,
        Proof::Pair => is_in_run(at),
        Proof::None => false,
    };
    if !(0..suspects.len()).any(is_proof) {
        return None;
    }
    let mut edits = Edits::of(text);
    let mut new = [0; 4];
    for (at, suspect) in suspects.iter().enumerate() {
        // Where some of a text was read wrongly, the rest was, too.
        let is_common = matches!(suspect.lead, 0xc2..=0xc5 | 0xc8 | 0xce..=0xd3 | 0xe1 | 0xe2 | 0xef | 0xf0);
        if is_common || is_proof(at) || is_in_run(at) {
            edits.replace(suspect.range.clone(), suspect.is.encode_utf8(&mut new));
        }
    }
    Some(edits.finish().into_owned())
}

fn suspects(text: &str) -> Vec<Suspect> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    // What UTF-8 begins a longer character with is read as a letter from `Â` to `ô`.
    while let Some(skip) = bytes[at..].iter().position(|byte| *byte == 0xc3) {
        at += skip;
        match suspect(text, at) {
            Some(suspect) => {
                at = suspect.range.end;
                found.push(suspect);
            }
            None => at += 2,
        }
    }
    found
}

/// What begins at a letter of Latin-1, if it looks like the bytes of one character.
fn suspect(text: &str, at: usize) -> Option<Suspect> {
    let mut rest = text[at..].char_indices();
    let lead = byte(rest.next()?.1)?;
    let length = match lead {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return None,
    };
    let (mut bytes, mut end) = ([lead; 4], at + 2);
    let mut odd = 0;
    let mut has_control = false;
    for to in &mut bytes[1..length] {
        let (offset, c) = rest.next()?;
        *to = byte(c).filter(|byte| matches!(byte, 0x80..=0xbf))?;
        odd += usize::from(!can_follow(c, lead));
        has_control |= is_control(c);
        end = at + offset + c.len_utf8();
    }
    let is = std::str::from_utf8(&bytes[..length]).ok()?.chars().next()?;
    let proof = match lead {
        _ if has_control => Proof::Alone,
        _ if odd == 0 => Proof::None,
        // Signs of Latin-1, accented letters of Western and Eastern Europe, punctuation, symbols, emoji.
        0xc2..=0xc5 | 0xe2 | 0xef | 0xf0 => Proof::Alone,
        // Letters of Vietnamese.
        0xe1 if matches!(bytes[1..3], [0xb8..=0xbb, 0x80..=0xbe]) => Proof::Alone,
        _ => Proof::Pair,
    };
    Some(Suspect { range: at..end, is, lead, proof })
}

/// Whether a sign stands behind a letter in ordinary text.
fn can_follow(sign: char, letter: u8) -> bool {
    let is_mark = matches!(sign, '…' | '–' | '—' | '‘' | '’' | '“' | '”' | '‹' | '›' | '«' | '»' | '™' | '•');
    // `Ã` and `Â` end no word but in capital letters; `Å` is a unit.
    let is_unit = letter > 0xc3 && matches!(sign, '\u{a0}' | '¹' | '²' | '³' | '·' | '°' | '±' | 'º' | 'ª' | '®' | '©');
    is_mark || is_unit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_wrongly_is_put_right() {
        for (text, expected) in [
            ("cafÃ© itâ€™s", "café it’s"),
            ("ÃƒÂ© ÃƒÆ’Ã‚Â©", "é é"),
            ("Ã¢â‚¬â„¢", "’"),
            ("doesnâ\u{80}\u{99}t â€œquotedâ€\u{9d}", "doesn’t “quoted”"),
            ("\u{93}quoted\u{94} \u{96} \u{85}", "“quoted” – …"),
            ("Â£5 Â©2020 10Â\u{a0}km", "£5 ©2020 10\u{a0}km"),
            ("ÐŸÑ€Ð¸Ð²ÐµÑ‚ Ð¼Ð¸Ñ€", "Привет мир"),
            ("ä½ å¥½".replace("½ ", "½\u{a0}").as_str(), "你好"),
            ("ðŸ˜€ âœ… â†’", "😀 ✅ →"),
            ("Å‚Ã³dÅº, Ä…", "łódź, ą"),
            ("GÃ¼nther â€“ MÃœNCHEN", "Günther – MÜNCHEN"),
            ("Viá»‡t", "Việt"),
            ("ï»¿start", "\u{feff}start"),
        ] {
            assert_eq!(fix(text), expected, "{text}");
            assert!(matches!(fix(expected), Cow::Borrowed(_)), "{expected}");
        }
    }

    #[test]
    fn what_can_be_meant_stays() {
        for text in [
            "CAFÉ… VOILÀ” «DÉJÀ» ESPAÑA", "„Spaß“ – „GRÖẞE“ Ä– Ü… Ö” ß›", "5 Å² and 3 Å·mol, 10 Å±1",
            "SÃO PAULO, IRMÃ… MAÇÃ” Â» CÂ™", "Ã", "à\u{a0}» été\u{a0}!", "é’” é…» è”…", "Ñº É° N° 5ª", "naïve façade, cœur, señor, ¿qué?",
            "Þórður Ðað ð – þ", "Żółć, łódź, Škoda, ťukať", "Việt Nam – Đặng Ấp", "Ελληνικά «και» …", "Русский «текст» – да…",
            "עברית „כן”", "العربية، نعم؟", "中文“引号”……", "日本語「はい」", "한국어", "हिन्दी", "😀👍🏽", "Å i Ä i Ö: Å…", "×2 ÷3 ×½",
            "Crème brûlée – l’œuf, «là»…", "© ® ™ ° ± µ ¶ · ¼ ½ ¾", "Ênfase… Âmbar” ÂNGULO— Ôh…", "", "ascii",
        ] {
            assert_eq!(fix(text), text);
            assert!(matches!(fix(text), Cow::Borrowed(_)), "{text}");
        }
    }

    #[test]
    fn it_does_what_ftfy_does() {
        let rows: Vec<(String, String)> =
            serde_json::from_str(include_str!("../../../tests/data/text/encoding.json")).unwrap();
        // What ftfy takes for damage and is none: square ångströms, and a degree sign behind a capital letter.
        let defended = ["5 Å² and 3 Å·mol", "Nº 5ª, É° N°"];
        for (text, expected) in &rows {
            let expected = if defended.contains(&text.as_str()) { text } else { expected };
            assert_eq!(&fix(text), expected, "{text:?}");
        }
        assert!(rows.len() > 100);
    }
}
