//! The parameters that all stages which train have, written once.

use crate::{
    stage::{Faults, StageCtx},
    train::{Checkpoints, TrainOptions, schedule::Schedule},
};

/// Declares the parameters of a stage that trains: its own, and those of training.
///
/// `serde(flatten)` would lose the place of what is wrong, so the fields are written out by this macro.
macro_rules! training_params {
    (
        $(#[$meta:meta])*
        $vis:vis struct $Name:ident {
            epochs: $epochs:literal;
            $($(#[$field_meta:meta])* $field:ident: $Type:ty = $default:expr,)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[serde(default, deny_unknown_fields)]
        $vis struct $Name {
            $($(#[$field_meta])* $vis $field: $Type,)*
            /// How often each training row is seen.
            $vis epochs: usize,
            /// Rows of a forward pass.
            $vis batch_size: usize,
            /// Forward passes whose gradients make one update.
            $vis accumulate: usize,
            /// `true` keeps only what each layer starts from and computes the rest again for the backward pass: less memory, a
            /// third more time, the same result. For layers of BERT's kind on the CPU.
            #[serde(skip_serializing_if = "std::ops::Not::not")]
            $vis gradient_checkpointing: bool,
            /// The highest learning rate.
            $vis learning_rate: f64,
            /// Share of all steps in which the learning rate goes up from 0.
            $vis warmup: f64,
            /// How the learning rate goes on after the warm-up: `linear` (down to 0), `constant` or `cosine`.
            $vis schedule: $crate::train::schedule::Schedule,
            /// Weight decay of AdamW.
            $vis weight_decay: f64,
            /// Weight decay does not apply to parameters whose name contains one of these; `[]` decays all.
            $vis no_decay: Vec<String>,
            /// The highest norm of an update's gradient; 0 for no limit.
            $vis clip: f64,
            /// Dropout rate in training, instead of the model's own.
            #[serde(skip_serializing_if = "Option::is_none")]
            $vis dropout: Option<f64>,
            /// Which epoch is kept: the `best` by validation accuracy, or the `last`.
            $vis keep_epoch: $crate::train::KeepEpoch,
            /// Share of each label that is spread over all labels.
            $vis label_smoothing: f64,
            /// Rows are cut to this many tokens.
            $vis max_length: usize,
        }

        impl Default for $Name {
            fn default() -> Self {
                let $crate::stages::finetune::params::Training { options, label_smoothing, max_length } =
                    $crate::stages::finetune::params::Training::default();
                Self {
                    $($field: $default,)*
                    epochs: $epochs,
                    batch_size: options.batch_size,
                    accumulate: options.accumulate,
                    gradient_checkpointing: options.gradient_checkpointing,
                    learning_rate: options.learning_rate,
                    warmup: options.warmup,
                    schedule: options.schedule,
                    weight_decay: options.weight_decay,
                    no_decay: options.no_decay,
                    clip: options.clip,
                    dropout: options.dropout,
                    keep_epoch: options.keep,
                    label_smoothing,
                    max_length,
                }
            }
        }

        impl $Name {
            /// The parameters of training among them.
            $vis fn training(&self) -> $crate::stages::finetune::params::Training {
                $crate::stages::finetune::params::Training {
                    options: $crate::train::TrainOptions {
                        epochs: self.epochs,
                        batch_size: self.batch_size,
                        accumulate: self.accumulate,
                        gradient_checkpointing: self.gradient_checkpointing,
                        learning_rate: self.learning_rate,
                        warmup: self.warmup,
                        schedule: self.schedule,
                        weight_decay: self.weight_decay,
                        no_decay: self.no_decay.clone(),
                        clip: self.clip,
                        dropout: self.dropout,
                        keep: self.keep_epoch,
                        seed: 0,
                        checkpoints: None,
                    },
                    label_smoothing: self.label_smoothing,
                    max_length: self.max_length,
                }
            }
        }
    };
}
pub(in crate::stages) use training_params;

training_params! {
    /// Training that repairs what was taken away.
    pub(in crate::stages) struct Recover {
        epochs: 1;
    }
}

/// The parameters of training, whatever the stage.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::stages) struct Training {
    /// What the trainer takes; the seed is the run's.
    pub(in crate::stages) options: TrainOptions,
    /// Share of each label that is spread over all labels.
    pub(in crate::stages) label_smoothing: f64,
    /// Rows are cut to this many tokens.
    pub(in crate::stages) max_length: usize,
}

impl Default for Training {
    fn default() -> Self {
        let options = TrainOptions { schedule: Schedule::Linear, ..TrainOptions::default() };
        Self { options, label_smoothing: 0.0, max_length: 128 }
    }
}

impl Training {
    /// Checks the ranges; `prefix` is `""`, or `recover.` for parameters that stand below `recover`.
    pub(in crate::stages) fn check(&self, prefix: &str, faults: &mut Faults) {
        let path = |name: &str| format!("{prefix}{name}");
        let options = &self.options;
        faults.at_least(&path("epochs"), options.epochs, 1);
        faults.at_least(&path("batch_size"), options.batch_size, 1);
        faults.at_least(&path("accumulate"), options.accumulate, 1);
        faults.at_least(&path("max_length"), self.max_length, 3);
        faults.within(&path("warmup"), options.warmup, 0.0, 1.0);
        faults.within(&path("weight_decay"), options.weight_decay, 0.0, 1.0);
        if !(options.learning_rate > 0.0 && options.learning_rate <= 1.0) {
            let message = format!("`learning_rate` must be above 0 and at most 1, not {}", options.learning_rate);
            faults.at(path("learning_rate"), message).help("encoders are trained with 1.0e-5 to 1.0e-4");
        }
        if options.clip < 0.0 {
            let message = format!("`clip` must not be negative, not {}", options.clip);
            faults.at(path("clip"), message).help("0 does not clip");
        }
        for (name, value) in [("dropout", options.dropout.unwrap_or(0.0)), ("label_smoothing", self.label_smoothing)] {
            if !(0.0..1.0).contains(&value) {
                faults.at(path(name), format!("`{name}` must be at least 0 and below 1, not {value}"));
            }
        }
    }

    /// The trainer's options, with the seed of the run, and where it leaves checkpoints.
    pub(in crate::stages) fn options(&self, ctx: &StageCtx<'_>) -> TrainOptions {
        let checkpoints = ctx.partial.map(|partial| Checkpoints {
            folder: partial.dir.join("training"),
            every: partial.every,
        });
        TrainOptions { seed: ctx.seed, checkpoints, ..self.options.clone() }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        base::{node::Node, span::Span},
        stage::decode,
    };

    #[test]
    fn defaults_and_overrides() {
        let node = Node::from_json(&json!({"epochs": 2, "no_decay": [], "schedule": "cosine"}), Span::default());
        let recover: Recover = decode(&node).unwrap();
        assert_eq!((recover.epochs, recover.schedule, recover.batch_size), (2, Schedule::Cosine, 32));
        assert!(recover.no_decay.is_empty());
        assert_eq!(Recover::default().epochs, 1);
        assert_eq!(Recover::default().no_decay, ["bias", "LayerNorm"]);
        let node = Node::from_json(&json!({"epoch": 2}), Span::default());
        assert_eq!(decode::<Recover>(&node).unwrap_err()[0].help.as_deref(), Some("did you mean `epochs`?"));
    }

    #[test]
    fn ranges() {
        let faulty = Recover {
            epochs: 0,
            learning_rate: 0.0,
            warmup: 1.5,
            clip: -1.0,
            dropout: Some(1.0),
            max_length: 2,
            ..Recover::default()
        };
        let mut faults = Faults::default();
        faulty.training().check("recover.", &mut faults);
        let told = format!("{faults:?}");
        for name in ["epochs", "learning_rate", "warmup", "clip", "dropout", "max_length"] {
            assert!(told.contains(&format!("recover.{name}")), "{name} in {told}");
        }
        let mut faults = Faults::default();
        Recover::default().training().check("", &mut faults);
        assert_eq!(format!("{faults:?}"), "Faults([])");
    }
}
