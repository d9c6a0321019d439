//! `evaluate`: scores a model on a dataset, with intervals, and against a teacher.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    base::{fs, plural},
    data::{self, Column, Dataset, LongTexts, Rows, Split},
    eval::{self, Counts, Interval, METRICS, Predictions, RunOptions},
    model,
    runtime::Executor,
    stage::{
        Artifact, ArtifactKind, Better, Comparison, Confusion, Faults, Finds, Metric, Port, Progress, Stage, StageCtx,
        StageError, Unit, Whose, Wired,
    },
};

/// Parameters of `evaluate`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// The rows that the model is scored on. There is no way to score on the training split.
    #[serde(default)]
    split: ScoredSplit,
    /// Rows that go through the model together; it changes the speed, not the scores.
    #[serde(default = "batch_size")]
    batch_size: usize,
    /// Tokens a row, special ones included.
    #[serde(default = "max_length")]
    max_length: usize,
    /// What is done with longer rows: `cut`, or `{chunks: {overlap: 64}}`, whose logits are averaged.
    #[serde(default, skip_serializing_if = "is_cut")]
    long_texts: LongTexts,
}

pub(super) fn is_cut(long_texts: &LongTexts) -> bool {
    *long_texts == LongTexts::Cut
}

/// A split that a model may be scored on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum ScoredSplit {
    /// The split that nothing was trained or chosen on.
    #[default]
    Test,
    /// The split that decisions were made on: its scores flatter.
    Validation,
}

impl ScoredSplit {
    /// The split, and its name.
    pub(super) fn split(self) -> (Split, &'static str) {
        let split = match self {
            Self::Test => Split::Test,
            Self::Validation => Split::Validation,
        };
        (split, split.name())
    }
}

fn batch_size() -> usize {
    32
}

fn max_length() -> usize {
    128
}

/// The file beside the scores that holds what was said of every row.
pub(super) const PREDICTIONS: &str = "predictions.arrow";

/// The stage.
pub(super) struct Evaluate;

impl Stage for Evaluate {
    const KIND: &'static str = "evaluate";
    const VERSION: u32 = 4;
    const ABOUT: &'static str =
        "scores a model on a dataset: accuracy, F1, agreement with a teacher, all with intervals";
    const INPUTS: &'static [Port] = &[Port::model("model"), Port::dataset("data"), Port::model("teacher").optional()];
    const OUTPUT: ArtifactKind = ArtifactKind::Scores;
    const COMPUTES: bool = true;
    type Params = Params;

    fn check(params: &Params, faults: &mut Faults) {
        faults.at_least("batch_size", params.batch_size, 1);
        faults.at_least("max_length", params.max_length, 3);
        if let Some((path, message)) = params.long_texts.fault(params.max_length) {
            faults.at(path, message);
        }
    }

    fn comparison(_params: &Params, metric: &str, _wired: Wired<'_>) -> Option<Comparison> {
        METRICS.iter().any(|known| known.name == metric).then(|| Comparison {
            stage: "compare_scores",
            params: json!({}),
            of: ("scores", Whose::Own),
            inputs: Vec::new(),
            metric: format!("{metric}_vs_baseline"),
            finds: Finds::Difference,
        })
    }

