//! `augment`: adds perturbed copies of rows to the training split.

mod balance;
mod maker;
mod measured;
mod parts;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, sync::Arc};

use rand::RngCore;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::{
    balance::Balance,
    maker::{Maker, Row, Steps, Tally},
    measured::Measured,
    parts::Wanted,
};
use super::{
    dataset::stream::{self, Merge},
    lexicon,
};
use crate::{
    base::{fs, plural, rng, units},
    data::{DatasetReader, DerivedRow, RowBatch, Split, Tokenizer},
    generate::Filler,
    stage::{ArtifactKind, Better, Faults, Port, Sample, Stage, StageCtx, StageError, Unit},
    text::{
        Lexicon, TableForm,
        perturb::{self, NEGATIONS, Perturbation, Surroundings},
    },
};

/// Copies of a row at most, where a recipe says their number.
const MOST_COPIES: usize = 1_000;
/// Copies that a report shows.
const SAMPLES: usize = 6;
/// How often a copy is tried that a class needs: most rows have another one.
const TRIES: usize = 5;

/// Parameters of `augment`. Of pairs of texts the first is changed.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "what is protected, each by itself")]
pub(super) struct Params {
    /// How many copies of each training row are tried, 1 if nothing is said; copies that turn out like their row, like each other,
    /// or like a row of `validation` or `test` are left out.
    #[serde(default)]
    copies: Option<usize>,
    /// Instead of `copies`: `true` makes as many of each small class as bring it up to the largest, `{to: 500}` as many as bring it up
    /// to 500 rows, spread evenly over its rows. A copy that would be left out is tried again.
    #[serde(default)]
    balance: Balance,
    /// What is done to each copy, in this order: `[{replace: {rate: 0.1}}, {delete: {rate: 0.1}}]`.
    steps: Vec<Perturbation>,
    /// Whether each copy goes through all steps, or is made by one.
    #[serde(default)]
    apply: Apply,
    /// What becomes of texts that are too short for the steps: `{under: 5, steps: [{typos: {count: 1}}]}`.
    #[serde(default)]
    back_off: Option<BackOff>,
    /// The language of the texts, by its code: which words are stop words, how words are found (in Chinese, `zh`, by a dictionary),
    /// and whether there are synonyms without a table (`en`).
    #[serde(default = "english")]
    language: String,
    /// Words that no step touches, moves or puts in, since labels hang on them: `[refund, "n't"]`, where `n't` stands for all words that
    /// end in it.
    #[serde(default)]
    protect: Vec<String>,
    /// Whether negations are protected, too: `not`, `n't`, `no`, `never`, `without`, `不` and others.
    #[serde(default = "yes")]
    protect_negations: bool,
    /// Whether web and e-mail addresses, `@names` and `#hashtags` are protected: in pieces they are nothing.
    #[serde(default = "yes")]
    protect_addresses: bool,
    /// What regular expressions find is not touched, and nothing is put into it: `['#\w+', 'New York( City)?']`.
    #[serde(default)]
    protect_matches: Vec<String>,
    /// Whether the words of a row's own label are protected in its text, too: those of `sports_news` are itself, `sports` and `news`.
    #[serde(default)]
    protect_labels: bool,
    /// Whether stop words are not replaced or masked, and nothing is put in for them, as EDA has it. They may be left out, moved or
    /// misspelt.
    #[serde(default = "yes")]
    stopwords: bool,
}

/// How many steps a copy goes through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Apply {
    /// All, one after the other.
    #[default]
    All,
    /// One, as EDA has it: the copies of a row take turns. Where the step finds nothing to change, the next one of the list is tried.
    One,
}

/// What becomes of short texts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BackOff {
    /// Texts of fewer words than this are short.
    under: usize,
    /// What is done to them in place of the other steps; without any there are no copies of them.
    #[serde(default)]
    steps: Vec<Perturbation>,
}

fn yes() -> bool {
    true
}

fn english() -> String {
    "en".to_owned()
}

