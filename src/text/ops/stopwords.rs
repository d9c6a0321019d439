//! Stop words, by language.

use std::{borrow::Cow, collections::BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Prepared, TextOperation};
use crate::text::{
    TextFault, chinese, edits, language,
    segment::{self, Piece},
    word_set::WordSet,
};

/// Which words go, and which stay all the same.
///
/// ```text
/// stopwords: {language: en, keep: [not], add: [movie]}
///
/// before   This is not the best movie of the 90s, but an over-the-top one.
/// after    not best 90s, over-the-top one.
/// ```
///
/// Case does not matter, and `’` is `'`. A word that a hyphen, a slash, `@` or `#` ties to another one is a part of that
/// and stays: `over-the-top`, `and/or`, `@me`, `1998's`; and so does an initial, `J. A. Smith`. Of Chinese text the words
/// are found with a dictionary; spaces are not needed.
///
/// Of 1,000 reviews the same words are left as with NLTK's `word_tokenize` and its list, but for two things. That
/// tokenizer cuts `don't` into `do` and `n't` and `it's` into `it` and `'s`, and then finds the list's own `don't` and
/// `it's` nowhere and leaves `n't` and `'s`: here they are words and go. And it cuts `S&M` into three words, two of which
/// are on the list: here it is one and stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stopwords {
    /// The language, by its code: `en`. There are lists for 67, among them Chinese, `zh`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    language: Option<String>,
    /// Whose list. If it is not given: NLTK's for the 33 languages that NLTK has, the longer one of stopwords-iso for the
    /// others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    list: Option<List>,
    /// Words that go, too: `[movie, film]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    add: Vec<String>,
    /// Words that stay, usually negations: `[not, no, never, n't]`. `n't` stands for all words that end in it.
    #[serde(default)]
    keep: Vec<String>,
    /// These words go and no others: a list of your own. Without it, a language is needed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    only: Vec<String>,
}

/// A collection of lists of stop words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum List {
    /// NLTK's: 33 languages, 198 words of English.
    Nltk,
    /// stopwords-iso's: 58 languages, 1,298 words of English, many of which mean something.
    Iso,
}

impl TextOperation for Stopwords {
    fn fault(&self) -> Option<TextFault> {
        let fault = |path: &str, message: &str, help: &str| {
            Some(TextFault { path: path.to_owned(), message: message.to_owned(), help: Some(help.to_owned()) })
        };
        let lists = [("only", &self.only), ("add", &self.add), ("keep", &self.keep)];
        for (list, words) in lists {
            if let Some(at) = words.iter().position(|word| word.trim().is_empty() || word.trim().contains(char::is_whitespace)) {
                let message = format!("`{}` is not one word, and words are looked at one by one", words[at]);
                return fault(&format!("{list}[{at}]"), &message, "`patterns` takes phrases out");
            }
        }
        if !self.only.is_empty() {
            let others = [("language", self.language.is_some()), ("add", !self.add.is_empty()), ("keep", !self.keep.is_empty()), ("list", self.list.is_some())];
            let other = others.iter().find(|(_, is_given)| *is_given)?.0;
            return fault(other, "`only` is the whole list", "put the words that go into `only`, and leave this out");
        }
        let Some(code) = &self.language else {
            return fault("", "whose stop words?", "`stopwords: {language: en}`, or `{only: [your, words]}`");
        };
        match self.list {
            None => self::fault(code),
            Some(List::Nltk) => language::fault(code, NLTK, "stop words of NLTK"),
            Some(List::Iso) => language::fault(code, &iso_codes(), "stop words of stopwords-iso"),
        }
    }

    fn prepare(&self) -> Prepared {
        let words = self.words();
        let set = WordSet::of(words.iter().map(String::as_str));
        if words.iter().any(|word| chinese::has_characters(word)) {
            return Box::new(move |text| remove_chinese(text, &set));
        }
        Box::new(move |text| remove(text, &set))
    }
}

impl Stopwords {
    fn words(&self) -> BTreeSet<String> {
        if !self.only.is_empty() {
            return self.only.iter().map(|word| segment::list_form(word)).collect();
        }
        let code = self.language.as_deref().unwrap_or_default();
        let mut words = match self.list {
            Some(List::Iso) => iso(code),
            Some(List::Nltk) | None => of(code),
        };
        words.extend(self.add.iter().map(|word| segment::list_form(word)));
        let keep: Vec<String> = self.keep.iter().map(|word| segment::list_form(word)).collect();
        words.retain(|word| !keep.contains(word));
        if keep.iter().any(|word| word == "n't") {
            words.retain(|word| !word.ends_with("n't"));
        }
        words
    }
}

