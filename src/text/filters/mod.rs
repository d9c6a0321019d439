//! The list of conditions that rows are kept by: a new one is one file and one line.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::TextFault;

/// A row, as conditions see it.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// Its text.
    pub text: &'a str,
    /// Its second text, of pair tasks.
    pub pair: Option<&'a str>,
    /// Its label.
    pub label: Option<&'a str>,
}

/// Why a row does not meet a condition.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// Which of the condition's rules fails: `words`; the condition's own name where it has one rule.
    pub rule: &'static str,
    /// What was measured.
    pub measured: Measured,
}

/// What was measured of a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Measured {
    /// A count or a share.
    Number(f64),
    /// Something in words: a label, `fr 0.83`.
    Text(String),
}

/// A condition that is ready to judge rows, from many threads; nothing of a row that meets it.
pub type Prepared = Box<dyn Fn(&Row<'_>) -> Option<Failure> + Send + Sync>;

/// What each condition's parameters can do.
trait RowCondition {
    /// What types cannot say: an unknown language, a bad range.
    fn fault(&self) -> Option<TextFault> {
        None
    }

    /// Looks up what it needs. Only called for parameters without fault.
    fn prepare(&self) -> Prepared;

    /// The labels that it names; none of a condition that does not look at labels.
    fn labels(&self) -> Option<&[String]> {
        None
    }
}

macro_rules! conditions {
    ($($(#[$about:meta])* $module:ident::$Condition:ident,)*) => {
        $(mod $module;)*

        /// A condition of `filter`. Of a pair, both texts must meet it.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum Condition {
            $($(#[$about])* $Condition($module::$Condition),)*
        }

        impl Condition {
            /// The name that recipes call it by.
            #[must_use]
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$Condition(_) => stringify!($module),)*
                }
            }

            fn inner(&self) -> &dyn RowCondition {
                match self {
                    $(Self::$Condition(inner) => inner,)*
                }
            }
        }
    };
}

conditions! {
    /// How long the text is: `length: {words: {from: 3, to: 500}}`.
    length::Length,
    /// Which language the text is in: `language: {is: [en, zh], confidence: 0.5}`.
    language::Language,
    /// Text that repeats itself goes: `repetition: {}`. The rules and thresholds of Gopher's texts (Rae et al., 2021: "Scaling Language
    /// Models: Methods, Analysis & Insights from Training Gopher", table A1).
    repetition::Repetition,
    /// Text that is no prose goes: `quality: {}`. The rules and thresholds of Gopher's texts (Rae et al., 2021, A.1.1), made for web
    /// pages, and three of C4's (Raffel et al., 2020, 2.2), which are off unless they are asked for.
    quality::Quality,
    /// What a regular expression finds in the text: `matches: {regex: 'https?://', is: absent}`.
    matches::Matches,
    /// Which label the row has: `label: {is: [positive, negative]}`, or `label: {not: [unknown]}`.
    label::Label,
}

impl Condition {
    /// What is wrong with its parameters, if anything.
    #[must_use]
    pub fn fault(&self) -> Option<TextFault> {
        self.inner().fault()
    }

    /// Makes it ready to judge many rows.
    #[must_use]
    pub fn prepare(&self) -> Prepared {
        self.inner().prepare()
    }

    /// The labels that it names; none of a condition that does not look at labels.
    #[must_use]
    pub fn labels(&self) -> Option<&[String]> {
        self.inner().labels()
    }
}

/// From where to where a number may be, both included; without `from` or `to` there is no bound.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// The least.
    #[serde(default)]
    from: Option<f64>,
    /// The most.
    #[serde(default)]
    to: Option<f64>,
}

impl Range {
    fn fault(&self, path: &str) -> Option<TextFault> {
        let message = match (self.from, self.to) {
            (None, None) => "there is no bound".to_owned(),
            // Not a number is neither.
            (Some(from), Some(to)) if from.partial_cmp(&to).is_none_or(std::cmp::Ordering::is_gt) => {
                format!("nothing is from {from} to {to}")
            }
            _ => return None,
        };
        let help = Some(format!("for example `{path}: {{from: 3, to: 500}}`"));
        Some(TextFault { path: path.to_owned(), message, help })
    }

    fn holds(&self, value: f64) -> bool {
        self.from.is_none_or(|from| value >= from) && self.to.is_none_or(|to| value <= to)
    }
}

/// A test of one text, for both texts of a pair.
fn of_texts(test: impl Fn(&str) -> Option<Failure> + Send + Sync + 'static) -> Prepared {
    Box::new(move |row| test(row.text).or_else(|| row.pair.and_then(&test)))
}

/// The fault of a share that is none.
fn share_fault(path: &str, share: f64) -> Option<TextFault> {
    (!(0.0..=1.0).contains(&share)).then(|| TextFault {
        path: path.to_owned(),
        message: format!("a share is between 0 and 1, not {share}"),
        help: None,
    })
}

/// The failure of a share that is above its bound.
fn above(rule: &'static str, share: f64, most: f64) -> Option<Failure> {
    (share > most).then_some(Failure { rule, measured: Measured::Number(share) })
}

