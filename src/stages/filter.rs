//! `filter`: keeps the rows of a dataset that meet conditions.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use rayon::prelude::*;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, SeqAccess, Visitor, value::SeqAccessDeserializer},
};

use super::dataset::{
    receipts::Receipts,
    stream::{self, Merge},
};
use crate::{
    base::{plural, suggest, units},
    data::{DatasetReader, Meta, RowBatch, Split},
    stage::{ArtifactKind, Better, Faults, Port, Sample, Stage, StageCtx, StageError, Unit},
    text::filters::{Condition, Failure, Measured, Prepared, Row},
};

/// Rows that a thread takes at a time.
const CHUNK: usize = 64;
/// Dropped rows that a report shows.
const SAMPLES: usize = 6;

/// Parameters of `filter`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// The conditions; a row stays when it meets all of them:
    /// `[{length: {words: {from: 3, to: 500}}}, {language: {is: [en]}}, {matches: {regex: '<[a-z]+>', is: absent}}]`. They are tried
    /// in this order, and the first that a row fails is the one that counts it.
    keep: Vec<Condition>,
    /// The splits whose rows are judged: `[train]`, or `all`. Rows of other splits stay: what a model is measured on should change only
    /// when a recipe says so.
    #[serde(default)]
    splits: Splits,
    /// Whether to write `rejected.jsonl` beside the dataset: of each dropped row its split, id, condition and what was measured,
    /// `{"split":"train","id":"17","condition":"length.words","measured":2}`. Beyond 10,000 rows the last line says how many more.
    #[serde(default)]
    rejected: bool,
}

/// Some splits, or all.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Splits {
    All,
    Some(Vec<Split>),
}

/// See the file's first line.
pub(super) struct Filter;

impl Stage for Filter {
    const KIND: &'static str = "filter";
    const VERSION: u32 = 1;
    const ABOUT: &'static str =
        "keeps the rows of a dataset that meet conditions: length, language, repetition, quality, label";
    const INPUTS: &'static [Port] = &[Port::dataset("data")];
    const OUTPUT: ArtifactKind = ArtifactKind::Dataset;
    type Params = Params;

    fn check(params: &Params, faults: &mut Faults) {
        if params.keep.is_empty() {
            faults
                .at("keep", "no conditions, so every row is kept")
                .help("`keep: [{length: {words: {from: 3, to: 500}}}]`");
        }
        for (at, condition) in params.keep.iter().enumerate() {
            if let Some(found) = condition.fault() {
                let mut path = format!("keep[{at}].{}", condition.name());
                if !found.path.is_empty() {
                    path.push('.');
                    path.push_str(&found.path);
                }
                faults.at(path, found.message).help = found.help;
            }
        }
        if params.splits == Splits::Some(Vec::new()) {
            faults
                .at("splits", "no split, so every row is kept")
                .help("leave `splits` out to judge the rows of `train`");
        }
    }

    fn run(params: &Params, ctx: &mut StageCtx<'_>) -> Result<(), StageError> {
        let reader = DatasetReader::open(&ctx.input("data")?.dir)?;
        for (at, condition) in params.keep.iter().enumerate() {
            let wrong = condition.labels().and_then(|labels| label_fault(labels, reader.meta()));
            if let Some(wrong) = wrong {
                return Err(StageError::msg(wrong).context(format!("`keep[{at}].label`")));
            }
        }
        let judge = Judge { params, conditions: params.keep.iter().map(Condition::prepare).collect() };
        let mut summary = stream::rewrite(ctx, &reader, |rows| judge.judge(rows))?;
        if params.rejected {
            std::mem::take(&mut summary.receipts).write(&ctx.output.join("rejected.jsonl"))?;
        }
        summary.report(params, ctx)
    }
}

/// What is wrong with the labels of a condition.
fn label_fault(labels: &[String], meta: &Meta) -> Option<String> {
    if meta.roles.label.is_none() {
        return Some("the dataset has no label column; name it as `label:` where the dataset is read".to_owned());
    }
    let unknown = labels.iter().find(|label| !meta.labels.contains(label))?;
    let known: Vec<&str> = meta.labels.iter().map(String::as_str).collect();
    let help = suggest::help(unknown, &known).map(|help| format!("; {help}")).unwrap_or_default();
    Some(format!("no row of the dataset has the label `{unknown}`{help}"))
}

