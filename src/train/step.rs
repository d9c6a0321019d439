//! Forward, loss, backward, update: one step.

use std::{borrow::Cow, collections::BTreeMap};

use candle_core::Var;

use super::{
    Examples, Gradients, Objective, Prepared, Scope, StepPoint, TrainError, TrainOptions, clip_scale, dropout_seed,
    optim::Optimizer, schedule,
};
use crate::{
    data::Batch,
    model::{Keep, Model, Packed, TrainingMemory},
};

/// Does the steps of a training.
pub(super) struct Stepper<'a> {
    pub(super) vars: &'a BTreeMap<String, Var>,
    /// Where the model puts gradients itself.
    pub(super) memory: &'a TrainingMemory,
    pub(super) optimizer: Box<dyn Optimizer>,
    pub(super) options: &'a TrainOptions,
    /// Steps of the whole training.
    pub(super) total: usize,
    /// Steps done.
    pub(super) step: usize,
    /// The loss of the step before.
    pub(super) last_loss: Option<f64>,
}

impl Stepper<'_> {
    /// One update from the batches of a group.
    pub(super) fn step(
        &mut self,
        model: &Model,
        objective: &dyn Objective,
        examples: &Examples,
        group: &[Batch],
    ) -> Result<StepPoint, TrainError> {
        let options = self.options;
        let prepared = group
            .iter()
            .enumerate()
            .map(|(part, batch)| objective.prepare(batch.clone(), examples, self.seed(part)))
            .collect::<Result<Vec<_>, _>>()?;
        let mut point = StepPoint { step: self.step + 1, ..StepPoint::default() };
        let gradients = self.gradients(model, objective, &prepared, &mut point)?;
        point.gradient_norm = gradients.norm()?;
        self.finite("gradient's norm", point.gradient_norm)?;
        if self.step == 0 {
            point.without_gradient = self.vars.keys().filter(|name| gradients.get(name).is_none()).cloned().collect();
        }
        let warmup = schedule::warmup_steps(options.warmup, self.total);
        point.learning_rate = options.learning_rate * options.schedule.share(self.step, warmup, self.total);
        self.optimizer.update(&gradients, point.learning_rate, clip_scale(point.gradient_norm, options.clip))?;
        self.step += 1;
        self.last_loss = Some(point.loss);
        Ok(point)
    }

    /// The gradient of the loss over all batches of an update, and the loss itself.
    fn gradients(
        &self,
        model: &Model,
        objective: &dyn Objective,
        prepared: &[Prepared],
        point: &mut StepPoint,
    ) -> Result<Gradients, TrainError> {
        let scope = Scope::of(prepared);
        let mut gradients = Gradients::default();
        self.memory.begin_step();
        for (part, prepared) in prepared.iter().enumerate() {
            let keep = Keep { dropout_seed: Some(self.seed(part)), ..objective.keep() };
            let output = model.forward(packed(prepared), keep)?;
            let loss = objective.loss(&output, prepared, &scope)?;
            // The graph holds what the backward pass needs of the output; the rest may go.
            drop(output);
            let value = f64::from(loss.total.to_scalar::<f32>()?);
            self.finite("loss", value)?;
            gradients.accumulate(self.vars, &mut loss.total.backward()?)?;
            point.loss += value;
            add_parts(&mut point.parts, loss.parts);
        }
        gradients.add(self.memory.gradients())?;
        Ok(gradients)
    }

    fn seed(&self, part: usize) -> u64 {
        dropout_seed(self.options.seed, self.step, part)
    }

    fn finite(&self, what: &'static str, value: f64) -> Result<(), TrainError> {
        if value.is_finite() {
            return Ok(());
        }
        Err(TrainError::NotFinite { step: self.step + 1, what, value, last: self.last_loss })
    }
}

/// A prepared batch as the model takes it.
pub(super) fn packed(prepared: &Prepared) -> Packed<'_> {
    let Batch { input_ids, type_ids, offsets, .. } = &prepared.batch;
    Packed { globals: prepared.globals.as_deref(), ..Packed::new(input_ids, type_ids, offsets) }
}

fn add_parts(sums: &mut Vec<(Cow<'static, str>, f64)>, parts: Vec<(&'static str, f64)>) {
    for (name, value) in parts {
        match sums.iter_mut().find(|(other, _)| *other == name) {
            Some((_, sum)) => *sum += value,
            None => sums.push((name.into(), value)),
        }
    }
}
