//! Letters without their accents.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use unicode_normalization::{
    IsNormalized, UnicodeNormalization, char::is_combining_mark, is_nfc_quick, is_nfd_quick,
};

use super::{Prepared, TextOperation};

/// What becomes of accents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Accents {
    /// They go: `Café, Ñandú` becomes `Cafe, Nandu`. A letter that is another one rather than one with an accent stays:
    /// `ø`, `ł`, `ß`.
    Strip,
}

impl TextOperation for Accents {
    fn prepare(&self) -> Prepared {
        Box::new(strip)
    }
}

fn strip(text: &str) -> Cow<'_, str> {
    let is_plain = text.is_ascii()
        || is_nfd_quick(text.chars()) == IsNormalized::Yes
            && is_nfc_quick(text.chars()) == IsNormalized::Yes
            && !text.chars().any(is_combining_mark);
    if is_plain {
        return Cow::Borrowed(text);
    }
    let mut is_on_accented_script = true;
    let stays = |c: &char| {
        if is_combining_mark(*c) {
            return !is_on_accented_script;
        }
        is_on_accented_script = takes_accents(*c);
        true
    };
    Cow::Owned(text.nfd().filter(stays).nfc().collect())
}

/// Whether marks are accents on a letter: those of Hindi are vowels, those of Japanese make another letter.
fn takes_accents(c: char) -> bool {
    matches!(c,
        '\0'..='\u{52f}' | '\u{1d00}'..='\u{2dff}' | '\u{a640}'..='\u{a69f}' | '\u{a720}'..='\u{a7ff}'
        | '\u{fb00}'..='\u{fb06}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accents_go_and_vowels_stay() {
        for (text, expected) in [
            ("Café, Ångström, naïve, ﬁ", "Cafe, Angstrom, naive, ﬁ"),
            ("Ελλάδα, Йод, Việt", "Ελλαδα, Иод, Viet"),
            ("हिन्दी が 한국어 שָׁלוֹם ไทย้", "हिन्दी が 한국어 שָׁלוֹם ไทย้"),
            ("\u{301}e\u{301}\u{302}", "e"),
            ("ø ł ß", "ø ł ß"),
            ("plain", "plain"),
            ("", ""),
        ] {
            assert_eq!(strip(text), expected);
        }
        assert!(matches!(strip("“plain” – Ælfric"), Cow::Borrowed(_)));
    }
}