/// The conditions, prepared.
struct Judge<'a> {
    params: &'a Params,
    conditions: Vec<Prepared>,
}

/// A row that is dropped.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rejected {
    split: Split,
    id: String,
    condition: String,
    measured: Measured,
}

/// What became of rows.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Summary {
    /// Rows of a split before, and after.
    rows: BTreeMap<Split, (usize, usize)>,
    /// The same for each label of a split.
    labels: BTreeMap<Split, BTreeMap<String, (usize, usize)>>,
    /// Rows that each rule of each condition dropped.
    dropped: BTreeMap<usize, BTreeMap<String, usize>>,
    receipts: Receipts<Rejected>,
    samples: Vec<Sample>,
}

impl Judge<'_> {
    fn judge(&self, rows: RowBatch) -> Result<(RowBatch, Summary), StageError> {
        let split = rows.split();
        let mut summary = Summary::default();
        if !self.params.splits.has(split) {
            summary.rows.insert(split, (rows.len(), rows.len()));
            return Ok((rows, summary));
        }
        let first_failure = |row: usize| {
            let row = Row { text: rows.text(row), pair: rows.pair(row), label: rows.label(row) };
            self.conditions.iter().enumerate().find_map(|(at, condition)| Some((at, condition(&row)?)))
        };
        let failures: Vec<Option<(usize, Failure)>> =
            (0..rows.len()).into_par_iter().with_min_len(CHUNK).map(first_failure).collect();
        let keep: Vec<bool> = failures.iter().map(Option::is_none).collect();
        summary.rows.insert(split, (rows.len(), keep.iter().filter(|keep| **keep).count()));
        for (row, failure) in failures.into_iter().enumerate() {
            if let Some(label) = rows.label(row) {
                let labels = summary.labels.entry(split).or_default();
                let counts = match labels.get_mut(label) {
                    Some(counts) => counts,
                    None => labels.entry(label.to_owned()).or_default(),
                };
                *counts = (counts.0 + 1, counts.1 + usize::from(keep[row]));
            }
            let Some((at, Failure { rule, measured })) = failure else { continue };
            let name = self.params.keep[at].name();
            let condition = if rule == name { name.to_owned() } else { format!("{name}.{rule}") };
            if summary.wants_sample(&condition, self.conditions.len()) {
                let what = format!("{condition}: {}", show(&measured));
                summary.samples.push(Sample { what, before: rows.text(row).to_owned(), after: String::new() });
            }
            *summary.dropped.entry(at).or_default().entry(condition.clone()).or_default() += 1;
            if self.params.rejected {
                summary.receipts.add(|| Rejected { split, id: rows.name(row), condition, measured });
            }
        }
        Ok((rows.keep(&keep)?, summary))
    }
}

fn show(measured: &Measured) -> String {
    match measured {
        Measured::Number(value) => ((value * 1e3).round() / 1e3).to_string(),
        Measured::Text(text) => text.clone(),
    }
}

impl Merge for Summary {
    fn merge(&mut self, next: Self) {
        let add = |to: &mut (usize, usize), more: (usize, usize)| *to = (to.0 + more.0, to.1 + more.1);
        for (split, more) in next.rows {
            add(self.rows.entry(split).or_default(), more);
        }
        for (split, labels) in next.labels {
            let to = self.labels.entry(split).or_default();
            for (label, more) in labels {
                add(to.entry(label).or_default(), more);
            }
        }
        let kinds = self.dropped.len().max(next.dropped.len());
        for (at, rules) in next.dropped {
            let to = self.dropped.entry(at).or_default();
            for (rule, more) in rules {
                *to.entry(rule).or_default() += more;
            }
        }
        for sample in next.samples {
            let condition = sample.what.split(": ").next().unwrap_or_default();
            if self.wants_sample(condition, kinds) {
                self.samples.push(sample);
            }
        }
        self.receipts.merge(next.receipts);
    }
}

