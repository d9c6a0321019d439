//! Languages by their ISO 639-1 codes: what there is for each, and what to say where there is nothing.

use rust_stemmers::Algorithm;

use super::TextFault;
use crate::base::{plural, suggest};

/// The languages with a Snowball stemmer.
pub(super) const STEMMERS: &[(&str, Algorithm)] = &[
    ("ar", Algorithm::Arabic),
    ("da", Algorithm::Danish),
    ("de", Algorithm::German),
    ("el", Algorithm::Greek),
    ("en", Algorithm::English),
    ("es", Algorithm::Spanish),
    ("fi", Algorithm::Finnish),
    ("fr", Algorithm::French),
    ("hu", Algorithm::Hungarian),
    ("it", Algorithm::Italian),
    ("nl", Algorithm::Dutch),
    ("no", Algorithm::Norwegian),
    ("pt", Algorithm::Portuguese),
    ("ro", Algorithm::Romanian),
    ("ru", Algorithm::Russian),
    ("sv", Algorithm::Swedish),
    ("ta", Algorithm::Tamil),
    ("tr", Algorithm::Turkish),
];

/// The names that people write instead of a code.
const NAMES: &[(&str, &str)] = &[
    ("afrikaans", "af"),
    ("albanian", "sq"),
    ("amharic", "am"),
    ("arabic", "ar"),
    ("armenian", "hy"),
    ("azerbaijani", "az"),
    ("basque", "eu"),
    ("belarusian", "be"),
    ("bengali", "bn"),
    ("breton", "br"),
    ("bulgarian", "bg"),
    ("catalan", "ca"),
    ("chinese", "zh"),
    ("croatian", "hr"),
    ("czech", "cs"),
    ("danish", "da"),
    ("dutch", "nl"),
    ("english", "en"),
    ("esperanto", "eo"),
    ("estonian", "et"),
    ("finnish", "fi"),
    ("french", "fr"),
    ("galician", "gl"),
    ("georgian", "ka"),
    ("german", "de"),
    ("greek", "el"),
    ("gujarati", "gu"),
    ("hausa", "ha"),
    ("hebrew", "he"),
    ("hindi", "hi"),
    ("hungarian", "hu"),
    ("indonesian", "id"),
    ("irish", "ga"),
    ("italian", "it"),
    ("japanese", "ja"),
    ("kazakh", "kk"),
    ("korean", "ko"),
    ("kurdish", "ku"),
    ("latin", "la"),
    ("latvian", "lv"),
    ("lithuanian", "lt"),
    ("malay", "ms"),
    ("mandarin", "zh"),
    ("marathi", "mr"),
    ("nepali", "ne"),
    ("norwegian", "no"),
    ("persian", "fa"),
    ("polish", "pl"),
    ("portuguese", "pt"),
    ("romanian", "ro"),
    ("russian", "ru"),
    ("serbian", "sr"),
    ("slovak", "sk"),
    ("slovenian", "sl"),
    ("somali", "so"),
    ("spanish", "es"),
    ("swahili", "sw"),
    ("swedish", "sv"),
    ("tagalog", "tl"),
    ("tajik", "tg"),
    ("tamil", "ta"),
    ("thai", "th"),
    ("turkish", "tr"),
    ("ukrainian", "uk"),
    ("urdu", "ur"),
    ("uzbek", "uz"),
    ("vietnamese", "vi"),
    ("welsh", "cy"),
    ("yoruba", "yo"),
    ("zulu", "zu"),
];

/// The fault of a language that is not among the codes; `what` names the thing that is missing: `stop words`.
pub(super) fn fault(language: &str, codes: &[&str], what: &str) -> Option<TextFault> {
    if codes.contains(&language) {
        return None;
    }
    let lower = language.to_lowercase();
    let lower = lower.split(['-', '_']).next().unwrap_or_default();
    let by_name = suggest::nearest(lower, NAMES.iter().map(|(name, _)| *name));
    let by_name = NAMES.iter().find(|(name, _)| *name == lower || Some(*name) == by_name).map(|(_, code)| *code);
    let help = match by_name.into_iter().chain([lower]).find(|code| codes.contains(code)) {
        Some(code) => format!("did you mean `{code}`?"),
        None => format!("there are {}", plural::list(codes)),
    };
    let message = format!("there are no {what} for the language `{language}`");
    Some(TextFault { path: "language".to_owned(), message, help: Some(help) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_to_its_code() {
        let codes: Vec<&str> = STEMMERS.iter().map(|(code, _)| *code).collect();
        assert_eq!(fault("en", &codes, "stemmers"), None);
        for (written, help) in [
            ("English", "did you mean `en`?"),
            ("en-US", "did you mean `en`?"),
            ("germn", "did you mean `de`?"),
            ("EN", "did you mean `en`?"),
        ] {
            assert_eq!(fault(written, &codes, "stemmers").unwrap().help.unwrap(), help, "{written}");
        }
        let unknown = fault("xx", &codes, "stemmers").unwrap();
        assert_eq!(unknown.message, "there are no stemmers for the language `xx`");
        assert!(unknown.help.unwrap().starts_with("there are `ar`, "));
    }
}
