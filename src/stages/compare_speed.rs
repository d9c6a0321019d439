//! `compare_speed`: times a model beside a baseline, in turns, and the baseline beside itself.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::evaluate::write_scores;
use crate::{
    base::plural,
    data::{self, Batch, Column, Dataset, Order, Split, Tokenizer},
    eval::{self, Contender, Effort, Ratio, Turns},
    model,
    runtime::Executor,
    stage::{ArtifactKind, Better, Faults, Metric, Port, Progress, Stage, StageCtx, StageError, Unit},
};

/// Parameters of `compare_speed`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// The folder of the model that is compared with, where none is wired to `baseline`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    baseline: Option<String>,
    /// Sequences that go through a model together; each is measured with each length.
    #[serde(default = "batch")]
    batch: Vec<usize>,
    /// Tokens a sequence. Empty: real rows only.
    #[serde(default = "length")]
    length: Vec<usize>,
    /// Rows of the test split that go through a model together in a round; needs `data`.
    #[serde(default = "rows_batch")]
    rows_batch: usize,
    /// Tokens a row; longer rows are cut.
    #[serde(default = "max_length")]
    max_length: usize,
    /// The least rounds at each batch and length. In a round, the model runs once and the baseline twice.
    #[serde(default = "rounds")]
    rounds: usize,
    /// Half the width of the interval at which there are rounds enough, as a share of the ratio.
    #[serde(default = "precision")]
    precision: f64,
    /// After how many seconds there are, whatever the interval, at each batch and length.
    #[serde(default = "max_seconds")]
    max_seconds: u64,
}

fn batch() -> Vec<usize> {
    vec![1]
}

fn length() -> Vec<usize> {
    vec![128]
}

fn rows_batch() -> usize {
    32
}

fn max_length() -> usize {
    128
}

fn rounds() -> usize {
    40
}

fn precision() -> f64 {
    0.015
}

fn max_seconds() -> u64 {
    20
}

/// The stage.
pub(super) struct CompareSpeed;

impl Stage for CompareSpeed {
    const KIND: &'static str = "compare_speed";
    const VERSION: u32 = 1;
    const ABOUT: &'static str = "times a model beside a baseline in turns, and the baseline beside itself: what equals differ by is noise";
    const INPUTS: &'static [Port] =
        &[Port::model("model"), Port::model("baseline").optional(), Port::dataset("data").optional()];
    const OUTPUT: ArtifactKind = ArtifactKind::Scores;
    const MEASURES: bool = true;
    type Params = Params;

    fn check(params: &Params, faults: &mut Faults) {
        for (path, values) in [("batch", &params.batch), ("length", &params.length)] {
            for (i, &value) in values.iter().enumerate() {
                faults.at_least(&format!("{path}[{i}]"), value, 1);
            }
        }
        if params.batch.is_empty() {
            faults.at("batch", "`batch` must name at least one number");
        }
        // Intervals of fewer say nothing.
        faults.at_least("rounds", params.rounds, 10);
        faults.at_least("rows_batch", params.rows_batch, 1);
        faults.at_least("max_length", params.max_length, 3);
        if !(params.precision > 0.0 && params.precision < 1.0) {
            faults.at("precision", format!("`precision` is a share between 0 and 1, not {}", params.precision));
        }
    }

    fn check_wires(params: &Params, wired: &[&str], faults: &mut Faults) {
        super::one_baseline(params.baseline.as_deref(), wired, faults);
        if params.length.is_empty() && !wired.contains(&"data") {
            faults.at("length", "nothing is to be measured: name a length, or wire `data`");
        }
    }

    fn files(params: &Params) -> Vec<(String, String)> {
        super::baseline_file(params.baseline.as_deref())
    }

