//! Looks at rows batch by batch, several at a time, and puts what each has together.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use super::{
    ALL, LabelCount, Languages, Profile, SplitProfile, Tokens, VERSION,
    lengths::LengthTally,
    odd::{Odd, Signs},
    repeats::{COMPARED, Forms, form},
    sample::EvenSample,
    vocabulary::{MOST as MOST_WORDS, WordTally},
};
use crate::{
    base::{plural, units},
    data::{DataError, RowBatch, RowSource, Split, Tokenizer},
    text,
};

/// Batches that are looked at together, a thread: what they hold is put together while no other is looked at.
const EACH: usize = 4;
/// Rows of a split whose language is looked for, at most.
const IDENTIFIED: usize = 1 << 13;
/// Rows of a split that are tokenised, at most.
const TOKENISED: usize = 1 << 17;
/// How sure a language must be.
const SURE: f64 = 0.9;
/// The share of rows from which on a language's stop words are no frequent words.
const SPOKEN: f64 = 0.05;
/// Labels of a split that are told apart, at most.
const LABELS: usize = 4_096;

/// What is looked at beside the texts.
#[derive(Clone, Copy, Default)]
pub struct Options<'a> {
    /// What counts tokens.
    pub tokenizer: Option<&'a Tokenizer>,
    /// Tokens that a model reads: longer rows are counted.
    pub max_length: Option<u64>,
}

impl Profile {
    /// Looks at all rows. `watch` is told how many were looked at, and may end it.
    ///
    /// # Errors
    /// When something cannot be read, a text not be tokenised, or `watch` fails.
    pub fn of(
        source: &RowSource,
        options: Options<'_>,
        watch: &mut dyn FnMut(u64) -> Result<(), DataError>,
    ) -> Result<Self, DataError> {
        let mut profiler = Profiler { options, waiting: Vec::new(), parts: BTreeMap::new(), rows: 0 };
        let most = EACH * rayon::current_num_threads();
        let unread = source.each(None, |rows| {
            profiler.parts.entry(rows.split()).or_insert_with(Part::new);
            profiler.waiting.push(rows);
            if profiler.waiting.len() >= most {
                profiler.look()?;
                watch(profiler.rows)?;
            }
            Ok(true)
        })?;
        profiler.look()?;
        watch(profiler.rows)?;
        let mut profile = profiler.finish(source);
        profile.unread = unread.rows;
        if let Some(first) = unread.first {
            let rows = plural::count(unread.rows as usize, "row");
            profile.notes.push(format!("{rows} could not be read and are not counted; the first: {first}"));
        }
        Ok(profile)
    }
}

/// What was looked at so far.
struct Profiler<'a> {
    options: Options<'a>,
    waiting: Vec<RowBatch>,
    parts: BTreeMap<Split, Part>,
    rows: u64,
}

/// What a split has so far.
struct Part {
    tally: Tally,
    forms: Forms,
    languages: EvenSample<Language>,
    tokens: EvenSample<u64>,
}

/// The language of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Language {
    /// It has no letters.
    None,
    /// It may be of several.
    Unsure,
    /// Its code.
    Sure(&'static str),
}

/// What can be added up.
#[derive(Default)]
struct Tally {
    rows: u64,
    characters: LengthTally,
    words: LengthTally,
    labels: BTreeMap<String, u64>,
    /// Rows of labels that are too many to be told apart.
    unlabelled: u64,
    vocabulary: WordTally,
    odd: Odd,
}

/// What a batch has.
#[derive(Default)]
struct Look {
    tally: Tally,
    forms: Vec<u64>,
    languages: Vec<(u64, Language)>,
    tokens: Vec<(u64, u64)>,
}

impl Language {
    fn of(text: &str) -> Self {
        // Marks and unusual blanks alone would be taken for a language that nobody is sure of.
        if !text.chars().any(char::is_alphabetic) {
            return Self::None;
        }
        match text::identify(text) {
            None => Self::None,
            Some((code, confidence)) if confidence >= SURE => Self::Sure(code),
            Some(_) => Self::Unsure,
        }
    }
}

