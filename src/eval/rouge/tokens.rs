//! The words of a text as ROUGE counts them, as numbers, line by line.

use std::collections::HashMap;

use super::porter;

/// Numbers of words: equal ones where two words count as the same.
pub(super) struct Vocabulary {
    stem: bool,
    /// Words as they stand in texts; each is stemmed once.
    numbers: HashMap<String, u32>,
    /// What they are told apart by: their stems, or themselves.
    forms: HashMap<String, u32>,
}

impl Vocabulary {
    /// Without words. With `stem`, words of more than three characters are told apart by their stems.
    pub(super) fn new(stem: bool) -> Self {
        Self { stem, numbers: HashMap::new(), forms: HashMap::new() }
    }

    /// How many numbers there are: all are below.
    pub(super) fn len(&self) -> usize {
        self.forms.len()
    }

    /// The words of a text: runs of `a` to `z` and `0` to `9` after all letters were made small, so that an accented
    /// letter parts a word in two.
    pub(super) fn tokens(&mut self, text: &str) -> Tokens {
        let mut tokens = Tokens { words: Vec::new(), ends: Vec::new() };
        let mut word = String::new();
        for line in text.split('\n') {
            // Two letters beyond ASCII have small forms within it. The end of a line ends its last word, too.
            for c in line.chars().flat_map(char::to_lowercase).chain(['\n']) {
                if c.is_ascii_alphanumeric() {
                    word.push(c);
                } else if !word.is_empty() {
                    tokens.words.push(self.number(&word));
                    word.clear();
                }
            }
            if tokens.words.len() > tokens.ends.last().copied().unwrap_or(0) {
                tokens.ends.push(tokens.words.len());
            }
        }
        tokens
    }

    fn number(&mut self, word: &str) -> u32 {
        if let Some(&number) = self.numbers.get(word) {
            return number;
        }
        let form = if self.stem && word.len() > 3 { porter::stem(word) } else { word.to_owned() };
        let next = self.forms.len() as u32;
        let number = *self.forms.entry(form).or_insert(next);
        self.numbers.insert(word.to_owned(), number);
        number
    }
}

/// A text as numbers of words.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Tokens {
    words: Vec<u32>,
    /// Where the lines end that have words.
    ends: Vec<usize>,
}

impl Tokens {
    /// All words, in order.
    pub(super) fn words(&self) -> &[u32] {
        &self.words
    }

    /// The words of each line that has some.
    pub(super) fn lines(&self) -> impl ExactSizeIterator<Item = &[u32]> {
        let mut start = 0;
        self.ends.iter().map(move |&end| &self.words[std::mem::replace(&mut start, end)..end])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words of a text, as they are told apart.
    fn words(text: &str, stem: bool) -> Vec<String> {
        let mut vocabulary = Vocabulary::new(stem);
        let tokens = vocabulary.tokens(text);
        let form = |number| vocabulary.forms.iter().find(|(_, n)| *n == number).unwrap().0.clone();
        tokens.words().iter().map(form).collect()
    }

    #[test]
    fn words_of_texts() {
        for (text, expected) in [
            ("One Two\n three-4,5", "one two three 4 5"),
            ("don't  e.g. U.S.", "don t e g u s"),
            ("snake_case\tRFC2119", "snake case rfc2119"),
            ("naïve ÉCOLE", "na ve cole"),
            // The signs of Kelvin and ångström; a capital I with a dot is a small one and the dot by itself.
            ("300 \u{212a} \u{212b}x İstanbul", "300 k x i stanbul"),
            ("日本語 ①² ½ ﬁn ß", "n"),
            (" . \n\r\n", ""),
            ("", ""),
        ] {
            assert_eq!(words(text, false).join(" "), expected, "{text:?}");
        }
        assert_eq!(words("The friends had meetings, boys its has", true).join(" "), "the friend had meet boy its has");
    }

    #[test]
    fn lines_without_words_are_none() {
        let mut vocabulary = Vocabulary::new(false);
        let tokens = vocabulary.tokens("\na b\n\n--\nb\r\n");
        assert_eq!(tokens.lines().collect::<Vec<_>>(), [[0, 1].as_slice(), &[1]]);
        assert_eq!(tokens.words(), [0, 1, 1]);
        assert_eq!(vocabulary.tokens("\n").lines().len(), 0);
        assert_eq!(vocabulary.len(), 2);
    }
}
