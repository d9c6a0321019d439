//! `bench`: measures latency, throughput, memory and size of models, side by side.

mod rows;

use std::{path::Path, process::Command, time::Instant};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::evaluate::write_scores;
use crate::{
    base::{device::DeviceId, fs::AtPath, units},
    data::{self, Batch, Column},
    eval::{self, Busy, Machine, Mechanism, Probe},
    model::{self, Model, Quantized, Width},
    runtime::Executor,
    stage::{
        Artifact, ArtifactKind, Better, Comparison, Faults, Finds, Metric, Port, Progress, Stage, StageCtx, StageError, Unit,
        Whose, Wired,
    },
};

/// Parameters of `bench`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// Sequences that go through a model together; each is measured with each length.
    #[serde(default = "batch")]
    batch: Vec<usize>,
    /// Tokens a sequence.
    #[serde(default = "length")]
    length: Vec<usize>,
    /// Timed runs of each model at each batch and length.
    #[serde(default = "rounds")]
    rounds: usize,
    /// Runs of each before, which are not timed.
    #[serde(default = "warmup")]
    warmup: usize,
    /// Rows of the test split for the throughput; needs `data`.
    #[serde(default = "throughput_rows")]
    throughput_rows: usize,
    /// Rows a batch of the throughput.
    #[serde(default = "throughput_batch")]
    throughput_batch: usize,
    /// Passes over these rows; the median counts.
    #[serde(default = "throughput_rounds")]
    throughput_rounds: usize,
    /// Tokens a row of the throughput; longer rows are cut.
    #[serde(default = "max_length")]
    max_length: usize,
    /// Whether to measure the peak memory, in a process of its own for each model.
    #[serde(default = "yes")]
    memory: bool,
}

fn batch() -> Vec<usize> {
    vec![1]
}

fn length() -> Vec<usize> {
    vec![128]
}

fn rounds() -> usize {
    20
}

fn warmup() -> usize {
    3
}

fn throughput_rows() -> usize {
    200
}

fn throughput_batch() -> usize {
    32
}

fn throughput_rounds() -> usize {
    3
}

fn max_length() -> usize {
    128
}

fn yes() -> bool {
    true
}

/// The stage.
pub(super) struct Bench;

impl Stage for Bench {
    const KIND: &'static str = "bench";
    const VERSION: u32 = 4;
    const ABOUT: &'static str = "measures latency, throughput, memory and size of models, interleaved round by round";
    const INPUTS: &'static [Port] = &[Port::model("models").many(), Port::dataset("data").optional()];
    const OUTPUT: ArtifactKind = ArtifactKind::Scores;
    const MEASURES: bool = true;
    type Params = Params;

    fn check(params: &Params, faults: &mut Faults) {
        for (path, values) in [("batch", &params.batch), ("length", &params.length)] {
            if values.is_empty() {
                faults.at(path, format!("`{path}` must name at least one number"));
            }
            for (i, &value) in values.iter().enumerate() {
                let path = format!("{path}[{i}]");
                faults.at_least(&path, value, 1);
                if values[..i].contains(&value) {
                    faults.at(path, format!("{value} is there twice"));
                }
            }
        }
        // Percentiles and intervals of fewer rounds say nothing.
        faults.at_least("rounds", params.rounds, 3);
        faults.at_least("throughput_rows", params.throughput_rows, 1);
        faults.at_least("throughput_batch", params.throughput_batch, 1);
        faults.at_least("throughput_rounds", params.throughput_rounds, 1);
        faults.at_least("max_length", params.max_length, 3);
    }

