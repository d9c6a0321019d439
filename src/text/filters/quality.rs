//! Text that is no prose, by the rules of Gopher's texts and C4.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use unicode_segmentation::UnicodeSegmentation;

use super::{Failure, Measured, Prepared, Range, RowCondition, above, of_texts, share, share_fault};
use crate::text::TextFault;

/// What begins an item of a list.
const BULLETS: [char; 13] = ['-', '*', '•', '‣', '⁃', '◦', '▪', '▫', '●', '○', '■', '·', '–'];
/// What ends a sentence, with a mark behind it or not.
const ENDS: [char; 9] = ['.', '!', '?', '…', '。', '！', '？', '؟', '।'];
/// Marks that may follow the end of a sentence.
const CLOSING: [char; 9] = ['"', '\'', '”', '’', '»', ')', ']', '」', '）'];

/// What prose has. Words are what white space parts, without the marks around them; `null` or the bound that everything meets turns a
/// rule off. The rules were made for web pages: for single sentences, `stop_words: null` and `ellipsis_lines: 1` are wise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Quality {
    /// Characters of a word in the mean. It is not looked at in Chinese, Japanese, Thai and other scripts without spaces.
    mean_word_length: Option<Range>,
    /// Hash signs a word, and ellipses a word, at most: `0.1` is one in ten words.
    symbols: f64,
    /// The share of lines that begin with a bullet, at most.
    bullet_lines: f64,
    /// The share of lines that end with an ellipsis, at most.
    ellipsis_lines: f64,
    /// The share of words with a letter, at least.
    words_with_letters: f64,
    /// Words of the language that must be there.
    stop_words: Option<StopWords>,
    /// Whether texts with `lorem ipsum` go (C4).
    lorem_ipsum: bool,
    /// Whether texts with a curly brace go, which are mostly programs (C4).
    curly_braces: bool,
    /// The share of lines that end with the end of a sentence, at least (C4).
    terminal_punctuation: Option<f64>,
}

/// How many different ones of some words a text has at least.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct StopWords {
    /// How many.
    at_least: usize,
    /// The words, in any case; other languages need others: `[der, die, das, und, nicht, zu]`, `[的, 是, 不, 了, 在]`.
    of: Vec<String>,
}

impl Default for StopWords {
    fn default() -> Self {
        let of = ["the", "be", "to", "of", "and", "that", "have", "with"].map(str::to_owned).to_vec();
        Self { at_least: 2, of }
    }
}

impl Default for Quality {
    fn default() -> Self {
        Self {
            mean_word_length: Some(Range { from: Some(3.0), to: Some(10.0) }),
            symbols: 0.1,
            bullet_lines: 0.9,
            ellipsis_lines: 0.3,
            words_with_letters: 0.8,
            stop_words: Some(StopWords::default()),
            lorem_ipsum: false,
            curly_braces: false,
            terminal_punctuation: None,
        }
    }
}

impl RowCondition for Quality {
    fn fault(&self) -> Option<TextFault> {
        let too_many =
            self.stop_words.as_ref().filter(|words| words.at_least > words.of.len()).map(|words| TextFault {
                path: "stop_words.at_least".to_owned(),
                message: format!("no text has {} of {}", words.at_least, words.of.len()),
                help: Some("`stop_words: null` turns the rule off".to_owned()),
            });
        let shares = [
            ("symbols", self.symbols),
            ("bullet_lines", self.bullet_lines),
            ("ellipsis_lines", self.ellipsis_lines),
            ("words_with_letters", self.words_with_letters),
            ("terminal_punctuation", self.terminal_punctuation.unwrap_or_default()),
        ];
        self.mean_word_length
            .and_then(|range| range.fault("mean_word_length"))
            .or_else(|| shares.into_iter().find_map(|(path, share)| share_fault(path, share)))
            .or(too_many)
    }

    fn prepare(&self) -> Prepared {
        let mut most = self.clone();
        for word in most.stop_words.iter_mut().flat_map(|words| &mut words.of) {
            *word = word.to_lowercase();
        }
        of_texts(move |text| most.judge(text))
    }
}

impl Quality {
    /// By `self`, whose stop words are in small letters.
    fn judge(&self, text: &str) -> Option<Failure> {
        self.judge_words(text).or_else(|| self.judge_lines(text)).or_else(|| self.judge_content(text))
    }

    fn judge_words(&self, text: &str) -> Option<Failure> {
        let number = |rule, value| Some(Failure { rule, measured: Measured::Number(value) });
        let (mut tokens, mut with_letters, mut words, mut characters) = (0, 0, 0, 0);
        for token in text.split_whitespace() {
            tokens += 1;
            with_letters += usize::from(token.contains(char::is_alphabetic));
            let word = token.trim_matches(|sign: char| !sign.is_alphanumeric());
            words += usize::from(!word.is_empty());
            characters += word.chars().count();
        }
        let length = share(characters, words);
        if let Some(range) = self.mean_word_length
            && !range.holds(length)
            && !is_unspaced(text)
        {
            return number("mean_word_length", length);
        }
        let ellipses = text.matches('…').count() + text.matches("...").count();
        for symbols in [text.matches('#').count(), ellipses] {
            // No word, but a symbol: more than any share.
            let a_word = if tokens == 0 { symbols as f64 } else { share(symbols, tokens) };
            if a_word > self.symbols {
                return number("symbols", a_word);
            }
        }
        let letters = share(with_letters, tokens);
        if letters < self.words_with_letters {
            return number("words_with_letters", letters);
        }
        None
    }

