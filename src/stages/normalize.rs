//! `normalize`: cleans the texts of a dataset.

use std::borrow::Cow;

use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::dataset::stream::{self, Merge};
use crate::{
    base::{plural, units},
    data::{DatasetReader, RowBatch, Split, Texts},
    stage::{ArtifactKind, Better, Faults, Port, Sample, Stage, StageCtx, StageError, Unit},
    text::{self, ops::Operation},
};

/// Rows that a thread takes at a time.
const CHUNK: usize = 64;
/// Changed texts that a report shows.
const SAMPLES: usize = 6;

/// Parameters of `normalize`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// What is done to every text, in this order: `[{unicode: nfkc}, {html: strip}, {whitespace: collapse}]`.
    steps: Vec<Operation>,
    /// What becomes of a row of which nothing is left, as when `urls: remove` meets a text that is an address.
    #[serde(default)]
    empty: Empty,
}

/// What becomes of a text of which nothing is left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Empty {
    /// It stays as it was before the step that would empty it: no row goes, and a model has something to read.
    #[default]
    Keep,
    /// Its row goes.
    Drop,
}

/// See the file's first line.
pub(super) struct Normalize;

/// What a step did.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Effect {
    rows: usize,
    words: usize,
}

impl Stage for Normalize {
    const KIND: &'static str = "normalize";
    const VERSION: u32 = 4;
    const ABOUT: &'static str = "cleans the texts of a dataset";
    const INPUTS: &'static [Port] = &[Port::dataset("data")];
    const OUTPUT: ArtifactKind = ArtifactKind::Dataset;
    type Params = Params;

    fn check(params: &Params, faults: &mut Faults) {
        if params.steps.is_empty() {
            faults
                .at("steps", "no steps, so nothing is done")
                .help("`steps: [{unicode: nfkc}, {whitespace: collapse}]`");
        }
        for (at, step) in params.steps.iter().enumerate() {
            if let Some(found) = step.fault() {
                let fault = faults.at(format!("steps[{at}].{}.{}", step.name(), found.path), found.message);
                fault.help = found.help;
            }
        }
    }

    fn run(params: &Params, ctx: &mut StageCtx<'_>) -> Result<(), StageError> {
        let reader = DatasetReader::open(&ctx.input("data")?.dir)?;
        let cleaner = Cleaner::new(params);
        let summary = stream::rewrite(ctx, &reader, |rows| cleaner.clean(rows))?;
        summary.report(params, ctx);
        Ok(())
    }
}

/// What the steps did to some texts.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Summary {
    /// Rows of which a text is another.
    rows: usize,
    /// Words before the first step.
    words: usize,
    /// What each step did.
    effects: Vec<Effect>,
    /// Texts that a step would have emptied, and rows that went since one did.
    kept: usize,
    dropped: usize,
    samples: Vec<Sample>,
}

/// The steps, prepared.
struct Cleaner {
    steps: Vec<text::ops::Prepared>,
    names: Vec<&'static str>,
    empty: Empty,
}

impl Cleaner {
    fn new(params: &Params) -> Self {
        Self {
            steps: params.steps.iter().map(Operation::prepare).collect(),
            names: params.steps.iter().map(Operation::name).collect(),
            empty: params.empty,
        }
    }

    /// All texts of some rows. Long ones are spread over the threads too.
    fn clean(&self, rows: RowBatch) -> Result<(RowBatch, Summary), StageError> {
        let numbers: Vec<usize> = (0..rows.len()).collect();
        let parts: Vec<_> = numbers.par_chunks(CHUNK).map(|numbers| self.part(&rows, numbers)).collect();
        let (mut texts, mut pairs) = (Vec::with_capacity(parts.len()), Vec::with_capacity(parts.len()));
        let (mut stays, mut summary) = (Vec::with_capacity(rows.len()), Summary::default());
        for part in parts {
            texts.push(part.texts);
            pairs.push(part.pairs);
            stays.extend(part.stays);
            summary.merge(part.summary);
        }
        Ok((rows.with_texts(texts, pairs)?.keep(&stays)?, summary))
    }

