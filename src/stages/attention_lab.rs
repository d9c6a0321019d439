//! `attention_lab`: the same weights under each attention mechanism, over a grid of lengths.

mod quality;

use std::time::Instant;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    bench::{Quiet, describe_machine, run_probe, unknown_memory},
    evaluate::write_scores,
};
use crate::{
    base::{device::DeviceId, units},
    compress,
    data::Batch,
    eval::{self, Crossover, Mechanism, Speedup},
    model::{self, Model, Packed},
    runtime::Executor,
    stage::{
        ArtifactKind, Better, Curve, Faults, Metric, Port, Progress, Stage, StageCtx, StageError, Unit,
    },
};

/// Parameters of `attention_lab`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// Tokens of a text; a model that takes fewer is lengthened by repeating its positions.
    #[serde(default = "lengths")]
    lengths: Vec<usize>,
    /// Which tokens see which; `full` is what the others are compared with, and always measured.
    #[serde(default = "mechanisms")]
    mechanisms: Vec<Mechanism>,
    /// Tokens of a window, half to each side, and of a chunk: an even number.
    #[serde(default = "window")]
    window: usize,
    /// Timed runs of each mechanism at each length.
    #[serde(default = "rounds")]
    rounds: usize,
    /// Whether to measure the peak memory, in a process of its own for each mechanism and length.
    #[serde(default = "yes")]
    memory: bool,
    /// Rows of the test split that each mechanism classifies at each length, where `data` is wired.
    #[serde(default = "quality_rows")]
    quality_rows: usize,
}

fn lengths() -> Vec<usize> {
    vec![512, 1024, 2048, 4096]
}

fn mechanisms() -> Vec<Mechanism> {
    Mechanism::ALL.to_vec()
}

fn window() -> usize {
    512
}

fn rounds() -> usize {
    5
}

fn yes() -> bool {
    true
}

fn quality_rows() -> usize {
    100
}

pub(super) struct AttentionLab;

impl Stage for AttentionLab {
    const KIND: &'static str = "attention_lab";
    const VERSION: u32 = 2;
    const ABOUT: &'static str = "times the same weights under each attention mechanism, by length";
    const INPUTS: &'static [Port] = &[Port::model("model"), Port::dataset("data").optional()];
    const OUTPUT: ArtifactKind = ArtifactKind::Scores;
    const MEASURES: bool = true;
    type Params = Params;

    fn check(params: &Params, faults: &mut Faults) {
        if params.lengths.is_empty() {
            faults.at("lengths", "`lengths` must name at least one number");
        }
        if !params.lengths.is_sorted_by(|a, b| a < b) {
            faults.at("lengths", "`lengths` must ascend, each once").help("`lengths: [512, 1024, 2048, 4096]`");
        }
        for (at, &length) in params.lengths.iter().enumerate() {
            faults.at_least(&format!("lengths[{at}]"), length, 3);
        }
        for (at, mechanism) in params.mechanisms.iter().enumerate() {
            if params.mechanisms[..at].contains(mechanism) {
                faults.at(format!("mechanisms[{at}]"), format!("`{mechanism}` is there twice"));
            }
        }
        if params.window < 4 || !params.window.is_multiple_of(2) {
            faults.at("window", "`window` must be an even number of at least 4").help("`window: 512`");
        }
        faults.at_least("rounds", params.rounds, 3);
        faults.at_least("quality_rows", params.quality_rows, 1);
    }

