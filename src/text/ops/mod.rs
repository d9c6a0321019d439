//! The list of text operations: a new one is one file and one line.

use std::borrow::Cow;

use memchr::memchr2;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::TextFault;

/// An operation that is ready to run: languages looked up, lists built. What it does not change is borrowed: the whole
/// text, or the part of it that stays.
pub type Prepared = Box<dyn for<'a> Fn(&'a str) -> Cow<'a, str> + Send + Sync>;

/// The next operation on what is left by those before it; allocates only where it changes something.
#[must_use]
pub fn apply<'a>(step: &Prepared, text: Cow<'a, str>) -> Cow<'a, str> {
    let old = match text {
        Cow::Borrowed(text) => return step(text),
        Cow::Owned(text) => text,
    };
    let new = match step(&old) {
        Cow::Owned(new) => Some(new),
        Cow::Borrowed(part) if part.len() == old.len() => None,
        Cow::Borrowed(part) => Some(part.to_owned()),
    };
    Cow::Owned(new.unwrap_or(old))
}

/// What each operation's parameters can do.
trait TextOperation {
    /// What types cannot say: an unknown language, a bad range.
    fn fault(&self) -> Option<TextFault> {
        None
    }

    /// Looks up what it needs. Only called for parameters without fault.
    fn prepare(&self) -> Prepared;
}

macro_rules! operations {
    ($($(#[$about:meta])* $module:ident::$Operation:ident,)*) => {
        $(mod $module;)*

        /// A step of `normalize`.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum Operation {
            $($(#[$about])* $Operation($module::$Operation),)*
        }

        impl Operation {
            /// The name that recipes call it by.
            #[must_use]
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$Operation(_) => stringify!($module),)*
                }
            }

            /// What is wrong with its parameters, if anything.
            #[must_use]
            pub fn fault(&self) -> Option<TextFault> {
                match self {
                    $(Self::$Operation(operation) => operation.fault(),)*
                }
            }

            /// Makes it ready to run over many texts, from many threads.
            #[must_use]
            pub fn prepare(&self) -> Prepared {
                match self {
                    $(Self::$Operation(operation) => operation.prepare(),)*
                }
            }
        }
    };
}

operations! {
    /// Takes accents off letters of Latin, Greek and Cyrillic script: `café` becomes `cafe`. Marks of other scripts are
    /// vowels or make another letter, and stay.
    accents::Accents,
    /// Small or capital letters: `The Film` becomes `the film`.
    case::Case,
    /// Writes English contractions out: `I'm sure they don't` becomes `I am sure they do not`.
    contractions::Contractions,
    /// Takes out what nobody sees: NULs and other control characters, characters without width.
    control::Control,
    /// E-mail addresses: `write to ann@x.org` becomes `write to email`.
    emails::Emails,
    /// Emoji: `so good 😀` becomes `so good`, or `so good grinning face`.
    emoji::Emoji,
    /// Puts right what was read in the wrong encoding: `cafÃ©` becomes `café`, `itâ€™s` becomes `it’s`.
    encoding::Encoding,
    /// Hashtags: `#nowPlaying` becomes `now Playing`.
    hashtags::Hashtags,
    /// Takes HTML tags, comments, scripts and styles out, and resolves entities: `<b>Tom</b> &amp; me` becomes `Tom & me`.
    html::Html,
    /// Names of people: `@someone hi` becomes `user hi`.
    mentions::Mentions,
    /// Numbers: `10 of 1,000` becomes `number of number`.
    numbers::Numbers,
    /// Takes running headers, footers and form feeds out of paginated plain text, and joins what a page break parted.
    page_furniture::PageFurniture,
    /// Replaces what regular expressions find.
    patterns::Patterns,
    /// Punctuation. An apostrophe between letters stays: `Don't, please!` becomes `Don't please`.
    punctuation::Punctuation,
    /// What is repeated for effect: with `{most: 2}`, `soooo` becomes `soo`.
    repeats::Repeats,
    /// Cuts named sections out of a plain-text document: `{drop: [Abstract, References], drop_preamble: true}`.
    sections::Sections,
    /// Keeps the first sentences, or puts each on a line of its own.
    sentences::Sentences,
    /// Words to their stems, by the Snowball algorithm of the language: `movies` and `movie` become `movi`.
    stem::Stem,
    /// Takes out the words that are everywhere: `this is the best film` becomes `best film`. Negations are among them: keep
    /// them where they matter.
    stopwords::Stopwords,
    /// A normal form of Unicode: with `nfkc`, `ﬁne ２` becomes `fine 2`.
    unicode::Unicode,
    /// Web addresses and e-mail addresses: `see www.x.org` becomes `see url`.
    urls::Urls,
    /// White space: a tab, a line end or several spaces become one space.
    whitespace::Whitespace,
    /// Sets words apart by spaces, those of Chinese by a dictionary: `我来到北京` becomes `我 来到 北京`.
    words::Words,
}

