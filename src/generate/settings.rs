//! `Generation`: how a text is written, as a person says it; `Settings`, as it is done.

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Visitor};

use super::GenerateError;
use crate::model::{EarlyStopping, Writing};

/// Beams that are more than any use.
const MOST_BEAMS: usize = 64;

/// Where neither a person nor a checkpoint names a greatest length: `transformers` writes 20 tokens then, which are no
/// summary.
const MAX_LENGTH: usize = 256;

/// How a text is written. What is not set is as the checkpoint proposes (`generation_config.json`), else as `transformers`
/// has it. Lengths are in tokens and count the one that the decoder begins with.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Generation {
    /// Texts that are followed at once; 1 is greedy search.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_beams: Option<usize>,
    /// The power of its length by which the score of a text is divided: above 0, longer ones win.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length_penalty: Option<f64>,
    /// When a search ends that has found as many texts as there are beams: `true` at once, `false` when the best beam is no
    /// better, `never` when none can become better.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub early_stopping: Option<Stopping>,
    /// So many tokens in a row stand once in a text; 0 turns it off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_repeat_ngram_size: Option<usize>,
    /// The least number of tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_length: Option<usize>,
    /// The greatest number of tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_length: Option<usize>,
}

/// `early_stopping` as it is written: true, false or `never`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopping(pub EarlyStopping);

impl Serialize for Stopping {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            EarlyStopping::Heuristic => serializer.serialize_bool(false),
            EarlyStopping::AtOnce => serializer.serialize_bool(true),
            EarlyStopping::Never => serializer.serialize_str("never"),
        }
    }
}

impl<'de> Deserialize<'de> for Stopping {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl Visitor<'_> for Any {
            type Value = Stopping;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true, false or `never`")
            }

            fn visit_bool<E>(self, at_once: bool) -> Result<Stopping, E> {
                Ok(Stopping(if at_once { EarlyStopping::AtOnce } else { EarlyStopping::Heuristic }))
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Stopping, E> {
                if text == "never" {
                    return Ok(Stopping(EarlyStopping::Never));
                }
                Err(E::invalid_value(serde::de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

impl JsonSchema for Stopping {
    fn schema_name() -> Cow<'static, str> {
        "EarlyStopping".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"enum": [true, false, "never"]})
    }
}

/// How a text is written, with nothing left open.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// What the decoder begins with.
    pub start: u32,
    /// What ends a text.
    pub ends: Vec<u32>,
    /// What comes first behind `start`.
    pub forced_first: Option<u32>,
    /// What a text of the greatest length ends with.
    pub forced_last: Vec<u32>,
    /// Texts that are followed at once.
    pub num_beams: usize,
    /// The power of its length by which the score of a text is divided.
    pub length_penalty: f64,
    /// When a beam search ends.
    pub early_stopping: EarlyStopping,
    /// Tokens in a row that stand once; 0 where all may stand again.
    pub no_repeat_ngram_size: usize,
    /// The least number of tokens, the first among them.
    pub min_length: usize,
    /// The greatest.
    pub max_length: usize,
}

impl Generation {
    /// What is wrong whatever the model, the parameter first.
    #[must_use]
    pub fn fault(&self) -> Option<(&'static str, String)> {
        if let Some(beams) = self.num_beams.filter(|beams| !(1..=MOST_BEAMS).contains(beams)) {
            return Some(("num_beams", format!("`num_beams` must be 1 to {MOST_BEAMS}, not {beams}")));
        }
        if let Some(penalty) = self.length_penalty.filter(|penalty| !penalty.is_finite()) {
            return Some(("length_penalty", format!("`length_penalty` must be a number, not {penalty}")));
        }
        if let Some(longest) = self.max_length.filter(|longest| *longest < 2) {
            return Some((
                "max_length",
                format!("`max_length` must be at least 2, not {longest}: one token begins a text"),
            ));
        }
        match (self.min_length, self.max_length) {
            (Some(least), Some(most)) if least > most => {
                Some(("min_length", format!("`min_length` ({least}) is above `max_length` ({most})")))
            }
            _ => None,
        }
    }

