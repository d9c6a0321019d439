//! A tiny model, a tiny dataset and a stage context, for the tests of stages that measure and compress.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::{
    base::{device::DeviceId, digest::Digest, fs::write_atomic, node::Node, span::Span},
    data::{Import, Roles},
    stage::{
        Artifact, ArtifactKind, Cancel, Lease, Progress, Record, Stage, StageCtx, StageError, StageSink, StageSpec,
    },
};

/// A folder with a model and a dataset in it.
pub(in crate::stages) struct Rig {
    dir: tempfile::TempDir,
}

struct Silent;

impl StageSink for Silent {
    fn progress(&self, _progress: Progress) {}
    fn note(&self, _text: String) {}
}

impl Rig {
    /// A BERT of two layers, with a vocabulary of its own, and rows that it has an opinion on.
    pub(in crate::stages) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let model = dir.path().join("model");
        fs::create_dir(&model).unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/formats/fp32");
        for name in ["config.json", "model.safetensors"] {
            fs::copy(source.join(name), model.join(name)).unwrap();
        }
        let words: Vec<String> = (5..200).map(|id| format!("w{id}")).collect();
        let vocab = format!("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n{}\n", words.join("\n"));
        write_atomic(&model.join("vocab.txt"), vocab.as_bytes()).unwrap();
        let rig = Self { dir };
        rig.dataset("data", ["LABEL_0", "LABEL_1"]);
        rig
    }

    /// Writes a dataset with these labels.
    pub(in crate::stages) fn dataset(&self, name: &str, labels: [&str; 2]) {
        let mut csv = "text,label,split\n".to_owned();
        for row in 0..80_usize {
            let text: Vec<String> =
                (0..=row % 7).map(|word| format!("w{}", 5 + (row * 37 + word * 11) % 195)).collect();
            let split = ["train", "train", "validation", "test"][row % 4];
            csv += &[&text.join(" "), labels[row / 3 % 2], split].join(",");
            csv.push('\n');
        }
        let file = self.path("rows.csv");
        write_atomic(&file, csv.as_bytes()).unwrap();
        let import = Import::by_column(Roles { text: "text".into(), pair: None, label: Some("label".into()), id: None }, "split");
        let (dataset, _) = import.read(&file, name).unwrap();
        fs::create_dir(self.path(name)).unwrap();
        dataset.write(&self.path(name)).unwrap();
    }

    /// A path in the folder.
    pub(in crate::stages) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Runs a stage with artifacts of these folders, on one thread; its output is the folder `output`.
    pub(in crate::stages) fn run<S: Stage>(
        &self,
        params: &Value,
        inputs: &[(&'static str, &[&str])],
        output: &str,
    ) -> Result<Record, StageError> {
        let spec = StageSpec::of::<S>();
        let params = (spec.check)(&Node::from_json(params, Span::default()))
            .map_err(|faults| StageError::msg(format!("{faults:?}")))?;
        let artifact = |name: &str| Artifact {
            name: name.to_owned(),
            stage: "test".into(),
            kind: if self.path(name).join("dataset.json").exists() {
                ArtifactKind::Dataset
            } else {
                ArtifactKind::Model
            },
            dir: self.path(name),
            digest: Digest::of(name.as_bytes()),
            inputs: Vec::new(),
            record: Record::default(),
        };
        let inputs: Vec<(&'static str, Vec<Artifact>)> =
            inputs.iter().map(|(port, names)| (*port, names.iter().map(|name| artifact(name)).collect())).collect();
        let output = self.path(output);
        fs::create_dir_all(&output).unwrap();
        let cancel = Cancel::default();
        let mut ctx = StageCtx {
            name: "stage",
            inputs: &inputs,
            output: &output,
            partial: None,
            lease: Lease { device: DeviceId::Cpu, threads: 1, exclusive: true },
            seed: 7,
            base_dir: self.dir.path(),
            program: Path::new("lmpipe-that-is-not-there"),
            cancel: &cancel,
            sink: &Silent,
            run: None,
            record: Record::default(),
        };
        (spec.run)(&params, &mut ctx)?;
        Ok(ctx.record)
    }
}
