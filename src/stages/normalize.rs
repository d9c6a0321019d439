//! `normalize`: cleans the texts of a dataset.

use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::dataset::{self, shards};
use crate::{
    base::{plural, units},
    data::{Dataset, Split},
    stage::{ArtifactKind, Better, Faults, Port, Progress, Sample, Stage, StageCtx, StageError, Unit},
    text::{self, ops::Operation},
};

/// Texts that are worked on between two looks at the stop signal.
const CHUNK: usize = 2_048;
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
    const VERSION: u32 = 2;
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
        let dataset = Dataset::open(&ctx.input("data")?.dir)?;
        let mut columns: Vec<(Split, Vec<String>)> = Vec::new();
        for &split in dataset.meta.rows.keys() {
            let rows = dataset.rows(split)?;
            columns.push((split, rows.texts));
            columns.extend(rows.pairs.map(|pairs| (split, pairs)));
        }
        let parts = work(&Cleaner::new(params), &columns, ctx)?;

        let mut summary = Summary { effects: vec![Effect::default(); params.steps.len()], ..Summary::default() };
        let mut new_columns = Vec::with_capacity(columns.len());
        let mut parts = parts.into_iter();
        for (_, texts) in &columns {
            let mut new = Vec::with_capacity(texts.len());
            for part in parts.by_ref().take(texts.len().div_ceil(CHUNK)) {
                summary.add(part.summary);
                new.extend(part.texts);
            }
            new_columns.push(new);
        }
        let mut new_dataset = dataset.clone();
        let mut changed = 0;
        let mut both = columns.iter().zip(new_columns);
        for (&split, &count) in &dataset.meta.rows {
            let mut next = || both.next().ok_or_else(|| StageError::msg("a column of texts is gone"));
            let (texts, pairs) = (next()?, dataset.meta.roles.pair.as_ref().map(|_| next()).transpose()?);
            let differ = |row: usize, ((_, old), new): &(&(Split, Vec<String>), Vec<String>)| old[row] != new[row];
            let is_changed = |row: &usize| differ(*row, &texts) || pairs.as_ref().is_some_and(|it| differ(*row, it));
            changed += (0..count).filter(is_changed).count();
            new_dataset = new_dataset.with_texts(split, texts.1, pairs.map(|pairs| pairs.1))?;
        }
        ctx.metric("rows_changed", changed as f64, Unit::Count, Better::Neither);
        summary.report(params, ctx);
        dataset::write(&new_dataset, ctx)
    }
}

/// What becomes of some texts.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    texts: Vec<String>,
    summary: Summary,
}

/// What the steps did to some texts.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Summary {
    /// Words before the first step.
    words: usize,
    /// What each step did.
    effects: Vec<Effect>,
    /// Texts that a step would have emptied.
    kept: usize,
    samples: Vec<Sample>,
}

/// All columns, chunk by chunk.
fn work(cleaner: &Cleaner, columns: &[(Split, Vec<String>)], ctx: &StageCtx<'_>) -> Result<Vec<Part>, StageError> {
    let mut chunks = Vec::new();
    let mut total = 0;
    for (split, texts) in columns {
        for chunk in texts.chunks(CHUNK) {
            total += chunk.len() as u64;
            chunks.push((*split, chunk, total));
        }
    }
    shards::in_order(ctx, chunks.len(), |at| {
        let (split, texts, done) = chunks[at];
        let part = cleaner.clean(split, texts);
        ctx.sink.progress(Progress { done, total, unit: "text", message: split.name().to_owned() });
        Ok(part)
    })
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

    fn clean(&self, split: Split, texts: &[String]) -> Part {
        let words = texts.par_iter().map(|text| text::count_words(text)).sum();
        let mut summary = Summary { words, ..Summary::default() };
        let mut texts = texts.to_vec();
        for at in 0..self.steps.len() {
            texts = self.step(at, split, texts, &mut summary);
        }
        Part { texts, summary }
    }

    fn step(&self, at: usize, split: Split, texts: Vec<String>, summary: &mut Summary) -> Vec<String> {
        let step = &self.steps[at];
        let results: Vec<(String, usize)> = texts
            .par_iter()
            .map(|text| {
                let new = step(text);
                let words = text::count_words(&new);
                (new, words)
            })
            .collect();
        let mut new_texts = Vec::with_capacity(texts.len());
        let mut effect = Effect::default();
        for (old, (new, words)) in texts.into_iter().zip(results) {
            if new.trim().is_empty() {
                // A model needs some text; what the step would take away is all that there is.
                summary.kept += 1;
                effect.words += text::count_words(&old);
                new_texts.push(old);
                continue;
            }
            effect.words += words;
            if new != old {
                effect.rows += 1;
                if split == Split::Train && summary.wants_sample(self.names[at], self.names.len()) {
                    let what = self.names[at].to_owned();
                    summary.samples.push(Sample { what, before: old, after: new.clone() });
                }
            }
            new_texts.push(new);
        }
        summary.effects.push(effect);
        new_texts
    }
}

impl Summary {
    /// Whether a report has room for a sample of one of so many steps.
    fn wants_sample(&self, step: &str, steps: usize) -> bool {
        let shown = self.samples.iter().filter(|sample| sample.what == step).count();
        shown < SAMPLES.div_ceil(steps) && self.samples.len() < SAMPLES
    }

    /// Adds what the steps did to the texts that follow.
    fn add(&mut self, other: Self) {
        self.words += other.words;
        self.kept += other.kept;
        for (effect, more) in self.effects.iter_mut().zip(other.effects) {
            effect.rows += more.rows;
            effect.words += more.words;
        }
        for sample in other.samples {
            if self.wants_sample(&sample.what, self.effects.len()) {
                self.samples.push(sample);
            }
        }
    }

    fn report(self, params: &Params, ctx: &mut StageCtx<'_>) {
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
