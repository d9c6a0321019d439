//! `distill`: trains a student to follow a teacher.

mod arch;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::arch::Arch;
use super::{
    finetune::{
        params::training_params,
        training::{Corpus, Watch, check_length, write_record},
    },
    reduce_layers::Layers,
};
use crate::{
    base::{plural, units},
    compress::{
        verify,
        distill::{
        Attention, Comparison, Distillation, Hard, HiddenLayers, LastHidden, Logits, Needs, Relations,
        StudentShape, Teacher, Term, WeightedTerm, fresh_student, start_from, student_of_layers, uniform_mapping,
        },
    },
    data::Tokenizer,
    model::{self, Head, Model},
    stage::{ArtifactKind, Better, Faults, Port, Progress, Stage, StageCtx, StageError, Unit},
    train,
};

training_params! {
    /// Parameters of a `distill` stage.
    pub(super) struct Params {
        epochs: 3;
        /// The student: `{layers: [0, 2, 4]}` of the teacher, `{arch: tinybert-4l-312}` for one of a published shape, or
        /// `{config: {…}}` for one of any. Left out when a model is wired to the port `student`.
        #[serde(skip_serializing_if = "Option::is_none")]
        student: Option<Student> = None,
        /// What a student of `arch` or `config` starts from: `teacher` where it is left out.
        #[serde(skip_serializing_if = "Option::is_none")]
        init: Option<Init> = None,
        /// How much the teacher's and the student's logits are softened.
        temperature: f64 = 2.0,
        /// The weights of the terms of the loss.
        loss: Weights = Weights::default(),
        /// For each layer of the student the teacher's layer that it follows in `hidden_layers` and `attention`,
        /// counted from 0; evenly spread where it is left out. Also for `attention_kl`.
        #[serde(skip_serializing_if = "Option::is_none")]
        follow: Option<Vec<usize>> = None,
        /// Heads into which `relations` cuts queries, keys and values, a divisor of both models' widths: 12 where it is left
        /// out.
        #[serde(skip_serializing_if = "Option::is_none")]
        relation_heads: Option<usize> = None,
    }
}

/// Where the student comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Student {
    /// Some layers of the teacher, with its embeddings, pooler and head: a list of numbers from 0, `{every: 2}`,
    /// `{first: 3}` or `{last: 3}`.
    Layers(Layers),
    /// A model of a published shape with the teacher's vocabulary and labels.
    Arch(Arch),
    /// A model of any shape of the teacher's family, with the teacher's vocabulary and labels.
    Config(Config),
}

/// What a student of another shape than the teacher's starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Init {
    /// From the teacher's weights, evenly spaced rows and columns of them, as far as they fit; from random numbers
    /// elsewhere.
    Teacher,
    /// From random numbers.
    Random,
}

/// The shape of a fresh student.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {
    /// The number of layers.
    num_hidden_layers: usize,
    /// The width.
    hidden_size: usize,
    /// Heads a layer; as wide as the teacher's where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    num_attention_heads: Option<usize>,
    /// The width of the feed-forward nets; four times `hidden_size` where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    intermediate_size: Option<usize>,
}

/// The weights of the terms of the loss; a term of weight 0 is not computed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Weights {
    /// Softened logits: `T² KL(teacher ‖ student)`.
    logits: f64,
    /// Cross entropy of the labels.
    hard: f64,
    /// Squared error of the last hidden state.
    hidden: f64,
    /// Squared errors of the hidden states of all layers.
    hidden_layers: f64,
    /// Squared errors of the attention probabilities of all layers.
    attention: f64,
    /// `KL(teacher ‖ student)` of the attention probabilities of all layers.
    attention_kl: f64,
    /// `KL(teacher ‖ student)` of the relations among queries, keys and values of the last layer.
    relations: f64,
}

impl Default for Weights {
    fn default() -> Self {
        Self {
            logits: 0.5,
            hard: 0.5,
            hidden: 0.0,
            hidden_layers: 0.0,
            attention: 0.0,
            attention_kl: 0.0,
            relations: 0.0,
        }
    }
}