    fn judge_lines(&self, text: &str) -> Option<Failure> {
        let (mut lines, mut bullets, mut ellipses, mut ends) = (0, 0, 0, 0);
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            lines += 1;
            bullets += usize::from(line.starts_with(BULLETS));
            ellipses += usize::from(line.ends_with('…') || line.ends_with("..."));
            ends += usize::from(line.ends_with(['"', '”']) || line.trim_end_matches(CLOSING).ends_with(ENDS));
        }
        let ended = share(ends, lines);
        above("bullet_lines", share(bullets, lines), self.bullet_lines)
            .or_else(|| above("ellipsis_lines", share(ellipses, lines), self.ellipsis_lines))
            .or_else(|| {
                let least = self.terminal_punctuation?;
                (ended < least).then_some(Failure { rule: "terminal_punctuation", measured: Measured::Number(ended) })
            })
    }

    fn judge_content(&self, text: &str) -> Option<Failure> {
        let found = |rule, what: &str| Some(Failure { rule, measured: Measured::Text(what.to_owned()) });
        if self.curly_braces && text.contains(['{', '}']) {
            return found("curly_braces", "a curly brace");
        }
        if self.lorem_ipsum && text.to_lowercase().contains("lorem ipsum") {
            return found("lorem_ipsum", "lorem ipsum");
        }
        let wanted = self.stop_words.as_ref()?;
        let mut seen = BTreeSet::new();
        for word in text.unicode_words() {
            let lower = if word.is_ascii() { None } else { Some(word.to_lowercase()) };
            let is_it = |stop: &&String| lower.as_ref().map_or(stop.eq_ignore_ascii_case(word), |lower| *stop == lower);
            seen.extend(wanted.of.iter().find(is_it));
            if seen.len() >= wanted.at_least {
                return None;
            }
        }
        let measured = Measured::Number(seen.len() as f64);
        (seen.len() < wanted.at_least).then_some(Failure { rule: "stop_words", measured })
    }
}

/// Whether more than half of a text's letters are of scripts that have no spaces between words.
fn is_unspaced(text: &str) -> bool {
    let (mut letters, mut unspaced) = (0, 0);
    for letter in text.chars().filter(|letter| letter.is_alphabetic()) {
        letters += 1;
        // Thai, Lao, Myanmar, Khmer; kana, bopomofo and ideographs.
        unspaced += usize::from(matches!(letter,
            '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}'
            | '\u{3005}'..='\u{31ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}'
            | '\u{20000}'..='\u{3ffff}'));
    }
    2 * unspaced > letters
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::text::filters::tests::rule;

    #[test]
    fn prose_stays_and_what_is_none_goes() {
        let all = json!({"quality": {}});
        let prose = "The story is that of a woman who has to leave her home, and it is told with great care.";
        for (text, expected) in [
            (prose, None),
            ("", Some("mean_word_length")),
            ("a b c d to of", Some("mean_word_length")),
            ("supercalifragilistic internationalization", Some("mean_word_length")),
            ("The #first and the #second of these", Some("symbols")),
            ("wait... what... the end... of this... and that", Some("symbols")),
            ("the total of 1,000 and 2,000 3,000 4,000 5,000", Some("words_with_letters")),
            ("- buy the milk and the bread\n- see to the old cat\n* and pay all of the bills", Some("bullet_lines")),
            (
                "the first thing here that we have said of it ...\nand the second thing of which we speak\n",
                Some("ellipsis_lines"),
            ),
            ("good film, great actors", Some("stop_words")),
            ("The one, THE only, the best", Some("stop_words")),
            ("Of course the film works", None),
            // Words in Chinese are not measured by their spaces.
            ("这部电影的故事非常感人，演员的表演也十分出色。", Some("stop_words")),
        ] {
            assert_eq!(rule(&all, text), expected, "{text:?}");
        }
        let chinese = json!({"quality": {"stop_words": {"at_least": 2, "of": ["的", "是", "也", "在"]}}});
        assert_eq!(rule(&chinese, "这部电影的故事非常感人，演员的表演也十分出色。"), None);
        let off = json!({"quality": {"stop_words": null, "mean_word_length": null}});
        assert_eq!(rule(&off, "good"), None);
        let greek = json!({"quality": {"stop_words": {"at_least": 1, "of": ["ΚΑΙ"]}}});
        assert_eq!(rule(&greek, "Μια ταινία και ένα βιβλίο"), None);
    }

    #[test]
    fn rules_of_c4_are_asked_for() {
        let c4 = json!({"quality": {
            "lorem_ipsum": true, "curly_braces": true, "terminal_punctuation": 0.6, "stop_words": null
        }});
        for (text, expected) in [
            ("This is fine.", None),
            ("“This is fine.”", None),
            ("He said: \"Well\"", None),
            ("他说很好。", None),
            ("Home\nAbout\nContact\nThis is the only sentence.", Some("terminal_punctuation")),
            ("The whole set {alpha, beta} has several members.", Some("curly_braces")),
            ("Lorem Ipsum dolor sit amet.", Some("lorem_ipsum")),
        ] {
            assert_eq!(rule(&c4, text), expected, "{text:?}");
        }
    }
}