    fn run(params: &Params, ctx: &mut StageCtx<'_>) -> Result<(), StageError> {
        let (split, split_name) = params.split.split();
        let data = ctx.input("data")?.clone();
        let dataset = Dataset::open(&data.dir)?;
        let rows = dataset.rows(split)?;
        let labels = &dataset.meta.labels;
        let Some(truth) = rows.labels.clone() else {
            return Err(StageError::msg(format!("the dataset `{}` has no label column to score against", data.name)));
        };
        if truth.is_empty() {
            return Err(StageError::msg(format!("the {split_name} split of `{}` has no rows", data.name)));
        }
        let artifact = ctx.input("model")?.clone();
        let (predicted, positions) = predict(ctx, params, &artifact, &rows, labels)?;
        let n = labels.len();
        let (seed, metric_unit) = (ctx.seed, |is_share| if is_share { Unit::Share } else { Unit::Number });
        let counts = Counts::of(&truth, &predicted.labels, n);
        for metric in METRICS {
            let interval = eval::bootstrap_metric(metric, &truth, &predicted.labels, n, seed);
            push(
                ctx,
                metric.name,
                (metric.score)(&counts),
                metric_unit(metric.is_share),
                Better::Higher,
                Some(interval),
            );
        }
        let loss = eval::cross_entropy(&predicted.logits, &truth);
        push(ctx, "loss", loss, Unit::Number, Better::Lower, None);
        push(ctx, "rows", truth.len() as f64, Unit::Count, Better::Neither, None);
        if let Some(tokens) = most_tokens(params, positions) {
            push(ctx, "max_tokens", tokens as f64, Unit::Count, Better::Neither, None);
        }
        ctx.record.confusion = Some(Confusion { labels: labels.clone(), counts: counts.rows() });
        ctx.record.fact("model", &artifact.name);
        ctx.record.fact("dataset", &data.name);
        ctx.record.fact("split", split_name);
        ctx.record.fact("interval", "95 % percentile bootstrap, 2000 resamples of the rows");
        if params.split == ScoredSplit::Validation {
            ctx.record
                .warnings
                .push("scored on the validation split, on which the model was chosen: it flatters".into());
        }
        let teacher = match ctx.optional("teacher").cloned() {
            None => None,
            Some(teacher) => {
                let (said, _) = predict(ctx, params, &teacher, &rows, labels)?;
                against_teacher(ctx, &truth, &predicted, &said, n);
                ctx.record.fact("teacher", &teacher.name);
                Some(said)
            }
        };
        let columns = predictions(rows, labels, &truth, predicted, teacher.as_ref());
        data::write_table(&ctx.output.join(PREDICTIONS), columns)?;
        write_scores(ctx)
    }
}

/// The most tokens of a row that a model of so many positions reads, special ones included; none where nothing limits them.
fn most_tokens(params: &Params, positions: usize) -> Option<usize> {
    let at_once = params.max_length.min(positions);
    match params.long_texts {
        LongTexts::Cut => Some(at_once),
        LongTexts::Chunks { most, .. } => most.map(|chunks| chunks.saturating_mul(at_once)),
    }
}

/// Runs one model over the rows, with progress; tells how many positions it has, too.
fn predict(
    ctx: &StageCtx<'_>,
    params: &Params,
    artifact: &Artifact,
    rows: &Rows,
    labels: &[String],
) -> Result<(Predictions, usize), StageError> {
    let model = Executor::load(&artifact.dir, &model::candle_device(ctx.lease.device)?)?;
    let options = RunOptions {
        batch_size: params.batch_size,
        max_length: params.max_length,
        long_texts: params.long_texts,
    };
    let total = rows.texts.len() as u64;
    let predictions = eval::run_model((&artifact.name, &model, &artifact.dir), rows, labels, options, |done| {
        ctx.sink.progress(Progress { done: done as u64, total, unit: "row", message: artifact.name.clone() });
        !ctx.cancel.is_cancelled()
    })?;
    ctx.sink.note(format!("`{}` answered {}", artifact.name, plural::count(rows.texts.len(), "row")));
    Ok((predictions, model.spec.max_positions))
}

fn against_teacher(ctx: &mut StageCtx<'_>, truth: &[u32], model: &Predictions, teacher: &Predictions, n: usize) {
    let seed = ctx.seed;
    let agreement = (eval::AGREEMENT.score)(&Counts::of(&teacher.labels, &model.labels, n));
    let interval = eval::bootstrap_metric(&eval::AGREEMENT, &teacher.labels, &model.labels, n, seed);
    push(ctx, "agreement", agreement, Unit::Share, Better::Higher, Some(interval));
    let accuracy = |labels: &[u32]| (eval::ACCURACY.score)(&Counts::of(truth, labels, n));
    let difference = accuracy(&model.labels) - accuracy(&teacher.labels);
    let interval = eval::bootstrap_share_difference(truth, &model.labels, &teacher.labels, seed);
    push(ctx, "accuracy_vs_teacher", difference, Unit::Share, Better::Higher, Some(interval));
}

