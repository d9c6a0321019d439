//! `deduplicate`: drops rows that are the same or nearly so, and finds test rows that stand in training.

mod buckets;
mod kept;
mod search;
mod verdict;

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::{
    search::{Places, search},
    verdict::{Finding, Kind, Verdict},
};
use super::dataset::stream::{self, Merge};
use crate::{
    base::{plural, units},
    data::{DatasetReader, RowBatch, Split},
    stage::{Artifact, ArtifactKind, Better, Faults, Port, Sample, Stage, StageCtx, StageError, Unit},
    text::dedup::{Bands, Exact, MOST_PERMUTATIONS, Shingles},
};

/// Pairs that a report shows, of leaks and of others each.
const SAMPLES: usize = 3;
/// Leaks that a failure shows.
const LEAKS: usize = 3;
/// Characters of a text that a failure shows.
const SHOWN: usize = 300;

/// Parameters of `deduplicate`.
///
/// ```yaml
/// stages:
///   unique:
///     uses: deduplicate
///     in: reviews
///     with: {near: {threshold: 0.8}, across: drop}
/// gates:
///   - {metric: unique.leaks.test, max: 0}
/// ```
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// When two texts are the same. A pair of texts is one text here.
    #[serde(default)]
    exact: Exact,
    /// When two texts are nearly the same; `null`: never, so that only texts that are the same are found. Some ten bytes a row are in
    /// memory, and of rows that share bands with others four for each band; the rest is on the disk where it is much.
    #[serde(default = "near")]
    near: Option<Near>,
    /// What becomes of a row that is (nearly) in a split that measures, too: of a row of `train` in `validation` or `test`, of a row of
    /// `validation` in `test`. Rows of `test` are never dropped.
    #[serde(default)]
    across: Across,
    /// What becomes of a row of `train` that is (nearly) an earlier row of `train`. Of those that are joined, one after the other, the
    /// first stays. Deduplicate before `augment`: its copies are near to their rows.
    #[serde(default)]
    within: Within,
}

/// How near-duplicates are found: `MinHash` with locality-sensitive hashing, and every pair that it finds is compared by all its shingles.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Near {
    /// The least Jaccard similarity of near-duplicates: the shingles that both have, as a share of those that either has. `a b c d e f`
    /// and `a b c d e x` share 3 of 5 shingles of 3 words: 0.6.
    threshold: f64,
    /// What is compared: `{words: 3}` or `{characters: 5}`.
    shingles: Shingles,
    /// Places of a signature, up to 512. More make the search more selective, and a little slower.
    permutations: usize,
    /// The share of pairs at the threshold that are found, at least; of nearer pairs it is more. A lower one compares fewer candidates:
    /// 0.99 takes 16 bands of 6 places at a threshold of 0.8, 0.9 takes 13 of 8.
    recall: f64,
}

impl Default for Near {
    fn default() -> Self {
        Self { threshold: 0.8, shingles: Shingles::default(), permutations: 128, recall: 0.99 }
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the default of an optional parameter")]
fn near() -> Option<Near> {
    Some(Near::default())
}

impl Near {
    fn bands(&self) -> Option<Bands> {
        Bands::choose(self.threshold, self.permutations, self.recall)
    }
}

/// What becomes of rows that are in two splits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Across {
    /// They go: from `train`, or from `validation` where `test` has them.
    #[default]
    Drop,
    /// The recipe fails and shows the first of them.
    Fail,
    /// They stay and are counted.
    Tell,
}

/// What becomes of rows that are in `train` twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Within {
    /// All but the first go.
    #[default]
    Drop,
    /// They stay and are counted.
    Tell,
}

/// See the file's first line.
pub(super) struct Deduplicate;

impl Stage for Deduplicate {
    const KIND: &'static str = "deduplicate";
    const VERSION: u32 = 2;
    const ABOUT: &'static str = "drops rows that are the same or nearly so, and finds test rows that stand in training";
    const INPUTS: &'static [Port] = &[Port::dataset("data")];
    const OUTPUT: ArtifactKind = ArtifactKind::Dataset;
    type Params = Params;

    fn check(params: &Params, faults: &mut Faults) {
        let Some(near) = &params.near else { return };
        let ranges = [
            ("near.threshold", near.threshold, 0.05, 1.0),
            ("near.recall", near.recall, 0.5, 0.9999),
            ("near.permutations", near.permutations as f64, 16.0, MOST_PERMUTATIONS as f64),
        ];
        for (path, value, low, high) in ranges {
            faults.within(path, value, low, high);
        }
        let path = match near.shingles {
            Shingles::Words(_) => "near.shingles.words",
            Shingles::Characters(_) => "near.shingles.characters",
        };
        faults.at_least(path, near.shingles.length(), 1);
        let is_sound = ranges.iter().all(|(_, value, low, high)| (low..=high).contains(&value));
        if is_sound && near.bands().is_none() {
            faults
                .at("near.permutations", format!("{} are too few for this threshold and recall", near.permutations))
                .help("more permutations, a higher threshold or a lower recall");
        }
    }

