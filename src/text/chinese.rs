//! Words of Chinese, which are written without spaces between them, by the dictionary of jieba.

use std::{ops::Range, sync::OnceLock};

use jieba_rs::Jieba;

use super::segment;

/// The pieces of a text, as `segment::pieces` gives them, but for Chinese characters: those that form a word are one piece,
/// `我|喜欢|这部|电影`. Joined, they are the text. The dictionary is read once, when the first Chinese character is met.
pub(super) fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let is_chinese = is_han(first);
        let end = rest.find(|c| is_han(c) != is_chinese).unwrap_or(rest.len());
        let (run, others) = rest.split_at(end);
        if is_chinese {
            words.extend(jieba().cut(run, true).into_iter().map(|token| token.word));
        } else {
            words.extend(segment::pieces(run));
        }
        rest = others;
    }
    words
}

/// The places of these pieces.
pub(super) fn pieces(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut end = 0;
    words(text).into_iter().map(move |word| {
        let start = end;
        end += word.len();
        start..end
    })
}

/// Whether a text has Chinese characters.
pub(super) fn has_characters(text: &str) -> bool {
    !text.is_ascii() && text.chars().any(is_han)
}

/// Whether a letter is written without spaces around its word: Chinese characters, and the marks and kana that stand among
/// them.
pub(super) fn is_unspaced(c: char) -> bool {
    is_han(c) || matches!(c, '\u{3000}'..='\u{30FF}' | '\u{FF00}'..='\u{FF65}')
}

/// The blocks of Chinese characters that are in use, with the mark of repetition.
fn is_han(c: char) -> bool {
    matches!(c, '\u{3005}' | '\u{3007}' | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{323AF}')
}

fn jieba() -> &'static Jieba {
    static JIEBA: OnceLock<Jieba> = OnceLock::new();
    JIEBA.get_or_init(Jieba::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_and_nothing_is_lost() {
        assert_eq!(words("我喜欢这部电影。"), ["我", "喜欢", "这部", "电影", "。"]);
        assert_eq!(words("BERT 模型很好!"), ["BERT", " ", "模型", "很", "好", "!"]);
        for text in
            ["", "a b", "我们中出了一个叛徒", "日本語テスト 𠀀𠀁", "\0我\0", "👩‍👩‍👧我们", "مرحبا 你好", "我\u{301}们"]
        {
            assert_eq!(words(text).concat(), text);
        }
        // Not in the dictionary: found by the model behind it.
        assert_eq!(words("他来到了网易杭研大厦"), ["他", "来到", "了", "网易", "杭研", "大厦"]);
        assert!(has_characters("a字") && !has_characters("aé😀"));
        let long = "我们".repeat(50_000);
        assert_eq!(words(&long).concat(), long);
    }
}
