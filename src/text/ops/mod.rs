//! The list of text operations: a new one is one file and one line.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::TextFault;

/// An operation that is ready to run: languages looked up, lists built.
pub type Prepared = Box<dyn Fn(&str) -> String + Send + Sync>;

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
    /// Takes accents and other marks off letters: `é` becomes `e`. For Latin, Greek and Cyrillic script.
    accents::Accents,
    /// Small or capital letters.
    case::Case,
    /// Takes HTML tags, comments, scripts and styles out, and resolves entities.
    html::Html,
    /// Names of people: `@someone`.
    mentions::Mentions,
    /// Numbers.
    numbers::Numbers,
    /// Takes running headers, footers and form feeds out of paginated plain text, and joins what a page break parted.
    page_furniture::PageFurniture,
    /// Replaces what regular expressions find.
    patterns::Patterns,
    /// Punctuation. An apostrophe between letters stays: `don't` is a word.
    punctuation::Punctuation,
    /// Letters that are repeated for effect: with `{most: 2}`, `soooo` becomes `soo`.
    repeats::Repeats,
    /// Cuts named sections out of a plain-text document: `{drop: [Abstract, References], drop_preamble: true}`.
    sections::Sections,
    /// Words to their stems, by the Snowball algorithm of the language: `movies` and `movie` become `movi`.
    stem::Stem,
    /// Takes out the words that are everywhere. Negations are among them: keep them where they matter.
    stopwords::Stopwords,
    /// A normal form of Unicode.
    unicode::Unicode,
    /// Web addresses and e-mail addresses.
    urls::Urls,
    /// White space.
    whitespace::Whitespace,
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

    pub(super) fn run(operation: serde_json::Value, text: &str) -> String {
        let operation: Operation = serde_json::from_value(operation).unwrap();
        assert_eq!(operation.fault(), None);
        operation.prepare()(text)
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
            (json!({"numbers": "token"}), "3.5 of 10, 1,000 B2B v2", "number of number, number B2B v2"),
            (json!({"numbers": "remove"}), "rated 10 times", "rated times"),
            (json!({"repeats": {"most": 2}}), "sooooo goood!!!!", "soo good!!!!"),
            (json!({"stem": {"language": "en"}}), "Movies are running, really", "movi are run, realli"),
            (json!({"stem": {"language": "de"}}), "Häuser", "haus"),
        ] {
            assert_eq!(run(operation.clone(), text), expected, "{operation}");
        }
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
