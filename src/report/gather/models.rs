//! The table of models: which there are, which is the baseline, and each number beside the baseline's.

use super::{
    answers::Answers,
    paired,
    sources::{Bench, Comparison, Evaluation, Point, Quantity, Sources, point_in},
};
use crate::{
    report::model::{
        Compared, Difference, Evidence, Gain, GateLine, ModelLine, Options, QualityBasis, SpeedBasis, SpeedRow,
        SpeedTable,
    },
    stage::{Better, Metric, RunView, Unit},
};

/// All that the lines of the table are made from.
pub(super) struct Table<'a> {
    run: &'a RunView,
    sources: &'a Sources<'a>,
    answers: &'a Answers,
    /// The models, parents before children.
    pub(super) models: Vec<String>,
    /// The model that others are compared with.
    pub(super) baseline: Option<String>,
    /// What the quality column shows.
    pub(super) quality: Option<QualityBasis>,
    /// What the latency column shows.
    pub(super) speed: Option<SpeedBasis>,
}

impl<'a> Table<'a> {
    /// Finds the models, the baseline, and what the columns show.
    pub(super) fn of(run: &'a RunView, sources: &'a Sources<'a>, answers: &'a Answers, options: &Options) -> Self {
        let models = models(run, sources);
        let baseline = baseline(run, &models, options);
        let quality = quality_basis(sources, baseline.as_deref());
        let speed = sources.benches.first().and_then(|bench| speed_basis(run, bench));
        Self { run, sources, answers, models, baseline, quality, speed }
    }

    /// The model that the run is for: the asked-for one, else the one that most gates ask about, else the last one.
    pub(super) fn subject(&self, gates: &[GateLine], options: &Options) -> Option<String> {
        let chosen = options.subject.as_ref().filter(|chosen| self.models.contains(chosen));
        let asked = |model: &str| {
            gates.iter().filter(|gate| self.model_of(&gate.verdict.gate.metric).as_deref() == Some(model)).count()
        };
        let candidates = self.models.iter().filter(|model| self.baseline.as_ref() != Some(model));
        // `max_by_key` takes the last of equals: the model that is furthest down the recipe.
        chosen.or_else(|| candidates.max_by_key(|model| asked(model))).or(self.baseline.as_ref()).cloned()
    }

    /// The lines of the table.
    pub(super) fn lines(&self) -> Vec<ModelLine> {
        self.models.iter().map(|model| self.line(model)).collect()
    }

    fn line(&self, model: &str) -> ModelLine {
        let node = self.run.nodes.iter().find(|node| node.name == model);
        let length = self.speed.as_ref().map(|speed| speed.length);
        let macs = || {
            let length = length.or_else(|| self.any_macs_length())?;
            self.compared(model, Quantity::Macs(length))
        };
        ModelLine {
            name: model.to_owned(),
            kind: node.map(|node| node.kind.clone()).unwrap_or_default(),
            about: node.map(|node| node.about.clone()).unwrap_or_default(),
            is_baseline: self.baseline.as_deref() == Some(model),
            quality: self.quality_of(model).cloned(),
            difference: self
                .baseline
                .as_deref()
                .filter(|baseline| *baseline != model)
                .and_then(|baseline| self.difference(model, baseline)),
            agreement: self.evaluation_of(model).and_then(|of| of.record.metric("agreement")).cloned(),
            latency: self.speed.as_ref().and_then(|speed| self.latency(model, (speed.batch, speed.length))),

            peak_memory: self.compared(model, Quantity::PeakMemory),
            size: self.compared(model, Quantity::Size),
            parameters: self.compared(model, Quantity::Parameters),
            macs: macs(),
        }
    }

    /// A table a bench: latency by batch and length.
    pub(super) fn speeds(&self) -> Vec<SpeedTable> {
        self.sources
            .benches
            .iter()
            .filter(|bench| !bench.points().is_empty())
            .map(|bench| self.speeds_of(bench))
            .collect()
    }

