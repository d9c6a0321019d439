//! What the reader of `tokenizer.json` trusts, and panics on where it is not so.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;

/// Looks at the pairs of byte-pair encoding, of which none may be longer than all tokens.
///
/// # Errors
/// When a pair is of no token.
pub(super) fn check_pairs(bytes: &[u8]) -> Result<(), String> {
    #[derive(Deserialize)]
    struct File {
        model: Model,
    }
    #[derive(Deserialize)]
    struct Model {
        vocab: HashMap<String, u32>,
        merges: Vec<Merge>,
        continuing_subword_prefix: Option<String>,
    }
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Merge {
        Line(String),
        Pair(String, String),
    }
    // Other models have no such pairs, and their reader says what is wrong with a file.
    let is_bpe = bytes.windows(8).any(|window| window == b"\"merges\"");
    let Some(File { model }) = Some(bytes).filter(|_| is_bpe).and_then(|bytes| serde_json::from_slice(bytes).ok())
    else {
        return Ok(());
    };
    let longest = model.vocab.keys().map(String::len).max().unwrap_or(0);
    let prefix = model.continuing_subword_prefix.unwrap_or_default().len();
    for merge in &model.merges {
        let pair = match merge {
            Merge::Line(line) => line.split_once(' '),
            Merge::Pair(left, right) => Some((left.as_str(), right.as_str())),
        };
        let Some((left, right)) = pair else { continue };
        if right.len() < prefix || left.len() + right.len() - prefix > longest {
            return Err(format!("the pair of `{left}` and `{right}` is no token of its vocabulary"));
        }
    }
    Ok(())
}

/// Looks at what is put around texts: each special token must have its ids, and what is put around one text must not ask for
/// another.
///
/// # Errors
/// When it is not so.
pub(super) fn check_template(tokenizer: &tokenizers::Tokenizer) -> Result<(), String> {
    let post = serde_json::to_value(tokenizer.get_post_processor()).map_err(|error| error.to_string())?;
    let mut left = vec![&post];
    while let Some(processor) = left.pop() {
        left.extend(processor.get("processors").and_then(Value::as_array).into_iter().flatten());
        for key in ["single", "pair"] {
            for piece in processor.get(key).and_then(Value::as_array).into_iter().flatten() {
                let id = |kind: &str| piece.get(kind)?.get("id")?.as_str();
                if let Some(name) = id("SpecialToken")
                    && processor.get("special_tokens").and_then(|tokens| tokens.get(name)).is_none()
                {
                    return Err(format!("`{name}` is put around texts, but is none of its `special_tokens`"));
                }
                if key == "single" && id("Sequence") == Some("B") {
                    return Err("its `single` asks for a second text".to_owned());
                }
            }
        }
    }
    Ok(())
}