fn push(ctx: &mut StageCtx<'_>, name: &str, value: f64, unit: Unit, better: Better, interval: Option<Interval>) {
    let metric = Metric::new(name, value, unit, better);
    ctx.record.metrics.push(match interval {
        Some([low, high]) => metric.with_interval(low, high),
        None => metric,
    });
}

/// What is true, what was said, and how surely, row by row.
fn predictions(
    rows: Rows,
    labels: &[String],
    truth: &[u32],
    model: Predictions,
    teacher: Option<&Predictions>,
) -> Vec<(&'static str, Column)> {
    let names = |of: &[u32]| Column::Texts(of.iter().map(|&label| labels[label as usize].clone()).collect());
    let mut columns = vec![
        ("id", Column::Texts(rows.ids)),
        ("label", names(truth)),
        ("predicted", names(&model.labels)),
        ("logits", Column::Vectors(model.logits)),
    ];
    if let Some(teacher) = teacher {
        columns.push(("teacher", names(&teacher.labels)));
    }
    columns
}

/// Writes `scores.json`: the metrics of the record.
pub(super) fn write_scores(ctx: &StageCtx<'_>) -> Result<(), StageError> {
    let scores = json!({"version": 1, "metrics": ctx.record.metrics});
    let text = serde_json::to_string_pretty(&scores)? + "\n";
    Ok(fs::write_atomic(&ctx.output.join("scores.json"), text.as_bytes())?)
}

