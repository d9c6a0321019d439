//! `Form`: a text as it is compared with others, and its shingles.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfkc_quick};
use unicode_segmentation::UnicodeSegmentation;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

/// When two texts are the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Exact {
    /// When they have the same words in the same order: `It’s GOOD,  no?` and `it's good no` are the same. Texts without a word
    /// (`:-)`) are compared as they stand.
    #[default]
    Normal,
    /// When every character is the same.
    Verbatim,
}

/// What a text is cut into; two texts are as similar as the sets of their parts. A text that is shorter than one part is one part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Shingles {
    /// So many neighbouring words: of 3, `a very good film` has `a very good` and `very good film`. In Chinese, Japanese and Thai,
    /// which have no spaces, each character is a word: `今天天气好` has `今天天`, `天天气` and `天气好`.
    Words(usize),
    /// So many neighbouring characters, a space between words being one: of 5, `good film` has `good `, `ood f`, `od fi`, …
    Characters(usize),
}

impl Default for Shingles {
    fn default() -> Self {
        Self::Words(3)
    }
}

/// The words of a text (or of a pair of texts) in small letters, compatible forms made one, with a space between; its memory is used
/// again for the next text.
///
/// It is the [normal form](crate::text::normal_form) of the text. Those of a pair stand on a line each.
#[derive(Debug, Default)]
pub struct Form {
    text: Vec<u8>,
    /// Where each word begins and ends.
    words: Vec<(usize, usize)>,
    /// Where the last line begins.
    line: usize,
}

impl Form {
    /// Takes another text.
    pub fn set(&mut self, text: &str, pair: Option<&str>) {
        self.text.clear();
        self.words.clear();
        self.line = 0;
        self.add(text);
        if let Some(pair) = pair {
            self.text.push(b'\n');
            self.line = self.text.len();
            self.add(pair);
        }
    }

    /// Whether there is a word in it.
    #[must_use]
    pub fn has_words(&self) -> bool {
        !self.words.is_empty()
    }

    /// The form, in UTF-8.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    fn add(&mut self, text: &str) {
        if text.is_ascii() {
            self.add_ascii(text);
        } else if is_nfkc_quick(text.chars()) == IsNormalized::Yes {
            self.add_words(text);
        } else {
            let text: String = text.nfkc().collect();
            self.add_words(&text);
        }
    }

    /// What [`Self::add_words`] does, for texts of ASCII, by the rules of Unicode that are left there: WB5 to WB13.
    fn add_ascii(&mut self, text: &str) {
        let bytes = text.as_bytes();
        self.text.reserve(bytes.len() + 1);
        let mut at = 0;
        while let Some(length) = bytes[at..].iter().position(|&byte| CORE[usize::from(byte)] != 0) {
            at += length;
            let start = self.begin();
            let mut has_alphanumeric = false;
            while let Some(&byte) = bytes.get(at) {
                let mut letter = CORE[usize::from(byte)];
                if letter == 0 {
                    if !bytes.get(at + 1).is_some_and(|&next| joins(bytes[at - 1], byte, next)) {
                        break;
                    }
                    letter = byte;
                }
                has_alphanumeric |= letter.is_ascii_alphanumeric();
                self.text.push(letter);
                at += 1;
            }
            if has_alphanumeric {
                self.words.push((start, self.text.len()));
            } else {
                self.text.truncate(self.words.last().map_or(0, |word| word.1).max(self.line));
            }
        }
    }

    fn add_words(&mut self, text: &str) {
        for word in text.unicode_words() {
            let start = self.begin();
            if word.is_ascii() {
                self.text.extend(word.bytes().map(|byte| byte.to_ascii_lowercase()));
            } else if word.contains('Σ') {
                // It has another small letter at the end of a word.
                self.text.extend(word.to_lowercase().replace('\u{2019}', "'").bytes());
            } else {
                for letter in word.chars().flat_map(char::to_lowercase) {
                    let letter = if letter == '\u{2019}' { '\'' } else { letter };
                    self.text.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
                }
            }
            self.words.push((start, self.text.len()));
        }
    }

    /// Where the next word begins.
    fn begin(&mut self) -> usize {
        if self.text.len() > self.line {
            self.text.push(b' ');
        }
        self.text.len()
    }
}

