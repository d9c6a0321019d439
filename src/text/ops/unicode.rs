//! Normal forms of Unicode (UAX #15).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

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
            Self::Nfc => Box::new(|text| text.nfc().collect()),
            Self::Nfd => Box::new(|text| text.nfd().collect()),
            Self::Nfkc => Box::new(|text| text.nfkc().collect()),
            Self::Nfkd => Box::new(|text| text.nfkd().collect()),
        }
    }
}
