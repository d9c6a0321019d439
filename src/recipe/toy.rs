//! A registry of toy stages with the kinds, ports and main parameters of the real ones, for tests.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::stage::{
    ArtifactKind, Comparison, Faults, Finds, Port, Registry, Stage, StageCtx, StageError, StageSpec, Whose, Wired,
};

/// All of them.
pub(crate) static REGISTRY: Registry = Registry(&[
    StageSpec::of::<Dataset>(),
    StageSpec::of::<Model>(),
    StageSpec::of::<Normalize>(),
    StageSpec::of::<Augment>(),
    StageSpec::of::<Query>(),
    StageSpec::of::<Finetune>(),
    StageSpec::of::<Distill>(),
    StageSpec::of::<ReduceLayers>(),
    StageSpec::of::<Prune>(),
    StageSpec::of::<Quantize>(),
    StageSpec::of::<Evaluate>(),
    StageSpec::of::<Bench>(),
    StageSpec::of::<CompareSpeed>(),
    StageSpec::of::<CompareScores>(),
    StageSpec::of::<Report>(),
]);

const DATA: Port = Port::dataset("data");
const MODEL: Port = Port::model("model");

macro_rules! toy {
    ($Stage:ident, $kind:literal, $inputs:expr, $output:ident, $Params:ty $(, $item:item)*) => {
        struct $Stage;
        impl Stage for $Stage {
            const KIND: &'static str = $kind;
            const VERSION: u32 = 1;
            const ABOUT: &'static str = "does as if";
            const INPUTS: &'static [Port] = $inputs;
            const OUTPUT: ArtifactKind = ArtifactKind::$output;
            type Params = $Params;
            $($item)*
            fn run(_: &Self::Params, _: &mut StageCtx<'_>) -> Result<(), StageError> {
                Ok(())
            }
        }
    };
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DatasetParams {
    dataset: String,
    text: String,
    label: Option<String>,
    split: Option<Value>,
    rows: Option<usize>,
}

toy!(
    Dataset,
    "dataset",
    &[],
    Dataset,
    DatasetParams,
    const SOURCE: bool = true;,
    fn files(params: &DatasetParams) -> Vec<(String, String)> {
        vec![("dataset".into(), params.dataset.clone())]
    }
);

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ModelParams {
    model: Value,
    sha256: Option<String>,
}

toy!(
    Model,
    "model",
    &[],
    Model,
    ModelParams,
    const SOURCE: bool = true;,
    fn check(params: &ModelParams, faults: &mut Faults) {
        if params.sha256.as_ref().is_some_and(|digest| digest.len() != 64) {
            faults.at("sha256", "`sha256` must have 64 hexadecimal digits");
        }
    }
);

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NormalizeParams {
    /// What is done, in order.
    steps: Vec<Step>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Step {
    Unicode(Form),
    Whitespace(Space),
    Lowercase,
    Stopwords {
        language: String,
        #[serde(default)]
        keep: Vec<String>,
    },
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Form {
    Nfc,
    Nfkc,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Space {
    Collapse,
    Trim,
}

toy!(Normalize, "normalize", &[DATA], Dataset, NormalizeParams);

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AugmentParams {
    #[serde(default = "one")]
    copies: usize,
    steps: Vec<Perturbation>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Perturbation {
    Insert { rate: f64 },
    Replace { rate: f64, source: Option<Synonyms> },
    Mask { rate: f64 },
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Synonyms {
    Wordnet,
}

fn one() -> usize {
    1
}

toy!(
    Augment,
    "augment",
    &[DATA],
    Dataset,
    AugmentParams,
    fn check(params: &AugmentParams, faults: &mut Faults) {
        faults.at_least("copies", params.copies, 1);
        for (index, step) in params.steps.iter().enumerate() {
            let (name, rate) = match step {
                Perturbation::Insert { rate } => ("insert", rate),
                Perturbation::Replace { rate, .. } => ("replace", rate),
                Perturbation::Mask { rate } => ("mask", rate),
            };
            faults.within(&format!("steps[{index}].{name}.rate"), *rate, 0.0, 1.0);
        }
    }
);

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct QueryParams {
    sql: String,
}

toy!(Query, "query", &[DATA, Port::dataset("with").many().optional()], Dataset, QueryParams);

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct TrainParams {
    /// How often all rows are seen.
    epochs: usize,
    batch_size: usize,
    learning_rate: f64,
    max_length: usize,
}

impl Default for TrainParams {
    fn default() -> Self {
        Self { epochs: 3, batch_size: 32, learning_rate: 5.0e-5, max_length: 128 }
    }
}

toy!(
    Finetune,
    "finetune",
    &[MODEL, DATA],
    Model,
    TrainParams,
    fn check(params: &TrainParams, faults: &mut Faults) {
        faults.at_least("epochs", params.epochs, 1);
        faults.within("learning_rate", params.learning_rate, 0.0, 1.0);
    }
);

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DistillParams {
    student: Student,
    #[serde(default = "two")]
    temperature: f64,
    #[serde(default)]
    loss: Loss,
    #[serde(default)]
    epochs: Option<usize>,
}

fn two() -> f64 {
    2.0
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Student {
    layers: Vec<usize>,
}

#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Loss {
    logits: f64,
    hard: f64,
    hidden: f64,
}

toy!(
    Distill,
    "distill",
    &[Port::model("teacher"), DATA],
    Model,
    DistillParams,
    fn check(params: &DistillParams, faults: &mut Faults) {
        if params.temperature <= 0.0 {
            faults.at("temperature", "`temperature` must be above 0").help("2.0 is a good start");
        }
        if params.student.layers.is_empty() {
            faults.at("student.layers", "a student needs at least one layer");
        }
    }
);

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct LayersParams {
    keep: Vec<usize>,
}

toy!(ReduceLayers, "reduce_layers", &[MODEL], Model, LayersParams);

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct PruneParams {
    heads: f64,
    neurons: f64,
    recover: Option<TrainParams>,
}

impl Default for PruneParams {
    fn default() -> Self {
        Self { heads: 0.0, neurons: 0.0, recover: None }
    }
}

toy!(
    Prune,
    "prune",
    &[MODEL, Port::dataset("data").optional()],
    Model,
    PruneParams,
    fn check(params: &PruneParams, faults: &mut Faults) {
        faults.within("heads", params.heads, 0.0, 0.95);
        faults.within("neurons", params.neurons, 0.0, 0.95);
    },
    fn check_wires(params: &PruneParams, wired: &[&str], faults: &mut Faults) {
        if params.heads > 0.0 && !wired.contains(&"data") {
            faults.at("heads", "`heads` needs training rows").help("wire a dataset to the port `data`");
        }
    }
);

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct QuantizeParams {
    scheme: Scheme,
    #[serde(default)]
    ignore: Vec<String>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Scheme {
    W8a8,
    W8a16,
}

toy!(Quantize, "quantize", &[MODEL], Model, QuantizeParams);

#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct EvaluateParams {
    split: Option<String>,
}

toy!(
    Evaluate,
    "evaluate",
    &[MODEL, DATA, Port::model("teacher").optional()],
    Scores,
    EvaluateParams,
    fn comparison(_: &EvaluateParams, metric: &str, _: Wired<'_>) -> Option<Comparison> {
        (metric == "accuracy").then(|| Comparison {
            stage: "compare_scores",
            params: json!({}),
            of: ("scores", Whose::Own),
            inputs: Vec::new(),
            metric: "difference".to_owned(),
            finds: Finds::Difference,
        })
    }
);

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct BenchParams {
    batch: Vec<usize>,
    length: Vec<usize>,
}

impl Default for BenchParams {
    fn default() -> Self {
        Self { batch: vec![1], length: vec![128] }
    }
}

toy!(
    Bench,
    "bench",
    &[Port::model("models").many(), Port::dataset("data").optional()],
    Scores,
    BenchParams,
    const MEASURES: bool = true;,
    fn comparison(_: &BenchParams, metric: &str, wired: Wired<'_>) -> Option<Comparison> {
        let (_, models) = wired.iter().find(|(port, _)| *port == "models")?;
        let model = models.iter().find(|model| metric == format!("{model}.p50_ms"))?;
        Some(Comparison {
            stage: "compare_speed",
            params: json!({}),
            of: ("model", Whose::Input(model.clone())),
            inputs: Vec::new(),
            metric: "ratio".to_owned(),
            finds: Finds::Ratio,
        })
    }
);

#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct CompareParams {
    baseline: Option<String>,
}

toy!(
    CompareSpeed,
    "compare_speed",
    &[MODEL, Port::model("baseline").optional()],
    Scores,
    CompareParams,
    const MEASURES: bool = true;
);

toy!(
    CompareScores,
    "compare_scores",
    &[Port::scores("scores"), Port::scores("baseline").optional()],
    Scores,
    CompareParams
);

#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct ReportParams {
    title: Option<String>,
}

toy!(Report, "report", &[Port::scores("scores").many()], Report, ReportParams, const SEES_RUN: bool = true;);
