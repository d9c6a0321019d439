//! Trains models: epochs, steps, evaluation, the best state kept.

mod checkpoint;
mod error;
mod evaluate;
mod examples;
mod extract;
mod grad;
pub mod loss;
mod masked_lm;
mod objective;
mod observer;
pub mod optim;
mod options;
mod report;
pub mod schedule;
mod step;
#[cfg(test)]
pub(crate) mod tests;

pub use checkpoint::Checkpoints;
pub use error::TrainError;
pub use evaluate::evaluate;
pub use examples::Examples;
pub use extract::{Extract, Sentences};
pub use grad::{Gradients, clip_scale};
pub use masked_lm::MaskedLm;
pub use objective::{Counts, CrossEntropy, Loss, Objective, Prepared, Quality, Scope, logits};
pub use observer::{EpochEvent, StepEvent, TrainObserver};
pub use options::{KeepEpoch, TrainOptions};
pub use report::{EpochPoint, StepPoint, TrainReport};

use std::collections::BTreeMap;

use candle_core::{Tensor, Var};

use crate::{
    base::rng,
    data::{Order, batches},
    model::{Model, TrainingMemory},
};
use checkpoint::{Keeper, Progress};
use optim::{AdamW, AdamWOptions};
use step::Stepper;

/// What a model is trained and chosen on.
#[derive(Clone, Copy, Debug)]
pub struct TrainData<'a> {
    /// The rows that it learns from.
    pub train: &'a Examples,
    /// The rows that the best epoch is chosen on; without them the last epoch is kept.
    pub validation: Option<&'a Examples>,
}

/// Trains a model in place and leaves it in its best state: that of the epoch with the highest validation accuracy, of
/// equal ones the earliest; of the last epoch where nothing can be validated.
///
/// On the CPU, the same model, data, options and seed give the same bits, whatever the number of threads, and however often
/// it was interrupted and went on from a checkpoint.
///
/// # Errors
/// When there is nothing to train on, the loss leaves the numbers (the step is named), the observer stops it, or a
/// computation fails. The model is then in the state of the last step.
pub fn train(
    model: &mut Model,
    data: TrainData<'_>,
    objective: &dyn Objective,
    options: &TrainOptions,
    observer: &mut dyn TrainObserver,
) -> Result<TrainReport, TrainError> {
    options.check(data.train)?;
    let vars = model.trainable()?;
    let dropout = (model.spec.hidden_dropout, model.spec.attention_dropout);
    if let Some(rate) = options.dropout {
        (model.spec.hidden_dropout, model.spec.attention_dropout) = (rate, rate);
    }
    let memory = model.collect_gradients();
    if options.gradient_checkpointing {
        memory.recompute();
        if !(model.spec.has_plain_layers() && model.device.is_cpu()) {
            observer.on_note(
                "`gradient_checkpointing` does nothing for these layers on this device: they keep what they compute",
            );
        }
    }
    let result = run(model, &vars, &memory, data, objective, options, observer);
    model.stop_collecting();
    // Whatever happened: outside of training, the parameters are plain tensors that record no graph.
    for (name, var) in vars {
        model.params.insert(name, var.as_detached_tensor());
    }
    (model.spec.hidden_dropout, model.spec.attention_dropout) = dropout;
    result
}

fn run(
    model: &mut Model,
    model_vars: &BTreeMap<String, Var>,
    memory: &TrainingMemory,
    data: TrainData<'_>,
    objective: &dyn Objective,
    options: &TrainOptions,
    observer: &mut dyn TrainObserver,
) -> Result<TrainReport, TrainError> {
    let mut vars = model_vars.clone();
    vars.extend(objective.variables().into_iter().map(|(name, var)| (format!("objective.{name}"), var)));
    let parameters = optim::parameters(&vars, &options.no_decay);
    let adamw = AdamWOptions { weight_decay: options.weight_decay, ..AdamWOptions::default() };
    let updates = data.train.len().div_ceil(options.batch_size).div_ceil(options.accumulate);
    let mut stepper = Stepper {
        vars: &vars,
        memory,
        optimizer: Box::new(AdamW::new(parameters, adamw)?),
        options,
        total: updates * options.epochs,
        step: 0,
        last_loss: None,
    };
    let mut keeper = options.checkpoints.as_ref().map(Keeper::new);
    let mut progress = take_up(&mut keeper, &mut stepper, updates, observer);
    let course = Course { model, model_vars, data, objective, options, updates };
    let result = course.run(&mut stepper, &mut keeper, &mut progress, observer);
    if let (Err(TrainError::Stopped), Some(keeper)) = (&result, &mut keeper) {
        write(keeper, &stepper, &progress, observer);
    }
    result?;
    if let Some((_, state)) = progress.best {
        for (name, tensor) in state {
            model_vars[&name].set(&tensor)?;
        }
    }
    Ok(TrainReport { parameters: model.n_parameters(), steps: stepper.total, ..progress.report })
}

