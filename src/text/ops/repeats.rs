//! Letters, marks and words that are repeated for effect.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Prepared, TextOperation};
use crate::text::{
    TextFault,
    edits::Edits,
    segment::{self, Pieces},
};

/// How often something may stand in a row.
///
/// ```text
/// repeats: {most: 2}                   repeats: {most: 1, of: words}
///
/// before   sooooo goood!!!!            before   a very very Very good film
/// after    soo good!!!!                after    a very good film
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Repeats {
    /// The most times; 2 leaves `good` alone.
    #[serde(default = "two")]
    most: usize,
    /// What is counted.
    #[serde(default)]
    of: Of,
}

/// What may be repeated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Of {
    /// A letter.
    #[default]
    Letters,
    /// A mark that is neither letter, digit nor white space: `!!!!` becomes `!!` with `{most: 2, of: marks}`.
    Marks,
    /// A word, in any case, with white space in between.
    Words,
}

fn two() -> usize {
    2
}

impl TextOperation for Repeats {
    fn fault(&self) -> Option<TextFault> {
        (self.most == 0).then(|| TextFault {
            path: "most".to_owned(),
            message: "0 leaves no letter".to_owned(),
            help: Some("2 leaves `good` as it is".to_owned()),
        })
    }

    fn prepare(&self) -> Prepared {
        let most = self.most;
        match self.of {
            Of::Letters => Box::new(move |text| characters(text, most, char::is_alphabetic)),
            Of::Marks => Box::new(move |text| characters(text, most, |c| !c.is_alphanumeric() && !c.is_whitespace())),
            Of::Words => Box::new(move |text| words(text, most)),
        }
    }
}

fn characters(text: &str, most: usize, counts: impl Fn(char) -> bool) -> Cow<'_, str> {
    let mut edits = Edits::of(text);
    let (mut before, mut start, mut times) = ('\0', 0, 0);
    // One more than the text, so that the last run ends, too.
    for (at, c) in text.char_indices().map(|(at, c)| (at, Some(c))).chain([(text.len(), None)]) {
        if c == Some(before) && times > 0 {
            times += 1;
            continue;
        }
        if times > most && counts(before) {
            edits.remove(start + most * before.len_utf8()..at);
        }
        (before, start, times) = (c.unwrap_or_default(), at, 1);
    }
    edits.finish()
}

fn words(text: &str, most: usize) -> Cow<'_, str> {
    let mut edits = Edits::of(text);
    let mut before: Option<(Cow<'_, str>, usize)> = None;
    let mut times = 0;
    for piece in Pieces::of(text) {
        if !piece.is_word {
            if !piece.text.chars().all(char::is_whitespace) {
                before = None;
            }
            continue;
        }
        let word = segment::folded(piece.text);
        let end = piece.range().end;
        match &before {
            Some((same, stood)) if *same == word => {
                times += 1;
                if times > most {
                    edits.remove(*stood..end);
                }
            }
            _ => times = 1,
        }
        before = Some((word, end));
    }
    edits.finish()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::text::ops::tests::run;

    #[test]
    fn no_more_than_so_many() {
        for (parameters, text, expected) in [
            (json!({"most": 2}), "sooooo goood!!!!", "soo good!!!!"),
            (json!({"most": 2}), "ééé字字字 111\n\n\n", "éé字字 111\n\n\n"),
            (json!({"most": 1}), "Hmmm, aA aabb", "Hm, aA ab"),
            (json!({"most": 2, "of": "marks"}), "what?????!!! ... 👍👍👍 aaa", "what??!! .. 👍👍 aaa"),
            (json!({"most": 1, "of": "words"}), "a very very Very good good, good film film", "a very good, good film"),
            (json!({"most": 2, "of": "words"}), "ha ha ha\nha", "ha ha"),
            (json!({}), "", ""),
        ] {
            assert_eq!(run(json!({ "repeats": parameters }), text), expected);
        }
        assert_eq!(run(json!({"repeats": {"most": 3}}), &"a".repeat(1 << 20)), "aaa");
    }
}
