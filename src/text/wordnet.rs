//! Synonyms from the database files of `WordNet` (Fellbaum, 1998), as Princeton ships them: `index.noun`, `data.noun`, ….

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The endings of the files of each part of speech, and its digits in keys of senses (`cntlist.rev`).
pub const PARTS: [(&str, &str); 4] = [("noun", "1"), ("verb", "2"), ("adj", "35"), ("adv", "4")];
/// Synonyms of a word at most, where only its most frequent sense counts.
const MOST: usize = 6;

/// Which meanings of a word give it synonyms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Senses {
    /// The most frequent one: `film` becomes `movie`. A synonym must have that sense among its own first two, and occur in the
    /// texts that `WordNet`'s authors tagged; six at most, of single words. So is the table made that comes with the program.
    #[default]
    Frequent,
    /// All of all parts of speech, as EDA has it: `film` becomes `movie`, `picture`, `celluloid`, `shoot` or `take`.
    All,
}

/// The files of a part of speech.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// `index.noun`.
    pub index: &'a str,
    /// `data.noun`.
    pub data: &'a str,
}

/// Words with their synonyms, in the order of `WordNet`; `parts` are those of [`PARTS`], `counts` is `cntlist.rev`, which
/// [`Senses::All`] does without.
///
/// # Errors
/// When a line is not as `WordNet` has it: the message names file and line.
pub fn table(parts: [Part<'_>; 4], counts: &str, senses: Senses) -> Result<BTreeMap<String, Vec<String>>, String> {
    let mut indices = Vec::with_capacity(4);
    let mut synsets = Vec::with_capacity(4);
    for (part, (name, _)) in parts.iter().zip(PARTS) {
        indices.push(index(part.index).map_err(|line| wrong(&format!("index.{name}"), line))?);
        synsets.push(data(part.data).map_err(|line| wrong(&format!("data.{name}"), line))?);
    }
    let counts = tagged(counts).map_err(|line| wrong("cntlist.rev", line))?;
    let words: BTreeSet<&str> = indices.iter().flat_map(|index| index.iter().map(|(word, _)| *word)).collect();
    let indices: Vec<HashMap<&str, Vec<&str>>> = indices.into_iter().map(|index| index.into_iter().collect()).collect();
    let mut table = BTreeMap::new();
    for word in words {
        let synonyms = match senses {
            Senses::Frequent => frequent(word, &indices, &synsets, &counts),
            Senses::All => all(word, &indices, &synsets),
        };
        if !synonyms.is_empty() {
            table.insert(word.to_owned(), synonyms);
        }
    }
    Ok(table)
}

/// The licence, which stands at the head of each file behind numbers of lines; empty where it does not.
#[must_use]
pub fn license(index: &str) -> String {
    let mut license = String::new();
    for line in index.lines().take_while(|line| line.starts_with(' ')) {
        let line = line.trim_start().trim_start_matches(|c: char| c.is_ascii_digit());
        license.push_str(line.strip_prefix(' ').unwrap_or(line).trim_end());
        license.push('\n');
    }
    license
}

fn wrong(file: &str, line: usize) -> String {
    format!("`{file}`, line {line}: not as WordNet has it")
}

/// Lines with their numbers, without the licence at the head.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    (1..).zip(text.lines()).filter(|(_, line)| !line.starts_with(' ') && !line.is_empty())
}

/// The synsets of each single word, the most frequent sense first.
fn index(text: &str) -> Result<Vec<(&str, Vec<&str>)>, usize> {
    let mut words = Vec::new();
    for (number, line) in lines(text) {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [word, _, count, ..] = fields[..] else { return Err(number) };
        if !is_plain(word) {
            continue;
        }
        let count: usize = count.parse().map_err(|_| number)?;
        let first = fields.len().checked_sub(count).filter(|first| *first >= 4).ok_or(number)?;
        words.push((word, fields[first..].to_vec()));
    }
    Ok(words)
}

/// The words of each synset, by its place in the file.
fn data(text: &str) -> Result<HashMap<&str, Vec<&str>>, usize> {
    let mut synsets = HashMap::new();
    for (number, line) in lines(text) {
        let mut fields = line.split_whitespace();
        let place = fields.next().ok_or(number)?;
        let count = fields.nth(2).and_then(|count| usize::from_str_radix(count, 16).ok()).ok_or(number)?;
        let words: Vec<&str> = fields.step_by(2).take(count).collect();
        if words.len() != count {
            return Err(number);
        }
        synsets.insert(place, words);
    }
    Ok(synsets)
}

