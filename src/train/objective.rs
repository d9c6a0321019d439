//! `Objective`: what a training makes small, and the objective of fine-tuning.

use std::collections::BTreeMap;

use candle_core::{Tensor, Var};

use super::{Examples, TrainError, loss};
use crate::{
    data::Batch,
    model::{Keep, Output},
};

/// What a training makes small.
///
/// The loss of an update is defined over all its rows; with gradient accumulation a batch gives its share of it. A term
/// therefore sums over its batch and divides by the [`Scope`] of the update, so that accumulating equals the big batch.
pub trait Objective {
    /// What the model's forward pass must keep for [`Self::loss`]; `dropout_seed` is the trainer's.
    fn keep(&self) -> Keep {
        Keep::default()
    }

    /// Variables of the objective's own that are trained along (a projection), by name.
    fn variables(&self) -> BTreeMap<String, Var> {
        BTreeMap::new()
    }

    /// Makes a batch ready: gives it its targets, and may change its tokens. `seed` differs from batch to batch in
    /// training and is the same for the same batch in each evaluation.
    ///
    /// # Errors
    /// When the data lacks what the objective needs.
    fn prepare(&self, batch: Batch, examples: &Examples, _seed: u64) -> Result<Prepared, TrainError> {
        Ok(Prepared::by_label(batch, examples))
    }

    /// The share of a batch in the loss of an update.
    ///
    /// # Errors
    /// When a computation fails.
    fn loss(&self, output: &Output, prepared: &Prepared, scope: &Scope) -> Result<Loss, TrainError>;

    /// How good the model is on a batch: by default, how often the largest logit is the target's.
    ///
    /// # Errors
    /// When a computation fails.
    fn quality(&self, output: &Output, prepared: &Prepared) -> Result<Counts, TrainError> {
        Counts::of(output, prepared)
    }
}

/// A batch with its targets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prepared {
    /// The tokens that the model sees.
    pub batch: Batch,
    /// The right answers: label numbers or token ids; none when the data is not labelled.
    pub targets: Vec<u32>,
    /// Which rows of the logits the targets belong to; all of them in order where this is `None`.
    pub positions: Option<Vec<u32>>,
    /// The tokens that all see where attention has windows; the model's own where this is `None`.
    pub globals: Option<Vec<usize>>,
}

impl Prepared {
    /// A batch with the labels of its rows.
    #[must_use]
    pub fn by_label(batch: Batch, examples: &Examples) -> Self {
        let targets = examples
            .labels
            .as_ref()
            .map(|labels| batch.rows.iter().map(|&row| labels[row]).collect())
            .unwrap_or_default();
        Self { batch, targets, ..Self::default() }
    }

    /// The logits that the targets belong to, `[targets, classes]`.
    ///
    /// # Errors
    /// When the model has no head, or a computation fails.
    pub fn logits(&self, output: &Output) -> Result<Tensor, TrainError> {
        let logits = logits(output)?;
        Ok(match &self.positions {
            None => logits.clone(),
            Some(positions) => logits.index_select(&Tensor::new(positions.as_slice(), logits.device())?, 0)?,
        })
    }
}

/// The logits of a model with a head.
///
/// # Errors
/// When it has none.
pub fn logits(output: &Output) -> Result<&Tensor, TrainError> {
    output.logits.as_ref().ok_or_else(|| TrainError::Unfit("the model has no head that gives logits".into()))
}

/// What an update is made of: all batches whose gradients are accumulated for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Rows.
    pub rows: usize,
    /// Tokens.
    pub tokens: usize,
    /// Pairs of tokens of the same row: `Σ len²`.
    pub pairs: usize,
    /// Targets.
    pub targets: usize,
}

impl Scope {
    /// The scope of some batches.
    #[must_use]
    pub fn of(batches: &[Prepared]) -> Self {
        let mut scope = Self::default();
        for Prepared { batch, targets, .. } in batches {
            scope.rows += batch.rows.len();
            scope.tokens += batch.input_ids.len();
            scope.pairs += batch.offsets.windows(2).map(|ends| (ends[1] - ends[0]).pow(2)).sum::<usize>();
            scope.targets += targets.len();
        }
        scope
    }
}

