//! Small or capital letters.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Prepared, TextOperation};

/// Which letters all become.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Case {
    /// Small letters: `Straße` becomes `straße`.
    Lower,
    /// Capital letters: `Straße` becomes `STRASSE`.
    Upper,
    /// What words have in common that differ in case only (Unicode's full case folding): `Straße` and `STRASSE` become
    /// `strasse`.
    Fold,
}

impl TextOperation for Case {
    fn prepare(&self) -> Prepared {
        match self {
            Self::Lower => Box::new(lower),
            Self::Upper => Box::new(upper),
            Self::Fold => Box::new(fold),
        }
    }
}

fn lower(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        let is_small = !text.bytes().any(|byte| byte.is_ascii_uppercase());
        return if is_small { Cow::Borrowed(text) } else { Cow::Owned(text.to_ascii_lowercase()) };
    }
    if text.chars().all(|c| c.to_lowercase().eq([c])) { Cow::Borrowed(text) } else { Cow::Owned(text.to_lowercase()) }
}

fn upper(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        let is_capital = !text.bytes().any(|byte| byte.is_ascii_lowercase());
        return if is_capital { Cow::Borrowed(text) } else { Cow::Owned(text.to_ascii_uppercase()) };
    }
    if text.chars().all(|c| c.to_uppercase().eq([c])) { Cow::Borrowed(text) } else { Cow::Owned(text.to_uppercase()) }
}

fn fold(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return lower(text);
    }
    if text.chars().all(|c| folded(c).eq([c])) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().flat_map(folded).collect())
}

/// The full case folding of a character: what is left of the difference between a capital letter and its small ones.
fn folded(c: char) -> impl Iterator<Item = char> {
    // Cherokee folds to capital letters, and a dotless `ı` is no `i`.
    let is_itself = matches!(c, 'ı' | '\u{13a0}'..='\u{13f5}');
    let is_cherokee = matches!(c, '\u{13f8}'..='\u{13fd}' | '\u{ab70}'..='\u{abbf}');
    let capitals = c.to_lowercase().flat_map(char::to_uppercase);
    let small = capitals.flat_map(move |capital| {
        let small = (!is_cherokee).then(|| capital.to_lowercase());
        small.into_iter().flatten().chain(is_cherokee.then_some(capital))
    });
    is_itself.then_some(c).into_iter().chain(small.filter(move |_| !is_itself))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_goes() {
        for (text, small, capital, expected) in [
            ("ÀB c", "àb c", "ÀB C", "àb c"),
            ("Straße STRASSE ẞ", "straße strasse ß", "STRASSE STRASSE ẞ", "strasse strasse ss"),
            ("ΌΣΟΣ σς", "όσος σς", "ΌΣΟΣ ΣΣ", "όσοσ σσ"),
            ("ﬁ ŉ ı İ", "ﬁ ŉ ı i\u{307}", "FI ʼN I İ", "fi ʼn ı i\u{307}"),
            ("Ꭰꭰ ᾳ", "ꭰꭰ ᾳ", "ᎠᎠ ΑΙ", "ᎠᎠ αι"),
            ("字 1!", "字 1!", "字 1!", "字 1!"),
            ("", "", "", ""),
        ] {
            assert_eq!((lower(text).as_ref(), upper(text).as_ref()), (small, capital));
            assert_eq!(fold(text), expected, "{text}");
            assert!(matches!(lower(small), Cow::Borrowed(_)) && matches!(fold(expected), Cow::Borrowed(_)), "{text}");
        }
    }
}
