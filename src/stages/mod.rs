//! The registry: one line a stage.

use crate::stage::{Registry, StageSpec};

// What the command line does with a model or a file outside a recipe.
pub use crate::data::{Tokenizer, import_whole};
pub use crate::eval::{InputFormat, OutputFormat, PredictOptions, predict, probe};
pub use crate::export::{Format, MIN_AGREEMENT, MatrixType, Request, Target, Written, export};

/// Declares each stage's file and lists the stage: a new one is its file and a line here.
macro_rules! stages {
    ($($module:ident::$Stage:ident),* $(,)?) => {
        $(mod $module;)*

        /// Every kind of stage that a recipe may use.
        pub static REGISTRY: Registry = Registry(&[$(StageSpec::of::<$module::$Stage>()),*]);
    };
}

stages! {
    // sources, under `inputs:`
    dataset::DatasetSource,
    model::ModelSource,
    // data
    query::Query,
    normalize::Normalize,
    augment::Augment,
    // models
    finetune::Finetune,
    distill::Distill,
    reduce_layers::ReduceLayers,
    prune::Prune,
    quantize::Quantize,
    export::Export,
    // proof
    evaluate::Evaluate,
    bench::Bench,
    report::ReportStage,
}
