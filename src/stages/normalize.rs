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
    const VERSION: u32 = 3;
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
    /// Texts that a step would have emptied.
    kept: usize,
    samples: Vec<Sample>,
}

/// The steps, prepared.
struct Cleaner {
    steps: Vec<text::ops::Prepared>,
    names: Vec<&'static str>,
}

impl Cleaner {
    fn new(params: &Params) -> Self {
        Self {
            steps: params.steps.iter().map(Operation::prepare).collect(),
            names: params.steps.iter().map(Operation::name).collect(),
        }
    }

    /// All texts of some rows. Long ones are spread over the threads too.
    fn clean(&self, rows: RowBatch) -> Result<(RowBatch, Summary), StageError> {
        let numbers: Vec<usize> = (0..rows.len()).collect();
        let parts: Vec<_> = numbers.par_chunks(CHUNK).map(|numbers| self.part(&rows, numbers)).collect();
        let (mut texts, mut pairs) = (Vec::with_capacity(parts.len()), Vec::with_capacity(parts.len()));
        let mut summary = Summary::default();
        for (new, more, part) in parts {
            texts.push(new);
            pairs.push(more);
            summary.merge(part);
        }
        Ok((rows.with_texts(texts, pairs)?, summary))
    }

    fn part(&self, rows: &RowBatch, numbers: &[usize]) -> (Texts, Texts, Summary) {
        let mut summary = Summary { effects: vec![Effect::default(); self.steps.len()], ..Summary::default() };
        let is_train = rows.split() == Split::Train;
        let (mut texts, mut pairs) = (Texts::default(), Texts::default());
        for &row in numbers {
            let text = self.text(rows.text(row), is_train, &mut summary);
            let mut is_changed = text != rows.text(row);
            texts.push(&text);
            if let Some(old) = rows.pair(row) {
                let pair = self.text(old, is_train, &mut summary);
                is_changed |= pair != old;
                pairs.push(&pair);
            }
            summary.rows += usize::from(is_changed);
        }
        (texts, pairs, summary)
    }

    fn text<'a>(&self, text: &'a str, is_train: bool, summary: &mut Summary) -> Cow<'a, str> {
        let mut words = text::count_words(text);
        summary.words += words;
        let mut text = Cow::Borrowed(text);
        for (at, step) in self.steps.iter().enumerate() {
            let new = step(&text);
            let is_changed = *new != *text;
            if new.trim().is_empty() {
                // A model needs some text; what the step would take away is all that there is.
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
        text
    }
}

impl Merge for Summary {
    /// Adds what the steps did to the texts that follow.
    fn merge(&mut self, next: Self) {
        self.rows += next.rows;
        self.words += next.words;
        self.kept += next.kept;
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
        if self.kept > 0 {
            ctx.record.warnings.push(format!(
                "{} would have become empty in a step and stayed as before it",
                plural::count(self.kept, "text")
            ));
        }
        ctx.record.samples = self.samples;
    }
}