    fn comparison(params: &Params, metric: &str, wired: Wired<'_>) -> Option<Comparison> {
        let at = |port: &str| wired.iter().find(|(name, _)| *name == port).map_or(&[][..], |(_, names)| names.as_slice());
        let (model, rest) = at("models").iter().find_map(|name| {
            let rest = metric.strip_prefix(name.as_str())?.strip_prefix('.')?;
            Some((name, rest))
        })?;
        let cells = || params.batch.iter().flat_map(|&batch| params.length.iter().map(move |&length| (batch, length)));
        // The median alone: rounds say less of the slowest ones, and memory is no time.
        let cell = cells().find(|(batch, length)| rest == format!("latency.b{batch}_l{length}.p50_ms"));
        let (inputs, params, metric) = match cell {
            Some((batch, length)) => {
                (Vec::new(), json!({"batch": [batch], "length": [length]}), format!("ratio.b{batch}_l{length}"))
            }
            None if rest == "rows.ms_per_row" && !at("data").is_empty() => {
                let params =
                    json!({"length": [], "rows_batch": params.throughput_batch, "max_length": params.max_length});
                (vec![("data", at("data").to_vec())], params, "ratio.rows".to_owned())
            }
            None => return None,
        };
        let of = ("model", Whose::Input(model.clone()));
        Some(Comparison { stage: "compare_speed", params, of, inputs, metric, finds: Finds::Ratio })
    }

    fn run(params: &Params, ctx: &mut StageCtx<'_>) -> Result<(), StageError> {
        let artifacts = ctx.many("models").to_vec();
        let contenders =
            artifacts.iter().map(|artifact| Contender::load(ctx, params, artifact)).collect::<Result<Vec<_>, _>>()?;
        for (i, contender) in contenders.iter().enumerate() {
            if contenders[..i].iter().any(|other| other.name == contender.name) {
                return Err(StageError::msg(format!("`{}` is in `models` twice", contender.name)));
            }
        }
        describe_machine(ctx, params.rounds);
        for contender in &contenders {
            describe_model(ctx, contender)?;
        }
        let quiet = Quiet::start();
        let samples = latencies(ctx, params, &contenders)?;
        rows::measure(ctx, params, &contenders)?;
        quiet.end(ctx);
        if params.memory {
            for contender in &contenders {
                memory(ctx, params, contender)?;
            }
        }
        data::write_table(&ctx.output.join("samples.arrow"), samples.columns())?;
        write_scores(ctx)
    }
}

/// Looks whether others are at work while times are taken.
pub(super) struct Quiet {
    busy: Busy,
    start: Instant,
}

impl Quiet {
    pub(super) fn start() -> Self {
        Self { busy: Busy::start(), start: Instant::now() }
    }

    /// Says how much other work there was, and warns where it was too much.
    pub(super) fn end(self, ctx: &mut StageCtx<'_>) {
        let others = self.busy.others(self.start.elapsed());
        ctx.record.fact("other work meanwhile", format!("{others:.2} cores"));
        // A quarter of a core is more than a desktop's background and enough to shift a percentile.
        if others > 0.25 {
            ctx.record.warnings.push(format!(
                "other processes kept {others:.1} cores busy while this was measured: times are worse and less certain than on a quiet machine"
            ));
        }
    }
}

/// Every timed run, a row each: what percentiles and intervals were computed from, for whoever wants others.
#[derive(Default)]
struct Samples {
    models: Vec<String>,
    batches: Vec<u64>,
    lengths: Vec<u64>,
    rounds: Vec<u64>,
    milliseconds: Vec<f64>,
}

impl Samples {
    fn add(&mut self, model: &str, (batch, length): (usize, usize), seconds: &[f64]) {
        for (round, seconds) in seconds.iter().enumerate() {
            self.models.push(model.to_owned());
            self.batches.push(batch as u64);
            self.lengths.push(length as u64);
            self.rounds.push(round as u64);
            self.milliseconds.push(seconds * 1e3);
        }
    }

    fn columns(self) -> Vec<(&'static str, Column)> {
        vec![
            ("model", Column::Texts(self.models)),
            ("batch", Column::Counts(self.batches)),
            ("length", Column::Counts(self.lengths)),
            ("round", Column::Counts(self.rounds)),
            ("milliseconds", Column::Numbers(self.milliseconds)),
        ]
    }
}

/// A model that is measured.
struct Contender {
    /// The name that its metrics begin with.
    name: String,
    artifact: Artifact,
    model: Executor,
    parameters: usize,
    /// Multiply-accumulates of one sequence of each length.
    macs: Vec<(usize, u64)>,
    /// How its weights are stored.
    form: &'static str,
}

