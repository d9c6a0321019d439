//! What a regular expression finds.

use regex::Regex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Failure, Measured, Prepared, RowCondition, of_texts};
use crate::text::TextFault;

/// Characters of a match that are told.
const TOLD: usize = 80;

/// What must, or must not, be found in a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Matches {
    /// A regular expression as Rust's `regex` reads it: Unicode, no look-around, no back references. `(?i)` in front: any case;
    /// `(?m)`: `^` and `$` are the ends of lines.
    regex: String,
    /// Whether texts with it stay, or those without it.
    #[serde(default)]
    is: Presence,
}

/// Whether something must be there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Presence {
    /// Texts in which it is found stay.
    #[default]
    Present,
    /// Texts in which it is not found stay.
    Absent,
}

impl RowCondition for Matches {
    fn fault(&self) -> Option<TextFault> {
        // The message draws the place below the expression; its last line says what is wrong.
        let error = Regex::new(&self.regex).err()?.to_string();
        let what = error.lines().last().unwrap_or_default().trim_start_matches("error: ");
        Some(TextFault {
            path: "regex".to_owned(),
            message: format!("`{}` is no regular expression: {what}", self.regex),
            help: Some("single quotes keep backslashes: `regex: '\\d+'`".to_owned()),
        })
    }

    fn prepare(&self) -> Prepared {
        // Without fault, it is one.
        let Ok(regex) = Regex::new(&self.regex) else { return Box::new(|_| None) };
        let failure = |text: String| Failure { rule: "matches", measured: Measured::Text(text) };
        match self.is {
            Presence::Present => of_texts(move |text| (!regex.is_match(text)).then(|| failure("no match".to_owned()))),
            Presence::Absent => {
                of_texts(move |text| Some(failure(regex.find(text)?.as_str().chars().take(TOLD).collect())))
            }
        }
    }
}
