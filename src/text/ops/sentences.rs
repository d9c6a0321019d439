//! Sentences: how many, and where.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Prepared, TextOperation};
use crate::text::{TextFault, sentences};

/// Which sentences stay, and whether each stands on a line.
///
/// ```text
/// sentences: {most: 2}                           sentences: {lines: true}
///
/// before   One, e.g. this. Two? Three!           before   One, e.g. this. Two? Three!
/// after    One, e.g. this. Two?                  after    One, e.g. this.
///                                                         Two?
///                                                         Three!
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sentences {
    /// The first so many stay; all if it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    most: Option<usize>,
    /// Whether each stands on a line of its own, without line ends within.
    #[serde(default)]
    lines: bool,
}

impl TextOperation for Sentences {
    fn fault(&self) -> Option<TextFault> {
        let (path, message) = match self {
            Self { most: Some(0), .. } => ("most", "0 leaves no sentence"),
            Self { most: None, lines: false } => ("", "nothing is done"),
            _ => return None,
        };
        let help = Some("`sentences: {most: 3}`, or `{lines: true}`".to_owned());
        Some(TextFault { path: path.to_owned(), message: message.to_owned(), help })
    }

    fn prepare(&self) -> Prepared {
        let most = self.most.unwrap_or(usize::MAX);
        if self.lines { Box::new(move |text| lines(text, most)) } else { Box::new(move |text| first(text, most)) }
    }
}

fn first(text: &str, most: usize) -> Cow<'_, str> {
    let found = sentences(text);
    if found.len() <= most {
        return Cow::Borrowed(text);
    }
    let last = found[most - 1];
    // Sentences are parts of the text: where one ends is the distance of their places in memory.
    let end = last.as_ptr() as usize + last.len() - text.as_ptr() as usize;
    Cow::Borrowed(&text[..end])
}

fn lines(text: &str, most: usize) -> Cow<'_, str> {
    let mut out = String::with_capacity(text.len());
    for sentence in sentences(text).into_iter().take(most) {
        if !out.is_empty() {
            out.push('\n');
        }
        for (at, line) in sentence.lines().map(str::trim).filter(|line| !line.is_empty()).enumerate() {
            if at > 0 {
                out.push(' ');
            }
            out.push_str(line);
        }
    }
    if out == text { Cow::Borrowed(text) } else { Cow::Owned(out) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::text::ops::{Operation, tests::run};

    #[test]
    fn the_first_sentences_and_lines() {
        let text = " One, e.g. this\nand that.  Two?\n\nThree! ";
        for (parameters, expected) in [
            (json!({"most": 1}), " One, e.g. this\nand that."),
            (json!({"most": 2}), " One, e.g. this\nand that.  Two?"),
            (json!({"most": 3}), text),
            (json!({"lines": true}), "One, e.g. this and that.\nTwo?\nThree!"),
            (json!({"lines": true, "most": 2}), "One, e.g. this and that.\nTwo?"),
        ] {
            assert_eq!(run(json!({ "sentences": parameters }), text), expected);
            assert_eq!(run(json!({ "sentences": parameters }), ""), "");
        }
        for (parameters, path) in [(json!({"most": 0}), "most"), (json!({}), "")] {
            let operation: Operation = serde_json::from_value(json!({ "sentences": parameters })).unwrap();
            assert_eq!(operation.fault().unwrap().path, path);
        }
    }
}
