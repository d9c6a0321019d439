//! Stems, by the Snowball algorithms (Porter, 2001).

use rust_stemmers::{Algorithm, Stemmer};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Prepared, TextOperation};
use crate::text::{
    TextFault,
    edits::Edits,
    language,
    segment,
};

/// The stems of which language.
///
/// ```text
/// stem: {language: en}
///
/// before   Movies are running, really
/// after    movi are run, realli
/// ```
///
/// The stems are those of Snowball 2, which is what Python's snowballstemmer gives up to 2.2; its version 3 has other
/// rules for Dutch and for some ends of German, Romanian and Swedish words.
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
            let mut edits = Edits::of(text);
            for piece in segment::words(text) {
                if piece.text.chars().any(char::is_alphabetic) {
                    // The algorithms are defined on small letters.
                    edits.replace(piece.range(), &stemmer.stem(&segment::folded(piece.text)));
                }
            }
            edits.finish()
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn stems_are_those_of_snowball() {
        let golden: BTreeMap<String, String> =
            serde_json::from_str(include_str!("../../../tests/data/text/stems.json")).unwrap();
        assert_eq!(golden.len(), language::STEMMERS.len());
        let mut wrong = Vec::new();
        for (code, pairs) in golden {
            let stem = Stem { language: code.clone() };
            assert_eq!(stem.fault(), None);
            let run = stem.prepare();
            for (word, expected) in pairs.split(' ').filter_map(|pair| pair.split_once('=')) {
                if run(word) != expected {
                    wrong.push(format!("{code}: {word} {expected} {}", run(word)));
                }
            }
        }
        assert!(wrong.is_empty(), "{}: {wrong:#?}", wrong.len());
    }
}
