//! `normalize`: cleans the texts of a dataset.

use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::dataset;
use crate::{
    base::{plural, units},
    data::{Dataset, Split},
    stage::{ArtifactKind, Better, Faults, Port, Progress, Sample, Stage, StageCtx, StageError, Unit},
    text::{self, ops::Operation},
};

/// Rows that are worked on between two looks at the stop signal.
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
#[derive(Clone, Debug, Default)]
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
        let mut run = Run::new(params, &dataset);
        let mut new = dataset.clone();
        for (&split, &count) in &dataset.meta.rows {
            let rows = dataset.rows(split)?;
            let texts = run.texts(split, &rows.texts, ctx)?;
            let pairs = match &rows.pairs {
                Some(pairs) => Some(run.texts(split, pairs, ctx)?),
                None => None,
            };
            let is_changed = |row: &usize| {
                texts[*row] != rows.texts[*row]
                    || pairs.as_ref().zip(rows.pairs.as_ref()).is_some_and(|(new, old)| new[*row] != old[*row])
            };
            run.changed += (0..count).filter(is_changed).count();
            new = new.with_texts(split, texts, pairs)?;
        }
        run.report(params, ctx);
        dataset::write(&new, ctx)
    }
}

/// What a run counts while it works.
struct Run {
    steps: Vec<text::ops::Prepared>,
    names: Vec<&'static str>,
    total: u64,
    done: u64,
    words: usize,
    effects: Vec<Effect>,
    changed: usize,
    kept: usize,
    samples: Vec<Sample>,
}

impl Run {
    fn new(params: &Params, dataset: &Dataset) -> Self {
        let rows: usize = dataset.meta.rows.values().sum();
        let texts = if dataset.meta.roles.pair.is_some() { 2 * rows } else { rows };
        Self {
            steps: params.steps.iter().map(Operation::prepare).collect(),
            names: params.steps.iter().map(Operation::name).collect(),
            total: texts as u64,
            done: 0,
            words: 0,
            effects: vec![Effect::default(); params.steps.len()],
            changed: 0,
            kept: 0,
            samples: Vec::new(),
        }
    }

    fn texts(&mut self, split: Split, texts: &[String], ctx: &StageCtx<'_>) -> Result<Vec<String>, StageError> {
        let mut all = Vec::with_capacity(texts.len());
        for chunk in texts.chunks(CHUNK) {
            ctx.check_cancelled()?;
            let before = chunk.par_iter().map(|text| text::count_words(text)).sum::<usize>();
            self.words += before;
            let mut current = chunk.to_vec();
            for at in 0..self.steps.len() {
                current = self.step(at, split, current);
            }
            all.extend(current);
            self.done += chunk.len() as u64;
            ctx.sink.progress(Progress {
                done: self.done,
                total: self.total,
                unit: "text",
                message: split.name().to_owned(),
            });
        }
        Ok(all)
    }

    fn step(&mut self, at: usize, split: Split, texts: Vec<String>) -> Vec<String> {
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
        for (old, (new, words)) in texts.into_iter().zip(results) {
            if new.trim().is_empty() {
                // A model needs some text; what the step would take away is all that there is.
                self.kept += 1;
                self.effects[at].words += text::count_words(&old);
                new_texts.push(old);
                continue;
            }
            self.effects[at].words += words;
            if new != old {
                self.effects[at].rows += 1;
                let shown = self.samples.iter().filter(|sample| sample.what == self.names[at]).count();
                if split == Split::Train && shown < SAMPLES.div_ceil(self.names.len()) && self.samples.len() < SAMPLES {
                    let what = self.names[at].to_owned();
                    self.samples.push(Sample { what, before: old, after: new.clone() });
                }
            }
            new_texts.push(new);
        }
        new_texts
    }

    fn report(self, params: &Params, ctx: &mut StageCtx<'_>) {
        let thousands = |n: usize| units::thousands(n as u64);
        ctx.metric("rows_changed", self.changed as f64, Unit::Count, Better::Neither);
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