impl Contender {
    fn load(ctx: &StageCtx<'_>, params: &Params, artifact: &Artifact) -> Result<Self, StageError> {
        let model = Model::load(&artifact.dir, &model::candle_device(ctx.lease.device)?)?;
        let parameters = model.n_parameters();
        let macs = params.length.iter().map(|&length| (length, model.macs(length))).collect();
        let form = match &model.quantized {
            Quantized::No => "f32",
            Quantized::Int8 { embeddings: false, .. } => "int8, embeddings f32",
            Quantized::Int8 { embeddings: true, .. } => "int8 with int8 embeddings",
            Quantized::WeightOnly { width: Width { bits: 4, .. }, .. } => "f32, stored as int4",
            Quantized::WeightOnly { .. } => "f32, stored as int8",
        };
        let (name, artifact, model) = (artifact.name.clone(), artifact.clone(), Executor::new(model)?);
        Ok(Self { name, artifact, model, parameters, macs, form })
    }

    fn forward(&self, batch: &Batch) -> Result<(), StageError> {
        Ok(eval::answer(&self.model, batch)?)
    }
}

/// Where and how times are taken.
pub(super) fn describe_machine(ctx: &mut StageCtx<'_>, rounds: usize) {
    let machine = Machine::here();
    let lease = ctx.lease;
    let facts = [
        ("machine", machine.host),
        ("cpu", machine.cpu),
        ("cores", machine.cores.to_string()),
        ("memory", units::bytes(machine.memory_bytes)),
        ("os", format!("{} ({})", machine.os, machine.arch)),
        ("device", lease.device.to_string()),
        ("threads", lease.threads.to_string()),
        ("exclusive", if lease.exclusive { "yes" } else { "no" }.to_owned()),
        ("kernel", model::int8_kernel().to_owned()),
        ("lmpipe", env!("CARGO_PKG_VERSION").to_owned()),
        ("rounds", rounds.to_string()),
    ];
    for (name, text) in facts {
        ctx.record.fact(name, text);
    }
    if !lease.exclusive {
        ctx.record.warnings.push(
            "the device was not exclusive: other stages may have run meanwhile (`devices: {phone: {device: cpu, exclusive: true}}`)"
                .into(),
        );
    }
}

fn describe_model(ctx: &mut StageCtx<'_>, contender: &Contender) -> Result<(), StageError> {
    let Contender { name, artifact, parameters, macs, form, .. } = contender;
    let bytes = eval::size_on_disk(&artifact.dir)?;
    ctx.metric(format!("{name}.size_bytes"), bytes as f64, Unit::Bytes, Better::Lower);
    ctx.metric(format!("{name}.parameters"), *parameters as f64, Unit::Count, Better::Lower);
    for (length, macs) in macs {
        ctx.metric(format!("{name}.macs.l{length}"), *macs as f64, Unit::Count, Better::Lower);
    }
    ctx.record.fact(format!("{name}: weights"), *form);
    Ok(())
}

