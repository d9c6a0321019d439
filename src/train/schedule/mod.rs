//! The list of schedules: the learning rate of a step, as a share of the highest.

mod constant;
mod cosine;
mod linear;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the learning rate goes on after the warm-up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// Down to 0 in a straight line.
    #[default]
    Linear,
    /// As it is.
    Constant,
    /// Down to 0 along half a cosine.
    Cosine,
}

impl Schedule {
    /// The share of the highest learning rate that a step has.
    ///
    /// `step` counts from 0. The first `warmup` steps go up in a straight line from 0, so the first step has none; the
    /// step after the last would have none either. This is `get_linear_schedule_with_warmup` of `transformers`.
    #[must_use]
    pub fn share(self, step: usize, warmup: usize, total: usize) -> f64 {
        if step < warmup {
            return step as f64 / warmup as f64;
        }
        let done = (step - warmup) as f64 / total.saturating_sub(warmup).max(1) as f64;
        match self {
            Self::Linear => linear::share(done),
            Self::Constant => constant::share(done),
            Self::Cosine => cosine::share(done),
        }
    }
}

/// The steps of a warm-up that is a share of all steps, as `transformers` rounds them: up.
#[must_use]
pub fn warmup_steps(share: f64, total: usize) -> usize {
    ((share * total as f64).ceil() as usize).min(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_transformers() {
        // get_{linear,constant,cosine}_schedule_with_warmup(optimizer, 4, 12)
        let table = [
            (Schedule::Linear, 0, 0.0),
            (Schedule::Linear, 3, 0.75),
            (Schedule::Linear, 4, 1.0),
            (Schedule::Linear, 8, 0.5),
            (Schedule::Linear, 11, 0.125),
            (Schedule::Linear, 12, 0.0),
            (Schedule::Constant, 1, 0.25),
            (Schedule::Constant, 11, 1.0),
            (Schedule::Cosine, 2, 0.5),
            (Schedule::Cosine, 4, 1.0),
            (Schedule::Cosine, 8, 0.5),
            (Schedule::Cosine, 10, 0.146_446_6),
        ];
        for (schedule, step, expected) in table {
            let share = schedule.share(step, 4, 12);
            assert!((share - expected).abs() < 1e-6, "{schedule:?} step {step}: {share} instead of {expected}");
        }
        assert_eq!(warmup_steps(0.1, 789), 79);
        assert_eq!(warmup_steps(0.0, 789), 0);
        assert_eq!(Schedule::Linear.share(0, 0, 1), 1.0);
    }
}
