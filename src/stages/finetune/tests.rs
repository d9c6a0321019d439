//! Whole runs of the stages that train, on a tiny model and a table of forty rows.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    sync::Mutex,
};

use candle_core::Device;
use serde_json::json;

use super::{super::REGISTRY, *};
use crate::{
    base::{device::DeviceId, digest::Digest, fs, node::Node, span::Span},
    data::{Import, Roles},
    model::{EncoderSpec, LayerShape},
    stage::{Artifact, Cancel, Lease, Progress, Record, StageSink},
};

/// Remembers what a stage said.
#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl StageSink for Notes {
    fn progress(&self, progress: Progress) {
        assert!(progress.done <= progress.total, "{progress:?}");
    }

    fn note(&self, text: String) {
        self.0.lock().unwrap().push(text);
    }
}

/// A folder with a model, a dataset, and what stages make of them.
struct Bench {
    dir: tempfile::TempDir,
    notes: Notes,
}

impl Bench {
    fn new(labelled: bool) -> Self {
        let bench = Self { dir: tempfile::tempdir().unwrap(), notes: Notes::default() };
        let words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad", "film", "plot", "the", "a", "end"];
        fs::create_dir(&bench.path("words")).unwrap();
        fs::write_atomic(&bench.path("words").join("vocab.txt"), (words.join("\n") + "\n").as_bytes()).unwrap();
        let spec = EncoderSpec {
            vocab_size: words.len(),
            max_positions: 16,
            initializer_range: 0.1,
            ..EncoderSpec::bert(16, 8, vec![LayerShape { heads: 2, intermediate_size: 32, reach: None }; 3])
        };
        let model = Model::init(spec, Head::None, 1, &Device::Cpu).unwrap();
        fs::create_dir(&bench.path("base")).unwrap();
        model.save(&bench.path("base"), &bench.path("words")).unwrap();

        let mut table = "text,label,split\n".to_owned();
        for row in 0..40 {
            let (word, label) = if row % 2 == 0 { ("good", "pos") } else { ("bad", "neg") };
            let split = if row % 5 == 4 { "validation" } else { "train" };
            let article = if row % 3 == 0 { "the" } else { "a" };
            writeln!(table, "{article} {word} film,{label},{split}").unwrap();
        }
        let csv = bench.path("table.csv");
        fs::write_atomic(&csv, table.as_bytes()).unwrap();
        let import = Import::by_column(Roles { text: "text".into(), pair: None, label: labelled.then(|| "label".into()), id: None }, "split");
        let (dataset, _) = import.read(&csv, "table.csv").unwrap();
        fs::create_dir(&bench.path("data")).unwrap();
        dataset.write(&bench.path("data")).unwrap();
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn artifact(&self, name: &str) -> Artifact {
        let kind = if name == "data" { ArtifactKind::Dataset } else { ArtifactKind::Model };
        Artifact {
            name: name.into(),
            stage: String::new(),
            kind,
            dir: self.path(name),
            digest: Digest::of(b""),
            inputs: Vec::new(),
            record: Record::default(),
        }
    }

    /// Runs a stage and leaves its output in a folder of that name.
    fn run(
        &self,
        name: &str,
        kind: &str,
        inputs: &[(&'static str, &str)],
        with: &serde_json::Value,
    ) -> Result<Record, String> {
        let spec = REGISTRY.get(kind).unwrap();
        let params = (spec.check)(&Node::from_json(with, Span::default())).map_err(|faults| format!("{faults:?}"))?;
        let inputs: Vec<_> = inputs.iter().map(|(port, artifact)| (*port, vec![self.artifact(artifact)])).collect();
        let output = self.path(name);
        fs::create_dir(&output).unwrap();
        let mut ctx = StageCtx {
            name,
            inputs: &inputs,
            output: &output,
            partial: None,
            lease: Lease { device: DeviceId::Cpu, threads: 1, exclusive: false },
            seed: 42,
            base_dir: self.dir.path(),
            program: Path::new("lmpipe"),
            cancel: &Cancel::default(),
            sink: &self.notes,
            run: None,
            record: Record::default(),
        };
        (spec.run)(&params, &mut ctx).map_err(|error| error.to_string())?;
        Ok(ctx.record)
    }

    fn model(&self, name: &str) -> Model {
        Model::load(&self.path(name), &Device::Cpu).unwrap()
    }
}

fn value(record: &Record, metric: &str) -> f64 {
    record.metric(metric).unwrap_or_else(|| panic!("{metric} in {record:?}")).value
}

const TRAINING: &str = r#"{"epochs": 6, "batch_size": 8, "learning_rate": 5e-3, "max_length": 16}"#;

fn training(more: &serde_json::Value) -> serde_json::Value {
    let mut params: serde_json::Value = serde_json::from_str(TRAINING).unwrap();
    for (key, value) in more.as_object().unwrap() {
        params[key] = value.clone();
    }
    params
}

#[test]
fn from_a_teacher_to_a_student_of_one_layer() {
    let bench = Bench::new(true);
    let record =
        bench.run("teacher", "finetune", &[("model", "base"), ("data", "data")], &training(&json!({}))).unwrap();
    assert_eq!(value(&record, "validation_accuracy"), 1.0);
    assert_eq!(record.warnings, [""; 0]);
    let names: Vec<_> = record.curves.iter().map(|curve| curve.name.as_str()).collect();
    assert_eq!(names, ["training loss", "validation accuracy", "validation loss"]);
    assert_eq!(record.curves[0].points.len(), 6 * 4);
    let labels = vec!["neg".to_owned(), "pos".to_owned()];
    assert_eq!(bench.model("teacher").head, Head::SequenceClassification { labels });
    assert!(bench.path("teacher").join("vocab.txt").is_file());
    let notes = bench.notes.0.lock().unwrap().join("\n");
    assert!(notes.contains("32 training rows, 5.0 tokens a row; 8 validation rows"), "{notes}");
    assert!(notes.contains("epoch 6/6: loss ") && notes.contains("validation accuracy 100.00 %"), "{notes}");

    let inputs = [("teacher", "teacher"), ("data", "data")];
    let with = training(&json!({"student": {"layers": [0, 2]}}));
    let record = bench.run("student", "distill", &inputs, &with).unwrap();
    assert_eq!(value(&record, "validation_accuracy"), 1.0);
    assert_eq!(bench.model("student").spec.n_layers(), 2);
    assert!(record.curves.iter().any(|curve| curve.name == "training loss: logits"));
    assert!(record.facts.contains(&("loss".into(), "0.5 logits + 0.5 hard".into())), "{:?}", record.facts);

    let inputs = [("model", "student"), ("data", "data")];
    let with = json!({"keep": {"last": 1}, "recover": training(&json!({"epochs": 2}))});
    let record = bench.run("slim", "reduce_layers", &inputs, &with).unwrap();
    assert_eq!(value(&record, "layers"), 1.0);
    assert!(value(&record, "validation_accuracy") >= value(&record, "accuracy_before_recovery"));
    assert_eq!(bench.model("slim").spec.n_layers(), 1);
}

#[test]
fn chunks_of_a_row_have_its_label() {
    let bench = Bench::new(true);
    let inputs = [("model", "base"), ("data", "data")];
    // A row is three words: two in a first chunk, one in a second.
    let with = training(&json!({"epochs": 1, "max_length": 4, "long_texts": {"chunks": {}}}));
    let record = bench.run("chunks", "finetune", &inputs, &with).unwrap();
    assert!(record.facts.contains(&("training rows".into(), "64".into())), "{:?}", record.facts);
    assert!(bench.notes.0.lock().unwrap().join("\n").contains("64 training rows, 3.5 tokens a row; 16 validation rows"));
    for (more, told) in [
        (json!({"max_length": 4, "long_texts": {"chunks": {"overlap": 3}}}), "overlap by half of that, not by 3"),
        (json!({"long_texts": {"chunks": {"most": 0}}}), "at least 1"),
        (json!({"task": {"extract": {"reference": "label"}}, "long_texts": {"chunks": {}}}), "scored together"),
    ] {
        let error = bench.run("no", "finetune", &inputs, &training(&more)).unwrap_err();
        assert!(error.contains(told), "{error}");
    }
}

#[test]
fn other_students_and_terms() {
    let bench = Bench::new(true);
    bench.run("teacher", "finetune", &[("model", "base"), ("data", "data")], &training(&json!({}))).unwrap();
    let inputs = [("teacher", "teacher"), ("data", "data")];
    let with = training(&json!({
        "epochs": 2,
        "student": {"config": {"num_hidden_layers": 1, "hidden_size": 8, "num_attention_heads": 1}},
        "loss": {"logits": 1.0, "hard": 0.0, "hidden": 0.1, "hidden_layers": 0.1, "attention": 0.1},
        "follow": [2],
    }));
    let record = bench.run("narrow", "distill", &inputs, &with).unwrap();
    assert_eq!(bench.model("narrow").spec.hidden_size, 8);
    assert_eq!(record.warnings, [""; 0]);
    assert_eq!(record.curves.iter().filter(|curve| curve.name.starts_with("training loss: ")).count(), 4);

    let wired = [("teacher", "teacher"), ("data", "data"), ("student", "base")];
    bench.run("wired", "distill", &wired, &training(&json!({"epochs": 1}))).unwrap();
    assert_eq!(bench.model("wired").head, bench.model("teacher").head);

    let record = bench.run(
        "lm",
        "finetune",
        &[("model", "base"), ("data", "data")],
        &training(&json!({"task": {"masked_lm": {"rate": 0.4}}})),
    );
    assert!(record.unwrap().metric("validation_accuracy").is_some());
    assert_eq!(bench.model("lm").head, Head::MaskedLm);

    let record = bench.run("cut", "reduce_layers", &[("model", "teacher")], &json!({"keep": {"every": 2}})).unwrap();
    assert_eq!((value(&record, "layers"), record.curves.len()), (2.0, 0));
}

#[test]
fn what_does_not_fit_is_told() {
    let bench = Bench::new(true);
    bench.run("teacher", "finetune", &[("model", "base"), ("data", "data")], &training(&json!({"epochs": 1}))).unwrap();
    let data = ("data", "data");
    let distill = [("teacher", "teacher"), data];
    let both = [("teacher", "teacher"), data, ("student", "base")];
    let layers = json!({"layers": [0]});
    let table = [
        ("finetune", &[("model", "base"), data][..], json!({"max_length": 64}), "set `max_length: 16`"),
        ("distill", &distill, json!({"max_length": 16}), "there is no student"),
        ("distill", &both, json!({"max_length": 16, "student": layers}), "given twice"),
        ("distill", &distill, json!({"max_length": 16, "student": {"layers": {"first": 9}}}), "has 3 layers"),
        ("distill", &[("teacher", "base"), data], json!({"max_length": 16, "student": layers}), "not a classifier"),
        (
            "distill",
            &distill,
            json!({"max_length": 16, "student": layers, "follow": [3], "loss": {"attention": 1.0}}),
            "`follow` is [3]",
        ),
        ("reduce_layers", &[("model", "base")], json!({"keep": [0], "recover": {}}), "`recover` needs training rows"),
        ("reduce_layers", &[("model", "base"), data], json!({"keep": [0]}), "is not a classifier"),
        ("reduce_layers", &[("model", "base")], json!({"keep": [3]}), "no layer 3"),
    ];
    for (index, (kind, inputs, with, part)) in table.into_iter().enumerate() {
        let error = bench.run(&format!("failed-{index}"), kind, inputs, &with).unwrap_err();
        assert!(error.contains(part), "{kind} {with}: {error}");
    }

    let unlabelled = Bench::new(false);
    let error = unlabelled.run("teacher", "finetune", &[("model", "base"), data], &training(&json!({}))).unwrap_err();
    assert!(error.contains("`data` has 0 labels to tell apart"), "{error}");
    let with = training(
        &json!({"student": {"layers": [0, 1]}, "epochs": 1, "loss": {"logits": 0.0, "hard": 0.0, "hidden": 1.0}}),
    );
    let record = unlabelled.run("student", "distill", &[("teacher", "base"), data], &with).unwrap();
    assert!(record.metric("validation_accuracy").is_none());
}

#[test]
fn faults_of_parameters_are_found_before_anything_runs() {
    let table = [
        ("finetune", json!({"epoch": 3}), "unknown parameter `epoch`"),
        ("finetune", json!({"learning_rate": 5}), "`learning_rate` must be above 0"),
        ("finetune", json!({"task": {"masked_lm": {"rate": 0.0}}}), "`rate` must be above 0"),
        ("finetune", json!({"schedule": "step"}), "`step` is not a choice here"),
        ("distill", json!({"temperature": 0.0}), "`temperature` must be between"),
        ("distill", json!({"loss": {"logits": 0.0, "hard": 0.0}}), "every weight is 0"),
        ("distill", json!({"loss": {"hard": -1.0}}), "`hard` must not be negative"),
        ("distill", json!({"loss": {"hidden_state": 1.0}}), "unknown key `hidden_state` in `loss`"),
        ("distill", json!({"follow": [0]}), "`follow` says nothing"),
        ("distill", json!({"student": {"layers": [2, 1]}}), "in order"),
        (
            "distill",
            json!({"student": {"config": {"num_hidden_layers": 0, "hidden_size": 10, "num_attention_heads": 3}}}),
            "do not divide",
        ),
        ("reduce_layers", json!({}), "`keep` is missing"),
        ("reduce_layers", json!({"keep": {"every": 0}}), "`every` must be at least 1"),
        ("reduce_layers", json!({"keep": [0], "recover": {"epochs": 0}}), "`epochs` must be at least 1"),
    ];
    for (kind, with, part) in table {
        let check = REGISTRY.get(kind).unwrap().check;
        let faults = check(&Node::from_json(&with, Span::default())).unwrap_err();
        assert!(faults.iter().any(|fault| fault.message.contains(part)), "{kind} {with}: {faults:?}");
    }
    for kind in ["finetune", "distill"] {
        let spec = REGISTRY.get(kind).unwrap();
        let filled = (spec.check)(&Node::from_json(&json!({}), Span::default())).unwrap();
        assert_eq!(
            (&filled["epochs"], &filled["learning_rate"], &filled["no_decay"][0]),
            (&json!(3), &json!(5e-5), &json!("bias"))
        );
        let schema = serde_json::to_string(&(spec.schema)()).unwrap();
        assert!(schema.contains("learning_rate") && schema.contains("How often each training row is seen"), "{schema}");
    }
}
