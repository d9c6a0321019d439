//! Small or capital letters.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Prepared, TextOperation};

/// Which letters all become.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Case {
    /// Small letters.
    Lower,
    /// Capital letters.
    Upper,
}

impl TextOperation for Case {
    fn prepare(&self) -> Prepared {
        match self {
            Self::Lower => Box::new(str::to_lowercase),
            Self::Upper => Box::new(str::to_uppercase),
        }
    }
}