    fn run(params: &Params, ctx: &mut StageCtx<'_>) -> Result<(), StageError> {
        let baseline = super::baseline_dir(ctx, params.baseline.as_deref())?;
        let sides = Sides {
            // The baseline's two copies lie at different addresses, as any two models do.
            baseline: Side::load(ctx, &baseline)?,
            again: Side::load(ctx, &baseline)?,
            candidate: Side::load(ctx, &ctx.input("model")?.dir)?,
        };
        let mut samples = Samples::default();
        for &batch in &params.batch {
            for &length in &params.length {
                sides.check_length(length)?;
                let batches = sides.map(|side| Ok(vec![eval::random_batch(side.model.spec.vocab_size, batch, length)]))?;
                measure(ctx, params, &sides, &batches, &format!("b{batch}_l{length}"), &mut samples)?;
            }
        }
        if let Some(data) = ctx.optional("data").cloned() {
            let rows = Dataset::open(&data.dir)?.rows(Split::Test)?;
            if rows.texts.is_empty() {
                return Err(StageError::msg(format!("the test split of `{}` has no rows to measure on", data.name)));
            }
            let batches = sides.map(|side| {
                let tokenizer = Tokenizer::for_model(&side.dir, side.model.spec.vocab_size)?;
                let encodings = tokenizer.encode(&rows, params.max_length.min(side.model.spec.max_positions))?;
                Ok(data::batches(&encodings, params.rows_batch, Order::File))
            })?;
            measure(ctx, params, &sides, &batches, "rows", &mut samples)?;
        }
        data::write_table(&ctx.output.join("samples.arrow"), samples.columns())?;
        write_scores(ctx)
    }
}

/// A model, and where it is from.
struct Side {
    dir: PathBuf,
    model: Executor,
}

impl Side {
    fn load(ctx: &StageCtx<'_>, dir: &Path) -> Result<Self, StageError> {
        let model = Executor::load(dir, &model::candle_device(ctx.lease.device)?)?;
        Ok(Self { dir: dir.to_owned(), model })
    }
}

/// Something of each contender.
struct Sides<T> {
    baseline: T,
    again: T,
    candidate: T,
}

impl<T> Sides<T> {
    fn of(&self, contender: Contender) -> &T {
        match contender {
            Contender::Baseline => &self.baseline,
            Contender::Again => &self.again,
            Contender::Candidate => &self.candidate,
        }
    }

    fn map<U>(&self, mut of: impl FnMut(&T) -> Result<U, StageError>) -> Result<Sides<U>, StageError> {
        Ok(Sides { baseline: of(&self.baseline)?, again: of(&self.again)?, candidate: of(&self.candidate)? })
    }
}

impl Sides<Side> {
    fn check_length(&self, length: usize) -> Result<(), StageError> {
        let positions = self.baseline.model.spec.max_positions.min(self.candidate.model.spec.max_positions);
        if length > positions {
            return Err(StageError::msg(format!(
                "one of the models has {positions} positions and cannot be measured at {length} tokens; lower `length`"
            )));
        }
        Ok(())
    }
}

/// Times the three on batches, one a round, and writes what was found under the name of a cell.
fn measure(
    ctx: &mut StageCtx<'_>,
    params: &Params,
    sides: &Sides<Side>,
    batches: &Sides<Vec<Batch>>,
    cell: &str,
    samples: &mut Samples,
) -> Result<(), StageError> {
    let effort = Effort {
        rounds: params.rounds,
        precision: params.precision,
        time: Duration::from_secs(params.max_seconds),
    };
    let start = Instant::now();
    let turns = Turns::take(
        effort,
        ctx.seed,
        &mut || start.elapsed(),
        |contender, round| {
            let batches = batches.of(contender);
            Ok(eval::answer(&sides.of(contender).model, &batches[round % batches.len()])?)
        },
        |round| {
            // How many it takes is not known beforehand.
            ctx.sink.progress(Progress { done: round as u64, total: 0, unit: "round", message: cell.to_owned() });
            ctx.check_cancelled()
        },
    )?;
    let mut push = |name: String, Ratio { value, interval: [low, high] }, better| {
        ctx.record.metrics.push(Metric::new(name, value, Unit::Number, better).with_interval(low, high));
    };
    push(format!("ratio.{cell}"), turns.ratio(ctx.seed), Better::Lower);
    push(format!("noise.{cell}"), turns.noise(ctx.seed), Better::Neither);
    for (name, seconds) in [("model", &turns.candidate), ("baseline", &turns.baseline)] {
        let mut milliseconds: Vec<f64> = seconds.iter().map(|seconds| seconds * 1e3).collect();
        let [low, high] = eval::bootstrap_median(&milliseconds, ctx.seed);
        let value = eval::percentile(&mut milliseconds, 0.5);
        let metric = Metric::new(format!("{name}.{cell}.p50_ms"), value, Unit::Milliseconds, Better::Lower);
        ctx.record.metrics.push(metric.with_interval(low, high));
    }
    ctx.record.fact(format!("{cell}: rounds"), plural::count(turns.candidate.len(), "round"));
    samples.add(cell, turns);
    Ok(())
}

