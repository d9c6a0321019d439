//! `prune`: removes the weights, heads and neurons that matter least.

mod vocabulary;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::finetune::{
    params::training_params,
    training::{Corpus, Watch, check_length, write_record},
};
use crate::{
    base::{plural, rng, units},
    compress::{
        modules,
        prune::{self, Guided, Importance, Masked, Masks, surgery},
        verify,
    },
    data::{Dataset, LongTexts, Rows, Split, Tokenizer},
    eval::{self, LabelMap, RunOptions},
    model::{self, Head, Model, Quantized},
    runtime::Executor,
    stage::{Artifact, ArtifactKind, Better, Faults, Port, Progress, Stage, StageCtx, StageError, Unit},
    train::{self, CrossEntropy, Objective},
};

/// Parameters of `prune`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// Single weights to set to zero; the tensors keep their shapes.
    #[serde(default)]
    weights: Option<Weights>,
    /// Share of all attention heads to remove for good, 0 to 1; every layer keeps one. Needs `data`.
    #[serde(default)]
    heads: f64,
    /// Share of each layer's feed-forward neurons to remove for good, 0 to 1. Needs `data`.
    #[serde(default)]
    neurons: f64,
    /// Tokens to remove for good: those that the training split has not. Needs `data`.
    #[serde(default)]
    vocabulary: Option<vocabulary::Used>,
    /// The number of neurons that stay is a multiple of this.
    #[serde(default = "multiple_of")]
    multiple_of: usize,
    /// Rows of the training split that heads and neurons are weighed on.
    #[serde(default = "samples")]
    samples: usize,
    /// Tokens a row, special ones included; longer rows are cut.
    #[serde(default = "max_length")]
    max_length: usize,
    /// Training afterwards, in which what was removed stays removed. Needs `data`.
    #[serde(default)]
    recover: Option<Recover>,
}