    fn speeds_of(&self, bench: &Bench<'_>) -> SpeedTable {
        let points = bench.points();
        let models = bench.models();
        let reference =
            self.baseline.as_deref().filter(|baseline| models.contains(baseline)).or(models.first().copied());
        let rows = models
            .iter()
            .map(|model| SpeedRow {
                model: (*model).to_owned(),
                cells: points
                    .iter()
                    .map(|point| {
                        let metric = bench.get(model, Quantity::Median(*point))?.clone();
                        let gain = reference
                            .filter(|reference| reference != model)
                            .and_then(|reference| latency_gain(bench, model, reference, *point));
                        Some(Compared { metric, gain })
                    })
                    .collect(),
                tails: points
                    .iter()
                    .map(|point| {
                        let value = |quantity| bench.get(model, quantity).map(|metric| metric.value);
                        (value(Quantity::Tail90(*point)), value(Quantity::Tail99(*point)))
                    })
                    .collect(),
                throughput: bench.get(model, Quantity::Throughput).map(|metric| Compared {
                    metric: metric.clone(),
                    gain: reference.filter(|reference| reference != model).and_then(|reference| {
                        let factor = ratio(metric, bench.get(reference, Quantity::Throughput)?)?;
                        Some(Gain { factor, interval: None })
                    }),
                }),
            })
            .collect();
        SpeedTable { stage: bench.stage.to_owned(), points, reference: reference.map(str::to_owned), rows }
    }

    /// The score of a model on the data that the quality column shows.
    pub(super) fn quality_of(&self, model: &str) -> Option<&'a Metric> {
        let basis = self.quality.as_ref()?;
        self.evaluation_of(model)?.record.metric(&basis.metric).filter(|metric| metric.value.is_finite())
    }

    /// How far a model's score is from another's.
    ///
    /// A paired interval is used where the evaluation has one, or both models' answers are known. Otherwise both models' intervals are combined as if their
    /// rows were independent (the half widths add in squares), which errs towards “no significant difference”.
    pub(super) fn difference(&self, model: &str, other: &str) -> Option<Difference> {
        let (metric, reference) = (self.quality_of(model)?, self.quality_of(other)?);
        let value = metric.value - reference.value;
        if let Some(paired) = self.paired(model, other) {
            return Some(Difference { value: paired.value, interval: paired.interval, evidence: Evidence::Paired });
        }
        if let Some((value, interval)) = self.answers_apart(model, other) {
            return Some(Difference { value, interval: Some(interval), evidence: Evidence::Paired });
        }
        let half_widths =
            |metric: &Metric| metric.interval.map(|[low, high]| (metric.value - low, high - metric.value));
        let interval = half_widths(metric).zip(half_widths(reference)).map(|(own, other)| {
            let (low, high) = (own.0.hypot(other.1), own.1.hypot(other.0));
            [value - low, value + high]
        });
        let evidence = if interval.is_some() { Evidence::Intervals } else { Evidence::None };
        Some(Difference { value, interval, evidence })
    }

    /// `accuracy_vs_student`, or `accuracy_vs_teacher` where the teacher is the model asked about, or what a stage found that
    /// compared the two evaluations.
    fn paired(&self, model: &str, other: &str) -> Option<&'a Metric> {
        let basis = self.quality.as_ref()?;
        let evaluation = self.evaluation_of(model)?;
        let by_name = evaluation.record.metric(&format!("{}_vs_{other}", basis.metric));
        let by_port = || {
            let teacher = evaluation.teacher.as_deref();
            let is_teacher = teacher == Some(other) || (teacher.is_none() && self.baseline.as_deref() == Some(other));
            evaluation.record.metric(&format!("{}_vs_teacher", basis.metric)).filter(|_| is_teacher)
        };
        let compared = || {
            let baseline = self.evaluation_of(other)?.stage;
            let of = |it: &&Comparison<'_>| it.own == evaluation.stage && it.baseline == Some(baseline);
            let comparison = self.sources.comparisons.iter().find(of)?;
            comparison.record.metric(&format!("{}_vs_baseline", basis.metric))
        };
        by_name
            .or_else(by_port)
            .or_else(compared)
            .filter(|metric| metric.interval.is_some() && metric.value.is_finite())
    }

    /// The difference in accuracy of two models whose answers to the same rows are known.
    fn answers_apart(&self, model: &str, other: &str) -> Option<(f64, [f64; 2])> {
        self.quality.as_ref().filter(|basis| basis.metric == "accuracy")?;
        let answers = |model| self.answers.right.get(self.evaluation_of(model)?.stage);
        paired::difference(answers(model)?, answers(other)?)
    }

    /// How much better a model's number is than another's.
    pub(super) fn gain(&self, model: &str, other: &str, quantity: Quantity) -> Option<Gain> {
        if let Quantity::Median(point) = quantity {
            let bench = self.bench_with(model, quantity)?;
            return latency_gain(bench, model, other, point);
        }
        let (own, reference) = (self.number(model, quantity)?, self.number(other, quantity)?);
        ratio(&own, &reference).map(|factor| Gain { factor, interval: None })
    }

    /// The point that the latency column shows.
    pub(super) fn point(&self) -> Option<Point> {
        self.speed.as_ref().map(|speed| (speed.batch, speed.length))
    }

    fn latency(&self, model: &str, point: Point) -> Option<Compared> {
        // The column has one machine: a model that another bench measured is not set beside the others.
        let bench = self.sources.benches.first()?;
        let metric = bench.get(model, Quantity::Median(point))?.clone();
        Some(Compared { metric, gain: self.versus(model, |baseline| latency_gain(bench, model, baseline, point)) })
    }

    fn compared(&self, model: &str, quantity: Quantity) -> Option<Compared> {
        let metric = self.number(model, quantity)?;
        Some(Compared { metric, gain: self.versus(model, |baseline| self.gain(model, baseline, quantity)) })
    }

    fn versus(&self, model: &str, gain: impl Fn(&str) -> Option<Gain>) -> Option<Gain> {
        self.baseline.as_deref().filter(|baseline| *baseline != model).and_then(gain)
    }

    /// A number of a model: of the first bench that has it, else (size, parameters) of the stage that made the model.
    fn number(&self, model: &str, quantity: Quantity) -> Option<Metric> {
        if let Some(bench) = self.bench_with(model, quantity) {
            return bench.get(model, quantity).cloned();
        }
        let name = match quantity {
            Quantity::Size => "size_bytes",
            Quantity::Parameters => "parameters",
            _ => return None,
        };
        let node = self.run.nodes.iter().find(|node| node.name == model)?;
        node.record.metric(name).filter(|metric| metric.value.is_finite()).cloned()
    }

    fn bench_with(&self, model: &str, quantity: Quantity) -> Option<&'a Bench<'a>> {
        self.sources.benches.iter().find(|bench| bench.get(model, quantity).is_some())
    }

    fn any_macs_length(&self) -> Option<u64> {
        let entries = self.sources.benches.iter().flat_map(|bench| &bench.entries);
        entries
            .filter_map(|(_, quantity, _)| match quantity {
                Quantity::Macs(length) => Some(*length),
                _ => None,
            })
            .max()
    }

    /// The evaluation that the quality column shows: on the data of the basis or, failing that, on the same rows in another
    /// preparation (a model that learned from raw texts answers raw texts).
    fn evaluation_of(&self, model: &str) -> Option<&'a Evaluation<'a>> {
        let basis = self.quality.as_ref()?;
        let of_model = || self.sources.evaluations.iter().filter(|of| of.model == model);
        of_model().find(|of| is_on(of, basis)).or_else(|| {
            let same = self.sources.evaluations.iter().find(|of| is_on(of, basis))?;
            let rows = self.answers.right.get(same.stage)?;
            of_model().find(|of| self.answers.right.get(of.stage).is_some_and(|other| rows.keys().eq(other.keys())))
        })
    }

    /// The model that a metric's full name is about: `scores@int8.accuracy`, `speed.int8.size_bytes`.
    fn model_of(&self, metric: &str) -> Option<String> {
        for evaluation in &self.sources.evaluations {
            if metric.strip_prefix(evaluation.stage).is_some_and(|rest| rest.starts_with('.')) {
                return Some(evaluation.model.clone());
            }
        }
        for bench in &self.sources.benches {
            let rest = metric.strip_prefix(bench.stage).and_then(|rest| rest.strip_prefix('.'));
            if let Some((model, _, _)) =
                rest.and_then(|rest| bench.entries.iter().find(|(_, _, metric)| metric.name == rest))
            {
                return Some((*model).to_owned());
            }
        }
        let stage = metric.split_once('.').map(|(stage, _)| stage)?;
        self.models.iter().find(|model| *model == stage).cloned()
    }
}