/// Every timed round.
#[derive(Default)]
struct Samples {
    cells: Vec<String>,
    rounds: Vec<u64>,
    milliseconds: [Vec<f64>; 3],
}

impl Samples {
    fn add(&mut self, cell: &str, turns: Turns) {
        for round in 0..turns.candidate.len() {
            self.cells.push(cell.to_owned());
            self.rounds.push(round as u64);
        }
        for (all, own) in self.milliseconds.iter_mut().zip([turns.baseline, turns.again, turns.candidate]) {
            all.extend(own.iter().map(|seconds| seconds * 1e3));
        }
    }

    fn columns(self) -> Vec<(&'static str, Column)> {
        let [baseline, again, model] = self.milliseconds.map(Column::Numbers);
        vec![
            ("cell", Column::Texts(self.cells)),
            ("round", Column::Counts(self.rounds)),
            ("baseline", baseline),
            ("baseline again", again),
            ("model", model),
        ]
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::evaluate::rig::Rig, *};

    #[test]
    fn a_model_beside_itself_and_beside_more_work() {
        let rig = Rig::new();
        let itself: &[(&str, &[&str])] = &[("model", &["model"]), ("baseline", &["model"]), ("data", &["data"])];
        let few = json!({"length": [8, 16], "rounds": 10, "precision": 0.5, "max_seconds": 1, "rows_batch": 4});
        let record = rig.run::<CompareSpeed>(&few, itself, "itself").unwrap();
        for cell in ["b1_l8", "b1_l16", "rows"] {
            for name in ["ratio", "noise"] {
                let found = record.metric(&format!("{name}.{cell}")).unwrap();
                let [low, high] = found.interval.unwrap();
                assert!(0.0 < low && low <= found.value && found.value <= high, "{found:?}");
            }
            assert!(record.metric(&format!("model.{cell}.p50_ms")).unwrap().value > 0.0);
        }
        let [cells] = data::read_texts(&rig.path("itself/samples.arrow"), ["cell"]).unwrap();
        assert!(cells.len() >= 30 && cells[0] == "b1_l8");
        let path = rig.path("model").display().to_string();
        let by_path = json!({"baseline": path, "length": [8], "rounds": 10, "precision": 0.5, "max_seconds": 1});
        let record = rig.run::<CompareSpeed>(&by_path, &[("model", &["model"])], "path").unwrap();
        assert!(record.metric("ratio.b1_l8").is_some() && record.metric("ratio.rows").is_none());
    }

    #[test]
    fn what_does_not_fit_is_told() {
        let rig = Rig::new();
        let both: &[(&str, &[&str])] = &[("model", &["model"]), ("baseline", &["model"])];
        let error = |params, inputs| rig.run::<CompareSpeed>(&params, inputs, "x").unwrap_err().to_string();
        let alone: &[(&str, &[&str])] = &[("model", &["model"])];
        assert!(error(json!({}), alone).contains("there is no baseline"), "{}", error(json!({}), alone));
        assert!(error(json!({"baseline": "x"}), both).contains("two baselines"));
        assert!(error(json!({"length": []}), both).contains("nothing is to be measured"));
        assert!(error(json!({"length": [65]}), both).contains("has 64 positions and cannot be measured at 65"));
        let error = error(json!({"rounds": 3, "precision": 1.5, "batch": []}), both);
        for part in ["rounds", "`precision` is a share", "`batch` must name"] {
            assert!(error.contains(part), "{error}");
        }
    }
}