fn remove<'a>(text: &'a str, words: &WordSet) -> Cow<'a, str> {
    segment::without(text, |piece| words.contains(text, piece.range()) && !is_part(text, piece))
}

/// The same, for text in which the rules of Unicode find no words.
fn remove_chinese<'a>(text: &'a str, words: &WordSet) -> Cow<'a, str> {
    if !chinese::has_characters(text) {
        return remove(text, words);
    }
    let goes = chinese::pieces(text).filter(|range| words.contains(text, range.clone()));
    edits::cut(text, goes.filter(|range| segment::is_word(&text[range.clone()])))
}

/// Whether a word is a part of a longer one that the rules of Unicode cut, `over-the-top`, or the initial of a name, `A.`
fn is_part(text: &str, piece: &Piece<'_>) -> bool {
    let bytes = text.as_bytes();
    let (before, behind) = (piece.start.checked_sub(1).and_then(|at| bytes.get(at)), bytes.get(piece.range().end));
    // Nearly all stand alone.
    if [before, behind].iter().all(|byte| byte.is_none_or(|byte| *byte == b' ')) {
        return false;
    }
    let ties = |c: char| {
        matches!(c, '-' | '\u{2010}' | '\u{2011}' | '/' | '\\' | '@' | '#' | '&' | '+' | '=' | '_' | '~' | '\'' | '\u{2019}')
    };
    let (mut ahead, mut behind) = (text[..piece.start].chars().rev(), text[piece.range().end..].chars());
    let is_tied_ahead = ahead.next().is_some_and(|tie| {
        ties(tie) && (matches!(tie, '@' | '#') || ahead.next().is_some_and(char::is_alphanumeric))
    });
    let next = behind.next();
    // `I.` is one before another: a sentence may end in `I`.
    let is_before_initial = || matches!(text[piece.range().end + 1..].trim_start().as_bytes(), [b'A'..=b'Z', b'.', ..]);
    let is_initial = next == Some('.')
        && matches!(piece.text.as_bytes(), [b'A'..=b'Z'])
        && (piece.text != "I" || is_before_initial());
    is_tied_ahead || is_initial || next.is_some_and(ties) && behind.next().is_some_and(char::is_alphanumeric)
}

/// The languages with a list of NLTK's.
const NLTK: &[&str] = &[
    "ar", "az", "be", "bn", "ca", "da", "de", "el", "en", "es", "eu", "fi", "fr", "he", "hinglish", "hu", "id", "it",
    "kk", "ne", "nl", "no", "pt", "ro", "ru", "sl", "sq", "sv", "ta", "tg", "tr", "uz", "zh",
];

/// The lists of stopwords-iso for the languages of which [`stop_words`] has NLTK's: `code<TAB>word word …`.
const ISO: &str = include_str!("../lexicon/stopwords-iso.tsv");

fn iso_lines() -> impl Iterator<Item = (&'static str, &'static str)> {
    ISO.lines().filter_map(|line| line.split_once('\t'))
}

fn iso_codes() -> Vec<&'static str> {
    let others = stop_words::available_languages().iter().copied().filter(|code| !NLTK.contains(code));
    let mut codes: Vec<&str> = iso_lines().map(|(code, _)| code).chain(others).collect();
    codes.sort_unstable();
    codes
}

