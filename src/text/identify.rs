//! Which language a text is in.

use std::{collections::HashMap, sync::LazyLock};

use whatlang::{Detector, Lang, Script};

use super::{ops, segment};

/// Bytes that are looked at: more of a text costs time and does not change the answer.
const MOST: usize = 4_096;

/// The language of a text by its ISO 639-1 code, and how sure that is, from 0 to 1; none where there are no letters.
///
/// Chinese, Japanese, Korean and other languages with a script of their own are told by their letters and are sure;
/// the 37 languages in Latin script, and those in Cyrillic, Arabic, Devanagari and Hebrew script, by their trigrams
/// (Cavnar and Trenkle, 1994) and alphabets, those in Latin script by their stop words, too. A text of few words is a
/// guess: below 0.9 it is better not to believe it. Norwegian is `no`. Only the first 4 KiB of a text are read.
///
/// ```
/// # use lmpipe::text::identify;
/// let (code, confidence) = identify("Der schnelle braune Fuchs springt über den faulen Hund.").unwrap();
/// assert_eq!((code, confidence > 0.0), ("de", true));
/// assert_eq!(identify("今天天气很好。"), Some(("zh", 1.0)));
/// assert_eq!(identify("3 : 2"), None);
/// ```
#[must_use]
pub fn identify(text: &str) -> Option<(&'static str, f64)> {
    let start = &text[..text.floor_char_boundary(MOST)];
    let found = match candidates(start) {
        Some(languages) => Detector::with_allowlist(languages).detect(start)?,
        None => whatlang::detect(start)?,
    };
    Some((code(found.lang()), found.confidence()))
}

/// Words that are looked up.
const WORDS: usize = 200;
/// Of fewer stop words than these, nothing is concluded.
const ENOUGH: u16 = 4;

/// The languages in Latin script of which there are stop words.
static LATIN: LazyLock<Vec<Lang>> = LazyLock::new(|| {
    let has_words = |language: &&Lang| !ops::stop_words_of(code(**language)).is_empty();
    Script::Latin.langs().iter().filter(has_words).copied().collect()
});

/// The stop words of [`LATIN`]: a bit for each language that has the word.
static STOP_WORDS: LazyLock<HashMap<String, u64>> = LazyLock::new(|| {
    let mut words: HashMap<String, u64> = HashMap::new();
    for (at, language) in LATIN.iter().enumerate() {
        for word in ops::stop_words_of(code(*language)) {
            *words.entry(word).or_default() |= 1 << at;
        }
    }
    words
});

/// The languages that a text in Latin script can be in, by its stop words; none where they do not tell.
///
/// The trigrams of a short text are few, and each language to compare them with costs time. Where a third of the words
/// are stop words of one language, one with less than a third of those is not it.
fn candidates(text: &str) -> Option<Vec<Lang>> {
    if whatlang::detect_script(text)? != Script::Latin {
        return None;
    }
    let mut counts = [0_u16; 64];
    let mut words = 0;
    for word in segment::words(text).take(WORDS) {
        words += 1;
        let mut languages = STOP_WORDS.get(&*segment::folded(word.text)).copied().unwrap_or(0);
        while languages != 0 {
            counts[languages.trailing_zeros() as usize] += 1;
            languages &= languages - 1;
        }
    }
    let most = counts.iter().copied().max().filter(|most| *most >= ENOUGH && most * 3 >= words)?;
    let near = LATIN.iter().zip(counts).filter(|(_, count)| count * 3 >= most);
    Some(near.map(|(language, _)| *language).collect())
}

/// ISO 639-1 of what the detector names by ISO 639-3.
fn code(language: Lang) -> &'static str {
    match language {
        Lang::Afr => "af",
        Lang::Aka => "ak",
        Lang::Amh => "am",
        Lang::Ara => "ar",
        Lang::Aze => "az",
        Lang::Bel => "be",
        Lang::Ben => "bn",
        Lang::Bul => "bg",
        Lang::Cat => "ca",
        Lang::Ces => "cs",
        Lang::Cmn => "zh",
        Lang::Cym => "cy",
        Lang::Dan => "da",
        Lang::Deu => "de",
        Lang::Ell => "el",
        Lang::Eng => "en",
        Lang::Epo => "eo",
        Lang::Est => "et",
        Lang::Fin => "fi",
        Lang::Fra => "fr",
        Lang::Guj => "gu",
        Lang::Heb => "he",
        Lang::Hin => "hi",
        Lang::Hrv => "hr",
        Lang::Hun => "hu",
        Lang::Hye => "hy",
        Lang::Ind => "id",
        Lang::Ita => "it",
        Lang::Jav => "jv",
        Lang::Jpn => "ja",
        Lang::Kan => "kn",
        Lang::Kat => "ka",
        Lang::Khm => "km",
        Lang::Kor => "ko",
        Lang::Lat => "la",
        Lang::Lav => "lv",
        Lang::Lit => "lt",
        Lang::Mal => "ml",
        Lang::Mar => "mr",
        Lang::Mkd => "mk",
        Lang::Mya => "my",
        Lang::Nep => "ne",
        Lang::Nld => "nl",
        Lang::Nob => "no",
        Lang::Ori => "or",
        Lang::Pan => "pa",
        Lang::Pes => "fa",
        Lang::Pol => "pl",
        Lang::Por => "pt",
        Lang::Ron => "ro",
        Lang::Rus => "ru",
        Lang::Sin => "si",
        Lang::Slk => "sk",
        Lang::Slv => "sl",
        Lang::Sna => "sn",
        Lang::Spa => "es",
        Lang::Srp => "sr",
        Lang::Swe => "sv",
        Lang::Tam => "ta",
        Lang::Tel => "te",
        Lang::Tgl => "tl",
        Lang::Tha => "th",
        Lang::Tuk => "tk",
        Lang::Tur => "tr",
        Lang::Ukr => "uk",
        Lang::Urd => "ur",
        Lang::Uzb => "uz",
        Lang::Vie => "vi",
        Lang::Yid => "yi",
        Lang::Zul => "zu",
    }
}