    fn run(params: &Params, ctx: &mut StageCtx<'_>) -> Result<(), StageError> {
        let parent = ctx.input("model")?.clone();
        let longest = params.lengths.iter().copied().max().unwrap_or(0);
        let model = Model::load(&parent.dir, &model::candle_device(ctx.lease.device)?)?;
        let model = long(model, longest, params.window)?;
        // A process that measures memory reads it from there.
        let dir = ctx.output.join("model");
        model.save(&dir, &parent.dir)?;
        let mut mechanisms = vec![Mechanism::Full];
        mechanisms.extend(params.mechanisms.iter().filter(|mechanism| **mechanism != Mechanism::Full));
        let contenders = mechanisms
            .iter()
            .map(|&mechanism| Contender::new(mechanism, &model, params.window))
            .collect::<Result<Vec<_>, StageError>>()?;
        describe_machine(ctx, params.rounds);
        ctx.record.fact("window", format!("{} tokens", units::thousands(params.window as u64)));

        let mut measured = Measured::default();
        let quiet = Quiet::start();
        for &length in &params.lengths {
            measured.times(ctx, params, &contenders, length)?;
        }
        quiet.end(ctx);
        let has_memory = params.memory && ctx.lease.device == DeviceId::Cpu;
        if params.memory && !has_memory {
            ctx.record.fact("memory", unknown_memory(ctx.lease.device));
        }
        for &length in &params.lengths {
            for contender in &contenders {
                let batch = contender.batch(length);
                let macs = Mechanism::macs(&contender.shape, &batch) as f64;
                measured.put(ctx, contender, length, Quantity::Work, macs, None);
                if has_memory {
                    let place = (dir.as_path(), Some((contender.mechanism, params.window)));
                    let found = run_probe(ctx.program, place, (1, length, ctx.lease.threads))?;
                    measured.put(ctx, contender, length, Quantity::Memory, found.peak_memory_bytes as f64, None);
                }
                ctx.check_cancelled()?;
            }
        }
        if let Some(data) = ctx.optional("data").cloned() {
            quality::measure(ctx, params, &contenders, &mut measured, &data)?;
        }
        measured.finish(ctx, params, &contenders);
        std::fs::remove_dir_all(&dir)?;
        write_scores(ctx)
    }
}

/// A model that takes texts of a length: itself, or a lengthened one.
fn long(model: Model, longest: usize, window: usize) -> Result<Model, StageError> {
    if model.spec.global_projections && model.spec.max_positions >= longest {
        return Ok(model);
    }
    let positions = longest.max(model.spec.max_positions);
    Ok(compress::lengthen::lengthen(&model, positions, &vec![window; model.spec.n_layers()])?)
}

/// A mechanism that is measured.
struct Contender {
    mechanism: Mechanism,
    window: usize,
    executor: Executor,
    /// The model without its weights' order, for what can be counted.
    shape: Model,
}

impl Contender {
    fn new(mechanism: Mechanism, model: &Model, window: usize) -> Result<Self, StageError> {
        let shape = mechanism.apply(model.clone(), window);
        Ok(Self { mechanism, window, executor: Executor::with_globals(shape.clone())?, shape })
    }

    /// A text of random words.
    fn batch(&self, length: usize) -> Batch {
        self.mechanism.cut(eval::random_batch(self.executor.spec.vocab_size, 1, length), self.window)
    }

    /// Logits, or the last hidden state of a model without a head.
    fn answers(&self, batch: &Batch) -> Result<Vec<f32>, StageError> {
        let firsts = &batch.offsets[..batch.offsets.len() - 1];
        let packed = Packed::new(&batch.input_ids, &batch.type_ids, &batch.offsets);
        let is_global = self.mechanism == Mechanism::WindowGlobal;
        Ok(self.executor.answers(if is_global { packed.with_globals(firsts) } else { packed })?)
    }
}

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quantity {
    Time,
    Memory,
    Work,
    Accuracy,
}

impl Quantity {
    /// Metric, unit, which way is better, and the title of its plot.
    fn names(self) -> (&'static str, Unit, Better, &'static str) {
        match self {
            Self::Time => ("p50_ms", Unit::Milliseconds, Better::Lower, "time of a text (ms)"),
            Self::Memory => ("peak_memory_bytes", Unit::Bytes, Better::Lower, "peak memory (MB)"),
            Self::Work => ("macs", Unit::Count, Better::Lower, "multiply–accumulates (billions)"),
            Self::Accuracy => ("accuracy", Unit::Share, Better::Higher, "accuracy"),
        }
    }