impl Weights {
    fn by_name(&self) -> [(&'static str, f64); 7] {
        let Self { logits, hard, hidden, hidden_layers, attention, attention_kl, relations } = *self;
        [
            ("logits", logits),
            ("hard", hard),
            ("hidden", hidden),
            ("hidden_layers", hidden_layers),
            ("attention", attention),
            ("attention_kl", attention_kl),
            ("relations", relations),
        ]
    }
}

pub(super) struct Distill;

impl Stage for Distill {
    const KIND: &'static str = "distill";
    const VERSION: u32 = 3;
    const ABOUT: &'static str = "trains a student to follow a teacher";
    const INPUTS: &'static [Port] = &[Port::model("teacher"), Port::dataset("data"), Port::model("student").optional()];
    const OUTPUT: ArtifactKind = ArtifactKind::Model;
    const COMPUTES: bool = true;
    type Params = Params;

    fn check(params: &Params, faults: &mut Faults) {
        params.training().check("", faults);
        faults.within("temperature", params.temperature, 0.1, 100.0);
        let weights = params.loss.by_name();
        for (name, weight) in weights {
            if weight < 0.0 {
                faults.at(format!("loss.{name}"), format!("`{name}` must not be negative, not {weight}"));
            }
        }
        if weights.iter().all(|(_, weight)| *weight == 0.0) {
            faults.at("loss", "every weight is 0").help("`{logits: 0.5, hard: 0.5}` is a good start");
        }
        let loss = &params.loss;
        if params.follow.is_some() && loss.hidden_layers + loss.attention + loss.attention_kl == 0.0 {
            faults
                .at("follow", "`follow` says nothing without `hidden_layers`, `attention` or `attention_kl` in `loss`")
                .help("give one of them a weight, or leave `follow` out");
        }
        match &params.student {
            Some(Student::Layers(layers)) => layers.check("student.layers", faults),
            Some(Student::Config(config)) => {
                faults.at_least("student.config.num_hidden_layers", config.num_hidden_layers, 1);
                faults.at_least("student.config.hidden_size", config.hidden_size, 1);
                if let Some(heads) = config.num_attention_heads
                    && (heads == 0 || config.hidden_size % heads != 0)
                {
                    faults.at(
                        "student.config.num_attention_heads",
                        format!("{heads} heads do not divide a width of {}", config.hidden_size),
                    );
                }
                faults.at_least("student.config.intermediate_size", config.intermediate_size.unwrap_or(1), 1);
            }
            Some(Student::Arch(_)) | None => {}
        }
        faults.at_least("relation_heads", params.relation_heads.unwrap_or(1), 1);
        if params.relation_heads.is_some() && loss.relations == 0.0 {
            faults
                .at("relation_heads", "`relation_heads` says nothing without `relations` in `loss`")
                .help("give it a weight, or leave `relation_heads` out");
        }
        if params.init.is_some() && !matches!(params.student, Some(Student::Arch(_) | Student::Config(_))) {
            faults
                .at("init", "`init` says nothing of a student that is some layers of the teacher, or a model of its own")
                .help("leave it out");
        }
    }

    fn check_wires(params: &Params, wired: &[&str], faults: &mut Faults) {
        match (&params.student, wired.contains(&"student")) {
            (Some(_), true) => faults
                .at("student", "the student is given twice: here and at the port `student`")
                .help("leave one of them out"),
            (None, false) => faults.at("", "there is no student").help(
                "give `student: {layers: […]}`, `student: {arch: …}` or `student: {config: {…}}`, or wire a model to the port `student`",
            ),
            _ => {}
        }
    }