/// Goes on from a checkpoint where there is one that can be trusted, and begins anew elsewhere.
fn take_up(
    keeper: &mut Option<Keeper<'_>>,
    stepper: &mut Stepper<'_>,
    updates: usize,
    observer: &mut dyn TrainObserver,
) -> Progress {
    let Some(keeper) = keeper else { return Progress::default() };
    match keeper.resume(stepper.vars, &mut *stepper.optimizer, updates) {
        Ok(None) => Progress::default(),
        Ok(Some(progress)) => {
            stepper.step = progress.report.curve.len();
            observer.on_note(&format!("goes on behind step {} of {}", stepper.step, stepper.total));
            stepper.last_loss = progress.report.curve.last().map(|point| point.loss);
            progress
        }
        Err(why) => {
            observer.on_note(&format!("begins anew, as its checkpoint cannot be used: {why}"));
            Progress::default()
        }
    }
}

/// Writes a checkpoint. A training does not end because there is no room for one.
fn write(keeper: &mut Keeper<'_>, stepper: &Stepper<'_>, progress: &Progress, observer: &mut dyn TrainObserver) {
    if let Err(error) = keeper.write(stepper.vars, &*stepper.optimizer, progress) {
        observer.on_note(&format!("no checkpoint was written, and the training goes on: {error}"));
    }
}

/// The epochs of a training.
struct Course<'a> {
    model: &'a Model,
    model_vars: &'a BTreeMap<String, Var>,
    data: TrainData<'a>,
    objective: &'a dyn Objective,
    options: &'a TrainOptions,
    /// Steps of an epoch.
    updates: usize,
}

impl Course<'_> {
    /// Goes through what is left of it.
    fn run(
        &self,
        stepper: &mut Stepper<'_>,
        keeper: &mut Option<Keeper<'_>>,
        progress: &mut Progress,
        observer: &mut dyn TrainObserver,
    ) -> Result<(), TrainError> {
        let Self { data, options, updates, .. } = *self;
        for epoch in progress.report.epochs.len() + 1..=options.epochs {
            let first = (epoch - 1) * updates;
            let order = Order::Shuffled { seed: options.seed, epoch: epoch as u64 - 1 };
            let batches = batches(&data.train.encodings, options.batch_size, order);
            for group in batches.chunks(options.accumulate).skip(stepper.step - first) {
                if observer.should_stop() {
                    return Err(TrainError::Stopped);
                }
                let point = stepper.step(self.model, self.objective, data.train, group)?;
                observer.on_step(&StepEvent {
                    step: point.step,
                    total: stepper.total,
                    epoch,
                    epochs: options.epochs,
                    loss: point.loss,
                    learning_rate: point.learning_rate,
                });
                if point.step == 1 {
                    progress.report.without_gradient.clone_from(&point.without_gradient);
                }
                progress.report.curve.push(point);
                if let Some(keeper) = keeper.as_mut().filter(|keeper| keeper.is_due(stepper.step)) {
                    write(keeper, stepper, progress, observer);
                }
            }
            self.end_epoch(epoch, first, progress, observer)?;
        }
        Ok(())
    }

    /// Evaluates what an epoch has made of the model, and keeps it when it is the best.
    fn end_epoch(
        &self,
        epoch: usize,
        first: usize,
        progress: &mut Progress,
        observer: &mut dyn TrainObserver,
    ) -> Result<(), TrainError> {
        let Self { options, .. } = *self;
        let Progress { report, best, .. } = progress;
        let losses = &report.curve[first..];
        let loss = losses.iter().map(|point| point.loss).sum::<f64>() / losses.len().max(1) as f64;
        let validation = match self.data.validation {
            Some(examples) => evaluate(self.model, examples, self.objective, options.seed, observer)?,
            None => None,
        };
        observer.on_epoch(&EpochEvent { epoch, epochs: options.epochs, loss, validation });
        report.epochs.push(EpochPoint { epoch, loss, validation });
        match validation.filter(|_| options.keep == KeepEpoch::Best) {
            Some(quality) if best.as_ref().is_none_or(|(accuracy, _)| quality.accuracy > *accuracy) => {
                report.best_epoch = epoch;
                // After the last epoch the model itself is the copy.
                let state = if epoch < options.epochs { copy(self.model_vars)? } else { BTreeMap::new() };
                *best = Some((quality.accuracy, state));
            }
            Some(_) => {}
            None => report.best_epoch = epoch,
        }
        Ok(())
    }
}

fn copy(vars: &BTreeMap<String, Var>) -> Result<BTreeMap<String, Tensor>, TrainError> {
    vars.iter().map(|(name, var)| Ok((name.clone(), var.as_detached_tensor().copy()?))).collect()
}

/// The seed of the dropout of a batch: `update` counts from 0 through all epochs, `part` through the batches of an
/// update.
fn dropout_seed(seed: u64, update: usize, part: usize) -> u64 {
    use rand::RngCore;
    rng::item_stream(seed, "dropout", ((update as u64) << 20) | part as u64).next_u64()
}
