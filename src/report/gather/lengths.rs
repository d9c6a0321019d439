//! Quality by how many tokens of a text a model reads.

use super::{
    answers::Answers,
    paired,
    sources::{Evaluation, Quantity, Sources},
};
use crate::{
    report::model::{Difference, Evidence, LengthLine, LengthPoint, LengthTable},
    stage::{Family, Metric, RunNode, RunView},
};

/// What is shown by length, as far as it was measured.
const QUALITIES: [&str; 2] = ["accuracy", "macro_f1"];

/// What an evaluation calls the most tokens that it lets a model read.
const LENGTH: &str = "max_tokens";

/// A table a dataset whose texts some models read further than others.
pub(super) fn tables(run: &RunView, sources: &Sources<'_>, families: &[Family], answers: &Answers) -> Vec<LengthTable> {
    let mut tables: Vec<(String, Vec<Read<'_>>)> = Vec::new();
    for evaluation in &sources.evaluations {
        let Some(tokens) = evaluation.record.metric(LENGTH).map(|metric| metric.value.max(0.0) as u64) else {
            continue;
        };
        let node = run.nodes.iter().find(|node| node.name == evaluation.stage);
        let seeds =
            node.and_then(|node| node.family.as_deref()).and_then(|of| families.iter().find(|it| it.name == of));
        let read = Read { evaluation, tokens, seeds };
        let data = evaluation.data();
        let at = tables.iter().position(|(known, _)| *known == data).unwrap_or_else(|| {
            tables.push((data, Vec::new()));
            tables.len() - 1
        });
        let reads = &mut tables[at].1;
        // The seeds of a family are one point.
        if seeds.is_none_or(|of| reads.iter().all(|other| other.seeds.is_none_or(|known| known.name != of.name))) {
            reads.push(read);
        }
    }
    let table = |(data, reads): (String, Vec<Read<'_>>)| {
        let lines = lines(&reads)?;
        let least = reads.iter().min_by_key(|read| read.tokens)?;
        let line = |(name, reads): (String, Vec<&Read<'_>>)| {
            let points = reads.iter().map(|read| point(run, sources, answers, read, least)).collect();
            LengthLine { name, points }
        };
        let baseline = Some(least.evaluation.model.clone());
        Some(LengthTable { data, baseline, lines: lines.into_iter().map(line).collect() })
    };
    tables.into_iter().filter_map(table).collect()
}

/// An evaluation of a model that reads so many tokens.
struct Read<'a> {
    evaluation: &'a Evaluation<'a>,
    tokens: u64,
    /// All seeds of the evaluation, where it has several.
    seeds: Option<&'a Family>,
}

/// Evaluations by the name that they share, the shortest first.
type Lines<'a> = Vec<(String, Vec<&'a Read<'a>>)>;

impl Read<'_> {
    fn stage(&self) -> &str {
        self.seeds.map_or(self.evaluation.stage, |family| &family.name)
    }

    fn metric(&self, name: &str) -> Option<&Metric> {
        let of_seeds = self.seeds.and_then(|family| family.metrics.iter().find(|metric| metric.name == name));
        of_seeds.or_else(|| self.evaluation.record.metric(name)).filter(|metric| metric.value.is_finite())
    }
}

/// Models that differ in the length alone, the shortest first: those whose names are the same without it or, where names do
/// not tell it, without their cells; failing that, a line a model. None where all read the same.
fn lines<'a>(reads: &'a [Read<'a>]) -> Option<Lines<'a>> {
    if reads.iter().all(|read| read.tokens == reads[0].tokens) {
        return None;
    }
    let without_length = |read: &Read<'_>| shared_name(&read.evaluation.model, read.tokens);
    let without_cell = |read: &Read<'_>| read.evaluation.model.split('@').next().unwrap_or_default().to_owned();
    let told = [grouped(reads, without_length), grouped(reads, without_cell)].into_iter().flatten();
    let told: Vec<_> = told.collect();
    let is_family = |lines: &&Lines<'_>| lines.iter().any(|(_, line)| line.len() > 1);
    told.iter().find(is_family).or(told.first()).cloned()
}

/// Evaluations by a name that they share; none where that does not tell two of a length apart.
fn grouped<'a>(reads: &'a [Read<'a>], key: impl Fn(&Read<'_>) -> String) -> Option<Lines<'a>> {
    let mut lines: Lines<'_> = Vec::new();
    for read in reads {
        let name = key(read);
        match lines.iter_mut().find(|(known, _)| *known == name) {
            Some((_, line)) => line.push(read),
            None => lines.push((name, vec![read])),
        }
    }
    for (_, line) in &mut lines {
        line.sort_by_key(|read| read.tokens);
    }
    let is_told = lines.iter().all(|(_, line)| line.windows(2).all(|pair| pair[0].tokens < pair[1].tokens));
    is_told.then_some(lines)
}