/// How much faster a model is than another: from paired rounds where the bench compared with that one, else of medians.
fn latency_gain(bench: &Bench<'_>, model: &str, other: &str, point: Point) -> Option<Gain> {
    let reference = bench.get(other, Quantity::Median(point))?;
    let paired = bench.get(model, Quantity::Speedup(point)).filter(|_| bench.models().first() == Some(&other));
    if let Some(speedup) = paired {
        return Some(Gain { factor: speedup.value, interval: speedup.interval });
    }
    let own = bench.get(model, Quantity::Median(point))?;
    ratio(own, reference).map(|factor| Gain { factor, interval: None })
}

/// A ratio that is above 1 where `own` is better.
fn ratio(own: &Metric, reference: &Metric) -> Option<f64> {
    let factor = match own.unit {
        Unit::RowsPerSecond => own.value / reference.value,
        _ => reference.value / own.value,
    };
    (factor.is_finite() && factor > 0.0).then_some(factor)
}

/// Every model that has a score, in the order of the run; what the run does not list comes last.
fn models(run: &RunView, sources: &Sources<'_>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let scored = sources.evaluations.iter().map(|evaluation| evaluation.model.as_str());
    for model in scored.chain(sources.benches.iter().flat_map(Bench::models)) {
        if !found.iter().any(|known| known == model) {
            found.push(model.to_owned());
        }
    }
    let place = |model: &String| run.nodes.iter().position(|node| node.name == *model).unwrap_or(usize::MAX);
    found.sort_by_key(place);
    found
}