/// What each byte is within a word: the small letter of a letter, a digit or `_` itself, and nothing of what is between words.
const CORE: [u8; 256] = {
    let mut core = [0; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        if byte.is_ascii_alphanumeric() || byte == b'_' {
            core[byte as usize] = byte.to_ascii_lowercase();
        }
        byte += 1;
    }
    core
};

/// Whether what stands between two signs is within a word: `don't`, `e.g`, `1,000`.
fn joins(before: u8, byte: u8, next: u8) -> bool {
    match byte {
        b'\'' | b'.' => {
            before.is_ascii_digit() && next.is_ascii_digit()
                || before.is_ascii_alphabetic() && next.is_ascii_alphabetic()
        }
        b',' | b';' => before.is_ascii_digit() && next.is_ascii_digit(),
        b':' => before.is_ascii_alphabetic() && next.is_ascii_alphabetic(),
        _ => false,
    }
}

impl Exact {
    /// A number that two texts share when they are the same, and otherwise with a probability of 2⁻¹²⁸. `form` is theirs.
    #[must_use]
    pub fn key(self, text: &str, pair: Option<&str>, form: &Form) -> u128 {
        if self == Self::Normal && form.has_words() {
            return xxh3_128(&form.text);
        }
        let key = xxh3_128(text.as_bytes());
        pair.map_or(key, |pair| key.rotate_left(1).wrapping_add(xxh3_128(pair.as_bytes())))
    }
}

impl Shingles {
    /// How many words or characters a part has.
    #[must_use]
    pub fn length(self) -> usize {
        match self {
            Self::Words(length) | Self::Characters(length) => length,
        }
    }

    /// The 64-bit hashes of the parts of a text, in order, in place of what `hashes` held; none of a text without words.
    pub fn hash(self, form: &Form, hashes: &mut Vec<u64>) {
        hashes.clear();
        let bytes = form.text.as_slice();
        let length = self.length().max(1);
        match self {
            _ if !form.has_words() => {}
            Self::Words(_) if form.words.len() > length => {
                let part = |words: &[(usize, usize)]| xxh3_64(&bytes[words[0].0..words[length - 1].1]);
                hashes.extend(form.words.windows(length).map(part));
            }
            Self::Characters(_) if bytes.len() > length => {
                // Each part begins at a character and ends where the one so many further begins.
                let starts = || bytes.iter().enumerate().filter(|(_, byte)| is_start(**byte)).map(|(at, _)| at);
                let ends = starts().chain([bytes.len()]).skip(length);
                hashes.extend(starts().zip(ends).map(|(start, end)| xxh3_64(&bytes[start..end])));
                if hashes.is_empty() {
                    hashes.push(xxh3_64(bytes));
                }
            }
            _ => hashes.push(xxh3_64(bytes)),
        }
    }
}

