//! `augment`: adds perturbed copies of rows to the training split.

use std::collections::BTreeSet;

use rand::RngCore;
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::dataset::{self, shards};
use crate::{
    base::{fs, plural, rng, units},
    data::{Dataset, DerivedRow, Rows, Split},
    stage::{ArtifactKind, Better, Faults, Port, Progress, Sample, Stage, StageCtx, StageError, Unit},
    text::{
        self, Lexicon,
        perturb::{self, NEGATIONS, Perturbation, Surroundings},
    },
};

/// Rows that are worked on between two looks at the stop signal.
const CHUNK: usize = 2_048;
/// Copies that a report shows.
const SAMPLES: usize = 6;

/// Parameters of `augment`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// How many copies of each training row are tried; copies that turn out like their row, like each other, or like a
    /// row of `validation` or `test` are left out.
    #[serde(default = "one")]
    copies: usize,
    /// What is done to each copy, in this order: `[{replace: {rate: 0.1}}, {delete: {rate: 0.1}}]`.
    steps: Vec<Perturbation>,
    /// Words that no step touches or moves, since labels hang on them; `n't` stands for all words that end in it.
    #[serde(default = "negations")]
    protect: Vec<String>,
    /// The language whose stop words are not replaced, deleted or masked, as EDA has it; `null` for none.
    #[serde(default = "english")]
    stopwords: Option<String>,
}

fn one() -> usize {
    1
}

fn negations() -> Vec<String> {
    NEGATIONS.iter().map(|word| (*word).to_owned()).collect()
}

#[expect(clippy::unnecessary_wraps, reason = "the default of an optional parameter")]
fn english() -> Option<String> {
    Some("en".to_owned())
}

/// See the file's first line.
pub(super) struct Augment;

impl Stage for Augment {
    const KIND: &'static str = "augment";
    const VERSION: u32 = 2;
    const ABOUT: &'static str = "adds perturbed copies of rows to the training split";
    const INPUTS: &'static [Port] = &[Port::dataset("data")];
    const OUTPUT: ArtifactKind = ArtifactKind::Dataset;
    type Params = Params;

    fn check(params: &Params, faults: &mut Faults) {
        faults.at_least("copies", params.copies, 1);
        if params.steps.is_empty() {
            faults.at("steps", "no steps, so copies would be their rows").help("`steps: [{replace: {rate: 0.1}}]`");
        }
        for (at, step) in params.steps.iter().enumerate() {
            if let Some(found) = step.fault() {
                let fault = faults.at(format!("steps[{at}].{}.{}", step.name(), found.path), found.message);
                fault.help = found.help;
            }
        }
        if let Some(found) = params.stopwords.as_deref().and_then(perturb::stop_word_fault) {
            faults.at("stopwords", found.message).help = found.help;
        }
    }

    fn files(params: &Params) -> Vec<(String, String)> {
        let file = |(at, step): (usize, &Perturbation)| {
            Some((format!("steps[{at}].{}.table", step.name()), step.table()?.to_owned()))
        };
        params.steps.iter().enumerate().filter_map(file).collect()
    }

    /// The content of a table is part of the fingerprint, its name is not.
    fn identity(params: &Params) -> Value {
        let mut identity = serde_json::to_value(params).unwrap_or_default();
        for (at, step) in params.steps.iter().enumerate() {
            if step.table().is_some() {
                identity["steps"][at][step.name()]["table"] = Value::Bool(true);
            }
        }
        identity
    }

    fn run(params: &Params, ctx: &mut StageCtx<'_>) -> Result<(), StageError> {
        let dataset = Dataset::open(&ctx.input("data")?.dir)?;
        let rows = dataset.rows(Split::Train)?;
        let measured = measured_texts(&dataset)?;
        let around = Surroundings::new(&params.protect, params.stopwords.as_deref());
        let lexicons = lexicons(params, ctx)?;
        let maker = Maker { params, around, lexicons, seed: ctx.seed };

        let numbers: Vec<usize> = (0..rows.texts.len()).collect();
        let chunks: Vec<&[usize]> = numbers.chunks(CHUNK).collect();
        let parts = shards::in_order(ctx, chunks.len(), |at| {
            let made: Vec<Vec<DerivedRow>> =
                chunks[at].par_iter().map(|&row| maker.copies(row, &rows.texts[row])).collect();
            let is_measured = |copy: &DerivedRow| {
                measured.contains(&form(&copy.text, rows.pairs.as_ref().map(|pairs| pairs[copy.row].as_str())))
            };
            let (leaked, copies): (Vec<_>, Vec<_>) = made.into_iter().flatten().partition(is_measured);
            let done = ((at + 1) * CHUNK).min(numbers.len()) as u64;
            ctx.sink.progress(Progress { done, total: numbers.len() as u64, unit: "row", message: String::new() });
            Ok(Part { copies, leaked: leaked.len() })
        })?;
        let leaked = parts.iter().map(|part| part.leaked).sum();
        let copies: Vec<DerivedRow> = parts.into_iter().flat_map(|part| part.copies).collect();
        let same = params.copies * numbers.len() - copies.len() - leaked;
        report(params, &rows, &copies, (leaked, same), ctx);
        dataset::write(&dataset.with_derived_rows(&copies)?, ctx)
    }
}

