//! Which records score models, and which model each number is about.

use crate::stage::{Artifact, Metric, Record, RunView};

/// The records that a report reads scores from.
pub(super) struct Sources<'a> {
    /// Quality of one model on one dataset.
    pub(super) evaluations: Vec<Evaluation<'a>>,
    /// Speed and size of many models on one machine.
    pub(super) benches: Vec<Bench<'a>>,
    /// Attention mechanisms by length: stage, model, and all that the stage left behind.
    pub(super) labs: Vec<(&'a str, String, &'a Record)>,
    /// Methods that summarise.
    pub(super) summaries: Vec<Summaries<'a>>,
    /// Evaluations that were compared row by row.
    pub(super) comparisons: Vec<Comparison<'a>>,
}

/// A method that summarises.
pub(super) struct Summaries<'a> {
    /// The stage with its cell.
    pub(super) stage: &'a str,
    /// The dataset and its split, as far as they are known.
    pub(super) data: String,
    /// All that the stage left behind.
    pub(super) record: &'a Record,
}

/// Two evaluations of the same rows.
pub(super) struct Comparison<'a> {
    /// The stage that compared them.
    pub(super) stage: &'a str,
    /// The evaluation.
    pub(super) own: &'a str,
    /// The evaluation that it is compared with, where a stage of the run made it.
    pub(super) baseline: Option<&'a str>,
    /// All that the stage left behind.
    pub(super) record: &'a Record,
}

/// An evaluation.
pub(super) struct Evaluation<'a> {
    /// The stage with its cell.
    pub(super) stage: &'a str,
    /// The model that was scored.
    pub(super) model: String,
    /// The model that it was compared with, row by row.
    pub(super) teacher: Option<String>,
    /// The dataset.
    pub(super) dataset: Option<String>,
    /// The split.
    pub(super) split: Option<String>,
    /// All that the stage left behind.
    pub(super) record: &'a Record,
}

/// A bench.
pub(super) struct Bench<'a> {
    /// The stage with its cell.
    pub(super) stage: &'a str,
    /// Its numbers, by model.
    pub(super) entries: Vec<(&'a str, Quantity, &'a Metric)>,
    /// All that the stage left behind.
    pub(super) record: &'a Record,
}

/// What a bench measured: `batch` rows of `length` tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quantity {
    /// Median latency.
    Median(Point),
    /// 90th percentile.
    Tail90(Point),
    /// 99th percentile.
    Tail99(Point),
    /// Ratio of the first model's latency to this one's.
    Speedup(Point),
    /// Rows a second on real rows.
    Throughput,
    /// Peak memory.
    PeakMemory,
    /// Bytes on disk.
    Size,
    /// Parameters.
    Parameters,
    /// Multiply-accumulates of one row of a length.
    Macs(u64),
}

/// Rows a batch, tokens a row.
pub(super) type Point = (u64, u64);

/// The stage that compares evaluations.
const COMPARES: &str = "compare_scores";

impl<'a> Sources<'a> {
    /// The wired scores; when nothing is wired, every evaluation and bench of the run.
    pub(super) fn of(run: &'a RunView, scores: &'a [Artifact]) -> Self {
        let mut sources = Self {
            evaluations: Vec::new(),
            benches: Vec::new(),
            labs: Vec::new(),
            summaries: Vec::new(),
            comparisons: Vec::new(),
        };
        for artifact in scores.iter().filter(|artifact| artifact.stage != super::PROFILES) {
            let port = |name: &str| {
                let (_, names) = artifact.inputs.iter().find(|(port, _)| port == name)?;
                names.first().map(String::as_str)
            };
            if let (COMPARES, Some(own)) = (artifact.stage.as_str(), port("scores")) {
                let (stage, record) = (artifact.name.as_str(), &artifact.record);
                sources.comparisons.push(Comparison { stage, own, baseline: port("baseline"), record });
                continue;
            }
            let wired = [port("model"), port("teacher"), port("data")];
            let any = artifact.inputs.iter().flat_map(|(_, names)| names).next().map(String::as_str);
            sources.add(&artifact.name, &artifact.stage, wired, any, &artifact.record);
        }
        if scores.is_empty() {
            let scores = |kind: &str| matches!(kind, "evaluate" | "bench" | "attention_lab" | "summarize");
            for node in run.nodes.iter().filter(|node| scores(&node.kind)) {
                let first = node.inputs.first().map(String::as_str);
                sources.add(&node.name, &node.kind, [None; 3], first, &node.record);
            }
        }
        // What was compared tells of evaluations that are shown, whether or not the comparison is wired.
        for node in run.nodes.iter().filter(|node| node.kind == COMPARES && !node.record.metrics.is_empty()) {
            let mut inputs = node.inputs.iter().map(String::as_str);
            let (stage, record) = (node.name.as_str(), &node.record);
            let is_known = sources.comparisons.iter().any(|known| known.stage == stage);
            if let (Some(own), false) = (inputs.next(), is_known) {
                sources.comparisons.push(Comparison { stage, own, baseline: inputs.next(), record });
            }
        }
        sources
    }