    /// With what a checkpoint proposes; a text may have `longest` tokens.
    ///
    /// # Errors
    /// When a setting is of no use, or the checkpoint's is.
    pub fn settle(&self, proposed: &Writing, longest: usize) -> Result<Settings, GenerateError> {
        let settled = Self {
            num_beams: Some(self.num_beams.or(proposed.num_beams).unwrap_or(1)),
            length_penalty: Some(self.length_penalty.or(proposed.length_penalty).unwrap_or(1.0)),
            max_length: Some(self.max_length.or(proposed.max_length).unwrap_or_else(|| MAX_LENGTH.min(longest))),
            min_length: self.min_length.or(proposed.min_length),
            ..self.clone()
        };
        if let Some((_, what)) = settled.fault() {
            return Err(GenerateError::Setting(what));
        }
        let max_length = settled.max_length.unwrap_or(longest);
        if max_length > longest {
            return Err(GenerateError::Setting(format!(
                "`max_length` is {max_length}, but the decoder has positions for {longest} tokens"
            )));
        }
        let stopping = self.early_stopping.map(|Stopping(stopping)| stopping).or(proposed.early_stopping);
        Ok(Settings {
            start: proposed.start,
            ends: proposed.ends.clone(),
            forced_first: proposed.forced_first,
            forced_last: proposed.forced_last.clone(),
            num_beams: settled.num_beams.unwrap_or(1),
            length_penalty: settled.length_penalty.unwrap_or(1.0),
            early_stopping: stopping.unwrap_or_default(),
            no_repeat_ngram_size: self.no_repeat_ngram_size.or(proposed.no_repeat_ngram_size).unwrap_or(0),
            min_length: settled.min_length.unwrap_or(0),
            max_length,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_goes_before_what_is_proposed() {
        let proposed = Writing {
            num_beams: Some(4),
            max_length: Some(50),
            min_length: Some(10),
            early_stopping: Some(EarlyStopping::AtOnce),
            ..Writing::default()
        };
        let said = Generation { num_beams: Some(2), ..Generation::default() };
        let settings = said.settle(&proposed, 100).unwrap();
        assert_eq!((settings.num_beams, settings.max_length, settings.min_length), (2, 50, 10));
        assert_eq!((settings.early_stopping, settings.length_penalty), (EarlyStopping::AtOnce, 1.0));
        let longest = Generation::default().settle(&Writing::default(), 100).unwrap().max_length;
        assert_eq!(longest, 100);
        assert_eq!(Generation::default().settle(&Writing::default(), 1000).unwrap().max_length, MAX_LENGTH);
    }

    #[test]
    fn what_is_of_no_use_is_told() {
        let told = |text: &str| {
            let generation: Generation = serde_json::from_str(text).unwrap();
            generation.settle(&Writing { min_length: Some(30), ..Writing::default() }, 100).unwrap_err().to_string()
        };
        assert!(told("{\"num_beams\": 0}").contains("`num_beams` must be 1 to 64, not 0"));
        assert!(told("{\"max_length\": 1}").contains("`max_length` must be at least 2, not 1"));
        assert!(told("{\"max_length\": 101}").contains("`max_length` is 101, but the decoder has positions for 100"));
        assert!(told("{\"max_length\": 20}").contains("`min_length` (30) is above `max_length` (20)"));
    }

    #[test]
    fn early_stopping_is_a_flag_or_never() {
        for text in ["true", "false", "\"never\""] {
            let stopping: Stopping = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&stopping).unwrap(), text);
        }
        let error = serde_json::from_str::<Stopping>("\"always\"").unwrap_err().to_string();
        assert!(error.contains("expected true, false or `never`"), "{error}");
    }
}