/// How often each word was tagged as each part of speech: `film%1:10:00:: 1 14`.
fn tagged(text: &str) -> Result<HashMap<(&str, char), usize>, usize> {
    let mut counts = HashMap::new();
    for (number, line) in lines(text) {
        let mut fields = line.split_whitespace();
        let (word, sense) = fields.next().and_then(|key| key.split_once('%')).ok_or(number)?;
        let part = sense.chars().next().ok_or(number)?;
        let count: usize = fields.nth(1).and_then(|count| count.parse().ok()).ok_or(number)?;
        *counts.entry((word, part)).or_insert(0) += count;
    }
    Ok(counts)
}

/// Small letters, at least three: no abbreviations, names or phrases.
fn is_plain(word: &str) -> bool {
    word.len() >= 3 && word.bytes().all(|byte| byte.is_ascii_lowercase())
}

fn frequent(
    word: &str,
    indices: &[HashMap<&str, Vec<&str>>],
    synsets: &[HashMap<&str, Vec<&str>>],
    counts: &HashMap<(&str, char), usize>,
) -> Vec<String> {
    let count = |part: usize| PARTS[part].1.chars().filter_map(|digit| counts.get(&(word, digit))).sum::<usize>();
    // The first of equals: noun, verb, adjective, adverb.
    let parts = (0..PARTS.len()).filter(|&part| indices[part].contains_key(word));
    let Some(part) = parts.rev().max_by_key(|&part| count(part)) else { return Vec::new() };
    let first = indices[part][word][0];
    let has_it_early =
        |other: &str| indices[part].get(other).is_some_and(|senses| senses.iter().take(2).any(|sense| *sense == first));
    let occurs = |other: &str| PARTS[part].1.chars().any(|digit| counts.contains_key(&(other, digit)));
    let others = synsets[part].get(first).into_iter().flatten().copied();
    let fit = others.filter(|&other| other != word && is_plain(other) && has_it_early(other) && occurs(other));
    let mut seen = HashSet::new();
    fit.filter(|other| seen.insert(*other)).take(MOST).map(ToOwned::to_owned).collect()
}

fn all(word: &str, indices: &[HashMap<&str, Vec<&str>>], synsets: &[HashMap<&str, Vec<&str>>]) -> Vec<String> {
    let mut seen = HashSet::from([word.to_owned()]);
    let mut synonyms = Vec::new();
    for (index, synsets) in indices.iter().zip(synsets) {
        for place in index.get(word).into_iter().flatten() {
            for other in synsets.get(place).into_iter().flatten() {
                // A syntactic marker, as in `galore(ip)`, is no part of the word.
                let other = other.split('(').next().unwrap_or_default().replace('_', " ").to_lowercase();
                if !other.is_empty() && seen.insert(other.clone()) {
                    synonyms.push(other);
                }
            }
        }
    }
    synonyms
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOUNS: Part<'_> = Part {
        index: "  1 This software\n  2 is free.  \nfilm n 3 1 @ 3 2 00000010 00000020 00000099  \nmovie n 1 1 @ 1 1 00000010  \nmoving_picture n 1 1 @ 1 0 00000010  \n",
        data: "  1 This software\n00000010 10 n 04 film 0 movie 0 moving_picture 0 Flick 1 000 | a form of entertainment\n00000020 10 n 02 film 0 cinema 0 001 @ 00000010 n 0000 | cinema\n",
    };
    const VERBS: Part<'_> =
        Part { index: "film v 1 1 @ 1 1 00000030  \n", data: "00000030 30 v 02 film 0 shoot 0 000 | x\n" };
    const NONE: Part<'_> = Part { index: "", data: "" };
    const COUNTS: &str = "film%1:10:00:: 1 14\nmovie%1:10:00:: 1 9\nfilm%2:36:00:: 1 2\n";

    #[test]
    fn one_sense_or_all() {
        let parts = [NOUNS, VERBS, NONE, NONE];
        let frequent = table(parts, COUNTS, Senses::Frequent).unwrap();
        assert_eq!(frequent["film"], ["movie"]);
        assert_eq!(frequent["movie"], ["film"]);
        let all = table(parts, "", Senses::All).unwrap();
        assert_eq!(all["film"], ["movie", "moving picture", "flick", "cinema", "shoot"]);
        assert_eq!(license(NOUNS.index), "This software\nis free.\n");
    }

    #[test]
    fn damage_is_told_by_file_and_line() {
        for (index, data, counts, told) in [
            ("film n", "", "", "`index.noun`, line 1"),
            ("film n 9 0 1 0 1", "", "", "`index.noun`, line 1"),
            ("", "\n1 2 n zz a", "", "`data.noun`, line 2"),
            ("", "1 2 n 05 a 0", "", "`data.noun`, line 1"),
            ("", "", "film 1 2", "`cntlist.rev`, line 1"),
        ] {
            let error = table([Part { index, data }, NONE, NONE, NONE], counts, Senses::All).unwrap_err();
            assert!(error.starts_with(told), "{error}");
        }
    }
}