/// Whether a character begins with this byte in UTF-8.
fn is_start(byte: u8) -> bool {
    byte & 0b1100_0000 != 0b1000_0000
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        base::rng::{below, stream},
        text::normal_form,
    };

    fn form(text: &str) -> Form {
        let mut form = Form::default();
        form.set(text, None);
        form
    }

    #[test]
    fn it_is_the_normal_form() {
        for text in [
            "",
            " ",
            "a",
            "It’s GOOD,  no?",
            "e.g. 1,000.5 x_1 _ __ 3:4 a:b 'tis o'clock' 5'6",
            "ﬁne Ｆｕｌｌ １２",
            "ΟΔΟΣ ΣΟΦΌΣ",
            "İstanbul STRASSE ẞ",
            "今天天气很好。Tokyo 東京タワー",
            "😀👍🏽 a\u{301}b",
            "a\0b\0",
            "שלום עולם",
            "مرحبا",
            "สวัสดีครับ",
            "\u{feff}x\u{200d}y",
            "a.b.c...d",
            "it’s’’ ’",
            "_a_ a_b __1",
            "CAN'T;WON'T 1;2 1.a a.1",
        ] {
            assert_eq!(form(text).text(), normal_form(text).as_bytes(), "{text:?}");
        }
        let signs: Vec<char> = "abAZ09_'.,:;- \n\t!".chars().collect();
        let mut random = stream(1, "form");
        for _ in 0..20_000 {
            let text: String = (0..below(&mut random, 14)).map(|_| signs[below(&mut random, signs.len())]).collect();
            assert_eq!(form(&text).text(), normal_form(&text).as_bytes(), "{text:?}");
        }
    }

    #[test]
    fn keys_tell_texts_apart() {
        let key = |exact: Exact, text: &str, pair: Option<&str>| {
            let mut form = Form::default();
            form.set(text, pair);
            exact.key(text, pair, &form)
        };
        let same = |exact, a, b| key(exact, a, None) == key(exact, b, None);
        assert!(same(Exact::Normal, "It’s GOOD,  no?", "it's good no"));
        assert!(!same(Exact::Verbatim, "It’s GOOD,  no?", "it's good no"));
        assert!(same(Exact::Normal, "", "") && !same(Exact::Normal, "👍", "👎") && !same(Exact::Normal, "!", ""));
        let pairs = |a: (&str, &str), b: (&str, &str)| {
            [Exact::Normal, Exact::Verbatim].map(|exact| key(exact, a.0, Some(a.1)) == key(exact, b.0, Some(b.1)))
        };
        assert_eq!(pairs(("a b", "c"), ("a", "b c")), [false, false]);
        assert_eq!(pairs(("a", "b"), ("b", "a")), [false, false]);
        assert_eq!(pairs(("!\0", "?"), ("!", "\0?")), [false, false]);
        assert_eq!(pairs(("A.", "b"), ("a", "b")), [true, false]);
    }

    #[test]
    fn shingles_are_neighbours() {
        let parts = |shingles: Shingles, text: &str| {
            let mut hashes = Vec::new();
            shingles.hash(&form(text), &mut hashes);
            hashes
        };
        let of = |parts: &[&str]| parts.iter().map(|part| xxh3_64(part.as_bytes())).collect::<Vec<_>>();
        assert_eq!(parts(Shingles::Words(3), "A very good film."), of(&["a very good", "very good film"]));
        assert_eq!(parts(Shingles::Words(3), "今天天气好"), of(&["今 天 天", "天 天 气", "天 气 好"]));
        assert_eq!(parts(Shingles::Words(3), "One, two"), of(&["one two"]));
        assert_eq!(parts(Shingles::Words(1), "One, two"), of(&["one", "two"]));
        assert_eq!(parts(Shingles::Characters(5), "Good, fil"), of(&["good ", "ood f", "od fi", "d fil"]));
        assert_eq!(parts(Shingles::Characters(2), "äöü"), of(&["äö", "öü"]));
        assert_eq!(parts(Shingles::Characters(5), "äöü"), of(&["äöü"]));
        assert_eq!(parts(Shingles::Characters(3), "äöü"), of(&["äöü"]));
        for shingles in [Shingles::Words(3), Shingles::Characters(5)] {
            assert!(parts(shingles, "").is_empty() && parts(shingles, "?! 👍").is_empty());
        }
        let long = "x".repeat(1 << 20);
        assert_eq!(parts(Shingles::Words(3), &long).len(), 1);
        assert_eq!(parts(Shingles::Characters(5), &long).len(), (1 << 20) - 4);
    }
}