fn latencies(ctx: &mut StageCtx<'_>, params: &Params, contenders: &[Contender]) -> Result<Samples, StageError> {
    let mut samples = Samples::default();
    let cells: Vec<(usize, usize)> =
        params.batch.iter().flat_map(|&batch| params.length.iter().map(move |&length| (batch, length))).collect();
    for contender in contenders {
        let (longest, positions) =
            (params.length.iter().copied().max().unwrap_or(0), contender.model.spec.max_positions);
        if longest > positions {
            return Err(StageError::msg(format!(
                "`{}` has {positions} positions and cannot be measured at {longest} tokens; lower `length`",
                contender.name
            )));
        }
    }
    for (i, &(batch_size, length)) in cells.iter().enumerate() {
        let batches: Vec<Batch> =
            contenders.iter().map(|c| eval::random_batch(c.model.spec.vocab_size, batch_size, length)).collect();
        let cell = format!("b{batch_size}_l{length}");
        let (start, mut processor) = (Instant::now(), None);
        let seconds = eval::interleave(
            contenders.len(),
            params.warmup,
            params.rounds,
            &mut || start.elapsed(),
            |contender| contenders[contender].forward(&batches[contender]),
            |round| {
                let done = (i * params.rounds + round.unwrap_or(0)) as u64;
                let total = (cells.len() * params.rounds) as u64;
                let message = format!("batch {batch_size}, {length} tokens");
                ctx.sink.progress(Progress { done, total, unit: "round", message });
                if round == Some(0) {
                    processor = eval::cpu_seconds();
                }
                ctx.check_cancelled()
            },
        )?;
        // The system counts processor time in steps that are longer than a turn: with several models nobody knows whose
        // it was.
        if let ([only], Some(spent)) = (contenders, processor.zip(eval::cpu_seconds()).map(|(old, new)| new - old)) {
            let name = format!("{}.latency.{cell}.cpu_ms", only.name);
            ctx.metric(name, spent * 1e3 / params.rounds as f64, Unit::Milliseconds, Better::Lower);
        }
        for (contender, times) in contenders.iter().zip(&seconds) {
            latency_metrics(ctx, &contender.name, &cell, times);
            samples.add(&contender.name, (batch_size, length), times);
        }
        for (contender, times) in contenders.iter().zip(&seconds).skip(1) {
            // Per round, since both ran within the same moment of the machine.
            let mut ratios: Vec<f64> =
                seconds[0].iter().zip(times).map(|(first, own)| first / own.max(1e-12)).collect();
            let [low, high] = eval::bootstrap_median(&ratios, ctx.seed);
            let speedup = eval::percentile(&mut ratios, 0.5);
            let name = format!("{}.speedup.{cell}", contender.name);
            let metric = Metric::new(name, speedup, Unit::Number, Better::Higher).with_interval(low, high);
            ctx.record.metrics.push(metric);
        }
    }
    if let [first, _, ..] = contenders {
        ctx.record.fact("speedups are against", &first.name);
    }
    Ok(samples)
}

fn latency_metrics(ctx: &mut StageCtx<'_>, name: &str, cell: &str, seconds: &[f64]) {
    let mut milliseconds: Vec<f64> = seconds.iter().map(|seconds| seconds * 1e3).collect();
    let [low, high] = eval::bootstrap_median(&milliseconds, ctx.seed);
    for (suffix, q) in [("p50_ms", 0.5), ("p90_ms", 0.9), ("p99_ms", 0.99)] {
        let value = eval::percentile(&mut milliseconds, q);
        let metric = Metric::new(format!("{name}.latency.{cell}.{suffix}"), value, Unit::Milliseconds, Better::Lower);
        ctx.record.metrics.push(if suffix == "p50_ms" { metric.with_interval(low, high) } else { metric });
    }
}

/// The peak memory of a process that does nothing but load the model and run it.
fn memory(ctx: &mut StageCtx<'_>, params: &Params, contender: &Contender) -> Result<(), StageError> {
    ctx.check_cancelled()?;
    if ctx.lease.device != DeviceId::Cpu {
        ctx.record.fact(format!("{}: memory", contender.name), unknown_memory(ctx.lease.device));
        return Ok(());
    }
    let batch = params.batch.iter().copied().max().unwrap_or(1);
    let length = params.length.iter().copied().max().unwrap_or(1);
    let found = run_probe(ctx.program, (&contender.artifact.dir, None), (batch, length, ctx.lease.threads))
        .map_err(|error| error.context(format!("cannot measure the memory of `{}`", contender.name)))?;
    ctx.metric(
        format!("{}.peak_memory_bytes", contender.name),
        found.peak_memory_bytes as f64,
        Unit::Bytes,
        Better::Lower,
    );
    ctx.record.fact(
        format!("{}: memory", contender.name),
        format!(
            "peak of a whole process on the CPU at batch {batch}, {length} tokens; {} of it is the program before the model is read",
            units::bytes(found.baseline_bytes)
        ),
    );
    Ok(())
}

/// Why there is no peak of the memory.
pub(super) fn unknown_memory(device: DeviceId) -> String {
    format!("not measured: the model runs on `{device}`, and only the processor's memory can be told")
}