/// Where web and e-mail addresses, names and hashtags stand.
pub(super) fn addresses(text: &str) -> impl Iterator<Item = std::ops::Range<usize>> {
    // Most texts have none of the two signs.
    let signed = if memchr2(b'@', b'#', text.as_bytes()).is_some() { text } else { "" };
    urls::addresses(text).chain(mentions::mentions(signed)).chain(hashtags::hashtags(signed))
}

/// The fault of a language without stop words.
pub(super) fn stop_word_fault(language: &str) -> Option<TextFault> {
    stopwords::fault(language)
}

/// The stop words of a language, in small letters; none where there is no list.
pub(super) fn stop_words_of(language: &str) -> std::collections::BTreeSet<String> {
    stopwords::of(language)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::base::rng;

    pub(super) fn run(operation: serde_json::Value, text: &str) -> String {
        let operation: Operation = serde_json::from_value(operation).unwrap();
        assert_eq!(operation.fault(), None);
        operation.prepare()(text).into_owned()
    }

    #[test]
    fn each_does_what_it_says() {
        for (operation, text, expected) in [
            (json!({"accents": "strip"}), "Café, Ångström, naïve, ﬁ", "Cafe, Angstrom, naive, ﬁ"),
            (json!({"case": "lower"}), "ÀB c", "àb c"),
            (json!({"case": "upper"}), "straße", "STRASSE"),
            (json!({"unicode": "nfkc"}), "ﬁne ２\u{a0}e\u{301}", "fine 2 é"),
            (json!({"unicode": "nfd"}), "é", "e\u{301}"),
            (json!({"whitespace": "collapse"}), "  a \t\n b\u{a0} ", "a b"),
            (json!({"whitespace": "trim"}), "  a  b ", "a  b"),
            (json!({"punctuation": "remove"}), "Don't, «stop»… it's (so-so)!", "Don't stop it's soso"),
            (json!({"punctuation": "space"}), "so-so, ok", "so so  ok"),
            (json!({"urls": "remove"}), "see https://a.b/c?d=e, or www.x.org. Mail: me@x.org!", "see , or . Mail: !"),
            (json!({"urls": "token"}), "at http://a.b/c (or HTTP://X.Y)", "at url (or url)"),
            (json!({"mentions": "token"}), "hi @some_one! a@b @", "hi user! a@b @"),
            (json!({"mentions": "remove"}), "@x hello", "hello"),
            (json!({"mentions": "token"}), "@ann@mastodon.social, @bob@x, @c", "user, user@x, user"),
            (json!({"numbers": "token"}), "3.5 of 10, 1,000 B2B v2", "number of number, number B2B v2"),
            (json!({"numbers": "remove"}), "rated 10 times", "rated times"),
            (json!({"repeats": {"most": 2}}), "sooooo goood!!!!", "soo good!!!!"),
            (json!({"stem": {"language": "en"}}), "Movies are running, really", "movi are run, realli"),
            (json!({"stem": {"language": "de"}}), "Häuser", "haus"),
        ] {
            assert_eq!(run(operation.clone(), text), expected, "{operation}");
        }
    }

    /// One of each operation and parameter.
    fn all() -> Vec<Operation> {
        let value = json!([
            {"accents": "strip"}, {"case": "lower"}, {"case": "upper"}, {"case": "fold"}, {"contractions": "expand"},
            {"control": "remove"}, {"emails": "remove"}, {"emails": "token"}, {"emoji": "remove"}, {"emoji": "token"},
            {"emoji": "name"}, {"encoding": "fix"}, {"hashtags": "remove"}, {"hashtags": "token"}, {"hashtags": "words"},
            {"html": "strip"}, {"mentions": "remove"}, {"mentions": "token"}, {"numbers": "remove"}, {"numbers": "token"},
            {"page_furniture": "strip"}, {"patterns": [{"find": "[aeiou]+x", "with": "X"}]}, {"punctuation": "remove"},
            {"punctuation": "space"}, {"punctuation": "ascii"}, {"repeats": {"most": 2}},
            {"repeats": {"most": 1, "of": "marks"}}, {"repeats": {"most": 1, "of": "words"}},
            {"sections": {"drop": ["Abstract"]}}, {"sentences": {"most": 2}}, {"sentences": {"lines": true}},
            {"stem": {"language": "en"}}, {"stopwords": {"language": "en"}}, {"stopwords": {"language": "zh"}},
            {"unicode": "nfc"}, {"unicode": "nfd"}, {"unicode": "nfkc"}, {"unicode": "nfkd"}, {"urls": "remove"},
            {"urls": "token"}, {"whitespace": "collapse"}, {"whitespace": "trim"}, {"words": {"language": "en"}},
            {"words": {"language": "zh"}},
        ]);
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_text_without_anything_to_do_is_borrowed() {
        let text = "good film best story";
        for operation in all() {
            let change = ["case", "stem"].contains(&operation.name());
            let new = operation.prepare()(text);
            assert!(change || new == text && matches!(new, Cow::Borrowed(_)), "{operation:?}: {new}");
        }
    }

    #[test]
    fn operations_follow_one_another() {
        let steps: Vec<Operation> = serde_json::from_value(
            json!([{"whitespace": "trim"}, {"case": "lower"}, {"whitespace": "trim"}, {"urls": "remove"}]),
        )
        .unwrap();
        let steps: Vec<Prepared> = steps.iter().map(Operation::prepare).collect();
        let all = |text: &'static str| steps.iter().fold(Cow::Borrowed(text), |text, step| apply(step, text));
        assert!(matches!(all(" a b "), Cow::Borrowed("a b")));
        assert_eq!(all(" A www.x.org B "), "a  b");
        // What is left of a new text is a part of it.
        assert_eq!(apply(&steps[0], Cow::Owned(" a ".to_owned())), "a");
    }

    #[test]
    fn odd_texts_are_no_harm() {
        let mut odd: Vec<String> = [
            "",
            " ",
            "\0",
            "\u{feff}",
            "😀👩\u{200d}🔬",
            "שלום עולם \u{202e}abc",
            "我喜欢电影。",
            "e\u{301}\u{301}",
            "\r\n\r\n",
            "é",
            "\u{10ffff}",
        ]
        .map(str::to_owned)
        .into();
        odd.push("a".repeat(1 << 20));
        odd.push("字".repeat(1 << 12));
        odd.push("é".repeat(1 << 18));
        let parts = [
            "a", "The ", "don’t", " ", "\n", "\t", "\u{a0}", "@", "#", "<", ">", "&", "&amp;", ";", "http://", "www.",
            ".org", ".", ",", "'", "-", "/", "1", "é", "e\u{301}", "字", "的", "Ã©", "â€™", "😀", "\u{200d}",
            "\u{fe0f}", "\u{20e3}", "🇩", "ب", "\0", "ß", "<script>", "<!--", "=\"", "İ", "Σ", "\u{3000}", "!", "\x0c",
            "\u{85}",
        ];
        let mut random = rng::stream(3, "odd");
        for _ in 0..2_000 {
            let length = rng::below(&mut random, 20);
            odd.push((0..length).map(|_| parts[rng::below(&mut random, parts.len())]).collect());
        }
        for operation in all() {
            let run = operation.prepare();
            for text in &odd {
                let once = run(text);
                assert_eq!(once, run(text), "{operation:?}");
            }
        }
    }

    /// Megabytes of reviews a second of each operation, on one thread:
    /// `cargo test --release speed_of_each -- --ignored --nocapture`.
    #[test]
    #[ignore = "a measurement"]
    fn speed_of_each_operation() {
        let reviews: Vec<(String, String)> =
            serde_json::from_str(include_str!("../../../tests/data/text/stopwords.json")).unwrap();
        let lines: Vec<String> = reviews.into_iter().map(|(text, _)| text).take(400).collect();
        let bytes: usize = lines.iter().map(String::len).sum();
        let measure = |name: &str, work: &dyn Fn(&str) -> usize| {
            // Short enough for some of the rounds to have the processor for themselves.
            let mut best = f64::INFINITY;
            for _ in 0..40 {
                let start = std::time::Instant::now();
                let out: usize = lines.iter().map(|line| work(line)).sum();
                assert!(out < usize::MAX);
                best = best.min(start.elapsed().as_secs_f64());
            }
            let rate = bytes as f64 / best / 1e6;
            println!("{name:<70} {rate:>8.0} MB/s {:>8.2} µs a text", best * 1e6 / lines.len() as f64);
        };
        measure("count_words", &crate::text::count_words);
        measure("normal_form", &|text| crate::text::normal_form(text).len());
        measure("identify", &|text| crate::text::identify(text).map_or(0, |found| found.0.len()));
        for operation in all() {
            let run = operation.prepare();
            measure(&serde_json::to_string(&operation).unwrap(), &|text| run(text).len());
        }
        let chain = ["lower", "stopwords", "punctuation", "collapse"];
        let steps: Vec<Operation> = serde_json::from_value(json!([
            {"case": "lower"}, {"stopwords": {"language": "en"}}, {"punctuation": "remove"}, {"whitespace": "collapse"},
        ]))
        .unwrap();
        let steps: Vec<Prepared> = steps.iter().map(Operation::prepare).collect();
        measure(&chain.join(", "), &|text| {
            steps.iter().fold(Cow::Borrowed(text), |text, step| apply(step, text)).len()
        });
    }

    #[test]
    fn a_list_names_are_modules() {
        let schema = serde_json::to_value(schemars::schema_for!(Operation)).unwrap();
        assert!(schema.to_string().contains("\"stopwords\""), "{schema}");
        let operation: Operation = serde_json::from_value(json!({"whitespace": "trim"})).unwrap();
        assert_eq!(operation.name(), "whitespace");
        assert_eq!(serde_json::to_value(&operation).unwrap(), json!({"whitespace": "trim"}));
    }

    #[test]
    fn an_unknown_language_is_a_fault() {
        for operation in [json!({"stopwords": {"language": "english"}}), json!({"stem": {"language": "Englisch"}})] {
            let operation: Operation = serde_json::from_value(operation).unwrap();
            let fault = operation.fault().unwrap();
            assert_eq!((fault.path.as_str(), fault.help.as_deref()), ("language", Some("did you mean `en`?")));
        }
    }
}