    fn run(params: &Params, ctx: &mut StageCtx<'_>) -> Result<(), StageError> {
        let reader = DatasetReader::open(&ctx.input("data")?.dir)?;
        let places = Places::new(&reader)?;
        let mut found = search(&places, params.exact, params.near.as_ref(), ctx.output, ctx)?;
        let searched = (found.bands, found.cut);
        let mut verdict = Verdict::of(&mut found, &places, params)?;
        drop(found);
        let shown = shown(&verdict);
        let mut receipts = std::mem::take(&mut verdict.leaks);
        receipts.merge(std::mem::take(&mut verdict.repeats));
        let named = Named::of(receipts.kept(), &shown, &places, ctx)?;
        if params.across == Across::Fail && verdict.leaked != [0, 0] {
            return Err(StageError::msg(leak_message(&verdict, &shown, &named, ctx.input("data")?)));
        }
        let train = places.of(Split::Train);
        if !train.is_empty() && train.clone().all(|row| verdict.is_dropped[row as usize]) {
            return Err(StageError::msg(
                "every row of `train` is in `validation` or `test`, so that nothing is left to train on: \
                 split the dataset anew, or count them with `across: tell`",
            ));
        }
        stream::rewrite(ctx, &reader, |rows| {
            let first = places.first(&rows) as usize;
            let keep: Vec<bool> =
                verdict.is_dropped[first..first + rows.len()].iter().map(|dropped| !dropped).collect();
            Ok((rows.keep(&keep)?, ()))
        })?;
        let found = receipts.kept().len();
        let contrary = receipts.kept().iter().filter(|finding| named.labels(finding).is_some()).count();
        if contrary > 0 {
            ctx.record.warnings.push(format!(
                "{} of {} have another label than the row that they are (nearly) the same as: one of the two is wrong; \
                 `duplicates.jsonl` has their `labels`",
                units::thousands(contrary as u64),
                plural::count(found, "duplicate")
            ));
        }
        receipts.map(|finding| named.receipt(&finding)).write(&ctx.output.join("duplicates.jsonl"))?;
        ctx.record.samples = shown.iter().map(|finding| named.sample(finding)).collect();
        report(params, searched, &verdict, &places, ctx);
        Ok(())
    }
}

/// The pairs that people see: some leaks, then some others, those that differ before.
fn shown(verdict: &Verdict) -> Vec<Finding> {
    let (near, same): (Vec<Finding>, Vec<Finding>) =
        verdict.repeats.kept().iter().copied().partition(|finding| finding.kind == Kind::Near);
    let leaks = verdict.leaks.kept().iter().take(SAMPLES).copied();
    leaks.chain(near.into_iter().chain(same).take(SAMPLES)).collect()
}

/// A line of `duplicates.jsonl`.
#[derive(Serialize)]
struct Receipt<'a> {
    split: Split,
    id: &'a str,
    /// The row that stands for it.
    kept_split: Split,
    kept: &'a str,
    kind: Kind,
    similarity: f64,
    /// The labels, where they are not the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: Option<[&'a str; 2]>,
    dropped: bool,
}

/// What rows are called, and the texts of those that are shown.
struct Named {
    rows: BTreeMap<u32, Row>,
}

struct Row {
    split: Split,
    name: String,
    label: Option<String>,
    text: Option<String>,
}

impl Named {
    fn of(
        findings: &[Finding],
        shown: &[Finding],
        places: &Places<'_>,
        ctx: &StageCtx<'_>,
    ) -> Result<Self, StageError> {
        let both = |findings: &[Finding]| findings.iter().flat_map(|finding| [finding.row, finding.kept]).collect();
        let (rows, with_text): (BTreeSet<u32>, BTreeSet<u32>) = (both(findings), both(shown));
        let rows: Vec<u32> = rows.union(&with_text).copied().collect();
        let name = |batch: &RowBatch, at: usize| {
            let has_text = with_text.contains(&(places.first(batch) + at as u32));
            let text = || match batch.pair(at) {
                None => batch.text(at).to_owned(),
                Some(pair) => format!("{}\n{pair}", batch.text(at)),
            };
            let label = batch.label(at).map(ToOwned::to_owned);
            Row { split: batch.split(), name: batch.name(at), label, text: has_text.then(text) }
        };
        let mut named = Vec::with_capacity(rows.len());
        places.visit(ctx, &rows, name, |row| {
            named.push(row);
            Ok(())
        })?;
        Ok(Self { rows: rows.into_iter().zip(named).collect() })
    }

    /// The labels of two rows, where they are not the same.
    fn labels(&self, finding: &Finding) -> Option<[&str; 2]> {
        let [row, kept] = [finding.row, finding.kept].map(|row| self.rows[&row].label.as_deref());
        Some([row?, kept?]).filter(|[row, kept]| row != kept)
    }