/// The copies of a chunk of rows.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    copies: Vec<DerivedRow>,
    /// Copies that are rows of other splits, and left out.
    leaked: usize,
}

/// Makes copies; what a copy becomes depends on its row's number and the seed alone, not on threads or other rows.
struct Maker<'a> {
    params: &'a Params,
    around: Surroundings,
    lexicons: Vec<Lexicon>,
    seed: u64,
}

impl Maker<'_> {
    fn copies(&self, row: usize, text: &str) -> Vec<DerivedRow> {
        let mut seen = BTreeSet::from([text.to_owned()]);
        let mut copies = Vec::new();
        for number in 1..=self.params.copies {
            // 63 bits: the seed is kept in a signed column.
            let index = (row * self.params.copies + number) as u64;
            let seed = rng::item_stream(self.seed, "augment", index).next_u64() >> 1;
            let (text, op) = self.copy(text, seed);
            if !text.trim().is_empty() && seen.insert(text.clone()) {
                copies.push(DerivedRow { row, number, text, op, seed: seed as i64 });
            }
        }
        copies
    }

    /// One copy, and the names of the steps that changed it.
    fn copy(&self, text: &str, seed: u64) -> (String, String) {
        let mut random = rng::stream(seed, "augment");
        let mut copy = text.to_owned();
        let mut ops: Vec<&str> = Vec::new();
        for (step, lexicon) in self.params.steps.iter().zip(&self.lexicons) {
            let new = step.apply(&copy, &self.around, lexicon, &mut random);
            if new != copy {
                ops.push(step.name());
                copy = new;
            }
        }
        (copy, ops.join("+"))
    }
}

/// The table of synonyms of each step.
fn lexicons(params: &Params, ctx: &StageCtx<'_>) -> Result<Vec<Lexicon>, StageError> {
    let lexicon = |step: &Perturbation| match step.table() {
        None => Ok(Lexicon::English),
        Some(table) => Lexicon::parse(&fs::read_text(&ctx.path(table))?)
            .map_err(|error| StageError::msg(error).context(format!("`{table}`"))),
    };
    params.steps.iter().map(lexicon).collect()
}

/// The texts that results are measured on: a copy that equals one would be learnt by heart.
fn measured_texts(dataset: &Dataset) -> Result<BTreeSet<String>, StageError> {
    let mut texts = BTreeSet::new();
    for &split in dataset.meta.rows.keys().filter(|split| **split != Split::Train) {
        let rows = dataset.rows(split)?;
        let forms: Vec<String> = (0..rows.texts.len())
            .into_par_iter()
            .map(|row| form(&rows.texts[row], rows.pairs.as_ref().map(|pairs| pairs[row].as_str())))
            .collect();
        texts.extend(forms);
    }
    Ok(texts)
}

fn form(text: &str, pair: Option<&str>) -> String {
    let text = text::normal_form(text);
    pair.map_or(text.clone(), |pair| format!("{text}\n{}", text::normal_form(pair)))
}

fn report(params: &Params, rows: &Rows, copies: &[DerivedRow], (leaked, same): (usize, usize), ctx: &mut StageCtx<'_>) {
    let thousands = |n: usize| units::thousands(n as u64);
    let before = rows.texts.len();
    ctx.metric("copies", copies.len() as f64, Unit::Count, Better::Neither);
    for step in &params.steps {
        let count = copies.iter().filter(|copy| copy.op.split('+').any(|op| op == step.name())).count();
        ctx.record.fact(format!("copies changed by {}", step.name()), thousands(count));
    }
    ctx.record.fact("copies left out, as they are in validation or test", thousands(leaked));
    ctx.record.fact("copies left out, as nothing in them changed", thousands(same));
    if copies.is_empty() {
        ctx.record.warnings.push("no copy was made: the steps found nothing that they may change".to_owned());
    } else if same * 2 > params.copies * before {
        ctx.record.warnings.push(format!(
            "{} of {} found nothing that the steps may change",
            thousands(same),
            plural::count(params.copies * before, "copy")
        ));
    }
    // Spread over the split: neighbours are often alike.
    for copy in copies.iter().step_by(copies.len().div_ceil(SAMPLES).max(1)).take(SAMPLES) {
        let before = rows.texts[copy.row].clone();
        ctx.record.samples.push(Sample { what: copy.op.clone(), before, after: copy.text.clone() });
    }
}