    fn part(&self, rows: &RowBatch, numbers: &[usize]) -> Part {
        let summary = Summary { effects: vec![Effect::default(); self.steps.len()], ..Summary::default() };
        let mut part = Part { summary, ..Part::default() };
        let is_train = rows.split() == Split::Train;
        for &row in numbers {
            let text = self.text(rows.text(row), is_train, &mut part.summary);
            let pair = rows.pair(row).map(|pair| self.text(pair, is_train, &mut part.summary));
            let stays = text.is_some() && pair.as_ref().is_none_or(Option::is_some);
            let (text, pair) = (text.unwrap_or_default(), pair.map(Option::unwrap_or_default));
            part.summary.rows += usize::from(text != rows.text(row) || pair.as_deref() != rows.pair(row));
            part.summary.dropped += usize::from(!stays);
            part.stays.push(stays);
            part.texts.push(&text);
            if let Some(pair) = pair {
                part.pairs.push(&pair);
            }
        }
        part
    }

    /// What the steps make of a text; none where nothing is left of it and its row is to go.
    fn text<'a>(&self, text: &'a str, is_train: bool, summary: &mut Summary) -> Option<Cow<'a, str>> {
        let mut words = text::count_words(text);
        summary.words += words;
        let mut text = Cow::Borrowed(text);
        for (at, step) in self.steps.iter().enumerate() {
            let new = step(&text);
            let is_changed = *new != *text;
            if new.trim().is_empty() {
                if self.empty == Empty::Drop {
                    summary.effects[at].rows += usize::from(is_changed);
                    return None;
                }
                summary.kept += 1;
            } else if is_changed {
                let new = new.into_owned();
                words = text::count_words(&new);
                summary.effects[at].rows += 1;
                if is_train && summary.wants_sample(self.names[at], self.names.len()) {
                    let (what, before) = (self.names[at].to_owned(), text.clone().into_owned());
                    summary.samples.push(Sample { what, before, after: new.clone() });
                }
                text = Cow::Owned(new);
            }
            summary.effects[at].words += words;
        }
        Some(text)
    }
}

/// Some rows when they are clean.
#[derive(Default)]
struct Part {
    texts: Texts,
    pairs: Texts,
    /// Which rows stay.
    stays: Vec<bool>,
    summary: Summary,
}

impl Merge for Summary {
    /// Adds what the steps did to the texts that follow.
    fn merge(&mut self, next: Self) {
        self.rows += next.rows;
        self.words += next.words;
        self.kept += next.kept;
        self.dropped += next.dropped;
        self.effects.resize(self.effects.len().max(next.effects.len()), Effect::default());
        for (effect, more) in self.effects.iter_mut().zip(next.effects) {
            effect.rows += more.rows;
            effect.words += more.words;
        }
        for sample in next.samples {
            if self.wants_sample(&sample.what, self.effects.len()) {
                self.samples.push(sample);
            }
        }
    }
}

impl Summary {
    /// Whether a report has room for a sample of one of so many steps.
    fn wants_sample(&self, step: &str, steps: usize) -> bool {
        let shown = || self.samples.iter().filter(|sample| sample.what == step).count();
        self.samples.len() < SAMPLES && shown() < SAMPLES.div_ceil(steps)
    }

    fn report(self, params: &Params, ctx: &mut StageCtx<'_>) {
        ctx.metric("rows_changed", self.rows as f64, Unit::Count, Better::Neither);
        let thousands = |n: usize| units::thousands(n as u64);
        let mut before = self.words;
        for (step, effect) in params.steps.iter().zip(&self.effects) {
            let words = format!("words {} → {}", thousands(before), thousands(effect.words));
            ctx.record
                .fact(format!("step {}", step.name()), format!("{} texts changed, {words}", thousands(effect.rows)));
            before = effect.words;
        }
        if self.dropped > 0 {
            ctx.record.fact("rows that went, as nothing was left of their text", thousands(self.dropped));
        }
        if self.kept > 0 {
            ctx.record.warnings.push(format!(
                "{} would have become empty in a step and stayed as before it; `empty: drop` takes such rows out",
                plural::count(self.kept, "text")
            ));
        }
        ctx.record.samples = self.samples;
    }
}
