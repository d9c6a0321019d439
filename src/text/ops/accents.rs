//! Letters without their accents.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

use super::{Prepared, TextOperation};

/// What becomes of accents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Accents {
    /// They go.
    Strip,
}

impl TextOperation for Accents {
    fn prepare(&self) -> Prepared {
        Box::new(|text| text.nfd().filter(|c| !is_combining_mark(*c)).nfc().collect())
    }
}