impl Summary {
    /// Whether a report has room for a sample of one of so many conditions.
    fn wants_sample(&self, condition: &str, conditions: usize) -> bool {
        let is_of = |sample: &&Sample| sample.what.split(": ").next() == Some(condition);
        let shown = self.samples.iter().filter(is_of).count();
        shown < SAMPLES.div_ceil(conditions.max(1)) && self.samples.len() < SAMPLES
    }

    fn report(self, params: &Params, ctx: &mut StageCtx<'_>) -> Result<(), StageError> {
        let thousands = |n: usize| units::thousands(n as u64);
        for (split, &(before, after)) in &self.rows {
            let rows = format!("{} → {}", thousands(before), thousands(after));
            let is_judged = params.splits.has(*split);
            let told = if is_judged { rows } else { format!("{}, not judged", thousands(before)) };
            ctx.record.fact(format!("rows of {}", split.name()), told);
            if before > 0 && after == 0 {
                let by = self.dropped.values().flatten().max_by_key(|(_, count)| **count);
                let by = by.map(|(rule, count)| format!(", {} of all dropped rows by `{rule}`", thousands(*count)));
                let what = format!("no row of `{}` meets all conditions{}", split.name(), by.unwrap_or_default());
                if *split == Split::Train {
                    return Err(StageError::msg(format!("{what}: loosen them, or nothing is left to train on")));
                }
                ctx.record.warnings.push(what);
            } else if 2 * after < before {
                ctx.record.warnings.push(format!(
                    "more than half of `{}` was dropped: {} of {}",
                    split.name(),
                    thousands(before - after),
                    plural::count(before, "row")
                ));
            }
        }
        let mut dropped = 0;
        for (at, condition) in params.keep.iter().enumerate() {
            let rules = self.dropped.get(&at).cloned().unwrap_or_default();
            let all: usize = rules.values().sum();
            dropped += all;
            let part = |(rule, count): (&String, &usize)| {
                let rule = rule.strip_prefix(condition.name())?.strip_prefix('.')?;
                Some(format!("{rule} {}", thousands(*count)))
            };
            let each: Vec<_> = rules.iter().filter_map(part).collect();
            let each = if each.is_empty() { String::new() } else { format!(" ({})", each.join(", ")) };
            let before = params.keep[..at].iter().filter(|earlier| earlier.name() == condition.name()).count();
            let number = if before == 0 { String::new() } else { format!(" ({})", before + 1) };
            let fact = format!("rows dropped by {}{number}", condition.name());
            ctx.record.fact(fact, format!("{}{each}", thousands(all)));
        }
        // A label that the recipe itself drops is no surprise.
        let is_asked = params.keep.iter().any(|condition| condition.labels().is_some());
        for (split, labels) in &self.labels {
            let gone: Vec<&str> =
                labels.iter().filter(|(_, (_, after))| *after == 0).map(|(label, _)| label.as_str()).collect();
            if !gone.is_empty() && !is_asked {
                let (count, labels) = (plural::count(gone.len(), "label"), plural::list(&gone));
                ctx.record.warnings.push(format!("{count} left no row in `{}`: {labels}", split.name()));
            }
        }
        ctx.metric("dropped", dropped as f64, Unit::Count, Better::Neither);
        ctx.record.samples = self.samples;
        Ok(())
    }
}

impl Default for Splits {
    fn default() -> Self {
        Self::Some(vec![Split::Train])
    }
}

impl Splits {
    fn has(&self, split: Split) -> bool {
        match self {
            Self::All => true,
            Self::Some(splits) => splits.contains(&split),
        }
    }
}

impl Serialize for Splits {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::All => serializer.serialize_str("all"),
            Self::Some(splits) => splits.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Splits {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Splits;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`all`, or a list such as `[train, validation]`")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Splits, E> {
                if text == "all" { Ok(Splits::All) } else { Err(E::invalid_value(de::Unexpected::Str(text), &self)) }
            }

            fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Splits, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(items)).map(Splits::Some)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl JsonSchema for Splits {
    fn schema_name() -> Cow<'static, str> {
        "Splits".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Some splits, or all of them.",
            "anyOf": [{"const": "all"}, generator.subschema_for::<Vec<Split>>()],
        })
    }
}