    fn run(params: &Params, ctx: &mut StageCtx<'_>) -> Result<(), StageError> {
        let training = params.training();
        let (teacher_dir, data) = (ctx.input("teacher")?.dir.clone(), ctx.input("data")?.clone());
        let device = model::candle_device(ctx.lease.device)?;
        let teacher = Model::load(&teacher_dir, &device)?;
        check_length(&teacher, &teacher_dir, training.max_length)?;
        let (mut student, student_dir) = student(params, &teacher, ctx)?;
        let student_dir = student_dir.unwrap_or_else(|| teacher_dir.clone());
        check_length(&student, &student_dir, training.max_length)?;
        let tokenizer = Tokenizer::for_model(&teacher_dir, teacher.spec.vocab_size)?;
        let corpus = Corpus::open(ctx, &data, &tokenizer, training.max_length)?;
        let corpus = match &teacher.head {
            Head::SequenceClassification { labels } if !corpus.labels.is_empty() => corpus.relabel(labels)?,
            _ => corpus.without_labels(),
        };
        check_terms(params, &teacher, &corpus, &data.name)?;

        let terms = terms(params, &teacher, &student, ctx.seed)?;
        let mut objective = Distillation::new(Teacher::new(&teacher), terms)?;
        let classifies = matches!(teacher.head, Head::SequenceClassification { .. });
        match objective.needs() {
            Needs::Logits => {
                let (sink, cancel, total) = (ctx.sink, ctx.cancel, corpus.train.len());
                objective.teacher_mut().learn_logits(&corpus.train, &mut |done| {
                    let message = "the teacher's logits".to_owned();
                    sink.progress(Progress { done: done as u64, total: total as u64, unit: "row", message });
                    !cancel.is_cancelled()
                })?;
            }
            // On other devices the states are where they are needed.
            Needs::LastState if teacher.device.is_cpu() && classifies => objective.teacher_mut().keep_states()?,
            Needs::Nothing | Needs::LastState | Needs::States => {}
        }
        if let Some(validation) = &corpus.validation {
            let before = train::evaluate(&student, validation, &objective, ctx.seed, &Watch::new(ctx))?;
            if let Some(before) = before {
                ctx.sink.note(format!("before: validation accuracy {}", Unit::Share.show(before.accuracy)));
                ctx.metric("accuracy_before", before.accuracy, Unit::Share, Better::Neither);
            }
        }
        let options = training.options(ctx);
        let report = train::train(&mut student, corpus.data(), &objective, &options, &mut Watch::new(ctx))?;
        student.save(ctx.output, &student_dir)?;
        verify::read_back(&student, ctx.output)?;
        write_record(&mut ctx.record, &report);
        ctx.record.fact("training rows", units::thousands(corpus.train.len() as u64));
        let weights = params.loss.by_name().into_iter().filter(|(_, weight)| *weight > 0.0);
        let weights: Vec<_> = weights.map(|(name, weight)| format!("{weight} {name}")).collect();
        ctx.record.fact("loss", weights.join(" + "));
        Ok(())
    }
}

/// The student before training, and the directory that it came from if it came from one of its own.
fn student(
    params: &Params,
    teacher: &Model,
    ctx: &StageCtx<'_>,
) -> Result<(Model, Option<std::path::PathBuf>), StageError> {
    let wired = ctx.optional("student");
    let (model, dir) = match (&params.student, wired) {
        (None, None) => return Err(StageError::msg("there is no student")),
        (Some(Student::Layers(layers)), _) => (student_of_layers(teacher, &layers.0)?, None),
        (Some(Student::Config(config)), _) => {
            let shape = StudentShape {
                n_layers: config.num_hidden_layers,
                hidden_size: config.hidden_size,
                heads: config.num_attention_heads,
                intermediate_size: config.intermediate_size,
            };
            (started(fresh_student(teacher, &shape, ctx.seed)?, params, teacher, ctx)?, None)
        }
        (Some(Student::Arch(arch)), _) => {
            (started(arch.0.student(teacher, ctx.seed)?, params, teacher, ctx)?, None)
        }
        (None, Some(artifact)) => {
            let model = Model::load(&artifact.dir, &teacher.device)?;
            let model = match &teacher.head {
                Head::SequenceClassification { labels } => model.with_classifier(labels, ctx.seed)?,
                _ => model,
            };
            (model, Some(artifact.dir.clone()))
        }
    };
    if model.spec.vocab_size != teacher.spec.vocab_size {
        return Err(StageError::msg(format!(
            "the student has a vocabulary of {} tokens, the teacher one of {}; they must read the same tokens",
            model.spec.vocab_size, teacher.spec.vocab_size
        )));
    }
    Ok((model, dir))
}

/// A student of another shape, started as it is asked.
fn started(mut student: Model, params: &Params, teacher: &Model, ctx: &StageCtx<'_>) -> Result<Model, StageError> {
    if params.init != Some(Init::Random) {
        let share = start_from(&mut student, teacher)?;
        ctx.sink.note(format!("{} of the student's numbers start as the teacher's", Unit::Share.show(share)));
    }
    Ok(student)
}

/// Checks that the terms have what they need of the teacher and of the data.
fn check_terms(params: &Params, teacher: &Model, corpus: &Corpus, data: &str) -> Result<(), StageError> {
    let classifies = matches!(teacher.head, Head::SequenceClassification { .. });
    if (params.loss.logits > 0.0 || params.loss.hard > 0.0) && !classifies {
        return Err(StageError::msg(
            "the teacher is not a classifier, so it has no logits to follow: fine-tune it first, or set `logits` and \
             `hard` in `loss` to 0",
        ));
    }
    if params.loss.hard > 0.0 && corpus.train.labels.is_none() {
        return Err(StageError::msg(format!(
            "`{data}` has no label column for `hard` in `loss`: name it with `label:`, or set `hard: 0`"
        )));
    }
    Ok(())
}

/// The terms of the loss with their weights.
fn terms(params: &Params, teacher: &Model, student: &Model, seed: u64) -> Result<Vec<WeightedTerm>, StageError> {
    let (n_student, n_teacher) = (student.spec.n_layers(), teacher.spec.n_layers());
    let mapping = params.follow.clone().unwrap_or_else(|| uniform_mapping(n_student, n_teacher));
    if mapping.len() != n_student || mapping.iter().any(|&layer| layer >= n_teacher) {
        return Err(StageError::msg(format!(
            "`follow` is {mapping:?}, but needs one of the teacher's layers (0 to {}) for each of the student's {}",
            n_teacher - 1,
            plural::count(n_student, "layer")
        )));
    }
    let (width, teacher_width) = (student.spec.hidden_size, teacher.spec.hidden_size);
    let device = &student.device;
    let mut terms: Vec<WeightedTerm> = Vec::new();
    for (name, weight) in params.loss.by_name() {
        if weight == 0.0 {
            continue;
        }
        let term: Box<dyn Term> = match name {
            "logits" => Box::new(Logits { temperature: params.temperature }),
            "hard" => Box::new(Hard { label_smoothing: params.label_smoothing }),
            "hidden" => Box::new(LastHidden::new(width, teacher_width, seed, device)?),
            "hidden_layers" => Box::new(HiddenLayers::new(mapping.clone(), width, teacher_width, seed, device)?),
            "relations" => {
                let [student, teacher] = [student, teacher].map(attention_width);
                Box::new(Relations::new(params.relation_heads.unwrap_or(12), student, teacher)?)
            }
            _ => {
                let heads = |model: &Model| model.spec.layers.iter().map(|layer| layer.heads).collect();
                let comparison = if name == "attention" { Comparison::SquaredError } else { Comparison::Divergence };
                Box::new(Attention::new(mapping.clone(), heads(student), heads(teacher), comparison))
            }
        };
        terms.push((weight, term));
    }
    Ok(terms)
}

/// The width of the queries of the last layer.
fn attention_width(model: &Model) -> usize {
    model.spec.layers.last().map_or(0, |layer| layer.heads * model.spec.head_dim)
}