/// The codes that [`identify`] can answer with, sorted.
#[must_use]
pub fn identifiable() -> Vec<&'static str> {
    let mut codes: Vec<&str> = Lang::all().iter().map(|language| code(*language)).collect();
    codes.sort_unstable();
    codes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_are_told_apart() {
        for (text, expected) in [
            ("The quick brown fox jumps over the lazy dog, and then it runs away into the woods.", "en"),
            ("Der schnelle braune Fuchs springt über den faulen Hund und läuft dann in den Wald.", "de"),
            ("Le renard brun saute par-dessus le chien paresseux, puis il s'enfuit dans la forêt.", "fr"),
            ("El rápido zorro marrón salta sobre el perro perezoso y luego huye hacia el bosque.", "es"),
            ("A rápida raposa marrom pula sobre o cão preguiçoso e depois foge para a floresta, não é?", "pt"),
            ("Szybki brązowy lis przeskakuje nad leniwym psem, a potem ucieka do lasu.", "pl"),
            ("Быстрая коричневая лиса перепрыгивает через ленивую собаку и убегает в лес.", "ru"),
            ("Швидка коричнева лисиця перестрибує через лінивого пса і тікає до лісу.", "uk"),
            ("Η γρήγορη καφέ αλεπού πηδάει πάνω από το τεμπέλικο σκυλί.", "el"),
            ("敏捷的棕色狐狸跳过了懒狗。", "zh"),
            ("素早い茶色の狐は怠け者の犬を飛び越えます。", "ja"),
            ("빠른 갈색 여우가 게으른 개를 뛰어넘는다.", "ko"),
            ("الثعلب البني السريع يقفز فوق الكلب الكسول ثم يهرب إلى الغابة.", "ar"),
            ("השועל החום המהיר קופץ מעל הכלב העצלן.", "he"),
            ("สุนัขจิ้งจอกสีน้ำตาลกระโดดข้ามสุนัขขี้เกียจ", "th"),
        ] {
            let (code, confidence) = identify(text).unwrap();
            assert_eq!(code, expected, "{text}: {confidence}");
            assert!((0.0..=1.0).contains(&confidence), "{confidence}");
        }
    }

    #[test]
    fn what_has_no_letters_has_no_language() {
        for text in ["", " \n", "3 : 2", "!?", "😀👍🏽", "\0\0"] {
            assert_eq!(identify(text), None, "{text:?}");
        }
        // A cut in the middle of a letter.
        assert!(identify(&format!("a{}", "é".repeat(1 << 20))).is_some());
        assert_eq!(identify(&"字".repeat(1 << 20)), Some(("zh", 1.0)));
    }

    #[test]
    fn every_code_stands_once() {
        let codes = identifiable();
        assert_eq!(codes.len(), Lang::all().len());
        assert!(codes.windows(2).all(|pair| pair[0] < pair[1]), "{codes:?}");
        assert!(codes.iter().all(|code| code.len() == 2), "{codes:?}");
    }

    #[test]
    fn stop_words_help_with_short_texts() {
        let reviews: Vec<(String, String)> =
            serde_json::from_str(include_str!("../../tests/data/text/stopwords.json")).unwrap();
        let right = |identify: &dyn Fn(&str) -> Option<(&'static str, f64)>| {
            let answers = reviews.iter().filter_map(|(text, _)| identify(text)).filter(|(code, _)| *code == "en");
            let (all, sure): (Vec<_>, Vec<_>) = answers.partition(|(_, confidence)| *confidence < 0.9);
            (all.len() + sure.len(), sure.len())
        };
        let by_trigrams = |text: &str| whatlang::detect(text).map(|found| (code(found.lang()), found.confidence()));
        let (with, without) = (right(&identify), right(&by_trigrams));
        assert!(with.0 >= without.0 && with.1 >= without.1 && with.0 > 950, "{with:?} {without:?}");
        // Languages without stop words here, from the Universal Declaration of Human Rights.
        for (text, expected) in [
            ("Genir pawb yn rhydd ac yn gydradd â'i gilydd mewn urddas a hawliau. Fe'u cynysgaeddir â rheswm.", "cy"),
            ("Saben uwong kalairake kanthi mardika lan darbe martabat lan hak-hak kang pada.", "jv"),
            ("Hemme adamlar öz mertebesi we hukuklary boýunça deň ýagdaýda dünýä inýärler.", "tk"),
            ("Vanhu vese vanoberekwa vakasununguka uyewo vakaenzana pahunhu nekodzero dzavo.", "sn"),
            ("Wɔawo adesamma nyinaa sɛ nnipa a wɔwɔ ahofadi. Wɔn nyinaa wɔ nidi ne kyɛfa koro.", "ak"),
            ("It’s a “café” – naïve, isn’t it…", "en"),
        ] {
            assert_eq!(identify(text).map(|found| found.0), Some(expected), "{text}");
        }
    }
}
