//! Synonyms of English, from `WordNet` 3.0 (Fellbaum, 1998), or from a table of the user's.

use std::collections::BTreeMap;

/// `word<TAB>synonym synonym …`, sorted; how it is made, and its licence, lie beside it.
const ENGLISH: &str = include_str!("lexicon/en.tsv");

/// Words and their synonyms.
#[derive(Clone, Debug)]
pub enum Lexicon {
    /// The table that comes with the program.
    English,
    /// A table of the user's.
    Table(BTreeMap<String, Vec<String>>),
}

impl Lexicon {
    /// Reads a table: a line a word, `word<TAB>synonym synonym …`; empty lines and lines that start with `#` are skipped.
    ///
    /// # Errors
    /// When a line has no tab or no synonym: the message names the line.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut table: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (number, line) in text.lines().enumerate() {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong = || format!("line {}: expected `word<TAB>synonym synonym …`", number + 1);
            let (word, synonyms) = line.split_once('\t').ok_or_else(wrong)?;
            let synonyms: Vec<String> = synonyms.split_whitespace().map(ToOwned::to_owned).collect();
            if word.trim().is_empty() || synonyms.is_empty() {
                return Err(wrong());
            }
            table.entry(word.trim().to_lowercase()).or_default().extend(synonyms);
        }
        if table.is_empty() { Err("the table has no words".to_owned()) } else { Ok(Self::Table(table)) }
    }

    /// The synonyms of a word in small letters; none for most words.
    #[must_use]
    pub fn synonyms(&self, word: &str) -> Vec<&str> {
        match self {
            Self::English => find(ENGLISH, word).map(|found| found.split(' ').collect()).unwrap_or_default(),
            Self::Table(table) => {
                table.get(word).map(|found| found.iter().map(String::as_str).collect()).unwrap_or_default()
            }
        }
    }
}

/// Finds a word's line by bisection over bytes: the table needs no index and no memory of its own.
fn find<'a>(table: &'a str, word: &str) -> Option<&'a str> {
    let (mut low, mut high) = (0, table.len());
    while low < high {
        let middle = low + (high - low) / 2;
        let start = table[..middle].rfind('\n').map_or(0, |at| at + 1);
        let end = table[start..].find('\n').map_or(table.len(), |at| start + at);
        let (entry, synonyms) = table[start..end].split_once('\t')?;
        match entry.cmp(word) {
            std::cmp::Ordering::Equal => return Some(synonyms),
            std::cmp::Ordering::Less => low = end + 1,
            std::cmp::Ordering::Greater => high = start,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_the_table_is_found() {
        let mut last = "";
        for line in ENGLISH.lines() {
            let (word, synonyms) = line.split_once('\t').unwrap();
            assert!(last < word, "sorted: {last} before {word}");
            assert_eq!(Lexicon::English.synonyms(word).join(" "), synonyms);
            assert!(!synonyms.split(' ').any(|synonym| synonym == word), "{word}");
            last = word;
        }
        assert_eq!(Lexicon::English.synonyms("film"), ["movie"]);
        for word in ["not", "no", "never", "zzzz", "", "a", "filmx"] {
            assert!(Lexicon::English.synonyms(word).is_empty(), "{word}");
        }
    }

    #[test]
    fn a_table_of_the_users() {
        let lexicon = Lexicon::parse("# deutsch\nGut\tprima fein\n\nauto\twagen\n").unwrap();
        assert_eq!(lexicon.synonyms("gut"), ["prima", "fein"]);
        assert_eq!(Lexicon::parse("a\tb\nc d\n").unwrap_err(), "line 2: expected `word<TAB>synonym synonym …`");
        assert!(Lexicon::parse("\n").is_err());
    }
}