    /// A value as its plot shows it.
    fn shown(self, value: f64) -> f64 {
        match self {
            Self::Memory => value / 1e6,
            Self::Work => value / 1e9,
            Self::Time | Self::Accuracy => value,
        }
    }
}

/// All that was found.
#[derive(Default)]
struct Measured {
    curves: Vec<(Quantity, Mechanism, Vec<[f64; 2]>)>,
    speedups: Vec<(Mechanism, Vec<Speedup>)>,
}

impl Measured {
    /// Puts a value into the record and on its curve.
    fn put(
        &mut self,
        ctx: &mut StageCtx<'_>,
        contender: &Contender,
        length: usize,
        quantity: Quantity,
        value: f64,
        interval: Option<[f64; 2]>,
    ) {
        let (mechanism, (name, unit, better, _)) = (contender.mechanism, quantity.names());
        let metric = Metric::new(format!("{mechanism}.l{length}.{name}"), value, unit, better);
        ctx.record.metrics.push(match interval {
            Some([low, high]) => metric.with_interval(low, high),
            None => metric,
        });
        let point = [length as f64, quantity.shown(value)];
        match self.curves.iter_mut().find(|(other, of, _)| (*other, *of) == (quantity, mechanism)) {
            Some((.., points)) => points.push(point),
            None => self.curves.push((quantity, mechanism, vec![point])),
        }
    }

    /// Times all mechanisms at a length, round by round.
    fn times(
        &mut self,
        ctx: &mut StageCtx<'_>,
        params: &Params,
        contenders: &[Contender],
        length: usize,
    ) -> Result<(), StageError> {
        let batches: Vec<Batch> = contenders.iter().map(|contender| contender.batch(length)).collect();
        let at = params.lengths.iter().position(|other| *other == length).unwrap_or(0);
        let start = Instant::now();
        let seconds = eval::interleave(
            contenders.len(),
            1,
            params.rounds,
            &mut || start.elapsed(),
            |which| contenders[which].answers(&batches[which]).map(drop),
            |round| {
                let done = (at * params.rounds + round.unwrap_or(0)) as u64;
                let total = (params.lengths.len() * params.rounds) as u64;
                let message = format!("{} tokens", units::thousands(length as u64));
                ctx.sink.progress(Progress { done, total, unit: "round", message });
                ctx.check_cancelled()
            },
        )?;
        for (contender, times) in contenders.iter().zip(&seconds) {
            let mut milliseconds: Vec<f64> = times.iter().map(|seconds| seconds * 1e3).collect();
            let interval = eval::bootstrap_median(&milliseconds, ctx.seed);
            let median = eval::percentile(&mut milliseconds, 0.5);
            self.put(ctx, contender, length, Quantity::Time, median, Some(interval));
        }
        for (contender, times) in contenders.iter().zip(&seconds).skip(1) {
            // Per round, since both ran within the same moment of the machine.
            let mut ratios: Vec<f64> = seconds[0].iter().zip(times).map(|(full, own)| full / own.max(1e-12)).collect();
            let interval = eval::bootstrap_median(&ratios, ctx.seed);
            let median = eval::percentile(&mut ratios, 0.5);
            let name = format!("{}.l{length}.speedup", contender.mechanism);
            let metric = Metric::new(name, median, Unit::Number, Better::Higher);
            ctx.record.metrics.push(metric.with_interval(interval[0], interval[1]));
            let speedup = Speedup { length, median, interval };
            match self.speedups.iter_mut().find(|(of, _)| *of == contender.mechanism) {
                Some((_, speedups)) => speedups.push(speedup),
                None => self.speedups.push((contender.mechanism, vec![speedup])),
            }
        }
        Ok(())
    }

