//! `finetune`: trains a model on a task.

pub(super) mod extract;
pub(super) mod params;
#[cfg(test)]
mod tests;
pub(super) mod training;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    data::{LongTexts, Tokenizer},
    model::{self, Head, Model, ModelError},
    stage::{ArtifactKind, Faults, Port, Stage, StageCtx, StageError},
    text::summary::Words,
    train::{self, CrossEntropy, Examples, Extract, MaskedLm, Objective},
};
use params::training_params;
use training::{Corpus, Watch, check_length, write_record};

training_params! {
    /// Parameters of a `finetune` stage.
    pub(super) struct Params {
        epochs: 3;
        /// What is learned: `classification` of the label column, `{masked_lm: {rate: 0.15}}`, or `{extract: {reference:
        /// abstract}}`.
        task: Task = Task::Classification,
        /// What is done with rows of more than `max_length` tokens: `cut`, or `{chunks: {overlap: 0}}`, each of which then has
        /// the label of the whole row.
        #[serde(skip_serializing_if = "super::evaluate::is_cut")]
        long_texts: LongTexts = LongTexts::Cut,
    }
}

/// What is learned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Task {
    /// The label of each row.
    Classification,
    /// Tokens that were hidden, whatever the labels: the further pretraining of a masked language model.
    MaskedLm {
        /// Share of the tokens to guess.
        #[serde(default = "default_rate")]
        rate: f64,
    },
    /// Which sentences of a text make its summary: those that a greedy choice by ROUGE takes to come close to a reference. Each
    /// sentence has a token of its own, which sees the whole text in a Longformer, and the mean of what is said of its tokens
    /// counts; the stage `summarize` takes the model. The
    /// validation accuracy is the share of these sentences that the model ranks highest, as many as there are.
    Extract {
        /// The column with a summary that somebody wrote.
        reference: String,
        /// The language of the words, by its code.
        #[serde(default = "english")]
        language: String,
    },
}

fn english() -> String {
    "en".to_owned()
}

fn default_rate() -> f64 {
    0.15
}

pub(super) struct Finetune;

impl Stage for Finetune {
    const KIND: &'static str = "finetune";
    const VERSION: u32 = 2;
    const ABOUT: &'static str = "trains a model on a task";
    const INPUTS: &'static [Port] = &[Port::model("model"), Port::dataset("data")];
    const OUTPUT: ArtifactKind = ArtifactKind::Model;
    const COMPUTES: bool = true;
    type Params = Params;

    fn check(params: &Params, faults: &mut Faults) {
        params.training().check("", faults);
        if let Task::MaskedLm { rate } = params.task
            && !(rate > 0.0 && rate <= 1.0)
        {
            let message = format!("`rate` must be above 0 and at most 1, not {rate}");
            faults.at("task.masked_lm.rate", message).help("BERT was trained with 0.15");
        }
        if let Some((path, message)) = params.long_texts.fault(params.max_length) {
            faults.at(path, message);
        }
        if matches!(params.task, Task::Extract { .. }) && params.long_texts != LongTexts::Cut {
            faults.at("long_texts", "the sentences of a text are scored together, not in chunks").help("`long_texts: cut`");
        }
    }

    fn run(params: &Params, ctx: &mut StageCtx<'_>) -> Result<(), StageError> {
        let training = params.training();
        let (parent, data) = (ctx.input("model")?, ctx.input("data")?);
        let model = Model::load(&parent.dir, &model::candle_device(ctx.lease.device)?)?;
        check_length(&model, &parent.dir, training.max_length)?;
        let tokenizer = Tokenizer::for_model(&parent.dir, model.spec.vocab_size)?;
        let corpus = match &params.task {
            Task::Extract { reference, language } => {
                let words = Words::of(language);
                let examples = |dataset: &_, split| {
                    extract::examples(dataset, split, &tokenizer, training.max_length, reference, &words)
                };
                Corpus::of(ctx, data, examples)?
            }
            _ => Corpus::of(ctx, data, |dataset, split| {
                Ok(Examples::of(dataset, split, &tokenizer, training.max_length, params.long_texts)?)
            })?,
        };
        let (mut model, objective): (Model, Box<dyn Objective>) = match &params.task {
            Task::Classification => {
                if corpus.labels.len() < 2 {
                    return Err(StageError::msg(format!(
                        "`{}` has {} to tell apart; name its label column with `label:`, or train without labels with \
                         `task: {{masked_lm: {{}}}}`",
                        data.name,
                        crate::base::plural::count(corpus.labels.len(), "label")
                    )));
                }
                let objective = CrossEntropy { label_smoothing: training.label_smoothing };
                (model.with_classifier(&corpus.labels, ctx.seed)?, Box::new(objective))
            }
            Task::Extract { .. } => {
                let labels = extract::LABELS.map(str::to_owned);
                let has_globals = model.spec.global_projections;
                let objective = Extract { has_globals, label_smoothing: training.label_smoothing };
                (model.with_token_classifier(&labels, ctx.seed)?, Box::new(objective))
            }
            &Task::MaskedLm { rate } => {
                let mask_id = tokenizer
                    .mask_id()
                    .ok_or_else(|| StageError::msg(format!("the tokenizer of `{}` has no mask token", parent.name)))?;
                let vocab_size = model.spec.vocab_size;
                let objective = MaskedLm { rate, mask_id, vocab_size, label_smoothing: training.label_smoothing };
                (with_masked_lm_head(model, ctx.seed)?, Box::new(objective))
            }
        };
        let options = training.options(ctx);
        let report = train::train(&mut model, corpus.data(), &*objective, &options, &mut Watch::new(ctx))?;
        model.save(ctx.output, &parent.dir)?;
        write_record(&mut ctx.record, &report);
        ctx.record.fact("training rows", crate::base::units::thousands(corpus.train.len() as u64));
        Ok(())
    }
}

/// The same encoder with a masked-LM head: its own, or a fresh one.
fn with_masked_lm_head(model: Model, seed: u64) -> Result<Model, ModelError> {
    if model.head == Head::MaskedLm {
        return Ok(model);
    }
    let spec = model::EncoderSpec { pooler: false, ..model.spec.clone() };
    let mut fresh = model.init_alike(spec, Head::MaskedLm, seed)?;
    for (name, tensor) in model.params {
        if fresh.params.contains_key(&name) {
            fresh.params.insert(name, tensor);
        }
    }
    Ok(fresh)
}
