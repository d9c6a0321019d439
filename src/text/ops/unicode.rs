//! Normal forms of Unicode (UAX #15).

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use unicode_normalization::{
    IsNormalized, UnicodeNormalization, is_nfc_quick, is_nfd_quick, is_nfkc_quick, is_nfkd_quick,
};

use super::{Prepared, TextOperation};

/// Which normal form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unicode {
    /// Composed: one code for `é`.
    Nfc,
    /// Decomposed: a code for `e` and one for its accent.
    Nfd,
    /// Composed, and compatible forms made one: `ﬁ` becomes `fi`, a full-width `２` becomes `2`.
    Nfkc,
    /// Decomposed, and compatible forms made one.
    Nfkd,
}

impl TextOperation for Unicode {
    fn prepare(&self) -> Prepared {
        match self {
            Self::Nfc => Box::new(|text| form(text, &is_nfc_quick(text.chars()), |text| text.nfc().collect())),
            Self::Nfd => Box::new(|text| form(text, &is_nfd_quick(text.chars()), |text| text.nfd().collect())),
            Self::Nfkc => Box::new(|text| form(text, &is_nfkc_quick(text.chars()), |text| text.nfkc().collect())),
            Self::Nfkd => Box::new(|text| form(text, &is_nfkd_quick(text.chars()), |text| text.nfkd().collect())),
        }
    }
}

/// Most texts have the form already, which is quickly told.
fn form<'a>(text: &'a str, has_form: &IsNormalized, new: impl Fn(&'a str) -> String) -> Cow<'a, str> {
    if *has_form == IsNormalized::Yes { Cow::Borrowed(text) } else { Cow::Owned(new(text)) }
}
