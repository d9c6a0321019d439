//! What a checkpoint says about how it writes: `generation_config.json` or, without one, `config.json`.

use std::path::Path;

use serde_json::{Map, Value};

use crate::{
    base::fs,
    model::{ModelError, checkpoint::Fields},
};

/// When a beam search ends (`early_stopping` of `transformers`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EarlyStopping {
    /// When as many texts have ended as there are beams, and the best beam, at its present length, is no better: `false`.
    #[default]
    Heuristic,
    /// When as many texts have ended as there are beams: `true`.
    AtOnce,
    /// When no beam can become better, with a length penalty at its greatest length: `"never"`.
    Never,
}

/// Tokens with a meaning of their own, and settings that a checkpoint proposes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Writing {
    /// What the decoder begins with, `decoder_start_token_id`.
    pub start: u32,
    /// What ends a text, `eos_token_id`: none, one or several.
    pub ends: Vec<u32>,
    /// What a text begins with behind [`Self::start`], `forced_bos_token_id`.
    pub forced_first: Option<u32>,
    /// What a text of the greatest length ends with, `forced_eos_token_id`.
    pub forced_last: Vec<u32>,
    /// `num_beams`.
    pub num_beams: Option<usize>,
    /// `length_penalty`.
    pub length_penalty: Option<f64>,
    /// `early_stopping`.
    pub early_stopping: Option<EarlyStopping>,
    /// `no_repeat_ngram_size`.
    pub no_repeat_ngram_size: Option<usize>,
    /// `min_length`.
    pub min_length: Option<usize>,
    /// `max_length`.
    pub max_length: Option<usize>,
    /// Keys that change what `transformers` writes, and that are not followed.
    pub ignored: Vec<String>,
}

/// Keys that `transformers` follows and lmpipe does not, and what each has to be to say nothing.
const OTHER_KEYS: [(&str, &str); 17] = [
    ("do_sample", "false"),
    ("num_beam_groups", "1"),
    ("diversity_penalty", "0.0"),
    ("repetition_penalty", "1.0"),
    ("encoder_repetition_penalty", "1.0"),
    ("encoder_no_repeat_ngram_size", "0"),
    ("bad_words_ids", "null"),
    ("force_words_ids", "null"),
    ("constraints", "null"),
    ("sequence_bias", "null"),
    ("suppress_tokens", "null"),
    ("begin_suppress_tokens", "null"),
    ("exponential_decay_length_penalty", "null"),
    ("guidance_scale", "null"),
    ("penalty_alpha", "null"),
    ("min_new_tokens", "null"),
    ("max_new_tokens", "null"),
];

/// Tokens that may end a text: a search follows as many beams for each.
const MOST_IDS: usize = 16;

/// Reads it.
///
/// # Errors
/// When the file is damaged, or a value is of no use.
pub(super) fn read(dir: &Path, config: &Map<String, Value>, vocab_size: usize) -> Result<Writing, ModelError> {
    let own = dir.join("generation_config.json");
    if !own.exists() {
        return of(&Fields::new(&dir.join("config.json"), config), vocab_size);
    }
    let wrong = |what: String| ModelError::Checkpoint(format!("`{}` {what}", own.display()));
    match serde_json::from_str(&fs::read_text(&own)?) {
        Ok(Value::Object(object)) => of(&Fields::new(&own, &object), vocab_size),
        Ok(_) => Err(wrong("is not a JSON object".to_owned())),
        Err(error) => Err(wrong(format!("is not JSON: {error}"))),
    }
}

fn of(fields: &Fields<'_>, vocab_size: usize) -> Result<Writing, ModelError> {
    let ids = |key: &str| ids(fields, key, vocab_size);
    let one = |key: &str| match &*ids(key)? {
        [] => Ok(None),
        [id] => Ok(Some(*id)),
        several => Err(fields.fault(&format!("`{key}` must be the number of one token, not of {}", several.len()))),
    };
    let start = match one("decoder_start_token_id")? {
        Some(start) => start,
        None => one("bos_token_id")?
            .ok_or_else(|| fields.fault("neither `decoder_start_token_id` nor `bos_token_id` is there"))?,
    };
    let whole = |key: &str| whole(fields, key);
    let is_other = |(key, plain): &&(&str, &str)| {
        fields.value(key).is_some_and(|value| {
            let plain: Value = serde_json::from_str(plain).unwrap_or_default();
            *value != plain && value.as_f64().is_none_or(|number| Some(number) != plain.as_f64())
        })
    };
    Ok(Writing {
        start,
        ends: ids("eos_token_id")?,
        forced_first: one("forced_bos_token_id")?,
        forced_last: ids("forced_eos_token_id")?,
        num_beams: whole("num_beams")?,
        length_penalty: number(fields, "length_penalty")?,
        early_stopping: early_stopping(fields)?,
        no_repeat_ngram_size: whole("no_repeat_ngram_size")?,
        min_length: whole("min_length")?,
        max_length: whole("max_length")?,
        ignored: OTHER_KEYS.iter().filter(is_other).map(|(key, _)| (*key).to_owned()).collect(),
    })
}

/// The number of a token, or a list of such.
fn ids(fields: &Fields<'_>, key: &str, vocab_size: usize) -> Result<Vec<u32>, ModelError> {
    let id = |value: &Value| {
        let id = value.as_u64().filter(|id| *id < vocab_size as u64).and_then(|id| u32::try_from(id).ok());
        id.ok_or_else(|| {
            fields.fault(&format!("`{key}` must be the number of a token below {vocab_size}, not `{value}`"))
        })
    };
    match fields.value(key) {
        None => Ok(Vec::new()),
        Some(Value::Array(list)) if list.len() > MOST_IDS => {
            Err(fields.fault(&format!("`{key}` names {} tokens; at most {MOST_IDS} make sense", list.len())))
        }
        Some(Value::Array(list)) => list.iter().map(id).collect(),
        Some(value) => Ok(vec![id(value)?]),
    }
}

fn whole(fields: &Fields<'_>, key: &str) -> Result<Option<usize>, ModelError> {
    let Some(value) = fields.value(key) else { return Ok(None) };
    match value.as_u64().filter(|number| *number <= 0x7fff_ffff) {
        Some(number) => Ok(Some(number as usize)),
        None => Err(fields.fault(&format!("`{key}` must be a whole number of at least 0, not `{value}`"))),
    }
}

fn number(fields: &Fields<'_>, key: &str) -> Result<Option<f64>, ModelError> {
    let Some(value) = fields.value(key) else { return Ok(None) };
    match value.as_f64().filter(|number| number.is_finite()) {
        Some(number) => Ok(Some(number)),
        None => Err(fields.fault(&format!("`{key}` must be a number, not `{value}`"))),
    }
}

fn early_stopping(fields: &Fields<'_>) -> Result<Option<EarlyStopping>, ModelError> {
    match fields.value("early_stopping") {
        None => Ok(None),
        Some(Value::Bool(at_once)) => Ok(Some(if *at_once { EarlyStopping::AtOnce } else { EarlyStopping::Heuristic })),
        Some(Value::String(never)) if never == "never" => Ok(Some(EarlyStopping::Never)),
        Some(value) => Err(fields.fault(&format!("`early_stopping` must be true, false or \"never\", not `{value}`"))),
    }
}
