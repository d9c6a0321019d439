//! Stems, by the Snowball algorithms (Porter, 2001).

use rust_stemmers::{Algorithm, Stemmer};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Prepared, TextOperation};
use crate::text::{TextFault, language, segment};

/// The stems of which language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stem {
    /// The language, by its code: `en`.
    language: String,
}

impl TextOperation for Stem {
    fn fault(&self) -> Option<TextFault> {
        let codes: Vec<&str> = language::STEMMERS.iter().map(|(code, _)| *code).collect();
        language::fault(&self.language, &codes, "stemmers")
    }

    fn prepare(&self) -> Prepared {
        let known = language::STEMMERS.iter().find(|(code, _)| *code == self.language);
        let stemmer = Stemmer::create(known.map_or(Algorithm::English, |(_, algorithm)| *algorithm));
        Box::new(move |text| {
            let mut out = String::with_capacity(text.len());
            for piece in segment::pieces(text) {
                if piece.chars().any(char::is_alphabetic) {
                    // The algorithms are defined on small letters.
                    out.push_str(&stemmer.stem(&segment::list_form(piece)));
                } else {
                    out.push_str(piece);
                }
            }
            out
        })
    }
}