/// A part of something; nothing of nothing.
fn share(part: usize, of: usize) -> f64 {
    if of == 0 { 0.0 } else { part as f64 / of as f64 }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn condition(value: &Value) -> Condition {
        serde_json::from_value(value.clone()).unwrap()
    }

    /// The rule that a text fails, and what was measured.
    pub(super) fn failure(value: &Value, text: &str) -> Option<(&'static str, Measured)> {
        let condition = condition(value);
        assert_eq!(condition.fault(), None, "{value}");
        let failure = condition.prepare()(&Row { text, pair: None, label: Some("pos") })?;
        Some((failure.rule, failure.measured))
    }

    pub(super) fn rule(value: &Value, text: &str) -> Option<&'static str> {
        failure(value, text).map(|(rule, _)| rule)
    }

    #[test]
    fn each_judges_by_what_it_says() {
        let number = |value: f64| Some(Measured::Number(value));
        let text = |value: &str| Some(Measured::Text(value.to_owned()));
        for (value, row, expected) in [
            (json!({"length": {"words": {"from": 2}}}), "I don't", None),
            (json!({"length": {"words": {"from": 3, "to": 4}}}), "I don't", number(2.0)),
            (json!({"length": {"words": {"to": 1}}}), "I don't", number(2.0)),
            (json!({"length": {"characters": {"to": 3}}}), "äöü", None),
            (json!({"length": {"characters": {"to": 3}}}), "äöü👍", number(4.0)),
            (json!({"length": {"sentences": {"from": 2}}}), "One. Two.", None),
            (json!({"length": {"sentences": {"from": 2}, "words": {"from": 1}}}), "One two.", number(1.0)),
            (json!({"length": {"words": {"from": 1}}}), "", number(0.0)),
            (json!({"matches": {"regex": r"https?://"}}), "see http://a.b", None),
            (json!({"matches": {"regex": r"https?://"}}), "see", text("no match")),
            (json!({"matches": {"regex": r"(?i)free money", "is": "absent"}}), "Get FREE MONEY!", text("FREE MONEY")),
            (json!({"matches": {"regex": r"\p{Han}", "is": "absent"}}), "no", None),
            (json!({"label": {"is": ["pos", "neg"]}}), "", None),
            (json!({"label": {"is": ["neg"]}}), "", text("pos")),
            (json!({"label": {"not": ["pos"]}}), "", text("pos")),
            (json!({"label": {"not": ["neg"]}}), "", None),
            (json!({"language": {"is": ["en"]}}), "The film is a very good one, and I liked it a lot.", None),
            (json!({"language": {"is": ["zh", "en"]}}), "今天天气很好。", None),
            (json!({"language": {"is": ["en"]}}), "今天天气很好。", text("zh 1.00")),
            (json!({"language": {"is": ["en"]}}), "👍 3 : 2", text("none")),
        ] {
            assert_eq!(failure(&value, row).map(|(_, measured)| measured), expected, "{value} {row:?}");
        }
        let both = Row { text: "a b c", pair: Some("d"), label: None };
        let condition = condition(&json!({"length": {"words": {"from": 3}}}));
        assert_eq!(condition.prepare()(&both).unwrap().measured, Measured::Number(1.0), "of a pair, both must");
    }

    #[test]
    fn odd_texts_panic_nowhere() {
        let conditions = [
            json!({"length": {"words": {"from": 1}, "characters": {"from": 1}, "sentences": {"from": 1}}}),
            json!({"language": {"is": ["en"]}}),
            json!({"repetition": {}}),
            json!({"quality": {"lorem_ipsum": true, "curly_braces": true, "terminal_punctuation": 0.5}}),
            json!({"matches": {"regex": "x+$"}}),
        ]
        .map(|value| condition(&value).prepare());
        let long = "x".repeat(1 << 20);
        let many = "a b ".repeat(1 << 16);
        for text in
            ["", "\0", "\0\0 \n", "👍🏽", "שלום عالم", "今天天气很好", "\n\n\n", "…", "•", &long, &many, "\u{feff}"]
        {
            for condition in &conditions {
                condition(&Row { text, pair: Some(text), label: None });
            }
        }
    }

    #[test]
    fn faults_say_where_and_what_to_do() {
        for (value, path, told) in [
            (json!({"length": {}}), "", "no length is bounded"),
            (json!({"length": {"words": {}}}), "words", "there is no bound"),
            (json!({"length": {"words": {"from": 5, "to": 3}}}), "words", "nothing is from 5 to 3"),
            (json!({"language": {"is": []}}), "is", "no language"),
            (json!({"language": {"is": ["en", "english"]}}), "is[1]", "`english` is no language"),
            (json!({"language": {"is": ["en"], "confidence": 2}}), "confidence", "between 0 and 1"),
            (json!({"repetition": {"duplicate_lines": 1.5}}), "duplicate_lines", "between 0 and 1"),
            (json!({"repetition": {"top_runs": [0.1, 0.1, -1.0]}}), "top_runs[2]", "between 0 and 1"),
            (json!({"quality": {"symbols": -1.0}}), "symbols", "between 0 and 1"),
            (json!({"quality": {"mean_word_length": {"from": 9, "to": 2}}}), "mean_word_length", "from 9 to 2"),
            (json!({"quality": {"stop_words": {"at_least": 3, "of": ["the"]}}}), "stop_words.at_least", "of 1"),
            (json!({"matches": {"regex": "(a"}}), "regex", "unclosed group"),
            (json!({"label": {}}), "", "`is` or `not`"),
            (json!({"label": {"is": ["a"], "not": ["b"]}}), "", "`is` or `not`"),
        ] {
            let fault = condition(&value).fault().unwrap_or_else(|| panic!("{value} has no fault"));
            assert!(fault.path == path && fault.message.contains(told), "{value}: {fault:?}");
        }
        assert_eq!(condition(&json!({"label": {"is": ["a"]}})).labels(), Some(&["a".to_owned()][..]));
        assert_eq!(condition(&json!({"quality": {}})).name(), "quality");
    }
}