impl Params {
    /// All steps with the places of their parameters.
    fn all_steps(&self) -> impl Iterator<Item = (String, &Perturbation)> {
        fn of<'a>(list: &'static str, steps: &'a [Perturbation]) -> impl Iterator<Item = (String, &'a Perturbation)> {
            steps.iter().enumerate().map(move |(at, step)| (format!("{list}[{at}].{}", step.name()), step))
        }
        let back_off: &[Perturbation] = self.back_off.as_ref().map_or(&[], |back_off| &back_off.steps);
        of("steps", &self.steps).chain(of("back_off.steps", back_off))
    }

    fn copies(&self) -> usize {
        self.copies.unwrap_or(1)
    }
}

/// See the file's first line.
pub(super) struct Augment;

impl Stage for Augment {
    const KIND: &'static str = "augment";
    const VERSION: u32 = 4;
    const ABOUT: &'static str = "adds perturbed copies of rows to the training split";
    const INPUTS: &'static [Port] =
        &[Port::dataset("data"), Port::model("model").optional(), Port::lexicon("lexicon").optional()];
    const OUTPUT: ArtifactKind = ArtifactKind::Dataset;
    type Params = Params;

    fn check(params: &Params, faults: &mut Faults) {
        if let Some(copies) = params.copies {
            faults.at_least("copies", copies, 1);
            if params.balance != Balance::No {
                faults
                    .at("balance", "`copies` and `balance` both say how many copies are made")
                    .help("leave one of them out");
            }
        }
        if params.balance == Balance::To(0) {
            faults.at("balance.to", "`to` must be at least 1, not 0");
        }
        if params.copies.is_some_and(|copies| copies > MOST_COPIES) {
            faults.at("copies", format!("more than {MOST_COPIES} copies of each row")).help("a row has not so many that differ");
        }
        if params.steps.is_empty() {
            faults.at("steps", "no steps, so copies would be their rows").help("`steps: [{replace: {rate: 0.1}}]`");
        }
        if let Some(back_off) = &params.back_off {
            faults.at_least("back_off.under", back_off.under, 1);
        }
        for (path, step) in params.all_steps() {
            if let Some(found) = step.fault() {
                faults.at(format!("{path}.{}", found.path), found.message).help = found.help;
            }
        }
        for (at, expression) in params.protect_matches.iter().enumerate() {
            if let Some(fault) = perturb::passage_fault(expression) {
                faults.at(format!("protect_matches[{at}]"), fault).help("single quotes keep backslashes: `'#\\w+'`");
            }
        }
        if params.stopwords
            && let Some(found) = perturb::stop_word_fault(&params.language)
        {
            let help = found.help.map(|help| format!("{help}; `stopwords: false` does without them"));
            faults.at("language", found.message).help = help;
        }
    }

    fn check_wires(params: &Params, wired: &[&str], faults: &mut Faults) {
        for (path, step) in params.all_steps() {
            if let Some(why) = step.wants_model()
                && !wired.contains(&"model")
            {
                faults
                    .at(path, format!("{why}, and no model is wired"))
                    .help("`in: {data: …, model: …}` with an encoder that has its masked-LM head");
            } else if step.wants_synonyms()
                && step.table().is_none()
                && params.language != "en"
                && !wired.contains(&"lexicon")
            {
                faults
                    .at(path, format!("no synonyms of the language `{}` come with the program", params.language))
                    .help("name a table as `table:`, or wire a `lexicon`");
            }
        }
    }

    /// What a model guesses rests on the last bits of its logits.
    fn computes(params: &Params) -> bool {
        params.all_steps().any(|(_, step)| step.contextual().is_some())
    }

    fn files(params: &Params) -> Vec<(String, String)> {
        let file = |(path, step): (String, &Perturbation)| Some((format!("{path}.table"), step.table()?.to_owned()));
        params.all_steps().filter_map(file).collect()
    }

