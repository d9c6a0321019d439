//! `lengthen`: makes a Longformer of a short encoder.

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{
    base::{fs, units},
    compress,
    model::{self, Model},
    stage::{ArtifactKind, Better, Faults, Port, Stage, StageCtx, StageError, Unit},
};

/// Parameters of a `lengthen` stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// Tokens that a text may have.
    max_length: usize,
    /// Tokens around each token that it sees, half to each side: an even number for all layers, or one a layer.
    #[serde(default)]
    window: Window,
}

/// Windows of layers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected an even number, or a list of such, one a layer")]
enum Window {
    /// One for all layers.
    All(usize),
    /// One a layer.
    Each(Vec<usize>),
}

impl Default for Window {
    /// That of `longformer-base-4096`.
    fn default() -> Self {
        Self::All(512)
    }
}

impl Window {
    fn sizes(&self) -> &[usize] {
        match self {
            Self::All(size) => std::slice::from_ref(size),
            Self::Each(sizes) => sizes,
        }
    }
}

pub(super) struct Lengthen;

impl Stage for Lengthen {
    const KIND: &'static str = "lengthen";
    const VERSION: u32 = 1;
    const ABOUT: &'static str = "makes a Longformer of a short encoder";
    const INPUTS: &'static [Port] = &[Port::model("model")];
    const OUTPUT: ArtifactKind = ArtifactKind::Model;
    type Params = Params;

    fn check(params: &Params, faults: &mut Faults) {
        faults.at_least("max_length", params.max_length, 3);
        if params.window.sizes().iter().any(|size| *size == 0 || !size.is_multiple_of(2)) {
            faults.at("window", "a window is an even number above 0, half to each side").help("`window: 512`");
        }
    }

    fn run(params: &Params, ctx: &mut StageCtx<'_>) -> Result<(), StageError> {
        let parent = ctx.input("model")?;
        let dir = parent.dir.clone();
        let short = Model::load(&dir, &model::candle_device(ctx.lease.device)?)?;
        let windows = match &params.window {
            Window::All(size) => vec![*size; short.spec.n_layers()],
            Window::Each(sizes) => sizes.clone(),
        };
        let long = compress::lengthen::lengthen(&short, params.max_length, &windows)?;
        long.save(ctx.output, &dir)?;
        write_tokenizer_config(ctx.output, &short.config, params.max_length)?;
        let thousands = |n: usize| units::thousands(n as u64);
        ctx.metric("parameters", long.n_parameters() as f64, Unit::Count, Better::Lower);
        let (before, after) = (thousands(short.spec.max_positions), thousands(params.max_length));
        ctx.record.fact("tokens of a text", format!("{before} → {after}"));
        let listed: Vec<String> = params.window.sizes().iter().map(ToString::to_string).collect();
        ctx.record.fact("window", listed.join(", "));
        Ok(())
    }
}

/// Says in `tokenizer_config.json` how many tokens there may be, and whose tokenizer it is: readers take the family's otherwise.
fn write_tokenizer_config(dir: &Path, parent: &Value, max_length: usize) -> Result<(), StageError> {
    let path = dir.join("tokenizer_config.json");
    let mut config = Map::new();
    if path.exists() {
        config = serde_json::from_str(&fs::read_text(&path)?)
            .map_err(|error| StageError::msg(error.to_string()).context(format!("`{}`", path.display())))?;
    }
    config.insert("model_max_length".to_owned(), json!(max_length));
    let class = match parent.get("model_type").and_then(Value::as_str) {
        Some("bert") | None => "BertTokenizer",
        Some("distilbert") => "DistilBertTokenizer",
        Some("electra") => "ElectraTokenizer",
        Some("roberta") => "RobertaTokenizer",
        Some("xlm-roberta") => "XLMRobertaTokenizer",
        Some("longformer") => "LongformerTokenizer",
        Some(_) => "PreTrainedTokenizerFast",
    };
    config.entry("tokenizer_class").or_insert_with(|| json!(class));
    let text = serde_json::to_string_pretty(&config).map_err(|error| StageError::msg(error.to_string()))?;
    fs::write_atomic(&path, (text + "\n").as_bytes())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{super::evaluate::rig::Rig, *};
    use crate::base::device::DeviceId;

    #[test]
    fn a_longer_model_says_how_much_it_takes() {
        let rig = Rig::new();
        let record = rig.run::<Lengthen>(&json!({"max_length": 200, "window": [8, 16]}), &[("model", &["model"])], "long");
        let record = record.unwrap();
        assert!(record.facts.contains(&("window".to_owned(), "8, 16".to_owned())), "{:?}", record.facts);
        let model = Model::load(&rig.path("long"), &model::candle_device(DeviceId::Cpu).unwrap()).unwrap();
        let reaches: Vec<_> = model.spec.layers.iter().map(|layer| layer.reach).collect();
        assert_eq!((model.spec.max_positions, reaches), (200, vec![Some(4), Some(8)]));
        let config: Value =
            serde_json::from_str(&fs::read_text(&rig.path("long/tokenizer_config.json")).unwrap()).unwrap();
        assert_eq!(config, json!({"model_max_length": 200, "tokenizer_class": "BertTokenizer"}));
        for (params, told) in [
            (json!({"max_length": 200, "window": 7}), "even number"),
            (json!({"max_length": 200, "window": [8]}), "each of the 2 layers, not 1 window"),
            (json!({"max_length": 5}), "tokens already"),
        ] {
            let error = rig.run::<Lengthen>(&params, &[("model", &["model"])], "no").unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
    }
}