/// A loss and what it is made of.
pub struct Loss {
    /// What is made small: a scalar with its graph.
    pub total: Tensor,
    /// Its parts by name, before their weights; one part where there is one.
    pub parts: Vec<(&'static str, f64)>,
}

/// What an evaluation counts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counts {
    /// Right answers.
    pub right: usize,
    /// All answers.
    pub all: usize,
    /// The sum of the targets' cross entropies, in nats.
    pub cross_entropy: f64,
    /// All targets: as many as answers, unless an objective counts answers otherwise.
    pub targets: usize,
}

/// How good a model is.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Quality {
    /// Share of right answers.
    pub accuracy: f64,
    /// Mean cross entropy, in nats.
    pub loss: f64,
}

impl Counts {
    /// The counts of a batch. The first of equal logits wins.
    ///
    /// # Errors
    /// When the model has no head, or a computation fails.
    pub fn of(output: &Output, prepared: &Prepared) -> Result<Self, TrainError> {
        if prepared.targets.is_empty() {
            return Ok(Self::default());
        }
        Ok(Self::of_logits(&prepared.logits(output)?.to_vec2::<f32>()?, &prepared.targets))
    }

    /// The counts of logits, `[targets, classes]`.
    pub(super) fn of_logits(logits: &[Vec<f32>], targets: &[u32]) -> Self {
        let n = targets.len();
        let mut counts = Self { all: n, targets: n, ..Self::default() };
        for (logits, &target) in logits.iter().zip(targets) {
            let (best, max) = argmax(logits);
            counts.right += usize::from(best == target as usize);
            let sum: f64 = logits.iter().map(|x| f64::from(x - max).exp()).sum();
            counts.cross_entropy += sum.ln() + f64::from(max) - f64::from(logits[target as usize]);
        }
        counts
    }

    /// Adds the counts of another batch.
    pub fn add(&mut self, other: Self) {
        self.right += other.right;
        self.all += other.all;
        self.cross_entropy += other.cross_entropy;
        self.targets += other.targets;
    }

    /// The shares; `None` where nothing was counted.
    #[must_use]
    pub fn quality(self) -> Option<Quality> {
        (self.all > 0).then(|| Quality {
            accuracy: self.right as f64 / self.all as f64,
            loss: self.cross_entropy / self.targets.max(1) as f64,
        })
    }
}

/// The place and the value of the first largest number.
fn argmax(values: &[f32]) -> (usize, f32) {
    values.iter().copied().enumerate().fold(
        (0, f32::NEG_INFINITY),
        |best, (index, value)| {
            if value > best.1 { (index, value) } else { best }
        },
    )
}

/// Fine-tuning: the cross entropy of the targets.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CrossEntropy {
    /// The share of each target that is spread over all classes (Szegedy et al., 2016, §7).
    pub label_smoothing: f64,
}

impl CrossEntropy {
    /// The share of logits, `[targets, classes]`, in the loss of an update.
    pub(super) fn of(self, logits: &Tensor, targets: &[u32], scope: &Scope) -> Result<Loss, TrainError> {
        let total = (loss::cross_entropy(logits, targets, self.label_smoothing)? / scope.targets as f64)?;
        let value = f64::from(total.to_scalar::<f32>()?);
        Ok(Loss { total, parts: vec![("cross entropy", value)] })
    }

    /// That of a batch in which there is nothing to learn.
    pub(super) fn of_nothing(output: &Output) -> Result<Loss, TrainError> {
        let total = Tensor::new(0.0_f32, output.last_hidden_state.device())?;
        Ok(Loss { total, parts: vec![("cross entropy", 0.0)] })
    }
}

impl Objective for CrossEntropy {
    fn loss(&self, output: &Output, prepared: &Prepared, scope: &Scope) -> Result<Loss, TrainError> {
        if prepared.targets.is_empty() {
            if prepared.positions.is_none() {
                return Err(TrainError::Unfit("the data has no labels to learn from".into()));
            }
            // A batch of empty texts has nothing to guess.
            return Self::of_nothing(output);
        }
        self.of(&prepared.logits(output)?, &prepared.targets, scope)
    }
}