    /// The content of a table is part of the fingerprint, its name is not; the ending says how it is read.
    fn identity(params: &Params) -> Value {
        let mut identity = serde_json::to_value(params).unwrap_or_default();
        let form = |step: &Perturbation| step.table().map(|table| format!("{:?}", TableForm::of(table)));
        let back_off: &[Perturbation] = params.back_off.as_ref().map_or(&[], |back_off| &back_off.steps);
        for (at, step) in params.steps.iter().enumerate() {
            if let Some(form) = form(step) {
                identity["steps"][at][step.name()]["table"] = form.into();
            }
        }
        for (at, step) in back_off.iter().enumerate() {
            if let Some(form) = form(step) {
                identity["back_off"]["steps"][at][step.name()]["table"] = form.into();
            }
        }
        identity
    }

    fn run(params: &Params, ctx: &mut StageCtx<'_>) -> Result<(), StageError> {
        let data = ctx.input("data")?;
        let reader = DatasetReader::open(&data.dir)?;
        let meta = reader.meta();
        reader.require(Split::Train)?;
        DerivedRow::check(meta)?;
        let no_labels = |what: &str| StageError::msg(format!("`{what}` needs labels, and `{}` has none", data.name));
        let has_labels = meta.roles.label.is_some();
        if params.balance != Balance::No && !has_labels {
            return Err(no_labels("balance"));
        }
        if params.protect_labels && !has_labels {
            return Err(no_labels("protect_labels"));
        }
        let numbers: BTreeMap<&str, u32> = (0..).zip(&meta.labels).map(|(at, label)| (label.as_str(), at)).collect();
        let label = |rows: &RowBatch, row: usize| numbers.get(rows.label(row)?).copied();
        let wanted = match params.balance {
            Balance::No => Wanted::OfEach(params.copies()),
            balance => {
                let labels = stream::survey(ctx, &reader, |rows| {
                    let count = if rows.split() == Split::Train { rows.len() } else { 0 };
                    Ok((0..count).map(|row| label(rows, row).unwrap_or_default()).collect::<Vec<_>>())
                })?;
                Wanted::By(balance.copies(&labels))
            }
        };
        // Copies of what has copies by another stage are others than those, and have other ids.
        let has_copies = reader.read(Split::Train, 0)?.has_origin();
        let (seed, mark) = if has_copies {
            let digest = data.digest.to_string();
            (rng::stream(ctx.seed, &digest).next_u64(), format!("{}.", &digest[..4]))
        } else {
            (ctx.seed, String::new())
        };
        let maker = maker(params, &reader, seed, ctx)?;

        // First all rows as they are, then copies of those to learn from, which is the first split.
        let (batches, mut ends) = (reader.batches(), reader.ends());
        let train = batches.iter().filter(|(split, _)| *split == Split::Train).count();
        let parts = parts::parts(&ends[..train], &wanted);
        let before = ends.last().copied().unwrap_or_default();
        ends.extend(parts.iter().map(|part| before + part.end));
        let (summary, _) = stream::make(ctx, meta, &ends, |at| {
            let Some(part) = at.checked_sub(batches.len()).map(|at| &parts[at]) else {
                let (split, index) = batches[at];
                let rows = reader.read(split, index)?;
                let mut before = vec![0; meta.labels.len()];
                if split == Split::Train {
                    (0..rows.len()).filter_map(|row| label(&rows, row)).for_each(|label| before[label as usize] += 1);
                }
                return Ok((rows.with_origin()?, Summary { before, ..Summary::default() }));
            };
            let rows = reader.read(Split::Train, part.batch)?;
            let row = |at: usize| {
                let number = rows.first_row() as usize + at;
                let (text, pair, label) = (rows.text(at), rows.pair(at), label(&rows, at));
                Row { number, text, pair, label, wanted: wanted.of(number) }
            };
            let made = maker.copies(&part.rows.clone().map(row).collect::<Vec<_>>())?;
            let summary = Summary::of(made.tally, &made.copies, &rows, |row| label(&rows, row), meta.labels.len());
            Ok((rows.derived(&made.copies, &mark)?, summary))
        })?;
        report(params, &summary, ctx);
        if params.balance != Balance::No {
            summary.report_classes(params.balance, &reader.meta().labels, ctx);
        }
        Ok(())
    }
}