    /// Says from which length on each mechanism is faster than full attention, and leaves the curves.
    fn finish(self, ctx: &mut StageCtx<'_>, params: &Params, contenders: &[Contender]) {
        let (shortest, longest) = (params.lengths.first().copied(), params.lengths.last().copied());
        let tokens = |n: Option<usize>| format!("{} tokens", units::thousands(n.unwrap_or(0) as u64));
        for (mechanism, speedups) in &self.speedups {
            let told = match eval::crossover(speedups) {
                Crossover::Always => format!("at every length, from {} on", tokens(shortest)),
                Crossover::Never => format!("at no length, up to {}", tokens(longest)),
                Crossover::From(length) => {
                    ctx.metric(format!("{mechanism}.crossover_tokens"), length.round(), Unit::Count, Better::Lower);
                    format!("from about {} on", tokens(Some(length.round() as usize)))
                }
            };
            ctx.record.fact(format!("{mechanism} is faster than full"), told);
        }
        for contender in contenders {
            if let Some((.., points)) =
                self.curves.iter().find(|(what, of, _)| (*what, *of) == (Quantity::Time, contender.mechanism))
                && let [.., [short, before], [long, after]] = points[..]
            {
                let power = (after / before).ln() / (long / short).ln();
                let name = format!("{}.growth", contender.mechanism);
                // 1 where twice the tokens take twice the time, 2 where they take four times as long.
                ctx.metric(name, power, Unit::Number, Better::Lower);
            }
        }
        for (quantity, mechanism, points) in self.curves {
            let (.., title) = quantity.names();
            let is_log = quantity != Quantity::Accuracy;
            let (name, x, of) = (title.to_owned(), "tokens".to_owned(), Some(mechanism.name().replace('_', " + ")));
            ctx.record.curves.push(Curve { name, x, of, is_log, points });
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::evaluate::rig::Rig, *};

    #[test]
    fn every_mechanism_is_measured_at_every_length() {
        let rig = Rig::new();
        let params = json!({"lengths": [8, 16, 80], "window": 4, "rounds": 3, "memory": false, "quality_rows": 4});
        let inputs: &[(&str, &[&str])] = &[("model", &["model"]), ("data", &["data"])];
        let record = rig.run::<AttentionLab>(&params, inputs, "lab").unwrap();
        for mechanism in Mechanism::ALL {
            for length in [8, 16, 80] {
                for name in ["p50_ms", "macs", "accuracy"] {
                    let name = format!("{mechanism}.l{length}.{name}");
                    assert!(record.metric(&name).is_some_and(|metric| metric.value >= 0.0), "{name}");
                }
                let speedup = record.metric(&format!("{mechanism}.l{length}.speedup"));
                assert_eq!(speedup.is_some(), mechanism != Mechanism::Full);
            }
            assert!(record.metric(&format!("{mechanism}.growth")).is_some());
        }
        let macs = |mechanism: &str, length: usize| record.metric(&format!("{mechanism}.l{length}.macs")).unwrap().value;
        assert!(macs("window", 80) < macs("alternating", 80) && macs("alternating", 80) < macs("full", 80));
        assert_eq!(record.curves.iter().filter(|curve| curve.is_log).count(), 2 * 5);
        assert!(record.facts.iter().any(|(name, _)| name == "window is faster than full"));
        assert!(rig.path("lab/scores.json").exists() && !rig.path("lab/model").exists());
    }

    #[test]
    fn what_cannot_be_is_told() {
        let rig = Rig::new();
        let params = json!({"lengths": [16, 8], "window": 5, "mechanisms": ["full", "full"], "rounds": 1});
        let error = rig.run::<AttentionLab>(&params, &[("model", &["model"])], "lab").unwrap_err().to_string();
        for told in ["must ascend", "even number", "is there twice", "rounds"] {
            assert!(error.contains(told), "{error}");
        }
    }
}