/// `classifier@window-512` of 512 tokens is of `classifier@window`.
fn shared_name(name: &str, tokens: u64) -> String {
    let tokens = tokens.to_string();
    let mut shared = String::new();
    for part in name.split_inclusive(['@', '-', '_', '.']) {
        let is_length = part.trim_matches(|c: char| !c.is_ascii_digit()) == tokens;
        if !is_length {
            shared.push_str(part);
        }
    }
    let shared = shared.trim_end_matches(['@', '-', '_', '.']);
    if shared.is_empty() { name.to_owned() } else { shared.to_owned() }
}

fn point(run: &RunView, sources: &Sources<'_>, answers: &Answers, read: &Read<'_>, least: &Read<'_>) -> LengthPoint {
    let model = &read.evaluation.model;
    let made = run.nodes.iter().find(|node| node.name == *model);
    let is_trained = |node: &&RunNode| matches!(node.kind.as_str(), "finetune" | "distill") && node.seconds > 0.0;
    let qualities = QUALITIES.iter().filter_map(|name| {
        let difference = (read.stage() != least.stage()).then(|| difference(sources, answers, read, least, name));
        Some((read.metric(name)?.clone(), difference.flatten()))
    });
    // One text at a time, as far as that was measured.
    let latency = sources.benches.iter().find_map(|bench| {
        let mut points = bench.points().into_iter().filter(|(_, length)| *length == read.tokens);
        points.find_map(|point| bench.get(model, Quantity::Median(point)))
    });
    LengthPoint {
        stage: read.stage().to_owned(),
        model: model.clone(),
        tokens: read.tokens,
        qualities: qualities.collect(),
        training: made.filter(is_trained).map(|node| node.seconds),
        latency: latency.cloned(),
        memory: sources.benches.iter().find_map(|bench| bench.get(model, Quantity::PeakMemory)).cloned(),
    }
}

/// How far a model's score is from that of the model which reads least, on the same rows.
fn difference(
    sources: &Sources<'_>,
    answers: &Answers,
    read: &Read<'_>,
    least: &Read<'_>,
    name: &str,
) -> Option<Difference> {
    let (own, other) = (read.stage(), least.stage());
    let compared = sources.comparisons.iter().find(|it| it.own == own && it.baseline == Some(other));
    if let Some(metric) = compared.and_then(|it| it.record.metric(&format!("{name}_vs_baseline"))) {
        return Some(Difference { value: metric.value, interval: metric.interval, evidence: Evidence::Paired });
    }
    // What is known row by row is whether an answer was right.
    let rows = |stage: &str| answers.right.get(stage).filter(|_| name == "accuracy");
    let (value, interval) = paired::difference(rows(own)?, rows(other)?)?;
    Some(Difference { value, interval: Some(interval), evidence: Evidence::Paired })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Options, Report, fixture};

    #[test]
    fn models_are_compared_with_the_one_that_reads_least() {
        let report = fixture::longdoc();
        let [table] = report.lengths.as_slice() else { panic!("{:?}", report.lengths) };
        assert_eq!((table.data.as_str(), table.baseline.as_deref()), ("body test", Some("first")));
        let tokens = |line: &LengthLine| line.points.iter().map(|point| point.tokens).collect::<Vec<_>>();
        let lines: Vec<_> = table.lines.iter().map(|line| (line.name.as_str(), tokens(line))).collect();
        let windows = vec![1024, 2048, 4096];
        assert_eq!(lines, [("first", vec![512]), ("chunks", vec![4096]), ("window", windows)]);
        assert!(table.lines[0].points[0].qualities.iter().all(|(_, difference)| difference.is_none()));
        let longest = &table.lines[2].points[2];
        let (metric, difference) = &longest.qualities[1];
        assert_eq!((metric.name.as_str(), difference.unwrap().evidence), ("macro_f1", Evidence::Paired));
        assert_eq!(longest.training, Some(31.0 * 60.0));
        let models: Vec<_> = report.models.iter().map(|model| model.name.as_str()).collect();
        assert_eq!(
            models,
            ["first", "chunks", "window@1024", "window@2048", "window@4096"],
            "comparisons are no models"
        );
    }

    #[test]
    fn models_that_read_the_same_are_no_curve() {
        let report = Report::gather(&fixture::run(), &fixture::scores(), &Answers::default(), &Options::default());
        assert!(report.lengths.is_empty() && report.summaries.is_empty());
    }

    #[test]
    fn names_are_shared_without_the_length() {
        for (name, tokens, shared) in [
            ("classifier@512", 512, "classifier"),
            ("classifier@window-512", 512, "classifier@window"),
            ("classifier@512-window", 512, "classifier@window"),
            ("long@l1024", 1024, "long"),
            ("read_2048", 2048, "read"),
            ("512", 512, "512"),
            ("classifier@4096", 512, "classifier@4096"),
        ] {
            assert_eq!(shared_name(name, tokens), shared, "{name}");
        }
    }
}