/// What was made of some rows.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Summary {
    tally: Tally,
    copies: usize,
    /// Rows to learn from by label, and copies of them.
    before: Vec<usize>,
    more: Vec<usize>,
    samples: Vec<Sample>,
}

impl Summary {
    fn of(
        tally: Tally,
        copies: &[DerivedRow],
        rows: &RowBatch,
        label: impl Fn(usize) -> Option<u32>,
        labels: usize,
    ) -> Self {
        let mut more = vec![0; labels];
        let place = |copy: &DerivedRow| copy.row - rows.first_row() as usize;
        copies.iter().filter_map(|copy| label(place(copy))).for_each(|label| more[label as usize] += 1);
        let sample = |copy: &DerivedRow| {
            let before = rows.text(place(copy)).to_owned();
            Sample { what: copy.op.clone(), before, after: copy.text.clone() }
        };
        let samples = spread(copies).map(sample).collect();
        Self { tally, copies: copies.len(), before: vec![0; labels], more, samples }
    }

    /// How many rows each class had and has.
    fn report_classes(&self, balance: Balance, labels: &[String], ctx: &mut StageCtx<'_>) {
        let most = self.before.iter().copied().max().unwrap_or_default();
        let target = if let Balance::To(rows) = balance { rows } else { most };
        for ((label, before), more) in labels.iter().zip(&self.before).zip(&self.more) {
            let (told, rows) = (|rows: usize| units::thousands(rows as u64), before + more);
            ctx.record.fact(format!("rows of `{label}`"), format!("{} → {}", told(*before), told(rows)));
            if rows < target {
                ctx.record.warnings.push(format!(
                    "`{label}` has {} of {}: its texts have no more copies that differ; more steps or higher rates make more",
                    told(rows),
                    plural::count(target, "row")
                ));
            }
        }
    }
}

impl Merge for Summary {
    fn merge(&mut self, next: Self) {
        self.tally.merge(next.tally);
        self.copies += next.copies;
        for (own, next) in [(&mut self.before, next.before), (&mut self.more, next.more)] {
            own.resize(own.len().max(next.len()), 0);
            own.iter_mut().zip(next).for_each(|(own, next)| *own += next);
        }
        self.samples.extend(next.samples);
        if self.samples.len() > 4 * SAMPLES {
            let mut at = 0;
            self.samples.retain(|_| {
                at += 1;
                at % 2 == 1
            });
        }
    }
}

/// Some of many, not next to each other: neighbours are often alike.
fn spread<T>(all: &[T]) -> impl Iterator<Item = &T> {
    all.iter().step_by(all.len().div_ceil(SAMPLES).max(1)).take(SAMPLES)
}