impl Part {
    fn new() -> Self {
        Self {
            tally: Tally::default(),
            forms: Forms::default(),
            languages: EvenSample::new(IDENTIFIED),
            tokens: EvenSample::new(TOKENISED),
        }
    }

    /// Looks at some rows.
    fn look(&self, rows: &RowBatch, options: Options<'_>) -> Result<Look, DataError> {
        let mut look = Look::default();
        for row in 0..rows.len() {
            let (text, pair, number) = (rows.text(row), rows.pair(row), rows.first_row() + row as u64);
            let mut signs = Signs::of(text);
            let normal = text::normal_form(text);
            let mut words = look.tally.count_words(&normal);
            let other = pair.map(|pair| (pair, text::normal_form(pair)));
            if let Some((pair, normal)) = &other {
                signs = signs.and(Signs::of(pair));
                words += look.tally.count_words(normal);
            }
            look.forms.push(form(text, &normal, other.as_ref().map(|(pair, normal)| (*pair, normal.as_str()))));
            look.tally.rows += 1;
            look.tally.characters.add(signs.characters);
            look.tally.words.add(words);
            look.tally.odd.add(signs);
            if let Some(label) = rows.label(row) {
                look.tally.label(label, 1);
            }
            if self.languages.wants(number) {
                look.languages.push((number, Language::of(text)));
            }
            if let Some(tokenizer) = options.tokenizer
                && self.tokens.wants(number)
            {
                let count = tokenizer.count(text, pair).map_err(|error| {
                    DataError::Content(format!("{}: row {}: {error}", rows.split().name(), rows.name(row)))
                })?;
                look.tokens.push((number, count as u64));
            }
        }
        Ok(look)
    }

    fn add(&mut self, look: Look) {
        self.tally.merge(look.tally);
        self.forms.extend(&look.forms);
        self.languages.extend(look.languages);
        self.tokens.extend(look.tokens);
    }
}

impl Tally {
    /// Counts the words of a normal form, which one blank parts.
    fn count_words(&mut self, normal: &str) -> u64 {
        let mut words = 0;
        for word in normal.split(' ').filter(|word| !word.is_empty()) {
            self.vocabulary.add(word);
            words += 1;
        }
        words
    }

    fn label(&mut self, label: &str, rows: u64) {
        if let Some(count) = self.labels.get_mut(label) {
            *count += rows;
        } else if self.labels.len() < LABELS {
            self.labels.insert(label.to_owned(), rows);
        } else {
            self.unlabelled += rows;
        }
    }

    fn merge(&mut self, next: Self) {
        self.rows += next.rows;
        self.characters.merge(&next.characters);
        self.words.merge(&next.words);
        self.unlabelled += next.unlabelled;
        for (label, rows) in next.labels {
            self.label(&label, rows);
        }
        self.vocabulary.merge(next.vocabulary);
        self.odd.merge(&next.odd);
    }
}

