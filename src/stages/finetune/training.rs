//! What all stages that train do around the training: read the data, tell how far they are, write the record.

use std::path::Path;

use crate::{
    base::{plural, units},
    data::{Dataset, LongTexts, Split, Tokenizer},
    model::Model,
    stage::{Artifact, Better, Cancel, Curve, Metric, Progress, Record, StageCtx, StageError, StageSink, Unit},
    train::{EpochEvent, Examples, Quality, StepEvent, TrainData, TrainObserver, TrainReport},
};

/// Points of a curve in a record.
const POINTS: usize = 400;

/// A dataset, tokenised once for the whole training.
pub(in crate::stages) struct Corpus {
    /// The labels of the dataset; none where it is not labelled.
    pub(in crate::stages) labels: Vec<String>,
    /// The rows to learn from.
    pub(in crate::stages) train: Examples,
    /// The rows to choose the best epoch on.
    pub(in crate::stages) validation: Option<Examples>,
}

impl Corpus {
    /// Reads a dataset and tokenises it with the tokenizer of a model directory; longer rows are cut.
    pub(in crate::stages) fn open(
        ctx: &StageCtx<'_>,
        data: &Artifact,
        tokenizer: &Tokenizer,
        max_length: usize,
    ) -> Result<Self, StageError> {
        let cut = LongTexts::Cut;
        Self::of(ctx, data, |dataset, split| Ok(Examples::of(dataset, split, tokenizer, max_length, cut)?))
    }

    /// Reads a dataset and makes examples of each of its splits.
    pub(in crate::stages) fn of(
        ctx: &StageCtx<'_>,
        data: &Artifact,
        examples_of: impl Fn(&Dataset, Split) -> Result<Examples, StageError>,
    ) -> Result<Self, StageError> {
        let dataset = Dataset::open(&data.dir)?;
        if !dataset.splits.contains_key(&Split::Train) {
            return Err(StageError::msg(format!("`{}` has no training split to learn from", data.name)));
        }
        let examples = |split| -> Result<Examples, StageError> {
            ctx.check_cancelled()?;
            examples_of(&dataset, split)
        };
        let train = examples(Split::Train)?;
        let validation = if dataset.splits.contains_key(&Split::Validation) {
            Some(examples(Split::Validation)?).filter(|examples| !examples.is_empty())
        } else {
            None
        };
        let tokens: usize = train.encodings.iter().map(|encoding| encoding.ids.len()).sum();
        ctx.sink.note(format!(
            "{} training rows, {:.1} tokens a row; {}",
            units::thousands(train.len() as u64),
            tokens as f64 / train.len().max(1) as f64,
            match &validation {
                Some(examples) => format!("{} validation rows", units::thousands(examples.len() as u64)),
                None => "no validation rows, so the last epoch is kept".to_owned(),
            }
        ));
        let labels = if dataset.meta.roles.label.is_some() { dataset.meta.labels.clone() } else { Vec::new() };
        Ok(Self { labels, train, validation })
    }

    /// The same rows with the labels numbered as a model numbers them.
    pub(in crate::stages) fn relabel(self, model_labels: &[String]) -> Result<Self, StageError> {
        let relabel = |examples: Examples| examples.relabel(&self.labels, model_labels);
        let (train, validation) = (relabel(self.train)?, self.validation.map(relabel).transpose()?);
        Ok(Self { labels: model_labels.to_vec(), train, validation })
    }

    /// The same rows without labels.
    pub(in crate::stages) fn without_labels(mut self) -> Self {
        self.labels.clear();
        self.train.labels = None;
        if let Some(validation) = &mut self.validation {
            validation.labels = None;
        }
        self
    }

    /// As the trainer takes it.
    pub(in crate::stages) fn data(&self) -> TrainData<'_> {
        TrainData { train: &self.train, validation: self.validation.as_ref() }
    }
}

/// Checks that rows of a length fit a model.
pub(in crate::stages) fn check_length(model: &Model, dir: &Path, max_length: usize) -> Result<(), StageError> {
    let positions = model.spec.max_positions;
    if max_length <= positions {
        return Ok(());
    }
    Err(StageError::msg(format!(
        "`max_length` is {max_length}, but the model in `{}` has {positions} positions; set `max_length: {positions}`",
        dir.display()
    )))
}

/// Passes a training's news on to the run, and the run's stop signal to the training.
pub(in crate::stages) struct Watch<'a> {
    sink: &'a dyn StageSink,
    cancel: &'a Cancel,
}

impl<'a> Watch<'a> {
    /// Watches a training of a stage.
    pub(in crate::stages) fn new(ctx: &StageCtx<'a>) -> Self {
        Self { sink: ctx.sink, cancel: ctx.cancel }
    }
}

impl TrainObserver for Watch<'_> {
    fn on_step(&mut self, event: &StepEvent) {
        self.sink.progress(Progress {
            done: event.step as u64,
            total: event.total as u64,
            unit: "step",
            message: format!("epoch {}/{} · loss {:.3}", event.epoch, event.epochs, event.loss),
        });
    }

    fn on_epoch(&mut self, event: &EpochEvent) {
        let quality = match event.validation {
            Some(quality) => format!(", validation accuracy {}", Unit::Share.show(quality.accuracy)),
            None => String::new(),
        };
        self.sink.note(format!("epoch {}/{}: loss {:.3}{quality}", event.epoch, event.epochs, event.loss));
    }

    fn on_note(&mut self, text: &str) {
        self.sink.note(text.to_owned());
    }

    fn should_stop(&self) -> bool {
        self.cancel.is_cancelled()
    }
}

/// Writes what a training was like into a record.
pub(in crate::stages) fn write_record(record: &mut Record, report: &TrainReport) {
    let mut curve = |name: String, x: &str, points: Vec<[f64; 2]>| {
        if !points.is_empty() {
            record.curves.push(Curve { name, x: x.to_owned(), of: None, is_log: false, points });
        }
    };
    curve("training loss".into(), "step", report.loss_curve(POINTS));
    for (part, points) in report.part_curves(POINTS) {
        curve(format!("training loss: {part}"), "step", points);
    }
    let by_epoch = |value: fn(Quality) -> f64| -> Vec<[f64; 2]> {
        let points = report.epochs.iter().filter_map(|point| Some([point.epoch as f64, value(point.validation?)]));
        points.collect()
    };
    curve("validation accuracy".into(), "epoch", by_epoch(|quality| quality.accuracy));
    curve("validation loss".into(), "epoch", by_epoch(|quality| quality.loss));
    if let Some(quality) = report.best() {
        let metrics = [
            Metric::new("validation_accuracy", quality.accuracy, Unit::Share, Better::Higher),
            Metric::new("validation_loss", quality.loss, Unit::Number, Better::Lower),
        ];
        record.metrics.extend(metrics);
    }
    let counts = [("best_epoch", report.best_epoch, Better::Neither), ("parameters", report.parameters, Better::Lower)];
    record.metrics.extend(counts.map(|(name, n, better)| Metric::new(name, n as f64, Unit::Count, better)));
    record.fact("best epoch", format!("{} of {}", report.best_epoch, report.epochs.len()));
    record.fact("steps", units::thousands(report.steps as u64));
    if !report.without_gradient.is_empty() {
        record.warnings.push(format!(
            "{} did not change, because the loss does not depend on them: {}",
            plural::count(report.without_gradient.len(), "parameter"),
            plural::list(&report.without_gradient)
        ));
    }
}
