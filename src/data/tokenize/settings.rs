//! What stands beside a vocabulary: `tokenizer_config.json`, `special_tokens_map.json`, `added_tokens.json`.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value};
use tokenizers::AddedToken;

use super::DataError;
use crate::base::{fs, model_dir::MAKE_JSON};

/// The settings of a tokenizer that is built from its vocabulary.
pub(super) struct Settings {
    dir: PathBuf,
    config: Map<String, Value>,
    special: Map<String, Value>,
    added: Map<String, Value>,
}

impl Settings {
    /// Reads the files that are there.
    ///
    /// # Errors
    /// When one is no JSON object.
    pub(super) fn read(dir: &Path) -> Result<Self, DataError> {
        Ok(Self {
            dir: dir.to_owned(),
            config: object(dir, "tokenizer_config.json")?,
            special: object(dir, "special_tokens_map.json")?,
            added: object(dir, "added_tokens.json")?,
        })
    }

    /// Refuses the vocabulary of another tokenizer, of which it is a part only: it would give ids, and wrong ones.
    ///
    /// # Errors
    /// When `tokenizer_class` names none of these (`…Fast` is the same), and no class for all.
    pub(super) fn expect_class(&self, known: &[&str]) -> Result<(), DataError> {
        let Some(class) = self.config.get("tokenizer_class").and_then(Value::as_str) else { return Ok(()) };
        let plain = class.strip_suffix("Fast").unwrap_or(class);
        if plain == "PreTrainedTokenizer" || known.contains(&plain) {
            return Ok(());
        }
        Err(self.wrong(&format!("`tokenizer_class` is `{class}`, which lmpipe does not build; {MAKE_JSON}")))
    }

    /// An error at `tokenizer_config.json`.
    fn wrong(&self, what: &str) -> DataError {
        DataError::content(format!("`{}`: {what}", self.dir.join("tokenizer_config.json").display()))
    }

    /// A setting that is true or false, or not set.
    ///
    /// # Errors
    /// When it is something else.
    pub(super) fn flag(&self, key: &str) -> Result<Option<bool>, DataError> {
        match self.config.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(other) => Err(self.wrong(&format!("`{key}` must be true or false, not `{other}`"))),
        }
    }

    /// A special token (`mask_token`): as the files have it, else the default.
    pub(super) fn token(&self, key: &str, default: AddedToken) -> AddedToken {
        match self.named(key) {
            // Its name alone says nothing of the spaces around it.
            Some(Value::String(content)) => AddedToken { content: content.clone(), ..default },
            Some(value) => token(value, true).unwrap_or(default),
            None => default,
        }
    }

    /// What the files say of special tokens. The older one counts where the newer does not list them all, as in
    /// `transformers`.
    fn named(&self, key: &str) -> Option<&Value> {
        let has_all = self.config.contains_key("added_tokens_decoder");
        let older = self.special.get(key).filter(|_| !has_all);
        older.or_else(|| self.config.get(key)).filter(|value| !value.is_null())
    }

    /// Adds the tokens that stand beside the vocabulary, and the special ones, at the ids that the files have for them.
    ///
    /// # Errors
    /// When a token would get another id.
    pub(super) fn add_tokens(
        &self,
        tokenizer: &mut tokenizers::Tokenizer,
        special: impl IntoIterator<Item = AddedToken>,
    ) -> Result<(), DataError> {
        let mut added = BTreeMap::new();
        for (content, id) in &self.added {
            if let Some(id) = id.as_u64() {
                added.insert(content.clone(), (id, AddedToken::from(content.clone(), false)));
            }
        }
        for (id, value) in self.config.get("added_tokens_decoder").and_then(Value::as_object).into_iter().flatten() {
            if let (Ok(id), Some(token)) = (id.parse(), token(value, false)) {
                // It says more of a token than the older file.
                added.insert(token.content.clone(), (id, token));
            }
        }
        let mut added: Vec<_> = added.into_values().collect();
        added.sort_by_key(|(id, _)| *id);
        let cannot = |error: &dyn std::fmt::Display| DataError::content(format!("`{}`: {error}", self.dir.display()));
        let tokens: Vec<_> = added.iter().map(|(_, token)| token.clone()).collect();
        tokenizer.add_tokens(tokens).map_err(|error| cannot(&error))?;
        let is_elsewhere =
            |(id, token): &&(u64, AddedToken)| tokenizer.token_to_id(&token.content).map(u64::from) != Some(*id);
        if let Some((id, AddedToken { content, .. })) = added.iter().find(is_elsewhere) {
            return Err(cannot(&format!(
                "the added token `{content}` has the id {id}, which the vocabulary does not leave free for it; {MAKE_JSON}"
            )));
        }
        for token in special {
            let known =
                tokenizer.get_added_tokens_decoder().values().any(|old| old.content == token.content && old.special);
            if !known {
                tokenizer.add_special_tokens([token]).map_err(|error| cannot(&error))?;
            }
        }
        let more = self.named("additional_special_tokens").and_then(Value::as_array);
        let more = more.into_iter().flatten().filter_map(|value| token(value, true));
        tokenizer.add_special_tokens(more).map_err(|error| cannot(&error))?;
        Ok(())
    }
}

/// A token with its id in the vocabulary.
///
/// # Errors
/// When it is not in it.
pub(super) fn with_id(tokenizer: &tokenizers::Tokenizer, token: &AddedToken) -> Result<(String, u32), String> {
    let id = tokenizer.token_to_id(&token.content);
    let id = id.ok_or_else(|| format!("`{}` is not in the vocabulary", token.content))?;
    Ok((token.content.clone(), id))
}

/// A token as the files write it: its content, or an object with that and how it is found in a text.
fn token(value: &Value, special: bool) -> Option<AddedToken> {
    if let Value::String(content) = value {
        return Some(AddedToken::from(content.clone(), special));
    }
    let content = value.get("content")?.as_str()?;
    let flag = |key: &str| value.get(key).and_then(Value::as_bool);
    let special = special || flag("special").unwrap_or(false);
    Some(AddedToken {
        content: content.to_owned(),
        single_word: flag("single_word").unwrap_or(false),
        lstrip: flag("lstrip").unwrap_or(false),
        rstrip: flag("rstrip").unwrap_or(false),
        normalized: flag("normalized").unwrap_or(!special),
        special,
    })
}

/// The object in a file; none is an empty one.
fn object(dir: &Path, name: &str) -> Result<Map<String, Value>, DataError> {
    let path = dir.join(name);
    if !path.is_file() {
        return Ok(Map::new());
    }
    serde_json::from_slice(&fs::read(&path)?)
        .map_err(|error| DataError::content(format!("`{}` is not a JSON object: {error}", path.display())))
}
