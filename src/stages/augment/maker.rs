//! `Maker`: makes the copies of some rows.
//!
//! What a copy becomes depends on its row, the seed and the parameters alone, not on threads or on the rows beside it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use rand::RngCore;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::{Apply, measured::Measured};
use crate::{
    base::rng::{self, Stream},
    data::DerivedRow,
    generate::{Filler, Guess},
    stage::StageError,
    stages::dataset::stream::Merge,
    text::{
        Lexicon,
        perturb::{Blanks, Perturbation, Surroundings, Words},
    },
};

/// Copies, and bytes of their rows, that are in pieces at a time where a model guesses for many of them at once.
const COPIES: usize = 1_024;
const BYTES: usize = 1 << 20;

/// Makes copies of rows.
pub(super) struct Maker {
    pub(super) steps: Steps,
    /// The steps for texts of fewer words than this.
    pub(super) back_off: Option<(usize, Steps)>,
    pub(super) apply: Apply,
    pub(super) around: Surroundings,
    /// The words of each label, where these are protected.
    pub(super) label_words: Vec<Vec<String>>,
    /// What guesses words, where a step lets it.
    pub(super) filler: Option<Filler>,
    pub(super) measured: Measured,
    pub(super) seed: u64,
    /// How often a copy is tried that turns out like its row.
    pub(super) tries: usize,
}

/// Steps that are ready to be taken.
pub(super) struct Steps {
    steps: Vec<(Perturbation, Arc<Lexicon>)>,
    names: Vec<&'static str>,
}

impl Steps {
    /// Steps with the synonyms that each puts in.
    pub(super) fn new(steps: Vec<(Perturbation, Arc<Lexicon>)>) -> Self {
        let names = steps.iter().map(|(step, _)| step.name()).collect();
        Self { steps, names }
    }
}

/// A row of which copies are made.
pub(super) struct Row<'a> {
    /// Its number in the training split.
    pub(super) number: usize,
    pub(super) text: &'a str,
    pub(super) pair: Option<&'a str>,
    /// Its label's number.
    pub(super) label: Option<u32>,
    /// How many copies are wanted.
    pub(super) wanted: usize,
}

/// Copies of some rows, in the order of the rows.
#[derive(Default)]
pub(super) struct Made {
    pub(super) copies: Vec<DerivedRow>,
    pub(super) tally: Tally,
}

/// What became of the copies that were wanted.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tally {
    pub(super) wanted: usize,
    /// Copies that steps of each name changed.
    pub(super) by_step: BTreeMap<String, usize>,
    /// Copies that are rows of other splits, and left out.
    pub(super) leaked: usize,
    /// Copies that their row has already, and left out.
    pub(super) repeated: usize,
    /// Copies of rows that are too short.
    pub(super) short: usize,
    /// Copies of short rows, by the steps that are there for these.
    pub(super) backed_off: usize,
    /// Copies that a later step made, since theirs found nothing to change.
    pub(super) later: usize,
}

impl Made {
    /// Adds the copies of the rows that follow.
    fn add(&mut self, next: Self) {
        self.copies.extend(next.copies);
        self.tally.merge(next.tally);
    }
}

impl Merge for Tally {
    fn merge(&mut self, next: Self) {
        self.wanted += next.wanted;
        self.leaked += next.leaked;
        self.repeated += next.repeated;
        self.short += next.short;
        self.backed_off += next.backed_off;
        self.later += next.later;
        for (step, count) in next.by_step {
            *self.by_step.entry(step).or_insert(0) += count;
        }
    }
}

/// A copy that is being made.
struct Draft<'a> {
    /// The place of its row.
    row: usize,
    /// Which copy of its row it is, from 1.
    number: usize,
    seed: u64,
    random: Stream,
    words: Words<'a>,
    is_short: bool,
    /// The step that it is made by, where one makes it.
    turn: usize,
    /// How many steps found nothing to change, where one makes it.
    missed: usize,
    is_done: bool,
}

/// What is known of a row while its copies are made.
struct State<'a> {
    random: Stream,
    own: &'a [String],
    is_short: bool,
    turn: usize,
    /// The digests of the row and of its copies.
    seen: BTreeSet<u64>,
    copies: Vec<DerivedRow>,
}