/// Which single weights go.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Weights {
    /// Share of the weights that go, 0 to 1.
    sparsity: f64,
    /// Where the smallest weights are looked for.
    #[serde(default)]
    scope: Scope,
    /// What makes a weight matter.
    #[serde(default)]
    method: Method,
    /// Linear layers to prune, by name (`output.dense`, `bert.encoder.layer.0.*`) or regular expression
    /// (`re:.*layer\.[01]\.`); all of the encoder when empty.
    #[serde(default)]
    targets: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Scope {
    /// Among all targets together, as `torch.nn.utils.prune.global_unstructured`.
    #[default]
    Global,
    /// In each layer by itself, as `torch.nn.utils.prune.l1_unstructured`.
    Layer,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Method {
    /// The smallest absolute values go first.
    #[default]
    L1,
}

training_params! {
    /// Training after pruning.
    pub(super) struct Recover {
        epochs: 1;
        /// Softens the logits of the `teacher`, where one is wired.
        temperature: f64 = 2.0,
        /// Share of the loss that the `teacher` has, where one is wired; the labels have the rest.
        teacher_weight: f64 = 0.7,
    }
}

fn multiple_of() -> usize {
    8
}
fn samples() -> usize {
    512
}
fn max_length() -> usize {
    128
}
/// The stage.
pub(super) struct Prune;

impl Stage for Prune {
    const KIND: &'static str = "prune";
    const VERSION: u32 = 3;
    const ABOUT: &'static str = "removes the weights, heads and neurons that matter least";
    const INPUTS: &'static [Port] =
        &[Port::model("model"), Port::dataset("data").optional(), Port::model("teacher").optional()];
    const OUTPUT: ArtifactKind = ArtifactKind::Model;
    const COMPUTES: bool = true;
    type Params = Params;

    fn check(params: &Params, faults: &mut Faults) {
        faults.within("heads", params.heads, 0.0, 1.0);
        faults.within("neurons", params.neurons, 0.0, 1.0);
        faults.at_least("multiple_of", params.multiple_of, 1);
        faults.at_least("samples", params.samples, 1);
        faults.at_least("max_length", params.max_length, 3);
        let is_nothing = params.heads == 0.0 && params.neurons == 0.0;
        if is_nothing && params.weights.is_none() && params.vocabulary.is_none() {
            faults
                .at("", "nothing to prune: none of `weights`, `heads`, `neurons` and `vocabulary` is given")
                .help("`heads: 0.25` removes a quarter of the heads, `weights: {sparsity: 0.5}` half of the weights");
        }
        if let Some(used) = &params.vocabulary {
            used.check(faults);
        }
        if let Some(weights) = &params.weights {
            faults.within("weights.sparsity", weights.sparsity, 0.0, 1.0);
            for (i, target) in weights.targets.iter().enumerate() {
                if let Some(message) = modules::fault(target) {
                    faults.at(format!("weights.targets[{i}]"), message);
                }
            }
        }
        if let Some(recover) = &params.recover {
            recover.training().check("recover.", faults);
            faults.within("recover.temperature", recover.temperature, 0.01, 1000.0);
            faults.within("recover.teacher_weight", recover.teacher_weight, 0.0, 1.0);
        }
    }

    fn check_wires(params: &Params, wired: &[&str], faults: &mut Faults) {
        let uses = [
            ("heads", params.heads > 0.0),
            ("neurons", params.neurons > 0.0),
            ("vocabulary", params.vocabulary.is_some()),
            ("recover", params.recover.is_some()),
        ];
        for (name, _) in uses.iter().filter(|(_, used)| *used && !wired.contains(&"data")) {
            faults
                .at(*name, format!("`{name}` needs training rows"))
                .help("wire a dataset to the port `data`: `in: {model: …, data: …}`");
        }
        if wired.contains(&"teacher") && params.recover.is_none() {
            faults
                .at("", "a `teacher` is wired, but there is no `recover` for it to guide")
                .help("add `recover: {}`, or leave `teacher` out");
        }
    }

    fn run(params: &Params, ctx: &mut StageCtx<'_>) -> Result<(), StageError> {
        let artifact = ctx.input("model")?.clone();
        let structured = params.heads > 0.0 || params.neurons > 0.0;
        let data = ctx.optional("data").cloned();
        let mut model = Model::load(&artifact.dir, &model::candle_device(ctx.lease.device)?)?;
        if model.quantized != Quantized::No {
            return Err(StageError::msg(format!("`{}` is quantised; prune first, then quantise", artifact.name)));
        }
        if params.heads > 0.0 {
            surgery::check_heads_can_go(&model)?;
        }
        let before = (model.n_parameters(), model.spec.clone());
        if structured && let Some(data) = &data {
            let importance = importance(ctx, params, &artifact, &mut model, &Dataset::open(&data.dir)?)?;
            remove(ctx, params, &mut model, &importance)?;
        }
        let mut masks = Masks::default();
        if let Some(weights) = &params.weights {
            masks = mask(&model, weights)?;
            masks.apply(&mut model)?;
        }
        if let (Some(recover), Some(data)) = (&params.recover, &data) {
            self::recover(ctx, recover, &artifact, &mut model, data, &masks)?;
        }
        // The last step: until here texts are tokenised as before, by a teacher too.
        let tokenizer = tempfile::tempdir().map_err(|error| StageError::msg(error.to_string()))?;
        let mut tokenizer_dir = artifact.dir.as_path();
        if let (Some(used), Some(data)) = (&params.vocabulary, &data) {
            vocabulary::prune(used, ctx, &mut model, &artifact.dir, &Dataset::open(&data.dir)?, tokenizer.path())?;
            tokenizer_dir = tokenizer.path();
        }
        model.save(ctx.output, tokenizer_dir)?;
        verify::read_back(&model, ctx.output)?;
        report(ctx, &model, before)
    }
}

fn importance(
    ctx: &StageCtx<'_>,
    params: &Params,
    artifact: &Artifact,
    model: &mut Model,
    dataset: &Dataset,
) -> Result<Importance, StageError> {
    let tokenizer = Tokenizer::for_model(&artifact.dir, model.spec.vocab_size)?;
    let map = LabelMap::new(&artifact.name, &model.head, &dataset.meta.labels)?;
    let mut rows = dataset.rows(Split::Train)?;
    let Some(labels) = rows.labels.take() else {
        return Err(StageError::msg("heads and neurons are weighed by the loss, and the dataset has no label column"));
    };
    let mut chosen: Vec<usize> = (0..rows.texts.len()).collect();
    rng::shuffle(&mut rng::stream(ctx.seed, "prune samples"), &mut chosen);
    chosen.truncate(params.samples);
    chosen.sort_unstable();
    let pick = |texts: &[String]| chosen.iter().map(|&row| texts[row].clone()).collect::<Vec<_>>();
    let picked =
        Rows { texts: pick(&rows.texts), pairs: rows.pairs.as_deref().map(pick), labels: None, ids: pick(&rows.ids) };
    let encodings = tokenizer.encode(&picked, params.max_length.min(model.spec.max_positions))?;
    let labels: Vec<u32> = chosen.iter().map(|&row| map.to_model(labels[row])).collect();
    let total = labels.len() as u64;
    ctx.sink.note(format!("weighing heads and neurons on {}", plural::count(labels.len(), "training row")));
    Ok(prune::measure(model, &encodings, &labels, |done| {
        ctx.sink.progress(Progress { done: done as u64, total, unit: "row", message: "importance".into() });
        !ctx.cancel.is_cancelled()
    })?)
}

fn remove(
    ctx: &mut StageCtx<'_>,
    params: &Params,
    model: &mut Model,
    importance: &Importance,
) -> Result<(), StageError> {
    if params.heads > 0.0 {
        let kept = prune::choose_heads(importance, params.heads);
        let all: usize = model.spec.layers.iter().map(|layer| layer.heads).sum();
        let left: usize = kept.iter().map(Vec::len).sum();
        surgery::keep_heads(model, &kept)?;
        ctx.record.fact("heads", format!("{left} of {all} are left"));
        if left < all {
            ctx.record.fact(
                "opens in",
                "transformers 4 as it is; transformers 5 no longer reads `pruned_heads` and cannot open fewer heads",
            );
        }
    }
    if params.neurons > 0.0 {
        let width = model.spec.layers.first().map_or(0, |layer| layer.intermediate_size);
        let kept = prune::choose_neurons(importance, params.neurons, params.multiple_of)?;
        surgery::keep_neurons(model, &kept)?;
        let left = model.spec.layers.first().map_or(0, |layer| layer.intermediate_size);
        ctx.record.fact("neurons", format!("{left} of {width} in each layer are left"));
        if left == width {
            ctx.record.warnings.push(format!(
                "no neuron was removed: {} of {width} rounds to all of them in steps of {}",
                params.neurons, params.multiple_of
            ));
        }
    }
    Ok(())
}

fn mask(model: &Model, weights: &Weights) -> Result<Masks, StageError> {
    let targets = match weights.targets.as_slice() {
        [] => modules::encoder_modules(model),
        targets => modules::select(targets, &modules::linear_modules(model))?,
    };
    let scope = match weights.scope {
        Scope::Global => prune::Scope::Global,
        Scope::Layer => prune::Scope::Layer,
    };
    match weights.method {
        Method::L1 => Ok(prune::smallest(model, &targets, weights.sparsity, scope)?),
    }
}

fn recover(
    ctx: &mut StageCtx<'_>,
    recover: &Recover,
    artifact: &Artifact,
    model: &mut Model,
    data: &Artifact,
    masks: &Masks,
) -> Result<(), StageError> {
    let Head::SequenceClassification { labels } = model.head.clone() else {
        return Err(StageError::msg(format!("`recover` trains a classifier, and `{}` has none", artifact.name)));
    };
    let training = recover.training();
    check_length(model, &artifact.dir, training.max_length)?;
    let tokenizer = Tokenizer::for_model(&artifact.dir, model.spec.vocab_size)?;
    let corpus = Corpus::open(ctx, data, &tokenizer, training.max_length)?.relabel(&labels)?;
    let objective: Box<dyn Objective> = match ctx.optional("teacher").cloned() {
        Some(teacher) => Box::new(guided(ctx, recover, &teacher, (&artifact.name, model), data)?),
        None if corpus.train.labels.is_none() => {
            return Err(StageError::msg("`recover` needs labels or a `teacher`, and the dataset has no label column"));
        }
        None => Box::new(CrossEntropy { label_smoothing: training.label_smoothing }),
    };
    let mut watch = Watch::new(ctx);
    let mut masked = Masked::new(model, masks, &mut watch)?;
    let trained = train::train(model, corpus.data(), &*objective, &training.options(ctx), &mut masked);
    masked.finish()?;
    write_record(&mut ctx.record, &trained?);
    // The kept epoch's state was masked when it was copied; once more costs nothing and is certain.
    Ok(masks.apply(model)?)
}

/// The teacher's answers to the training rows, once, in the order of the pruned model's labels.
fn guided(
    ctx: &StageCtx<'_>,
    recover: &Recover,
    teacher: &Artifact,
    (name, model): (&str, &Model),
    data: &Artifact,
) -> Result<Guided, StageError> {
    let dataset = Dataset::open(&data.dir)?;
    let labels = &dataset.meta.labels;
    let rows = dataset.rows(Split::Train)?;
    let guide = Executor::load(&teacher.dir, &model.device)?;
    let options = RunOptions { batch_size: 64, max_length: recover.max_length, long_texts: LongTexts::Cut };
    let total = rows.texts.len() as u64;
    let said = eval::run_model((&teacher.name, &guide, &teacher.dir), &rows, labels, options, |done| {
        ctx.sink.progress(Progress { done: done as u64, total, unit: "row", message: "teacher".into() });
        !ctx.cancel.is_cancelled()
    })?;
    let map = LabelMap::new(name, &model.head, labels)?;
    let in_model_order = |logits: &Vec<f32>| {
        let mut ordered = vec![0.0; logits.len()];
        for (label, logit) in logits.iter().enumerate() {
            ordered[map.to_model(label as u32) as usize] = *logit;
        }
        ordered
    };
    Ok(Guided {
        teacher: said.logits.iter().map(in_model_order).collect(),
        temperature: recover.temperature,
        weight: recover.teacher_weight,
    })
}

fn report(
    ctx: &mut StageCtx<'_>,
    model: &Model,
    (parameters, spec): (usize, model::EncoderSpec),
) -> Result<(), StageError> {
    let left = model.n_parameters();
    ctx.metric("sparsity", surgery::sparsity(model)?, Unit::Share, Better::Neither);
    // A recovery has counted those that there were then.
    ctx.record.metrics.retain(|metric| metric.name != "parameters");
    ctx.metric("parameters", left as f64, Unit::Count, Better::Lower);
    ctx.metric("parameters_removed", (parameters - left) as f64, Unit::Count, Better::Higher);
    ctx.record.fact("sparsity counts", "weights of the encoder's linear layers that are exactly zero");
    for stored in 0..spec.n_stored_layers() {
        let layer = spec.first_layer_of(stored);
        let prefix = format!(".layer.{stored}.");
        let of_layer: Vec<String> =
            modules::encoder_modules(model).into_iter().filter(|module| module.contains(&prefix)).collect();
        let zeros = surgery::sparsity_of(model, &of_layer)?;
        let text = format!(
            "{} of {} heads, {} of {} neurons, {} of the weights zero",
            model.spec.layers[layer].heads,
            spec.layers[layer].heads,
            units::thousands(model.spec.layers[layer].intermediate_size as u64),
            units::thousands(spec.layers[layer].intermediate_size as u64),
            Unit::Share.show(zeros),
        );
        ctx.record.fact(format!("layer {stored}"), text);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::evaluate::rig::Rig, *};

    fn value(record: &crate::stage::Record, name: &str) -> f64 {
        record.metric(name).unwrap().value
    }

    #[test]
    fn what_was_removed_stays_removed_through_recovery() {
        let rig = Rig::new();
        let params = json!({
            "heads": 0.25, "neurons": 0.5, "samples": 6, "weights": {"sparsity": 0.5},
            "recover": {"epochs": 2, "batch_size": 8, "learning_rate": 1e-3, "max_length": 16}
        });
        let inputs: &[(&str, &[&str])] = &[("model", &["model"]), ("data", &["data"])];
        let record = rig.run::<Prune>(&params, inputs, "slim").unwrap();
        assert!((value(&record, "sparsity") - 0.5).abs() < 1e-3, "{}", value(&record, "sparsity"));
        let before = Model::load(&rig.path("model"), &candle_core::Device::Cpu).unwrap();
        let after = Model::load(&rig.path("slim"), &candle_core::Device::Cpu).unwrap();
        assert_eq!(after.spec.layers.iter().map(|layer| layer.heads).sum::<usize>(), 6);
        assert!(after.spec.layers.iter().all(|layer| layer.intermediate_size == 32));
        assert_eq!(value(&record, "parameters_removed"), (before.n_parameters() - after.n_parameters()) as f64);
        assert!(record.curves.iter().any(|curve| curve.name == "training loss" && curve.points.len() == 10));
        // The same again, to the bit; and with a teacher, something else.
        rig.run::<Prune>(&params, inputs, "again").unwrap();
        let bytes = |name: &str| crate::base::fs::read(&rig.path(name).join("model.safetensors")).unwrap();
        assert!(bytes("slim") == bytes("again"));
        let inputs: &[(&str, &[&str])] = &[("model", &["model"]), ("data", &["data"]), ("teacher", &["model"])];
        let guided = rig.run::<Prune>(&params, inputs, "guided").unwrap();
        assert!((value(&guided, "sparsity") - 0.5).abs() < 1e-3);
        assert!(guided.curves.iter().any(|curve| curve.name == "training loss: logits"));
        assert!(bytes("slim") != bytes("guided"));
    }

    #[test]
    fn weights_need_no_data() {
        let rig = Rig::new();
        let params = json!({"weights": {"sparsity": 0.9, "scope": "layer", "targets": ["output.dense"]}});
        let record = rig.run::<Prune>(&params, &[("model", &["model"])], "sparse").unwrap();
        assert_eq!(value(&record, "parameters_removed"), 0.0);
        // `output.dense` names one matrix of 32 · 32 and one of 32 · 64 of the 6 of each layer.
        assert!((value(&record, "sparsity") - 0.9 * 3.0 / 8.0).abs() < 1e-3, "{}", value(&record, "sparsity"));
    }

    #[test]
    fn what_is_missing_is_said() {
        let rig = Rig::new();
        let run = |params, inputs: &[(&'static str, &[&str])]| {
            rig.run::<Prune>(&params, inputs, "x").unwrap_err().to_string()
        };
        for params in [json!({"heads": 0.5}), json!({"weights": {"sparsity": 0.5}, "recover": {"epochs": 1}})] {
            let error = run(params, &[("model", &["model"])]);
            assert!(error.contains("needs training rows"), "{error}");
        }
        let error = run(json!({}), &[("model", &["model"])]);
        assert!(error.contains("nothing to prune"), "{error}");
        let error = run(json!({"heads": 1.5, "weights": {"sparsity": -1.0}}), &[("model", &["model"])]);
        assert!(error.contains("heads") && error.contains("weights.sparsity"), "{error}");
        let error = run(json!({"weights": {"sparsity": 0.5}}), &[("model", &["model"]), ("teacher", &["model"])]);
        assert!(error.contains("no `recover`"), "{error}");
    }
}