impl Profiler<'_> {
    /// Looks at the batches that wait.
    fn look(&mut self) -> Result<(), DataError> {
        let batches = std::mem::take(&mut self.waiting);
        let (parts, options) = (&self.parts, self.options);
        let look = |rows: &RowBatch| parts[&rows.split()].look(rows, options);
        let looks: Vec<_> = batches.par_iter().map(look).collect::<Result<_, _>>()?;
        for (rows, look) in batches.iter().zip(looks) {
            self.rows += rows.len() as u64;
            if let Some(part) = self.parts.get_mut(&rows.split()) {
                part.add(look);
            }
        }
        Ok(())
    }

    fn finish(mut self, source: &RowSource) -> Profile {
        self.parts.par_iter_mut().for_each(|(_, part)| part.forms.sort());
        let name = |split: Split| if source.is_split() { split.name() } else { ALL };
        let mut notes = Vec::new();
        let splits = self.parts.iter().map(|(&split, part)| {
            let others = self.parts.iter().filter(|(other, _)| **other != split);
            let others = others.map(|(&other, part)| (name(other), other < split, &part.forms));
            let languages = languages(&part.languages);
            let spoken = languages.sure.iter().filter(|(_, rows)| *rows as f64 >= SPOKEN * languages.rows as f64);
            let stop_words: BTreeSet<String> = spoken.flat_map(|(code, _)| text::stop_words(code)).collect();
            let tally = &part.tally;
            let median = tally.characters.quantile(0.5) as u64;
            let very_long_from = 20 * median;
            let very_long = if median == 0 { 0 } else { tally.characters.longer(very_long_from) };
            let found = SplitProfile {
                name: name(split).to_owned(),
                rows: tally.rows,
                characters: tally.characters.lengths(),
                words: tally.words.lengths(),
                tokens: self.options.tokenizer.map(|_| tokens(&part.tokens, self.options.max_length)),
                labels: in_order(&tally.labels, source.labels()),
                repeats: part.forms.repeats(others),
                vocabulary: tally.vocabulary.vocabulary(&stop_words),
                odd: Odd { very_long, very_long_from, ..tally.odd.clone() },
                languages,
            };
            notes.extend(found.notes(tally.unlabelled));
            found
        });
        let splits = splits.collect();
        Profile { version: VERSION, splits, unread: 0, notes }
    }
}

impl SplitProfile {
    /// What its numbers do not cover.
    fn notes(&self, unlabelled: u64) -> Vec<String> {
        let (name, rows) = (&self.name, units::thousands(self.rows));
        let few = |count: u64| units::thousands(count);
        let mut notes = Vec::new();
        if self.languages.rows < self.rows {
            let looked_at = few(self.languages.rows);
            notes.push(format!("`{name}`: languages are those of {looked_at} of {rows} rows, spread evenly"));
        }
        if let Some(tokens) = self.tokens.as_ref().filter(|tokens| tokens.lengths.rows < self.rows) {
            let looked_at = few(tokens.lengths.rows);
            notes.push(format!("`{name}`: tokens are those of {looked_at} of {rows} rows, spread evenly"));
        }
        if self.repeats.compared < self.rows {
            notes.push(format!("`{name}`: repeats were looked for among the first {} rows", few(COMPARED as u64)));
        }
        if self.vocabulary.uncounted > 0 {
            let (most, words) = (few(MOST_WORDS as u64), few(self.vocabulary.uncounted));
            notes.push(format!("`{name}`: {most} distinct words were told apart, {words} words are others"));
        }
        if unlabelled > 0 {
            notes.push(format!("`{name}`: {LABELS} labels were told apart, {} rows have others", few(unlabelled)));
        }
        notes
    }
}

fn languages(sample: &EvenSample<Language>) -> Languages {
    let mut found = Languages::default();
    let mut sure = BTreeMap::<&str, u64>::new();
    for language in sample.values() {
        found.rows += 1;
        match language {
            Language::None => found.none += 1,
            Language::Unsure => found.unsure += 1,
            Language::Sure(code) => *sure.entry(code).or_default() += 1,
        }
    }
    found.sure = sure.into_iter().map(|(code, rows)| (code.to_owned(), rows)).collect();
    found.sure.sort_by_key(|(_, rows)| std::cmp::Reverse(*rows));
    found
}

fn tokens(sample: &EvenSample<u64>, max_length: Option<u64>) -> Tokens {
    let mut tally = LengthTally::default();
    sample.values().for_each(|tokens| tally.add(*tokens));
    let longer = max_length.map_or(0, |most| tally.longer(most));
    Tokens { lengths: tally.lengths(), max_length, longer }
}

/// Labels in the order of a dataset, others behind them.
fn in_order(counts: &BTreeMap<String, u64>, known: &[String]) -> Vec<LabelCount> {
    let others = counts.keys().filter(|label| !known.contains(label));
    let all = known.iter().filter(|label| counts.contains_key(*label)).chain(others);
    all.map(|label| LabelCount { label: label.clone(), rows: counts[label] }).collect()
}