fn iso(code: &str) -> BTreeSet<String> {
    let line = iso_lines().find(|(of, _)| *of == code);
    line.map_or_else(|| of(code), |(_, words)| words.split(' ').map(segment::list_form).collect())
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

    use super::*;
    use crate::text::ops::{Operation, tests::run};

    fn without(parameters: &serde_json::Value, text: &str) -> String {
        run(json!({ "stopwords": parameters }), text)
    }

    #[test]
    fn what_is_kept_stays() {
        let text = "It is not the best, and it wasn’t the worst.";
        assert_eq!(without(&json!({"language": "en"}), text), "best, worst.");
        let kept = json!({"language": "en", "keep": ["Not", "n't"]});
        assert_eq!(without(&kept, text), "not best, wasn’t worst.");
        assert_eq!(without(&json!({"language": "de"}), "das ist der Hund"), "Hund");
    }

    #[test]
    fn lists_of_your_own() {
        let text = "The Film is a movie, a FILM.";
        assert_eq!(without(&json!({"language": "en", "add": ["film"]}), text), "movie, .");
        assert_eq!(without(&json!({"only": ["Film", "é"]}), text), "The is a movie, a .");
        assert_eq!(without(&json!({"language": "en", "list": "nltk"}), "which appears new"), "appears new");
        assert_eq!(without(&json!({"language": "en", "list": "iso"}), "which new best"), "");
        assert_eq!(without(&json!({"language": "pl"}), "to jest mój dom"), "dom");
        assert_eq!(without(&json!({"language": "pl", "list": "iso"}), "to jest mój dom"), "dom");
    }

    #[test]
    fn a_part_of_a_word_stays() {
        for text in ["over-the-top", "and/or", "1998's", "R&D", "Charles A. Smith", "I. A. Smith", "@me", "#the", "x=a", "in-", "R&the", "the_end"] {
            let expected = if text == "in-" { "-" } else { text };
            assert_eq!(without(&json!({"language": "en"}), text), expected, "{text}");
        }
        assert_eq!(without(&json!({"language": "en"}), "this -- and that - the (end)"), "-- - (end)");
    }

    #[test]
    fn chinese_words_need_no_spaces() {
        for (text, expected) in [
            ("我喜欢这个电影，但是它太长了。", "喜欢电影，太长。"),
            ("我 喜欢 电影 。", "喜欢 电影 。"),
            ("no Chinese", "no Chinese"),
        ] {
            assert_eq!(without(&json!({"language": "zh"}), text), expected);
        }
        assert_eq!(without(&json!({"only": ["电影"]}), "电影院的电影"), "电影院的");
    }

    #[test]
    fn there_are_lists_for_many_languages() {
        assert!(stop_words::available_languages().len() >= 67);
        for code in NLTK {
            assert!(of(code).len() > 40, "{code}");
            assert!(stop_words::available_languages().contains(code), "{code}");
        }
        for code in iso_codes() {
            assert!(iso(code).len() > 20, "{code}");
        }
        assert_eq!((of("en").len(), iso("en").len()), (198, 1_298));
        assert!(iso_codes().len() == 58);
    }

    #[test]
    fn what_cannot_be_is_a_fault() {
        for (parameters, path, message) in [
            (json!({}), "", "whose stop words?"),
            (json!({"only": ["a"], "keep": ["a"]}), "keep", "`only` is the whole list"),
            (json!({"only": ["a"], "language": "en"}), "language", "`only` is the whole list"),
            (json!({"language": "pl", "list": "nltk"}), "language", "there are no stop words of NLTK for the language `pl`"),
            (json!({"language": "xx"}), "language", "there are no stop words for the language `xx`"),
            (json!({"only": ["a", "b c"]}), "only[1]", "`b c` is not one word, and words are looked at one by one"),
        ] {
            let operation: Operation = serde_json::from_value(json!({ "stopwords": parameters })).unwrap();
            let fault = operation.fault().unwrap();
            assert_eq!((fault.path.as_str(), fault.message.as_str()), (path, message));
        }
    }

    #[test]
    fn what_is_left_is_what_nltk_leaves() {
        let rows: Vec<(String, String)> =
            serde_json::from_str(include_str!("../../../tests/data/text/stopwords.json")).unwrap();
        assert_eq!(rows.len(), 1_000);
        let runs = |text: &str| -> Vec<String> {
            text.split(|c: char| !c.is_alphanumeric()).filter(|run| !run.is_empty()).map(str::to_owned).collect()
        };
        let set = WordSet::of(of("en").iter().map(String::as_str));
        // `S&amp;M` is three words to NLTK, two of which are on its list.
        let defended = |text: &str| text.contains("S&amp;M");
        let is_same = |text: &str, left: &str| runs(&remove(text, &set)) == runs(left) || defended(text);
        let differ: Vec<_> = rows.iter().filter(|(text, left)| !is_same(text, left)).collect();
        assert!(differ.is_empty(), "{} rows: {differ:#?}", differ.len());
    }
}
