//! Tokens as llama.cpp's tokenizer `bert` looks them up: words begin with `▁`, and pieces within words with nothing.

use std::collections::BTreeSet;

use crate::data::WordPieces;

/// What a word begins with.
pub(super) const WORD: char = '\u{2581}';

/// A token as it stands in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) text: String,
    pub(super) kind: Kind,
}

/// llama.cpp's `llama_token_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Normal = 1,
    /// Special: no text is split into it. Its own converter has `[UNK]` among these, too.
    Control = 3,
    /// Found in a text before that is split.
    UserDefined = 4,
    /// A row of the embeddings that no text leads to.
    Unused = 5,
}

/// The tokens, one a row of the word embeddings.
///
/// # Errors
/// When two would be one, or one has no row.
pub(super) fn of(pieces: &WordPieces, vocab_size: usize) -> Result<Vec<Token>, String> {
    if let Some((id, token)) = pieces.tokens.iter().find(|(id, _)| **id as usize >= vocab_size) {
        return Err(format!("the token `{token}` has the id {id}, and there are embeddings for {vocab_size}"));
    }
    let mut seen = BTreeSet::new();
    let mut tokens = Vec::with_capacity(vocab_size);
    for id in 0..vocab_size as u32 {
        let token = match pieces.tokens.get(&id) {
            None => unused(id),
            // It would be found for the word behind it, and is hardly ever within one.
            Some(text) if text.strip_prefix("##").is_some_and(|piece| piece.starts_with(WORD)) => unused(id),
            Some(text) if pieces.special.contains(&id) => Token { text: text.clone(), kind: Kind::Control },
            Some(text) if pieces.added.contains(&id) => Token { text: text.clone(), kind: Kind::UserDefined },
            Some(text) => {
                let text = text.strip_prefix("##").map_or_else(|| format!("{WORD}{text}"), str::to_owned);
                Token { text, kind: Kind::Normal }
            }
        };
        // llama.cpp counts them, and ends where there is one less.
        if !seen.insert(token.text.clone()) {
            return Err(format!("it has the token `{}` twice, once as a piece within words", token.text));
        }
        tokens.push(token);
    }
    Ok(tokens)
}

fn unused(id: u32) -> Token {
    Token { text: format!("[PAD{id}]"), kind: Kind::Unused }
}
