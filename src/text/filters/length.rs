//! How long a text is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use unicode_segmentation::UnicodeSegmentation;

use super::{Failure, Measured, Prepared, Range, RowCondition, of_texts};
use crate::text::{TextFault, sentences};

/// Lengths that a text may have; all that are given must hold.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Length {
    /// Words, by the rules of Unicode (in Chinese, each character is one): `{from: 3, to: 500}`.
    #[serde(default)]
    words: Option<Range>,
    /// Characters: `{to: 10000}`.
    #[serde(default)]
    characters: Option<Range>,
    /// Sentences: `{from: 2}`.
    #[serde(default)]
    sentences: Option<Range>,
}

impl RowCondition for Length {
    fn fault(&self) -> Option<TextFault> {
        let bounds = [("words", self.words), ("characters", self.characters), ("sentences", self.sentences)];
        if bounds.iter().all(|(_, bound)| bound.is_none()) {
            return Some(TextFault {
                path: String::new(),
                message: "no length is bounded, so every text is kept".to_owned(),
                help: Some("for example `length: {words: {from: 3, to: 500}}`".to_owned()),
            });
        }
        bounds.into_iter().find_map(|(path, bound)| bound?.fault(path))
    }

    fn prepare(&self) -> Prepared {
        let Self { words, characters, sentences: parts } = *self;
        of_texts(move |text| {
            let test = |rule, range: Option<Range>, count: fn(&str) -> usize| {
                let (range, value) = (range?, count(text) as f64);
                (!range.holds(value)).then_some(Failure { rule, measured: Measured::Number(value) })
            };
            test("characters", characters, |text| text.chars().count())
                .or_else(|| test("words", words, |text| text.unicode_words().count()))
                .or_else(|| test("sentences", parts, |text| sentences(text).len()))
        })
    }
}
