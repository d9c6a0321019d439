//! English contractions.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Prepared, TextOperation};
use crate::text::{
    edits::Edits,
    segment::{self, Piece},
};

/// What becomes of contractions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Contractions {
    /// They are written out: `I'm sure they don't` becomes `I am sure they do not`. What has two meanings stays: `it's`
    /// is `it is` or `it has`, `he'd` is `he had` or `he would`, `ain't` is many things; and so does what is slang:
    /// `gonna`, `y'all`.
    Expand,
}

impl TextOperation for Contractions {
    fn prepare(&self) -> Prepared {
        Box::new(expand)
    }
}

/// What stands for a word as a whole.
const WHOLE: &[(&str, &str)] = &[
    ("can't", "cannot"),
    ("i'm", "i am"),
    ("let's", "let us"),
    ("shan't", "shall not"),
    ("won't", "will not"),
];

/// The verbs with a `n't` that is `not`.
const VERBS: &[&str] = &[
    "are", "could", "dare", "did", "do", "does", "had", "has", "have", "is", "may", "might", "must", "need", "ought",
    "should", "was", "were", "would",
];

/// The ends of other words.
const ENDS: &[(&str, &str)] = &[("'ll", "will"), ("'re", "are"), ("'ve", "have")];

/// Letters of the longest contraction.
const LONGEST: usize = 24;

fn expand(text: &str) -> Cow<'_, str> {
    let mut edits = Edits::of(text);
    if !text.contains(['\'', '\u{2019}']) {
        return edits.finish();
    }
    for piece in segment::words(text).filter(|piece| piece.text.len() <= LONGEST) {
        if piece.text.contains(['\'', '\u{2019}'])
            && let Some(new) = expanded(&piece)
        {
            edits.replace(piece.range(), &new);
        }
    }
    edits.finish()
}

/// A word written out; none where there is nothing to write out.
fn expanded(piece: &Piece<'_>) -> Option<String> {
    let word = piece.text.replace('\u{2019}', "'");
    if !word.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'\'') {
        return None;
    }
    // All letters are capital; of `I'm` that cannot be told, and it is not meant.
    let is_shouted = word.len() > 3 && !word.bytes().any(|byte| byte.is_ascii_lowercase()) || word == "I'M";
    let mut rest = word.to_ascii_lowercase();
    let mut ends: Vec<&str> = Vec::new();
    // `shouldn't've`: from the end to the start.
    while let Some((end, means)) = ENDS.iter().find(|(end, _)| rest.len() > end.len() && rest.ends_with(end)) {
        rest.truncate(rest.len() - end.len());
        ends.push(means);
    }
    let whole = WHOLE.iter().find(|(short, _)| *short == rest).map(|(_, long)| *long);
    let negated = rest.strip_suffix("n't").filter(|verb| VERBS.contains(verb)).map(|verb| format!("{verb} not"));
    let found = whole.map(str::to_owned).or(negated);
    if found.is_none() && ends.is_empty() {
        return None;
    }
    let mut new = found.unwrap_or(rest);
    for end in ends.iter().rev() {
        new.push(' ');
        new.push_str(end);
    }
    if is_shouted {
        new.make_ascii_uppercase();
    } else {
        // What stays of the word keeps its letters: `McCoy'll`.
        let same = new.bytes().zip(word.bytes()).take_while(|(new, old)| new.eq_ignore_ascii_case(old)).count();
        new.replace_range(..same, &word[..same]);
    }
    Some(new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contractions_are_written_out() {
        for (text, expected) in [
            ("I'm sure they don't", "I am sure they do not"),
            ("Don't! DON'T, don’t", "Do not! DO NOT, do not"),
            ("Won't can't shan't, CAN'T", "Will not cannot shall not, CANNOT"),
            ("I'M I'LL I'll you're We've", "I AM I WILL I will you are We have"),
            ("shouldn't've, I'd've", "should not have, I'd have"),
            ("Let's go", "Let us go"),
            ("it's he'd ain't y'all rock'n'roll o'clock", "it's he'd ain't y'all rock'n'roll o'clock"),
            ("the dogs' 'tis 've n't can''t", "the dogs' 'tis 've n't can''t"),
            ("That'll McCoy'll", "That will McCoy will"),
            ("l'homme n'est aujourd'hui", "l'homme n'est aujourd'hui"),
            ("", ""),
        ] {
            assert_eq!(expand(text), expected);
            assert!(matches!(expand(expected), Cow::Borrowed(_)), "{text}");
        }
        let long = "'".repeat(1 << 20) + &"don't".repeat(1 << 10);
        assert_eq!(expand(&long), long);
    }
}
