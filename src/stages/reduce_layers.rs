//! `reduce_layers`: keeps some of a model's layers.

mod layers;

pub(super) use layers::Layers;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::finetune::{
    params::{Recover, Training},
    training::{Corpus, Watch, check_length, write_record},
};
use crate::{
    base::{plural, units},
    compress,
    data::Tokenizer,
    model::{self, Head, Model},
    stage::{ArtifactKind, Better, Faults, Port, Stage, StageCtx, StageError, Unit},
    train::{self, CrossEntropy},
};

/// Parameters of a `reduce_layers` stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// The layers to keep: a list of numbers from 0, `{every: 2}`, `{first: 3}` or `{last: 3}`.
    keep: Layers,
    /// Training that follows, on the data of the port `data`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    recover: Option<Recover>,
}

pub(super) struct ReduceLayers;

impl Stage for ReduceLayers {
    const KIND: &'static str = "reduce_layers";
    const VERSION: u32 = 1;
    const ABOUT: &'static str = "keeps some of a model's layers";
    const INPUTS: &'static [Port] = &[Port::model("model"), Port::dataset("data").optional()];
    const OUTPUT: ArtifactKind = ArtifactKind::Model;
    const COMPUTES: bool = true;
    type Params = Params;

    fn check(params: &Params, faults: &mut Faults) {
        params.keep.check("keep", faults);
        if let Some(recover) = &params.recover {
            recover.training().check("recover.", faults);
        }
    }

    fn check_wires(params: &Params, wired: &[&str], faults: &mut Faults) {
        if params.recover.is_some() && !wired.contains(&"data") {
            faults
                .at("recover", "`recover` needs training rows")
                .help("wire a dataset to the port `data`: `in: {model: …, data: …}`");
        }
    }

    fn run(params: &Params, ctx: &mut StageCtx<'_>) -> Result<(), StageError> {
        let parent = ctx.input("model")?;
        let dir = parent.dir.clone();
        let whole = Model::load(&dir, &model::candle_device(ctx.lease.device)?)?;
        let kept = params.keep.0.resolve(whole.spec.n_layers())?;
        let mut model = compress::layers::keep_layers(&whole, &kept)?;
        let n_layers = whole.spec.n_layers();
        drop(whole);
        ctx.sink.note(format!("kept {} of {}: {kept:?}", kept.len(), plural::count(n_layers, "layer")));
        if let Some(data) = ctx.optional("data").cloned() {
            let training = params.recover.as_ref().map(Recover::training);
            let max_length = training.as_ref().map_or(Training::default().max_length, |t| t.max_length);
            let max_length = if training.is_some() { max_length } else { max_length.min(model.spec.max_positions) };
            check_length(&model, &dir, max_length)?;
            let tokenizer = Tokenizer::for_model(&dir, model.spec.vocab_size)?;
            let corpus = Corpus::open(ctx, &data, &tokenizer, max_length)?;
            let Head::SequenceClassification { labels } = model.head.clone() else {
                return Err(StageError::msg(format!(
                    "`data` is wired, but `{}` is not a classifier whose layers could be judged or recovered on it",
                    ctx.input("model")?.name
                )));
            };
            let corpus = corpus.relabel(&labels)?;
            let objective =
                CrossEntropy { label_smoothing: training.as_ref().map_or(0.0, |training| training.label_smoothing) };
            if let Some(validation) = &corpus.validation {
                let watch = Watch::new(ctx);
                let quality = train::evaluate(&model, validation, &objective, ctx.seed, &watch)?;
                if let Some(quality) = quality {
                    let name = if training.is_some() { "accuracy_before_recovery" } else { "validation_accuracy" };
                    ctx.metric(name, quality.accuracy, Unit::Share, Better::Higher);
                }
            }
            if let Some(training) = training {
                let options = training.options(ctx);
                let watch = &mut Watch::new(ctx);
                let report = train::train(&mut model, corpus.data(), &objective, &options, watch)?;
                write_record(&mut ctx.record, &report);
            }
        }
        model.save(ctx.output, &dir)?;
        if ctx.record.metric("parameters").is_none() {
            ctx.metric("parameters", model.n_parameters() as f64, Unit::Count, Better::Lower);
        }
        ctx.metric("layers", kept.len() as f64, Unit::Count, Better::Neither);
        let kept: Vec<String> = kept.iter().map(ToString::to_string).collect();
        ctx.record.fact("layers kept", format!("{} of {}", kept.join(", "), units::thousands(n_layers as u64)));
        Ok(())
    }
}
