//! Synonyms of English, from `WordNet` 3.0 (Fellbaum, 1998), or from a table of the user's.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write as _,
    sync::OnceLock,
};

use serde::Deserialize;

/// `word<TAB>synonym synonym …`, sorted; how it is made, and its licence, lie beside it.
const ENGLISH: &str = include_str!("lexicon/en.tsv");

/// Words and their synonyms.
#[derive(Clone, Debug)]
pub enum Lexicon {
    /// The table that comes with the program.
    English,
    /// A table of the user's.
    Table(HashMap<String, Vec<String>>),
}

/// How a table of synonyms is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableForm {
    /// `word<TAB>synonym synonym …`, a line a word; `_` in a synonym stands for a space. Empty lines and lines that start with
    /// `#` are skipped.
    Tsv,
    /// `word,synonym,synonym …`, a line a word; a first line that begins with `word,` is a header.
    Csv,
    /// `{"word": "film", "synonyms": ["movie", "motion picture"]}`, a line a word.
    Jsonl,
}

impl TableForm {
    /// The form by the ending of a file's name; `Tsv` for unknown ones.
    #[must_use]
    pub fn of(path: &str) -> Self {
        let ending = path.rsplit('.').next().unwrap_or_default().to_lowercase();
        match ending.as_str() {
            "csv" => Self::Csv,
            "jsonl" | "ndjson" => Self::Jsonl,
            _ => Self::Tsv,
        }
    }

    fn example(self) -> &'static str {
        match self {
            Self::Tsv => "word<TAB>synonym synonym …",
            Self::Csv => "word,synonym,synonym …",
            Self::Jsonl => "{\"word\": \"film\", \"synonyms\": [\"movie\"]}",
        }
    }

    /// A word and its synonyms; none where the line is none of this form.
    fn entry(self, line: &str) -> Option<(String, Vec<String>)> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Entry {
            word: String,
            synonyms: Vec<String>,
        }
        let (word, synonyms) = match self {
            Self::Tsv => {
                let (word, synonyms) = line.split_once('\t')?;
                (word.to_owned(), synonyms.split_whitespace().map(|synonym| synonym.replace('_', " ")).collect())
            }
            Self::Csv => {
                let mut cells = cells(line)?.into_iter();
                (cells.next()?, cells.collect())
            }
            Self::Jsonl => {
                let entry: Entry = serde_json::from_str(line).ok()?;
                (entry.word, entry.synonyms)
            }
        };
        let word = word.trim().to_lowercase();
        let synonyms: Vec<String> = synonyms.iter().map(|synonym| synonym.trim().to_owned()).collect();
        let synonyms: Vec<String> = synonyms.into_iter().filter(|synonym| !synonym.is_empty()).collect();
        (!word.is_empty() && !synonyms.is_empty()).then_some((word, synonyms))
    }
}

/// The cells of a line of CSV; none where a quote is not closed.
fn cells(line: &str) -> Option<Vec<String>> {
    let mut cells = vec![String::new()];
    let mut letters = line.chars().peekable();
    let mut is_quoted = false;
    while let Some(letter) = letters.next() {
        let cell = cells.last_mut()?;
        match letter {
            '"' if is_quoted && letters.peek() == Some(&'"') => cell.extend(letters.next()),
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => cells.push(String::new()),
            letter => cell.push(letter),
        }
    }
    (!is_quoted).then_some(cells)
}

impl Lexicon {
    /// Reads a table; a word that stands in several lines has the synonyms of all.
    ///
    /// # Errors
    /// When a line is not of the form or has no synonym: the message names the line.
    pub fn parse(text: &str, form: TableForm) -> Result<Self, String> {
        let mut table: HashMap<String, Vec<String>> = HashMap::new();
        for (number, line) in text.strip_prefix('\u{feff}').unwrap_or(text).lines().enumerate() {
            let is_comment = form == TableForm::Tsv && line.starts_with('#');
            let is_header = form == TableForm::Csv && number == 0 && line.to_lowercase().starts_with("word,");
            if line.trim().is_empty() || is_comment || is_header {
                continue;
            }
            let wrong = || format!("line {}: expected `{}`", number + 1, form.example());
            let (word, synonyms) = form.entry(line).ok_or_else(wrong)?;
            let entry = table.entry(word).or_default();
            for synonym in synonyms {
                if !entry.contains(&synonym) {
                    entry.push(synonym);
                }
            }
        }
        if table.is_empty() { Err("the table has no words".to_owned()) } else { Ok(Self::Table(table)) }
    }

