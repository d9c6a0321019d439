//! `report`: renders what a run found.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    evaluate::PREDICTIONS,
    profile::{self, PROFILE},
};
use crate::{
    base::fs,
    data,
    eval::Rouge,
    report::{self, Answers, Options, Report, Summary},
    stage::{Artifact, ArtifactKind, Faults, Port, RunView, Stage, StageCtx, StageError},
};

/// The file beside the scores of `summarize`: what it made of every text.
const SUMMARIES: &str = "summaries.arrow";

/// Parameters of a `report` stage.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// The heading; the recipe's name unless given.
    #[serde(default)]
    title: Option<String>,
    /// The model that the others are compared with; unless given, the first that was finetuned, or else the one that the
    /// others come from.
    #[serde(default)]
    baseline: Option<String>,
    /// The model that the headline is about; unless given, the one that most gates ask about, or else the last.
    #[serde(default)]
    subject: Option<String>,
}

/// Renders what a run found.
pub(super) struct ReportStage;

impl Stage for ReportStage {
    const KIND: &'static str = "report";
    const VERSION: u32 = 5;
    const ABOUT: &'static str = "renders what a run found: a page, a comment, numbers and test results";
    const INPUTS: &'static [Port] = &[Port::scores("scores").many()];
    const OUTPUT: ArtifactKind = ArtifactKind::Report;
    const SEES_RUN: bool = true;
    type Params = Params;

    fn check(params: &Params, faults: &mut Faults) {
        let Params { title, baseline, subject } = params;
        for (name, value) in [("title", title), ("baseline", baseline), ("subject", subject)] {
            if value.as_ref().is_some_and(|value| value.trim().is_empty()) {
                faults.at(name, format!("`{name}` must not be empty")).help("leave it out for the default");
            }
        }
    }

    fn run(params: &Params, ctx: &mut StageCtx<'_>) -> Result<(), StageError> {
        let Params { title, baseline, subject } = params.clone();
        let options = Options { title, baseline, subject };
        let nothing = RunView::default();
        let answers = answers(ctx.many("scores"))?;
        let report = Report::gather(ctx.run.unwrap_or(&nothing), ctx.many("scores"), &answers, &options);
        for asked in [&params.baseline, &params.subject].into_iter().flatten() {
            if report.model(asked).is_none() {
                let models: Vec<_> = report.models.iter().map(|model| model.name.as_str()).collect();
                return Err(StageError::msg(unknown_model(asked, &models)));
            }
        }
        for output in report::render(&report)? {
            fs::write_atomic(&ctx.output.join(output.name), &output.bytes)?;
        }
        ctx.sink.note(report.headline.clone());
        ctx.record.fact("headline", report.headline);
        Ok(())
    }
}

/// What stages leave row by row beside their scores: right answers of `evaluate`, texts of `summarize`; and what `profile` found.
fn answers(scores: &[Artifact]) -> Result<Answers, StageError> {
    let mut answers = Answers::default();
    for artifact in scores {
        let summaries = artifact.dir.join(SUMMARIES);
        if summaries.is_file() {
            answers.summaries.insert(artifact.name.clone(), scored(artifact, &summaries)?);
        }
        let found = artifact.dir.join(PROFILE);
        if found.is_file() {
            let stored = serde_json::from_slice(&fs::read(&found)?).map_err(|error| {
                StageError::from(error).context(format!("`{}` is not what a profile is", found.display()))
            })?;
            answers.data.insert(artifact.name.clone(), profile::shown(&artifact.name, &stored));
        }
        let path = artifact.dir.join(PREDICTIONS);
        if !path.is_file() {
            continue;
        }
        let [ids, labels, predicted] = data::read_texts(&path, ["id", "label", "predicted"])?;
        let n_rows = ids.len();
        let right = labels.iter().zip(&predicted).map(|(label, predicted)| label == predicted);
        let rows: BTreeMap<_, _> = ids.into_iter().zip(right).collect();
        // Rows without an id of their own cannot be told apart.
        if rows.len() == n_rows {
            answers.right.insert(artifact.name.clone(), rows);
        }
    }
    Ok(answers)
}