/// The asked-for model; else the first finetuned one; else the first that another one was made from; else the first.
fn baseline(run: &RunView, models: &[String], options: &Options) -> Option<String> {
    let asked = options.baseline.as_ref().filter(|asked| models.contains(asked));
    let kind = |model: &String| run.nodes.iter().find(|node| node.name == *model).map(|node| node.kind.as_str());
    let finetuned = || models.iter().find(|model| kind(model) == Some("finetune"));
    let parent = || {
        models
            .iter()
            .find(|model| run.nodes.iter().any(|node| node.inputs.contains(model) && models.contains(&node.name)))
    };
    asked.or_else(finetuned).or_else(parent).or(models.first()).cloned()
}

/// Accuracy if it was measured, else the first share, else the first number that has a direction; on the data that the
/// baseline (or, failing that, the first model) was scored on first.
fn quality_basis(sources: &Sources<'_>, baseline: Option<&str>) -> Option<QualityBasis> {
    let of_baseline = sources.evaluations.iter().find(|of| Some(of.model.as_str()) == baseline);
    let evaluation = of_baseline.or(sources.evaluations.first())?;
    let candidates = || {
        let metrics = evaluation.record.metrics.iter();
        metrics.filter(|metric| metric.better != Better::Neither && !metric.name.contains("_vs_"))
    };
    let metric = candidates()
        .find(|metric| metric.name == "accuracy")
        .or_else(|| candidates().find(|metric| metric.unit == Unit::Share && metric.better == Better::Higher))
        .or_else(|| candidates().next())?;
    let rows = evaluation.record.metric("rows").filter(|rows| rows.value.is_finite());
    Some(QualityBasis {
        metric: metric.name.clone(),
        dataset: evaluation.dataset.clone(),
        split: evaluation.split.clone(),
        rows: rows.map(|rows| rows.value.max(0.0) as u64),
    })
}

fn is_on(evaluation: &Evaluation<'_>, basis: &QualityBasis) -> bool {
    evaluation.dataset == basis.dataset
        && evaluation.split == basis.split
        && evaluation.record.metric(&basis.metric).is_some()
}

/// `AMD EPYC 9R14 96-Core Processor` is `AMD EPYC 9R14`, `Intel(R) Core(TM) i7-8700 CPU @ 3.20GHz` is `Intel Core i7-8700`.
fn short_processor(name: &str) -> String {
    let name = name.replace("(R)", "").replace("(TM)", "");
    let name = name.split(" @ ").next().unwrap_or_default();
    let words =
        name.split_whitespace().filter(|word| !matches!(*word, "CPU" | "Processor") && !word.ends_with("-Core"));
    words.collect::<Vec<_>>().join(" ")
}

/// The batch and length that a gate asks about; else one row, as long as was measured: what a phone does.
fn speed_basis(run: &RunView, bench: &Bench<'_>) -> Option<SpeedBasis> {
    let points = bench.points();
    let asked = run.gates.iter().filter_map(|gate| {
        let name = gate.metric.strip_prefix(bench.stage)?.strip_prefix('.')?;
        point_in(name).filter(|point| points.contains(point))
    });
    let smallest = points.first()?.0;
    let default = points.iter().copied().filter(|(batch, _)| *batch == smallest).max();
    let (batch, length) = asked.into_iter().next().or(default)?;
    Some(SpeedBasis {
        stage: bench.stage.to_owned(),
        batch,
        length,
        threads: bench.fact("threads").map(str::to_owned),
        machine: bench.fact("cpu").or_else(|| bench.fact("machine")).map(short_processor),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_have_short_names() {
        for (name, short) in [
            ("AMD EPYC 9R14 96-Core Processor", "AMD EPYC 9R14"),
            ("Intel(R) Core(TM) i7-8700 CPU @ 3.20GHz", "Intel Core i7-8700"),
            ("Apple M2", "Apple M2"),
        ] {
            assert_eq!(short_processor(name), short);
        }
    }
}