#[cfg(test)]
pub(super) mod rig;

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::{rig::Rig, *};
    use crate::eval::PredictOptions;

    /// Label and prediction a row.
    fn said(rig: &Rig, stage: &str) -> Vec<(String, String)> {
        let [labels, predicted] =
            data::read_texts(&rig.path(stage).join(PREDICTIONS), ["label", "predicted"]).unwrap();
        labels.into_iter().zip(predicted).collect()
    }

    #[test]
    fn scores_are_those_of_the_predictions() {
        let rig = Rig::new();
        let inputs: &[(&str, &[&str])] = &[("model", &["model"]), ("data", &["data"]), ("teacher", &["model"])];
        let record = rig.run::<Evaluate>(&json!({"batch_size": 3}), inputs, "scores").unwrap();
        let rows = said(&rig, "scores");
        assert_eq!(rows.len(), 20);
        let right = rows.iter().filter(|(label, predicted)| label == predicted).count();
        let value = |name: &str| record.metric(name).unwrap().value;
        assert_eq!(value("accuracy"), right as f64 / 20.0);
        assert_eq!(value("rows"), 20.0);
        // The model is its own teacher here.
        assert_eq!((value("agreement"), value("accuracy_vs_teacher")), (1.0, 0.0));
        assert_eq!(record.metric("accuracy_vs_teacher").unwrap().interval, Some([0.0, 0.0]));
        assert!(record.metric("accuracy").unwrap().interval.unwrap()[0] < value("accuracy"));
        let confusion = record.confusion.as_ref().unwrap();
        assert_eq!(confusion.labels, ["LABEL_0", "LABEL_1"]);
        assert_eq!(confusion.counts[0][0] + confusion.counts[1][1], right as u64);
        let scores: Value = serde_json::from_str(&fs::read_text(&rig.path("scores/scores.json")).unwrap()).unwrap();
        assert_eq!(scores["metrics"].as_array().unwrap().len(), record.metrics.len());
        // Batches change nothing, not even a bit.
        assert_eq!(rig.run::<Evaluate>(&json!({"batch_size": 64}), inputs, "again").unwrap(), record);
        let bytes = |stage: &str| fs::read(&rig.path(stage).join(PREDICTIONS)).unwrap();
        assert_eq!(bytes("again"), bytes("scores"));
    }

    #[test]
    fn predict_says_the_same() {
        let rig = Rig::new();
        rig.run::<Evaluate>(&json!({}), &[("model", &["model"]), ("data", &["data"])], "scores").unwrap();
        let dataset = Dataset::open(&rig.path("data")).unwrap();
        let input = dataset.rows(Split::Test).unwrap().texts.join("\n");
        let mut output = Vec::new();
        let options = PredictOptions { batch_size: 7, ..PredictOptions::default() };
        assert_eq!(eval::predict(&rig.path("model"), input.as_bytes(), &mut output, &options).unwrap(), 20);
        let said: Vec<Value> = output
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect();
        for (said, (_, predicted)) in said.iter().zip(self::said(&rig, "scores")) {
            assert_eq!(said["label"], predicted.as_str());
        }
    }

    #[test]
    fn what_is_said_of_a_long_row_is_the_mean_over_its_chunks() {
        let rig = Rig::new();
        let model = Executor::load(&rig.path("model"), &candle_core::Device::Cpu).unwrap();
        let tokenizer = data::Tokenizer::for_model(&rig.path("model"), model.spec.vocab_size).unwrap();
        let run = |texts: &[&str], max_length, long_texts| {
            let texts = texts.iter().map(|text| (*text).to_owned()).collect();
            let options = RunOptions { batch_size: 2, max_length, long_texts };
            eval::run(&model, &tokenizer, &Rows { texts, ..Rows::default() }, options, |_| true).unwrap()
        };
        let chunks = LongTexts::Chunks { overlap: 0, most: None };
        let rows = run(&["w9", "w5 w6 w7 w8 w9", "w10 w11"], 5, chunks);
        // Chunks of five and four tokens.
        let parts = run(&["w5 w6 w7", "w8 w9", "w9"], 64, LongTexts::Cut);
        for label in 0..2 {
            let mean = (5.0 * parts[0][label] + 4.0 * parts[1][label]) / 9.0;
            assert!((rows[1][label] - mean).abs() < 1e-6);
        }
        assert_eq!(rows[0], parts[2]);
        let inputs: &[(&str, &[&str])] = &[("model", &["model"]), ("data", &["data"])];
        let whole = rig.run::<Evaluate>(&json!({}), inputs, "whole").unwrap();
        let params = json!({"long_texts": {"chunks": {"overlap": 1, "most": 1}}});
        assert_eq!(rig.run::<Evaluate>(&params, inputs, "chunks").unwrap().metrics, whole.metrics);
        let params = json!({"max_length": 8, "long_texts": {"chunks": {"most": 3}}});
        let record = rig.run::<Evaluate>(&params, inputs, "three").unwrap();
        assert_eq!(record.metric("max_tokens").unwrap().value, 24.0, "of a row, over its chunks");
        let params = json!({"long_texts": {"chunks": {}}});
        assert!(rig.run::<Evaluate>(&params, inputs, "all").unwrap().metric("max_tokens").is_none(), "nothing limits it");
        let params = json!({"max_length": 8, "long_texts": {"chunks": {"overlap": 5}}});
        let error = rig.run::<Evaluate>(&params, inputs, "no").unwrap_err().to_string();
        assert!(error.contains("overlap by half of that, not by 5"), "{error}");
    }

    #[test]
    fn other_labels_are_refused_by_name() {
        let rig = Rig::new();
        rig.dataset("other", ["LABEL_0", "positive"]);
        let inputs: &[(&str, &[&str])] = &[("model", &["model"]), ("data", &["other"])];
        let error = rig.run::<Evaluate>(&json!({}), inputs, "scores").unwrap_err().to_string();
        for part in ["does not know the dataset's `positive`", "`LABEL_1`"] {
            assert!(error.contains(part), "{error}");
        }
        let error = rig.run::<Evaluate>(&json!({"split": "train"}), inputs, "scores").unwrap_err().to_string();
        assert!(error.contains("train"), "{error}");
    }
}