    /// The synonyms of a word in small letters; none for most words.
    #[must_use]
    pub fn synonyms(&self, word: &str) -> Vec<&str> {
        match self {
            Self::English => english().get(word).map(|found| found.split(' ').collect()).unwrap_or_default(),
            Self::Table(table) => {
                table.get(word).map(|found| found.iter().map(String::as_str).collect()).unwrap_or_default()
            }
        }
    }

    /// The table as [`TableForm::Tsv`], sorted, and how many words and synonyms it has.
    #[must_use]
    pub fn to_tsv(&self) -> (String, [usize; 2]) {
        let Self::Table(table) = self else {
            let words = english().len();
            return (ENGLISH.to_owned(), [words, ENGLISH.matches([' ', '\t']).count()]);
        };
        let sorted: BTreeMap<&String, &Vec<String>> = table.iter().collect();
        let (mut text, mut count) = (String::new(), 0);
        for (word, synonyms) in &sorted {
            count += synonyms.len();
            let synonyms: Vec<String> = synonyms.iter().map(|synonym| joined(synonym)).collect();
            let _ = writeln!(text, "{word}\t{}", synonyms.join(" "));
        }
        (text, [sorted.len(), count])
    }
}

/// A synonym of several words as one.
fn joined(synonym: &str) -> String {
    synonym.split_whitespace().collect::<Vec<_>>().join("_")
}

fn english() -> &'static HashMap<&'static str, &'static str> {
    static TABLE: OnceLock<HashMap<&str, &str>> = OnceLock::new();
    TABLE.get_or_init(|| ENGLISH.lines().filter_map(|line| line.split_once('\t')).collect())
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
        let tsv = "# deutsch\nGut\tprima fein\n\nauto\twagen prima_ding\nauto\twagen\n";
        let csv = "Word,Synonyms\nGut,prima,fein,\nauto,wagen,\"prima ding\"\n";
        let jsonl = "{\"word\": \"Gut\", \"synonyms\": [\"prima\", \"fein\"]}\n\n{\"word\":\"auto\",\"synonyms\":[\"wagen\",\"prima ding\"]}";
        for (text, form) in [(tsv, TableForm::Tsv), (csv, TableForm::Csv), (jsonl, TableForm::Jsonl)] {
            let lexicon = Lexicon::parse(text, form).unwrap();
            assert_eq!(lexicon.synonyms("gut"), ["prima", "fein"]);
            assert_eq!(lexicon.synonyms("auto"), ["wagen", "prima ding"]);
            let (tsv, counts) = lexicon.to_tsv();
            assert_eq!((tsv.as_str(), counts), ("auto\twagen prima_ding\ngut\tprima fein\n", [2, 4]));
        }
        let wrong = Lexicon::parse("a\tb\nc d\n", TableForm::Tsv).unwrap_err();
        assert_eq!(wrong, "line 2: expected `word<TAB>synonym synonym …`");
        for (text, form) in
            [("\n", TableForm::Tsv), ("a,\"b", TableForm::Csv), ("a", TableForm::Csv), ("{}", TableForm::Jsonl)]
        {
            assert!(Lexicon::parse(text, form).is_err(), "{text:?}");
        }
        assert_eq!(
            [TableForm::of("x/a.CSV"), TableForm::of("a.jsonl"), TableForm::of("a.txt")],
            [TableForm::Csv, TableForm::Jsonl, TableForm::Tsv]
        );
    }
}
