//! Words set apart by spaces.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Prepared, TextOperation};
use crate::text::{TextFault, chinese, edits::Edits, identify, language, segment::Pieces};

/// The words of which language are set apart.
///
/// ```text
/// words: {language: zh}             words: {language: en}
///
/// before   我来到北京清华大学。        before   "Don't," he said.
/// after    我 来到 北京 清华大学 。    after    " Don't , " he said .
/// ```
///
/// White space that is there already stays as it is. Chinese words are found with a dictionary of 350,000 words, and
/// those that are not in it with a hidden Markov model, as Jieba does; those of other languages, and what is not Chinese in
/// a Chinese text, by the rules of Unicode (UAX #29).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Words {
    /// The language, by its code: `zh`.
    language: String,
}

/// The languages that are written without spaces and of which there is no dictionary.
const UNKNOWN: &[&str] = &["ja", "km", "lo", "my", "th"];

impl TextOperation for Words {
    fn fault(&self) -> Option<TextFault> {
        let mut codes = identify::identifiable();
        codes.retain(|code| !UNKNOWN.contains(code));
        language::fault(&self.language, &codes, "rules to find words")
    }

    fn prepare(&self) -> Prepared {
        if self.language == "zh" { Box::new(by_dictionary) } else { Box::new(by_rules) }
    }
}

fn by_dictionary(text: &str) -> Cow<'_, str> {
    if !chinese::has_characters(text) {
        return by_rules(text);
    }
    apart(text, chinese::pieces(text).map(|range| range.start))
}

fn by_rules(text: &str) -> Cow<'_, str> {
    apart(text, Pieces::of(text).map(|piece| piece.start))
}

/// Puts a space in front of each piece that has none.
fn apart(text: &str, starts: impl Iterator<Item = usize>) -> Cow<'_, str> {
    let mut edits = Edits::of(text);
    for at in starts.filter(|at| *at > 0) {
        let (before, behind) = text.split_at(at);
        if !before.ends_with(char::is_whitespace) && !behind.starts_with(char::is_whitespace) {
            edits.replace(at..at, " ");
        }
    }
    edits.finish()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::text::ops::{Operation, tests::run};

    #[test]
    fn words_are_set_apart() {
        for (language, text, expected) in [
            ("zh", "我来到北京清华大学。", "我 来到 北京 清华大学 。"),
            ("zh", "他用Python 3写代码, OK?\n好", "他 用 Python 3 写 代码 , OK ?\n好"),
            ("zh", "no Chinese, but", "no Chinese , but"),
            ("en", "\"Don't,\" he said. 3.5", "\" Don't , \" he said . 3.5"),
            ("de", " a  b\t", " a  b\t"),
            ("en", "", ""),
        ] {
            assert_eq!(run(json!({"words": {"language": language}}), text), expected);
        }
        assert!(matches!(by_rules("a b c"), Cow::Borrowed(_)));
    }

    #[test]
    fn what_has_no_rules_is_a_fault() {
        for (language, help) in [("Chinese", "did you mean `zh`?"), ("th", "there are `af`, "), ("ja", "there are ")] {
            let operation: Operation = serde_json::from_value(json!({"words": {"language": language}})).unwrap();
            let fault = operation.fault().unwrap();
            assert!(fault.help.unwrap().starts_with(help), "{language}");
        }
    }

    #[test]
    fn chinese_words_are_those_of_jieba() {
        let rows: Vec<(String, Vec<String>)> =
            serde_json::from_str(include_str!("../../../tests/data/text/words.json")).unwrap();
        // Before letters of another script, Jieba joins words: `他用|Python`.
        for (text, words) in rows.into_iter().filter(|(text, _)| !text.contains("Python")) {
            let apart = run(json!({"words": {"language": "zh"}}), &text);
            // What is not Chinese is cut as everywhere else: `20%` is two.
            let words = words.iter().flat_map(|word| {
                let is_chinese = chinese::has_characters(word);
                if is_chinese { vec![word.as_str()] } else { Pieces::of(word).map(|piece| piece.text).collect() }
            });
            assert_eq!(apart.split_whitespace().collect::<Vec<_>>(), words.collect::<Vec<_>>());
        }
    }
}