/// Everything that copies are made with.
fn maker(params: &Params, reader: &DatasetReader, seed: u64, ctx: &StageCtx<'_>) -> Result<Maker, StageError> {
    let wired = match ctx.optional("lexicon") {
        Some(artifact) => Arc::new(lexicon::read(&artifact.dir)?),
        None => Arc::new(Lexicon::English),
    };
    let steps = |steps: &[Perturbation]| -> Result<Steps, StageError> {
        let lexicon = |step: &Perturbation| -> Result<Arc<Lexicon>, StageError> {
            let Some(table) = step.table() else { return Ok(Arc::clone(&wired)) };
            let lexicon = Lexicon::parse(&fs::read_text(&ctx.path(table))?, TableForm::of(table));
            lexicon.map(Arc::new).map_err(|error| StageError::msg(error).context(format!("`{table}`")))
        };
        Ok(Steps::new(steps.iter().map(|step| Ok((step.clone(), lexicon(step)?))).collect::<Result<_, StageError>>()?))
    };
    let mut protected = params.protect.clone();
    if params.protect_negations {
        protected.extend(NEGATIONS.iter().map(|word| (*word).to_owned()));
    }
    let mut around = Surroundings::new(&params.language, &protected).with_passages(&params.protect_matches);
    if params.protect_addresses {
        around = around.with_addresses();
    }
    if params.stopwords {
        around = around.with_stop_words(&params.language);
    }
    let mut filler = None;
    if let Some(model) = ctx.optional("model") {
        let named = |error: StageError| error.context(format!("the model `{}`", model.name));
        if params.all_steps().any(|(_, step)| step.contextual().is_some()) {
            filler = Some(Filler::load(&model.dir, ctx.lease.device).map_err(|error| named(error.into()))?);
        }
        if params.all_steps().any(|(_, step)| step.wants_model().is_some() && step.contextual().is_none()) {
            let tokenizer = Tokenizer::load(&model.dir).map_err(|error| named(error.into()))?;
            // A text without tokens is one that nothing is masked in.
            around = around.with_tokens(Box::new(move |text| tokenizer.places(text).unwrap_or_default()));
        }
    }
    let label_words = if params.protect_labels {
        reader.meta().labels.iter().map(|label| around.label_words(label)).collect()
    } else {
        Vec::new()
    };
    let back_off = params.back_off.as_ref();
    Ok(Maker {
        steps: steps(&params.steps)?,
        back_off: back_off.map(|short| Ok::<_, StageError>((short.under, steps(&short.steps)?))).transpose()?,
        apply: params.apply,
        around,
        label_words,
        filler,
        measured: Measured::of(reader, ctx)?,
        seed,
        tries: if params.balance == Balance::No { 1 } else { TRIES },
    })
}

fn report(params: &Params, summary: &Summary, ctx: &mut StageCtx<'_>) {
    let thousands = |n: usize| units::thousands(n as u64);
    let tally = &summary.tally;
    let Tally { wanted, leaked, short, .. } = *tally;
    let unchanged = wanted - summary.copies - leaked - short - tally.repeated;
    ctx.metric("copies", summary.copies as f64, Unit::Count, Better::Neither);
    let mut named = Vec::new();
    for (_, step) in params.all_steps() {
        if !named.contains(&step.name()) {
            named.push(step.name());
            let count = tally.by_step.get(step.name()).copied().unwrap_or(0);
            ctx.record.fact(format!("copies changed by {}", step.name()), thousands(count));
        }
    }
    if params.apply == Apply::One {
        ctx.record.fact("copies by a later step, as theirs found nothing to change", thousands(tally.later));
    }
    if let Some(back_off) = &params.back_off {
        let name = format!("of texts under {}", plural::count(back_off.under, "word"));
        if back_off.steps.is_empty() {
            ctx.record.fact(format!("copies left out, {name}"), thousands(short));
        } else {
            ctx.record.fact(format!("copies by `back_off`, {name}"), thousands(tally.backed_off));
        }
    }
    ctx.record.fact("copies left out, as they are in validation or test", thousands(leaked));
    ctx.record.fact("copies left out, as nothing in them changed", thousands(unchanged));
    ctx.record.fact("copies left out, as their row has the same one already", thousands(tally.repeated));
    let reasons = [
        (unchanged, "the steps found nothing that they may change"),
        (tally.repeated, "the row had the same copy already"),
        (leaked, "it is in validation or test"),
        (short, "the text is too short"),
    ];
    for (left_out, why) in reasons.into_iter().filter(|(left_out, _)| left_out * 2 > wanted) {
        let of = plural::count(wanted, "copy");
        ctx.record.warnings.push(format!("{} of {of} were left out, as {why}", thousands(left_out)));
    }
    if summary.copies == 0 && wanted > 0 {
        ctx.record.warnings.push("no copy was made".to_owned());
    }
    ctx.record.samples.extend(spread(&summary.samples).cloned());
}