/// The summaries of a stage with their ROUGE-1, computed as the stage did; none where ids do not tell texts apart.
fn scored(artifact: &Artifact, path: &Path) -> Result<Vec<Summary>, StageError> {
    let [ids, references, leads, texts] = data::read_texts(path, ["id", "reference", "lead", "summary"])?;
    if ids.iter().collect::<BTreeSet<_>>().len() != ids.len() {
        return Ok(Vec::new());
    }
    let is_plain = artifact.record.facts.iter().any(|(name, text)| name == "ROUGE" && text == "F1");
    let rouge = Rouge { stem: !is_plain };
    let rows: Vec<_> = ids.into_iter().zip(references).zip(leads.into_iter().zip(texts)).collect();
    let score = |((id, reference), (lead, text)): ((String, String), (String, String))| {
        let [lead_score, score] = [&lead, &text].map(|text| rouge.score(&reference, text).rouge1.f1);
        Summary { id, reference, lead, text, score, lead_score }
    };
    Ok(rows.into_par_iter().map(score).collect())
}

fn unknown_model(asked: &str, models: &[&str]) -> String {
    let help = crate::base::suggest::help(asked, models).map_or_else(String::new, |help| format!("; {help}"));
    format!("the scores of this report have no model `{asked}`{help}")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::*;
    use crate::{
        data::Column,
        base::{device::DeviceId, digest::Digest, node::Node, span::Span},
        stage::{Better, Cancel, Lease, Metric, Progress, Record, StageSink, StageSpec, Unit},
    };

    struct Silent;

    impl StageSink for Silent {
        fn progress(&self, _: Progress) {}
        fn note(&self, _: String) {}
    }

    fn score(dir: &Path, model: &str, right: u32) -> Artifact {
        let dir = dir.join(model);
        fs::create_dir(&dir).unwrap();
        let texts = |text: fn(u32, u32) -> String| Column::Texts((0..100).map(|row| text(row, right)).collect());
        let columns = vec![
            ("id", texts(|row, _| row.to_string())),
            ("label", texts(|_, _| "good".to_owned())),
            ("predicted", texts(|row, right| if row < right { "good" } else { "bad" }.to_owned())),
        ];
        data::write_table(&dir.join(PREDICTIONS), columns).unwrap();
        let accuracy = f64::from(right) / 100.0;
        let mut record = Record::default();
        record.metrics.push(Metric::new("accuracy", accuracy, Unit::Share, Better::Higher));
        Artifact {
            name: format!("scores@{model}"),
            stage: "evaluate".into(),
            kind: ArtifactKind::Scores,
            dir,
            digest: Digest::of(model.as_bytes()),
            inputs: vec![("model".into(), vec![model.into()])],
            record,
        }
    }

    fn run(params: &serde_json::Value) -> Result<Vec<String>, String> {
        let spec = StageSpec::of::<ReportStage>();
        let params =
            (spec.check)(&Node::from_json(params, Span::default())).map_err(|faults| faults[0].message.clone())?;
        let (output, store) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let scores = vec![score(store.path(), "teacher", 86), score(store.path(), "int8", 84)];
        let mut ctx = StageCtx {
            name: "report",
            inputs: &[("scores", scores)],
            output: output.path(),
            partial: None,
            lease: Lease { device: DeviceId::Cpu, threads: 1, exclusive: false },
            seed: 42,
            base_dir: output.path(),
            program: output.path(),
            cancel: &Cancel::default(),
            sink: &Silent,
            run: None,
            record: Record::default(),
        };
        (spec.run)(&params, &mut ctx).map_err(|error| error.to_string())?;
        let (_, headline) = ctx.record.facts[0].clone();
        let mut files: Vec<_> = std::fs::read_dir(output.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        files.sort();
        files.push(headline);
        Ok(files)
    }

    #[test]
    fn it_writes_every_format() {
        let found = run(&json!({"title": "Mobile"})).unwrap();
        assert_eq!(found[..5], ["bench.json", "index.html", "junit.xml", "metrics.json", "report.md"]);
        assert_eq!(
            found[5],
            "Against teacher, the int8 model shows no significant difference in accuracy (−2.0 points)."
        );
        let found = run(&json!({"baseline": "int8"})).unwrap();
        assert_eq!(
            found[5],
            "Against int8, the teacher model shows no significant difference in accuracy (+2.0 points)."
        );
        let found = run(&json!({"subject": "teacher"})).unwrap();
        assert_eq!(found[5], "The teacher model reaches 86.00 % accuracy.");
    }

    #[test]
    fn faults_are_told() {
        assert_eq!(run(&json!({"title": " "})).unwrap_err(), "`title` must not be empty");
        assert_eq!(
            run(&json!({"baseline": "techer"})).unwrap_err(),
            "the scores of this report have no model `techer`; did you mean `teacher`?"
        );
        let error = run(&json!({"subject": "int4"})).unwrap_err();
        assert_eq!(error, "the scores of this report have no model `int4`; did you mean `int8`?");
    }
}
