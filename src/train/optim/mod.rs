//! The list of optimisers; `trait Optimizer`.

mod adamw;

pub use adamw::{AdamW, AdamWOptions};

use std::collections::BTreeMap;

use candle_core::{Tensor, Var};

use super::{Gradients, TrainError};

/// Changes parameters after their gradients.
pub trait Optimizer {
    /// One update. Gradients are multiplied by `scale` first, so that clipping costs no pass of its own. A parameter
    /// without a gradient stays as it is.
    ///
    /// # Errors
    /// When a computation fails.
    fn update(&mut self, gradients: &Gradients, learning_rate: f64, scale: f64) -> Result<(), TrainError>;

    /// What it remembers of the gradients, by names of its own; [`Self::restore`] takes it back.
    ///
    /// # Errors
    /// When a tensor cannot be made.
    fn state(&self) -> Result<BTreeMap<String, Tensor>, TrainError>;

    /// Goes on after so many updates with what [`Self::state`] gave then; tensors of other names are left alone.
    ///
    /// # Errors
    /// When something is missing or has another shape; nothing is then restored.
    fn restore(&mut self, updates: usize, state: BTreeMap<String, Tensor>) -> Result<(), TrainError>;
}

/// A parameter as an optimiser knows it.
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Its value.
    pub var: Var,
    /// Whether weight decay applies to it.
    pub decay: bool,
}

/// Parameters in the order of their names; weight decay does not apply to names that contain one of `no_decay`.
#[must_use]
pub fn parameters(vars: &BTreeMap<String, Var>, no_decay: &[String]) -> Vec<Parameter> {
    vars.iter()
        .map(|(name, var)| Parameter {
            name: name.clone(),
            var: var.clone(),
            decay: !no_decay.iter().any(|part| name.contains(part.as_str())),
        })
        .collect()
}