    fn receipt(&self, finding: &Finding) -> Receipt<'_> {
        let (row, kept) = (&self.rows[&finding.row], &self.rows[&finding.kept]);
        Receipt {
            split: row.split,
            id: &row.name,
            kept_split: kept.split,
            kept: &kept.name,
            kind: finding.kind,
            similarity: (finding.similarity * 1e4).round() / 1e4,
            labels: self.labels(finding),
            dropped: finding.is_dropped,
        }
    }

    fn text(&self, row: u32) -> &str {
        self.rows[&row].text.as_deref().unwrap_or_default()
    }

    fn sample(&self, finding: &Finding) -> Sample {
        let (row, kept) = (&self.rows[&finding.row], &self.rows[&finding.kept]);
        let what = format!("{} row, {} {} row", row.split.name(), likeness(finding), kept.split.name());
        Sample { what, before: self.text(finding.row).to_owned(), after: self.text(finding.kept).to_owned() }
    }
}

/// How alike two rows are, in words before what the second is.
fn likeness(finding: &Finding) -> String {
    match finding.kind {
        Kind::Exact => "the same as a".to_owned(),
        Kind::Near => format!("{:.2} of a", finding.similarity),
    }
}

fn rows(count: usize) -> String {
    format!("{} {}", units::thousands(count as u64), if count == 1 { "row" } else { "rows" })
}

/// What a recipe fails with: what is wrong, the first leaks, what to do.
fn leak_message(verdict: &Verdict, shown: &[Finding], named: &Named, data: &Artifact) -> String {
    let mut told = Vec::new();
    for (count, of, split) in
        [(verdict.leaked[1], "`train` or `validation`", "test"), (verdict.leaked[0], "`train`", "validation")]
    {
        if count > 0 {
            told.push(format!("{} of {of} in `{split}`", rows(count)));
        }
    }
    let head =
        format!("`{}` has the same or nearly the same texts in several splits: {}", data.name, told.join(", "));
    let quoted = |row: u32| {
        let text = named.text(row);
        let start: String = text.chars().take(SHOWN).collect();
        let rest = if start.len() < text.len() { " …" } else { "" };
        format!("{start:?}{rest}")
    };
    let leaks = shown.iter().filter(|finding| named.rows[&finding.row].split != named.rows[&finding.kept].split);
    let leaks = leaks.take(LEAKS).map(|finding| {
        let row = |row: u32| format!("`{}` row {}", named.rows[&row].split.name(), named.rows[&row].name);
        let like = match finding.kind {
            Kind::Exact => "the same".to_owned(),
            Kind::Near => format!("similarity {:.2}", finding.similarity),
        };
        let (first, second) = (row(finding.row), row(finding.kept));
        let (one, other) = (quoted(finding.row), quoted(finding.kept));
        format!("{first} and {second}, {like}:\n    {one}\n    {other}")
    });
    let help = "what is measured on such rows is memory: `across: drop` takes them out of what is trained on, `across: tell` only counts \
                them";
    [head].into_iter().chain(leaks).chain([help.to_owned()]).collect::<Vec<_>>().join("\n  ")
}

fn report(
    params: &Params,
    (bands, cut): (Option<Bands>, usize),
    verdict: &Verdict,
    places: &Places<'_>,
    ctx: &mut StageCtx<'_>,
) {
    let thousands = |n: usize| units::thousands(n as u64);
    let counts = [
        ("duplicates", verdict.repeated[0]),
        ("near_duplicates", verdict.repeated[1]),
        ("leaks.validation", verdict.leaked[0]),
        ("leaks.test", verdict.leaked[1]),
    ];
    for (name, count) in counts {
        ctx.metric(name, count as f64, Unit::Count, Better::Lower);
    }
    for &split in places.reader.meta().rows.keys() {
        let range = places.of(split);
        let before = range.len();
        let gone = range.filter(|row| verdict.is_dropped[*row as usize]).count();
        let told = format!("{} → {}", thousands(before), thousands(before - gone));
        ctx.record.fact(format!("rows of {}", split.name()), told);
        if 2 * gone > before {
            let what =
                format!("more than half of `{}` was dropped: {} of {}", split.name(), thousands(gone), rows(before));
            ctx.record.warnings.push(what);
        }
    }
    if let (Some(near), Some(bands)) = (&params.near, bands) {
        let (chance, threshold) = (bands.chance(near.threshold) * 100.0, near.threshold);
        let told = format!(
            "{} of {} places: {chance:.1} % of pairs of similarity {threshold} are found",
            bands.count, bands.rows
        );
        ctx.record.fact("bands", told);
    }
    if cut > 0 {
        ctx.record.warnings.push(format!(
            "{cut} times a row shares a band with so many others that it was compared with the first of them only: near-duplicates \
             among texts with a long part in common may be left"
        ));
    }
    for (split, count) in [(Split::Validation, verdict.left[0]), (Split::Test, verdict.left[1])] {
        if count > 0 {
            ctx.record.fact(format!("duplicates within {}, which stay", split.name()), thousands(count));
        }
    }
    let leaks: usize = verdict.leaked.iter().sum();
    if leaks > 0 && params.across == Across::Tell {
        ctx.record.warnings.push(format!(
            "{} of `train` or `validation` are in a split that measures, too: what is measured there is partly memory",
            rows(leaks)
        ));
    }
}