    /// Model and teacher are those that are wired: what a record calls them may be from another recipe, whose stage was the
    /// same.
    fn add(
        &mut self,
        stage: &'a str,
        kind: &str,
        [model, teacher, data]: [Option<&str>; 3],
        any: Option<&str>,
        record: &'a Record,
    ) {
        if kind == "attention_lab" {
            let model = model.or(any).unwrap_or("the model");
            self.labs.push((stage, model.to_owned(), record));
            return;
        }
        if kind == "summarize" {
            let fact = |name: &str| record.facts.iter().find(|(fact, _)| fact == name).map(|(_, text)| text.as_str());
            let parts = [fact("dataset").or(data), fact("split")];
            let data = parts.into_iter().flatten().collect::<Vec<_>>().join(" ");
            self.summaries.push(Summaries { stage, data, record });
            return;
        }
        let entries: Vec<_> = record
            .metrics
            .iter()
            .filter_map(|metric| {
                let (model, quantity) = parse(&metric.name)?;
                metric.value.is_finite().then_some((model, quantity, metric))
            })
            .collect();
        if kind == "bench" || (!entries.is_empty() && entries.len() == record.metrics.len()) {
            self.benches.push(Bench { stage, entries, record });
            return;
        }
        let fact = |name: &str| {
            record.facts.iter().find(|(fact, text)| fact == name && !text.is_empty()).map(|(_, text)| text.clone())
        };
        let cell = || stage.split_once('@').map(|(_, cell)| cell);
        let wired = |name: Option<&str>, of_record: &str| name.map(str::to_owned).or_else(|| fact(of_record));
        let Some(model) = wired(model, "model").or_else(|| any.or_else(cell).map(str::to_owned)) else { return };
        self.evaluations.push(Evaluation {
            stage,
            model,
            teacher: wired(teacher, "teacher"),
            dataset: fact("dataset").or_else(|| data.map(str::to_owned)),
            split: fact("split"),
            record,
        });
    }
}

impl Evaluation<'_> {
    /// `movie-reviews test`, as far as it is known.
    pub(super) fn data(&self) -> String {
        [self.dataset.as_deref(), self.split.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(" ")
    }
}

impl<'a> Bench<'a> {
    /// A number of a model.
    pub(super) fn get(&self, model: &str, quantity: Quantity) -> Option<&'a Metric> {
        self.entries.iter().find(|(of, what, _)| *of == model && *what == quantity).map(|(_, _, metric)| *metric)
    }

    /// The models, in the order in which they were measured.
    pub(super) fn models(&self) -> Vec<&'a str> {
        let mut models = Vec::new();
        for (model, _, _) in &self.entries {
            if !models.contains(model) {
                models.push(*model);
            }
        }
        models
    }

    /// The batches and lengths, smallest first.
    pub(super) fn points(&self) -> Vec<Point> {
        let mut points: Vec<_> = self
            .entries
            .iter()
            .filter_map(|(_, quantity, _)| match quantity {
                Quantity::Median(point) => Some(*point),
                _ => None,
            })
            .collect();
        points.sort_unstable();
        points.dedup();
        points
    }

    /// A fact of the machine.
    pub(super) fn fact(&self, name: &str) -> Option<&'a str> {
        let is_known = |text: &str| !text.is_empty() && text != "unknown";
        let (_, text) = self.record.facts.iter().find(|(fact, text)| fact == name && is_known(text))?;
        Some(text)
    }
}

/// The model and the quantity of a bench's metric. A model's name may hold dots, so the quantity is read from the end.
fn parse(name: &str) -> Option<(&str, Quantity)> {
    for (suffix, quantity) in [
        (".throughput.rows_per_second", Quantity::Throughput),
        (".peak_memory_bytes", Quantity::PeakMemory),
        (".size_bytes", Quantity::Size),
        (".parameters", Quantity::Parameters),
    ] {
        if let Some(model) = name.strip_suffix(suffix) {
            return Some((model, quantity));
        }
    }
    if let Some((model, length)) = name.rsplit_once(".macs.l") {
        return Some((model, Quantity::Macs(length.parse().ok()?)));
    }
    if let Some((model, point)) = name.rsplit_once(".speedup.") {
        return Some((model, Quantity::Speedup(parse_point(point)?)));
    }
    let (model, rest) = name.rsplit_once(".latency.")?;
    let (point, percentile) = rest.split_once('.')?;
    let point = parse_point(point)?;
    let quantity = match percentile {
        "p50_ms" => Quantity::Median(point),
        "p90_ms" => Quantity::Tail90(point),
        "p99_ms" => Quantity::Tail99(point),
        _ => return None,
    };
    Some((model, quantity))
}

/// `b1_l128`.
fn parse_point(text: &str) -> Option<Point> {
    let (batch, length) = text.strip_prefix('b')?.split_once("_l")?;
    Some((batch.parse().ok()?, length.parse().ok()?))
}

/// The point of a metric's full name: `speed.int8.latency.b1_l128.p50_ms`.
pub(super) fn point_in(name: &str) -> Option<Point> {
    match parse(name)? {
        (_, Quantity::Median(point) | Quantity::Tail90(point) | Quantity::Tail99(point) | Quantity::Speedup(point)) => {
            Some(point)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bench_names() {
        for (name, expected) in [
            ("int8.latency.b1_l128.p50_ms", Some(("int8", Quantity::Median((1, 128))))),
            ("student@v1.5.latency.b8_l32.p99_ms", Some(("student@v1.5", Quantity::Tail99((8, 32))))),
            ("int8.speedup.b1_l32", Some(("int8", Quantity::Speedup((1, 32))))),
            ("int8.macs.l128", Some(("int8", Quantity::Macs(128)))),
            ("int8.size_bytes", Some(("int8", Quantity::Size))),
            ("size_bytes", None),
            ("accuracy", None),
            ("int8.latency.b1.p50_ms", None),
            ("int8.latency.b1_l128.p95_ms", None),
        ] {
            assert_eq!(parse(name), expected, "{name}");
        }
    }
}
