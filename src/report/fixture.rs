//! A finished run by hand, in the shape that stages leave behind, for the tests of this module.

mod data;
mod longdoc;

use std::collections::BTreeMap;

pub(super) use self::{data::looked_at, longdoc::longdoc};

use crate::{
    base::digest::Digest,
    stage::{
        Artifact, ArtifactKind, Better, Bound, Confusion, Curve, Gate, Metric, Record, RunNode, RunStatus, RunView,
        Sample, Severity, Unit,
    },
};

/// Name, kind, accuracy, its interval, the difference to the teacher with its interval, latency at `b1_l32` and
/// `b1_l128`, megabytes, parameters, peak megabytes, macs.
type Model = (&'static str, f64, [f64; 2], Option<(f64, [f64; 2])>, [f64; 2], f64, f64, f64, f64);

const MODELS: [Model; 4] = [
    ("teacher", 0.8612, [0.8398, 0.8806], None, [9.84, 31.62], 90.87e6, 22_713_986.0, 214.0e6, 1.386e9),
    (
        "student",
        0.8474,
        [0.8251, 0.8677],
        Some((-0.0138, [-0.0268, -0.0009])),
        [5.02, 16.08],
        69.57e6,
        17_388_674.0,
        161.0e6,
        0.693e9,
    ),
    (
        "slim",
        0.8455,
        [0.8231, 0.8659],
        Some((-0.0157, [-0.0287, -0.0018])),
        [3.61, 11.4],
        62.5e6,
        15_614_210.0,
        149.0e6,
        0.452e9,
    ),
    (
        "int8",
        0.8446,
        [0.8222, 0.8650],
        Some((-0.0166, [-0.0305, -0.0028])),
        [2.31, 8.08],
        17.21e6,
        15_614_210.0,
        71.2e6,
        0.452e9,
    ),
];

/// A stage with an empty record.
pub(super) fn node(name: &str, kind: &str, inputs: &[&str], status: RunStatus, seconds: f64) -> RunNode {
    RunNode {
        name: name.into(),
        family: None,
        kind: kind.into(),
        about: String::new(),
        inputs: inputs.iter().map(|input| (*input).to_owned()).collect(),
        status,
        seconds,
        device: if kind == "dataset" || kind == "model" { String::new() } else { "cpu".into() },
        settings: None,
        record: Record::default(),
    }
}

/// The run of the mobile recipe.
pub(super) fn run() -> RunView {
    use RunStatus::{Cached, Ran, Waiting};
    let mut nodes = vec![
        node("reviews", "dataset", &[], Cached, 0.2),
        node("minilm", "model", &[], Cached, 6.4),
        node("clean", "normalize", &["reviews"], Cached, 1.3),
        node("more", "augment", &["clean"], Cached, 2.1),
        node("teacher", "finetune", &["minilm", "more"], Ran, 642.0),
        node("student", "distill", &["teacher", "more"], Ran, 401.0),
        node("slim", "prune", &["student", "more"], Ran, 131.0),
        node("int8", "quantize", &["slim"], Ran, 0.8),
        node("scores@teacher", "evaluate", &["teacher", "clean"], Ran, 9.4),
        node("scores@student", "evaluate", &["student", "clean", "teacher"], Ran, 5.1),
        node("scores@slim", "evaluate", &["slim", "clean", "teacher"], Ran, 4.4),
        node("scores@int8", "evaluate", &["int8", "clean", "teacher"], Ran, 3.1),
        node("speed", "bench", &["teacher", "student", "slim", "int8"], Ran, 92.0),
        node(
            "report",
            "report",
            &["scores@teacher", "scores@student", "scores@slim", "scores@int8", "speed"],
            Waiting,
            0.0,
        ),
    ];
    nodes[5].about = "Three of six layers, taught by the teacher's logits".into();
    nodes[12].device = "cpu, 1 thread, exclusive".into();
    nodes[2].record = Record {
        facts: vec![("rows".into(), "10,662".into()), ("changed".into(), "9,871 (92.6 %)".into())],
        samples: vec![
            sample(
                "unicode",
                "the film\u{2019}s na\u{ef}ve charm <br /> never wears off \u{2014} it is n\u{2019}t just sweet",
                "the film's na\u{ef}ve charm never wears off - it isn't just sweet",
            ),
            sample("whitespace", "simplistic ,   silly  and tedious .", "simplistic , silly and tedious ."),
        ],
        ..Record::default()
    };
    nodes[3].record = Record {
        facts: vec![("rows added".into(), "8,397".into())],
        samples: vec![
            sample(
                "replace",
                "a quiet , deeply moving portrait of an ordinary marriage",
                "a hushed , deeply touching portrait of an ordinary marriage",
            ),
            sample("mask", "not a film to see twice", "not a [MASK] to see twice"),
        ],
        ..Record::default()
    };
    for (at, seed, epochs) in
        [(4, 1, [0.8235, 0.8640, 0.8566]), (5, 2, [0.8502, 0.8456, 0.8392]), (6, 3, [0.8411, 0.8447, 0.8439])]
    {
        nodes[at].record = trained(seed, epochs);
    }
    nodes[6].record.metrics.push(Metric::new("sparsity", 0.4286, Unit::Share, Better::Neither));
    nodes[6].record.warnings.push("12 of 36 heads were removed though their importance is above the median".into());
    nodes[7].record.metrics.push(Metric::new("size_bytes", 17_210_000.0, Unit::Bytes, Better::Lower));
    nodes[7].record.fact("scheme", "w8a8, embeddings int8");
    for (at, model) in (8..).zip(&MODELS) {
        nodes[at].record = evaluated(model);
    }
    nodes[12].record = benched();
    let gate = |metric: &str, versus: Option<&str>, bound| Gate {
        metric: metric.into(),
        versus: versus.map(Into::into),
        bound,
        severity: Severity::Error,
        paired: false,
    };
    RunView {
        name: "mobile-bert".into(),
        about: "A sentiment classifier small and fast enough for a phone".into(),
        command: "lmpipe run recipes/mobile.yaml --set epochs=3".into(),
        references: BTreeMap::new(),
        gates: vec![
            gate("scores@int8.accuracy", Some("scores@teacher.accuracy"), Bound::MaxDrop(0.02.into())),
            gate(
                "speed.int8.latency.b1_l128.p50_ms",
                Some("speed.teacher.latency.b1_l128.p50_ms"),
                Bound::MinSpeedup(4.0.into()),
            ),
            gate("speed.int8.size_bytes", None, Bound::Max(25e6.into())),
        ],
        nodes,
    }
}

/// The scores of [`run`], as they are wired to the report.
pub(super) fn scores() -> Vec<Artifact> {
    let wired = |node: &RunNode| {
        let ports: &[&str] = if node.kind == "bench" { &["models"] } else { &["model", "data", "teacher"] };
        let inputs = match ports {
            [only] => vec![((*only).to_owned(), node.inputs.clone())],
            many => {
                many.iter().zip(&node.inputs).map(|(port, name)| ((*port).to_owned(), vec![name.clone()])).collect()
            }
        };
        Artifact {
            name: node.name.clone(),
            stage: node.kind.clone(),
            kind: ArtifactKind::Scores,
            dir: "/nowhere".into(),
            digest: Digest::of(node.name.as_bytes()),
            inputs,
            record: node.record.clone(),
        }
    };
    run().nodes.iter().filter(|node| node.kind == "evaluate" || node.kind == "bench").map(wired).collect()
}

/// A run in which every text that a person or a file may choose tries to break out of the page.
pub(super) fn hostile_run() -> RunView {
    let evil = "</text></svg><script>alert('x')</script>|`\"&]]>\u{1b}\n@all";
    let mut run = run();
    run.name = evil.into();
    run.about = evil.into();
    run.command = evil.into();
    run.gates[0].metric = evil.into();
    for node in &mut run.nodes {
        node.about = evil.into();
        node.device = evil.into();
        node.record.fact(evil, evil);
        node.record.warnings.push(evil.into());
        node.record.samples.push(sample(evil, evil, "b <script>b()</script>"));
        for curve in &mut node.record.curves {
            curve.name = evil.into();
            curve.x = evil.into();
        }
        if let Some(confusion) = &mut node.record.confusion {
            confusion.labels = vec![evil.into(), "<b>".into()];
        }
        for metric in &mut node.record.metrics {
            if metric.name.starts_with("int8.") {
                metric.name = metric.name.replacen("int8", "<script>int8</script>", 1);
            }
        }
        if node.name == "int8" {
            node.name = "<script>int8</script>".into();
        }
        for input in &mut node.inputs {
            if input == "int8" {
                *input = "<script>int8</script>".into();
            }
        }
    }
    run
}

fn sample(what: &str, before: &str, after: &str) -> Sample {
    Sample { what: what.into(), before: before.into(), after: after.into() }
}

fn trained(seed: u32, epochs: [f64; 3]) -> Record {
    let steps = 789;
    // A falling loss with the noise of batches, from integer arithmetic: the same on every machine.
    let loss = (0..steps)
        .map(|step: u32| {
            let noise = f64::from((step * 7919 + seed * 104_729) % 97) / 97.0 - 0.5;
            let fall = 0.69 * (1.0 - f64::from(step) / (f64::from(step) + 160.0)) + 0.06 * f64::from(seed);
            [f64::from(step + 1), fall + 0.12 * noise * fall]
        })
        .collect();
    let accuracy = epochs.iter().zip(1_u32..).map(|(value, epoch)| [f64::from(epoch), *value]).collect();
    Record {
        metrics: vec![Metric::new(
            "validation_accuracy",
            epochs.iter().copied().fold(0.0, f64::max),
            Unit::Share,
            Better::Higher,
        )],
        curves: vec![
            Curve { name: "training loss".into(), x: "step".into(), of: None, is_log: false, points: loss },
            Curve { name: "validation accuracy".into(), x: "epoch".into(), of: None, is_log: false, points: accuracy },
        ],
        facts: vec![("best epoch".into(), "2 of 3".into())],
        ..Record::default()
    }
}

fn evaluated((name, accuracy, interval, difference, ..): &Model) -> Record {
    let right = (accuracy * 1081.0).round() as u64;
    let mut metrics = vec![
        Metric::new("accuracy", *accuracy, Unit::Share, Better::Higher).with_interval(interval[0], interval[1]),
        Metric::new("macro_f1", accuracy - 0.0003, Unit::Share, Better::Higher)
            .with_interval(interval[0] - 0.0003, interval[1] - 0.0003),
        Metric::new("loss", 1.2 - accuracy, Unit::Number, Better::Lower),
        Metric::new("rows", 1081.0, Unit::Count, Better::Neither),
    ];
    if let Some((value, [low, high])) = difference {
        metrics
            .push(Metric::new("accuracy_vs_teacher", *value, Unit::Share, Better::Higher).with_interval(*low, *high));
        metrics.push(Metric::new("agreement", 0.93, Unit::Share, Better::Higher));
    }
    let of_negative = right / 2 - 9;
    Record {
        metrics,
        confusion: Some(Confusion {
            labels: vec!["negative".into(), "positive".into()],
            counts: vec![vec![of_negative, 541 - of_negative], vec![540 - (right - of_negative), right - of_negative]],
        }),
        facts: vec![
            ("model".into(), (*name).into()),
            ("dataset".into(), "movie-reviews".into()),
            ("split".into(), "test".into()),
        ],
        ..Record::default()
    }
}

fn benched() -> Record {
    let mut record = Record::default();
    let teacher = MODELS[0].4;
    for (name, .., latency, size, parameters, peak, macs) in &MODELS {
        let mut push = |what: &str, value, unit, better| {
            record.metrics.push(Metric::new(format!("{name}.{what}"), value, unit, better));
        };
        for ((point, time), of_teacher) in ["b1_l32", "b1_l128"].into_iter().zip(latency).zip(teacher) {
            push(&format!("latency.{point}.p50_ms"), *time, Unit::Milliseconds, Better::Lower);
            push(&format!("latency.{point}.p90_ms"), time * 1.06, Unit::Milliseconds, Better::Lower);
            push(&format!("latency.{point}.p99_ms"), time * 1.3, Unit::Milliseconds, Better::Lower);
            if *name != "teacher" {
                push(&format!("speedup.{point}"), of_teacher / time, Unit::Number, Better::Higher);
            }
        }
        push("throughput.rows_per_second", 1700.0 / latency[1], Unit::RowsPerSecond, Better::Higher);
        push("peak_memory_bytes", *peak, Unit::Bytes, Better::Lower);
        push("size_bytes", *size, Unit::Bytes, Better::Lower);
        push("parameters", *parameters, Unit::Count, Better::Lower);
        push("macs.l128", *macs, Unit::Count, Better::Lower);
    }
    for metric in record.metrics.iter_mut().filter(|metric| metric.name.contains(".speedup.")) {
        metric.interval = Some([metric.value * 0.985, metric.value * 1.015]);
    }
    for (name, text) in [
        ("machine", "small-server-2"),
        ("cpu", "AMD EPYC 9R14"),
        ("cores", "2"),
        ("threads", "1"),
        ("kernel", "avx512-vnni"),
        ("os", "Linux 6.1"),
        ("lmpipe", "0.1.0"),
        ("rounds", "40, interleaved"),
        ("dataset", "movie-reviews test"),
    ] {
        record.fact(name, text);
    }
    record
}
