//! `TrainObserver`: what a trainer tells its caller, and how the caller stops it.

use super::Quality;

/// A step that was done.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepEvent {
    /// The step, from 1.
    pub step: usize,
    /// Steps of the whole training.
    pub total: usize,
    /// The epoch, from 1.
    pub epoch: usize,
    /// Epochs of the whole training.
    pub epochs: usize,
    /// The loss of the step's rows.
    pub loss: f64,
    /// The learning rate of the step.
    pub learning_rate: f64,
}

/// An epoch that was done.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EpochEvent {
    /// The epoch, from 1.
    pub epoch: usize,
    /// Epochs of the whole training.
    pub epochs: usize,
    /// The mean loss of the epoch's steps.
    pub loss: f64,
    /// How good the model is on the validation split, where there is one.
    pub validation: Option<Quality>,
}

/// Whoever watches a training. `()` watches nothing.
pub trait TrainObserver {
    /// A step was done.
    fn on_step(&mut self, _event: &StepEvent) {}
    /// An epoch was done and evaluated.
    fn on_epoch(&mut self, _event: &EpochEvent) {}
    /// Something happened that is worth a line: it goes on from a checkpoint.
    fn on_note(&mut self, _text: &str) {}
    /// Whether to stop; asked before each step and each batch of an evaluation.
    fn should_stop(&self) -> bool {
        false
    }
}

impl TrainObserver for () {}