/// Runs a model in a process of its own, as it is or with an attention mechanism and its window.
pub(super) fn run_probe(
    program: &Path,
    (dir, attention): (&Path, Option<(Mechanism, usize)>),
    (batch, length, threads): (usize, usize, usize),
) -> Result<Probe, StageError> {
    let mut command = Command::new(program);
    let command = command
        .arg("__probe")
        .arg(dir)
        .args(["--batch", &batch.to_string()])
        .args(["--length", &length.to_string()])
        .args(["--threads", &threads.to_string()]);
    if let Some((mechanism, window)) = attention {
        command.args(["--attention", mechanism.name(), "--window", &window.to_string()]);
    }
    let output = command.output().at("cannot start", program)?;
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stderr);
        let told = told.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
        return Err(StageError::msg(format!("the probe ended with {}: {told}", output.status)));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(text.trim()).map_err(|error| StageError::from(error).context("the probe's answer"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{
        super::{evaluate::rig::Rig, quantize::Quantize},
        *,
    };

    #[test]
    fn every_model_is_measured_at_every_batch_and_length() {
        let rig = Rig::new();
        rig.run::<Quantize>(&json!({}), &[("model", &["model"])], "int8").unwrap();
        let params =
            json!({"batch": [1, 2], "length": [4, 8], "rounds": 3, "warmup": 1, "throughput_rows": 5, "memory": false});
        let inputs: &[(&str, &[&str])] = &[("models", &["model", "int8"]), ("data", &["data"])];
        let record = rig.run::<Bench>(&params, inputs, "speed").unwrap();
        for model in ["model", "int8"] {
            for cell in ["b1_l4", "b1_l8", "b2_l4", "b2_l8"] {
                let [p50, p90, p99] = ["p50", "p90", "p99"]
                    .map(|p| record.metric(&format!("{model}.latency.{cell}.{p}_ms")).unwrap().value);
                assert!(0.0 < p50 && p50 <= p90 && p90 <= p99, "{p50} {p90} {p99}");
                assert_eq!(record.metric(&format!("{model}.speedup.{cell}")).is_some(), model == "int8");
            }
            for name in ["throughput.rows_per_second", "rows.ms_per_row", "size_bytes", "parameters", "macs.l4", "macs.l8"] {
                assert!(record.metric(&format!("{model}.{name}")).unwrap().value > 0.0, "{model}.{name}");
            }
            assert_eq!(record.metric(&format!("{model}.rows.speedup")).is_some(), model == "int8");
        }
        let value = |name: &str| record.metric(name).unwrap().value;
        assert_eq!(value("model.parameters"), value("int8.parameters"));
        assert!(value("int8.size_bytes") < value("model.size_bytes"));
        assert!(record.facts.iter().any(|(name, text)| name == "threads" && text == "1"));
        assert!(rig.path("speed/scores.json").exists());
        let [models] = data::read_texts(&rig.path("speed/samples.arrow"), ["model"]).unwrap();
        assert_eq!(models.len(), 2 * 4 * 3, "two models, four cells, three rounds");
    }

    #[test]
    fn what_cannot_be_measured_is_said() {
        let rig = Rig::new();
        let run = |params, models: &[&str]| {
            rig.run::<Bench>(&params, &[("models", models)], "speed").unwrap_err().to_string()
        };
        let error = run(json!({"length": [65]}), &["model"]);
        assert!(error.contains("`model` has 64 positions and cannot be measured at 65 tokens"), "{error}");
        let error = run(json!({"length": [4], "rounds": 3}), &["model"]);
        assert!(error.contains("cannot measure the memory of `model`: cannot start"), "{error}");
        let error = run(json!({"length": [4], "memory": false}), &["model", "model"]);
        assert!(error.contains("twice"), "{error}");
        let error = run(json!({"batch": [0, 1, 1], "rounds": 1}), &["model"]);
        for part in ["batch[0]", "1 is there twice", "rounds"] {
            assert!(error.contains(part), "{error}");
        }
    }
}
