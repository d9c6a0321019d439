//! Stop words, by language.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Prepared, TextOperation};
use crate::text::{TextFault, language, segment};

/// Which words go, and which stay all the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stopwords {
    /// The language, by its code: `en`.
    language: String,
    /// Words that stay, usually negations: `[not, no, never, n't]`. `n't` stands for all words that end in it.
    #[serde(default)]
    keep: Vec<String>,
}

impl TextOperation for Stopwords {
    fn fault(&self) -> Option<TextFault> {
        fault(&self.language)
    }

    fn prepare(&self) -> Prepared {
        let mut words = of(&self.language);
        let keep: Vec<String> = self.keep.iter().map(|word| segment::list_form(word)).collect();
        words.retain(|word| !keep.contains(word));
        if keep.iter().any(|word| word == "n't") {
            words.retain(|word| !word.ends_with("n't"));
        }
        Box::new(move |text| {
            let goes = |piece: &str| segment::is_word(piece) && words.contains(&segment::list_form(piece));
            segment::join_without(segment::pieces(text), goes)
        })
    }
}

/// The fault of a language without stop words.
pub(in crate::text) fn fault(code: &str) -> Option<TextFault> {
    language::fault(code, stop_words::available_languages(), "stop words")
}

/// The stop words of a language; none where there is no list.
pub(in crate::text) fn of(code: &str) -> BTreeSet<String> {
    stop_words::lookup(code).unwrap_or_default().iter().map(|word| segment::list_form(word)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::text::ops::tests::run;

    #[test]
    fn what_is_kept_stays() {
        let text = "It is not the best, and it wasn’t the worst.";
        let all = run(json!({"stopwords": {"language": "en"}}), text);
        assert!(!all.contains(" not ") && !all.contains("wasn"), "{all}");
        let kept = run(json!({"stopwords": {"language": "en", "keep": ["Not", "n't"]}}), text);
        assert!(kept.contains("not") && kept.contains("wasn’t"), "{kept}");
        assert!(!kept.contains("the ") && !kept.contains("  ") && !kept.to_lowercase().contains("it "), "{kept}");
        assert_eq!(run(json!({"stopwords": {"language": "de"}}), "das ist der Hund"), "Hund");
    }
}