impl Maker {
    /// The copies of some rows.
    ///
    /// # Errors
    /// When a model cannot guess.
    pub(super) fn copies(&self, rows: &[Row<'_>]) -> Result<Made, StageError> {
        let mut made = Made::default();
        if self.filler.is_some() {
            let mut rest = rows;
            while !rest.is_empty() {
                let (mut copies, mut bytes) = (0, 0);
                let fits = |row: &&Row<'_>| {
                    copies += row.wanted;
                    bytes += row.wanted * row.text.len();
                    copies <= COPIES && bytes <= BYTES
                };
                let (group, others) = rest.split_at(rest.iter().take_while(fits).count().max(1));
                made.add(self.together(group)?);
                rest = others;
            }
        } else {
            let one = |row: &Row<'_>| self.together(std::slice::from_ref(row));
            for next in rows.par_iter().map(one).collect::<Result<Vec<_>, _>>()? {
                made.add(next);
            }
        }
        Ok(made)
    }

    fn together(&self, rows: &[Row<'_>]) -> Result<Made, StageError> {
        let mut tally = Tally::default();
        let mut states = Vec::with_capacity(rows.len());
        // The copies that are to be made: the place of their row, and their number.
        let mut due: Vec<(usize, usize)> = Vec::new();
        for (at, row) in rows.iter().enumerate() {
            tally.wanted += row.wanted;
            let mut state = self.state(row);
            if row.wanted > 0 {
                let words = self.around.words(row.text, state.own);
                state.is_short = self.back_off.as_ref().is_some_and(|(under, _)| words.count() < *under);
                if state.is_short && self.steps_for(true).steps.is_empty() {
                    tally.short += row.wanted;
                } else {
                    due.extend((1..=row.wanted).map(|number| (at, number)));
                }
            }
            states.push(state);
        }
        for some in due.chunks(COPIES) {
            let mut due = some.to_vec();
            for left in (0..self.tries).rev() {
                let mut drafts: Vec<Draft<'_>> = Vec::with_capacity(due.len());
                for (row, number) in due.drain(..) {
                    let words = match drafts.last() {
                        Some(before) if before.row == row => before.words.clone(),
                        _ => self.around.words(rows[row].text, states[row].own),
                    };
                    drafts.push(states[row].draft(row, number, words));
                }
                self.change(&mut drafts)?;
                for draft in drafts {
                    let (row, number) = (draft.row, draft.number);
                    match self.keep(&draft, &rows[row], &mut states[row], &mut tally) {
                        Fate::Kept => {}
                        _ if left > 0 => due.push((row, number)),
                        Fate::Unchanged => {}
                        Fate::Repeated => tally.repeated += 1,
                        Fate::Leaked => tally.leaked += 1,
                    }
                }
            }
        }
        let mut copies = Vec::new();
        for mut state in states {
            state.copies.sort_by_key(|copy| copy.number);
            copies.extend(state.copies);
        }
        Ok(Made { copies, tally })
    }

    fn state(&self, row: &Row<'_>) -> State<'_> {
        let mut random = rng::item_stream(self.seed, "augment", row.number as u64);
        State {
            // Any step first: rows that take turns by their numbers might have labels that do.
            turn: rng::below(&mut random, self.steps.steps.len().max(1)),
            random,
            own: row.label.and_then(|label| self.label_words.get(label as usize)).map_or(&[], Vec::as_slice),
            is_short: false,
            seen: BTreeSet::from([xxh3_64(row.text.as_bytes())]),
            copies: Vec::new(),
        }
    }

    fn steps_for(&self, is_short: bool) -> &Steps {
        match &self.back_off {
            Some((_, steps)) if is_short => steps,
            _ => &self.steps,
        }
    }

    /// Takes the steps.
    fn change(&self, drafts: &mut [Draft<'_>]) -> Result<(), StageError> {
        for is_short in [false, true] {
            let steps = self.steps_for(is_short);
            let count = steps.steps.len();
            let mut of_kind: Vec<&mut Draft<'_>> =
                drafts.iter_mut().filter(|draft| draft.is_short == is_short).collect();
            match self.apply {
                _ if of_kind.is_empty() => {}
                Apply::All => {
                    for at in 0..count {
                        self.step(steps, at, &mut of_kind)?;
                    }
                }
                Apply::One => {
                    for missed in 0..count {
                        for at in 0..count {
                            let mut turn: Vec<&mut Draft<'_>> = of_kind
                                .iter_mut()
                                .map(|draft| &mut **draft)
                                .filter(|draft| !draft.is_done && (draft.turn + missed) % count == at)
                                .collect();
                            self.step(steps, at, &mut turn)?;
                            for draft in turn {
                                draft.is_done = draft.words.is_changed();
                                draft.missed = missed;
                            }
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Takes a step with some copies.
    fn step(&self, steps: &Steps, at: usize, drafts: &mut [&mut Draft<'_>]) -> Result<(), StageError> {
        let (step, lexicon) = &steps.steps[at];
        let Some(fill) = step.contextual() else {
            let apply = |draft: &mut Draft<'_>| {
                step.apply(at, &mut draft.words, &self.around, lexicon, &mut draft.random);
            };
            // Without a model it is the rows that are worked on side by side.
            if self.filler.is_some() {
                drafts.par_iter_mut().for_each(|draft| apply(draft));
            } else {
                for draft in drafts {
                    apply(draft);
                }
            }
            return Ok(());
        };
        let filler = self.filler.as_ref().ok_or_else(|| StageError::msg("no model is wired that could guess words"))?;
        let blanks: Vec<Blanks> = drafts
            .par_iter_mut()
            .map(|draft| {
                draft.words.begin(at);
                fill.blanks(&draft.words, &mut draft.random)
            })
            .collect();
        let windows: Vec<&[String]> =
            blanks.iter().flat_map(|blanks| blanks.windows.iter().map(Vec::as_slice)).collect();
        let mut guesses = filler.guesses(&windows, fill.guesses())?.into_iter();
        let guesses: Vec<Vec<Vec<Guess<'_>>>> =
            blanks.iter().map(|blanks| guesses.by_ref().take(blanks.windows.len()).flatten().collect()).collect();
        drafts.par_iter_mut().zip(blanks.par_iter().zip(guesses)).for_each(|(draft, (blanks, guesses))| {
            fill.fill(&mut draft.words, blanks, &guesses, &self.around, &mut draft.random);
        });
        Ok(())
    }

    /// Keeps a copy that is like no row and like no other copy of its row.
    fn keep(&self, draft: &Draft<'_>, row: &Row<'_>, state: &mut State<'_>, tally: &mut Tally) -> Fate {
        if !draft.words.is_changed() {
            return Fate::Unchanged;
        }
        let text = draft.words.text();
        if text.trim().is_empty() || text == row.text {
            return Fate::Unchanged;
        }
        if !state.seen.insert(xxh3_64(text.as_bytes())) {
            return Fate::Repeated;
        }
        if self.measured.has(&text, row.pair) {
            return Fate::Leaked;
        }
        let names = &self.steps_for(draft.is_short).names;
        let op = draft.words.op(names);
        for step in op.split('+') {
            match tally.by_step.get_mut(step) {
                Some(count) => *count += 1,
                None => {
                    tally.by_step.insert(step.to_owned(), 1);
                }
            }
        }
        tally.backed_off += usize::from(draft.is_short);
        tally.later += usize::from(draft.missed > 0);
        let changes = serde_json::to_string(&draft.words.changes(names)).expect("plain data serialises to JSON");
        let (number, seed) = (draft.number, draft.seed as i64);
        state.copies.push(DerivedRow { row: row.number, number, text, op, seed, changes });
        Fate::Kept
    }
}

/// What becomes of a copy.
enum Fate {
    Kept,
    /// It is like its row, or empty.
    Unchanged,
    /// It is like another copy of its row.
    Repeated,
    /// It is a row of another split.
    Leaked,
}

impl State<'_> {
    /// A new copy, which nothing was done to yet.
    fn draft<'a>(&mut self, row: usize, number: usize, words: Words<'a>) -> Draft<'a> {
        // 63 bits: the seed is kept in a signed column.
        let seed = self.random.next_u64() >> 1;
        Draft {
            row,
            number,
            seed,
            random: rng::stream(seed, "augment"),
            words,
            is_short: self.is_short,
            // Copies take turns, so that each step makes as many as any other.
            turn: self.turn + number - 1,
            missed: 0,
            is_done: false,
        }
    }
}
