//! The registry: one line a stage.

use std::path::PathBuf;

use crate::stage::{Faults, Registry, StageCtx, StageError, StageSpec};

// What the command line does with a model or a file outside a recipe.
pub use crate::data::{Columns, DataError, RowBatch, RowSource, Split, Tokenizer, import_whole};
pub use crate::eval::{InputFormat, OutputFormat, PredictOptions, predict, probe};
pub use crate::export::{Format, MIN_AGREEMENT, MatrixType, Request, Target, Written, export};
pub use crate::generate::{Generation, Stopping, Summarizer};
pub use crate::profile::{ALL, Bin, Changes, Lengths, Options as ProfileOptions, Profile, SplitProfile, compare};
pub use crate::runtime::Precision;

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
    lexicon::LexiconSource,
    // data
    query::Query,
    filter::Filter,
    deduplicate::Deduplicate,
    normalize::Normalize,
    augment::Augment,
    profile::ProfileStage,
    // models
    finetune::Finetune,
    distill::Distill,
    lengthen::Lengthen,
    reduce_layers::ReduceLayers,
    prune::Prune,
    quantize::Quantize,
    export::Export,
    // proof
    evaluate::Evaluate,
    summarize::Summarize,
    bench::Bench,
    attention_lab::AttentionLab,
    compare_speed::CompareSpeed,
    compare_scores::CompareScores,
    report::ReportStage,
}

/// What a comparison is with is wired to `baseline` or named as a folder: one of the two.
fn one_baseline(folder: Option<&str>, wired: &[&str], faults: &mut Faults) {
    let wrong = match (folder, wired.contains(&"baseline")) {
        (None, false) => "there is no baseline: wire one, or name its folder as `baseline`",
        (Some(_), true) => "there are two baselines: one is wired, and one is named as a folder",
        _ => return,
    };
    faults.at("baseline", wrong);
}

fn baseline_file(folder: Option<&str>) -> Vec<(String, String)> {
    folder.map(|folder| ("baseline".to_owned(), folder.to_owned())).into_iter().collect()
}

fn baseline_dir(ctx: &StageCtx<'_>, folder: Option<&str>) -> Result<PathBuf, StageError> {
    folder.map_or_else(|| Ok(ctx.input("baseline")?.dir.clone()), |folder| Ok(ctx.path(folder)))
}
