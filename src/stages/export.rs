//! `export`: writes a model in the format of another program.
//!
//! What it makes is of a kind of its own: no stage takes it, since no stage reads what other programs run, and a recipe that
//! tries is told so before anything runs. The folder is what such programs expect: `model.onnx`, `model.gguf` or `model.safetensors`,
//! `config.json` and the tokenizer's files.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    export::{self, Format, MatrixType, Request, Target},
    model::FloatType,
    stage::{ArtifactKind, Better, Faults, Port, Stage, StageCtx, StageError, Unit},
};

/// Parameters of `export`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// The format.
    #[serde(default)]
    to: To,
    /// What f32 parameters are stored as: all of them for `to: hf`, `f32` when left out; word embeddings and linear layers for
    /// `to: gguf`, `q8_0` when left out. Answers may move by 1 % of their size in `f16`, by 3 % in `q8_0` and by 5 % in `bf16`;
    /// those of a quantised model mostly move further, and it is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dtype: Option<Dtype>,
    /// Rows of the test split that the file is compared on; needs `data`. Without it, these are fixed random ids.
    #[serde(default = "rows")]
    rows: usize,
    /// Tokens a row, special ones included; longer rows are cut.
    #[serde(default = "max_length")]
    max_length: usize,
    /// The share of the labels of these rows that must be the same in an int8 file, whose activations are rounded otherwise, or
    /// in a GGUF file; with fewer, the stage fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    min_agreement: Option<f64>,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum To {
    /// ONNX (opset 17), for ONNX Runtime. int8 layers stay int8; their activations are rounded a little otherwise than in
    /// lmpipe, so that an answer in a hundred may differ.
    #[default]
    Onnx,
    /// GGUF, for llama.cpp: f32 models of BERT and DistilBERT with a `WordPiece` tokenizer. An encoder gives embeddings, by the
    /// pooling that sentence-transformers wrote beside it or the mean; a BERT classifier gives its logits by the pooling
    /// `rank`; of a masked LM, the encoder is written. llama.cpp takes the tanh approximation for GELU and gives all tokens the
    /// type 0.
    Gguf,
    /// A Hugging Face directory with `model.safetensors`, f32 parameters as `dtype` says; int8 layers stay int8.
    Hf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Dtype {
    /// As they are.
    F32,
    /// Half the size: 11 bits of precision. A model with a number of 65,520 or more is refused.
    F16,
    /// Half the size: 8 bits of precision, the range of f32.
    Bf16,
    /// A quarter of the size: 8 bits, 32 numbers on a scale. For `to: gguf` only; matrices whose rows are no multiple of 32 are
    /// `f16`.
    #[serde(rename = "q8_0")]
    Q8_0,
}

impl Dtype {
    /// The type of floats; none of blocks.
    fn floats(self) -> Option<FloatType> {
        match self {
            Self::F32 => Some(FloatType::F32),
            Self::F16 => Some(FloatType::F16),
            Self::Bf16 => Some(FloatType::Bf16),
            Self::Q8_0 => None,
        }
    }
}

/// The format that parameters ask for.
fn format(params: &Params) -> Format {
    let floats = params.dtype.and_then(Dtype::floats);
    match params.to {
        To::Onnx => Format::Onnx,
        To::Gguf => Format::Gguf(floats.map_or(MatrixType::Q8_0, MatrixType::Float)),
        To::Hf => Format::Hf(floats.unwrap_or_default()),
    }
}

fn rows() -> usize {
    200
}

fn max_length() -> usize {
    128
}

/// The stage.
pub(super) struct Export;

impl Stage for Export {
    const KIND: &'static str = "export";
    const VERSION: u32 = 2;
    const ABOUT: &'static str = "writes a model in the format of another program, and compares what that makes of it";
    const INPUTS: &'static [Port] = &[Port::model("model"), Port::dataset("data").optional()];
    const OUTPUT: ArtifactKind = ArtifactKind::Export;
    const COMPUTES: bool = true;
    type Params = Params;

    fn check(params: &Params, faults: &mut Faults) {
        faults.at_least("rows", params.rows, 1);
        faults.at_least("max_length", params.max_length, 3);
        faults.within("min_agreement", params.min_agreement.unwrap_or(1.0), 0.0, 1.0);
        if matches!(params.to, To::Hf) && params.min_agreement.is_some() {
            faults.at("min_agreement", "`min_agreement` is of int8 in ONNX and of GGUF; a Hugging Face folder says the same as the model");
        }
        if matches!(params.to, To::Hf) && params.dtype == Some(Dtype::Q8_0) {
            faults.at("dtype", "`q8_0` is for `to: gguf`: no Hugging Face folder has such numbers");
        }
        if matches!(params.to, To::Onnx) && params.dtype.is_some_and(|dtype| dtype != Dtype::F32) {
            faults
                .at("dtype", "an ONNX file is f32, with int8 layers where the model has them")
                .help("`to: hf` writes halves, which `transformers` reads");
        }
    }

    fn run(params: &Params, ctx: &mut StageCtx<'_>) -> Result<(), StageError> {
        let model = ctx.input("model")?.clone();
        let data = ctx.optional("data").map(|artifact| artifact.dir.clone());
        let format = format(params);
        let request = Request {
            model: &model.dir,
            format,
            data: data.as_deref(),
            rows: params.rows,
            max_length: params.max_length,
            min_agreement: params.min_agreement.unwrap_or(export::MIN_AGREEMENT),
        };
        let written = export::export(&request, Target::Folder(ctx.output))?;
        ctx.metric("size_bytes", written.bytes as f64, Unit::Bytes, Better::Lower);
        if let Some(agreement) = written.comparison.agreement() {
            ctx.metric("agreement", agreement, Unit::Share, Better::Higher);
        }
        ctx.record.fact("file", format.file_name());
        ctx.record.fact("weights", written.weights.clone());
        ctx.record.fact("checked", written.describe());
        if !written.notes.is_empty() {
            ctx.record.fact("notes", written.notes.join("; "));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{
        super::{evaluate::rig::Rig, quantize::Quantize},
        *,
    };

    #[test]
    fn written_compared_and_small() {
        let rig = Rig::new();
        rig.run::<Quantize>(&json!({"embeddings": true}), &[("model", &["model"])], "int8").unwrap();
        let inputs: &[(&str, &[&str])] = &[("model", &["model"]), ("data", &["data"])];
        let plain = rig.run::<Export>(&json!({"to": "onnx", "rows": 5}), inputs, "onnx").unwrap();
        let int8 = rig.run::<Export>(&json!({}), &[("model", &["int8"])], "onnx8").unwrap();
        let size = |folder: &str| std::fs::metadata(rig.path(folder).join("model.onnx")).unwrap().len() as f64;
        assert_eq!(plain.metric("size_bytes").unwrap().value, size("onnx"));
        assert_eq!(plain.metric("agreement").unwrap().value, 1.0);
        // Of so small a model the graph is as large as the weights: what int8 saves is told by these.
        let weights = std::fs::metadata(rig.path("model/model.safetensors")).unwrap().len() as f64;
        assert!(size("onnx") - size("onnx8") > 0.4 * weights, "{} {}", size("onnx8"), size("onnx"));
        let told = |record: &crate::stage::Record| {
            record.facts.iter().find(|(name, _)| name == "checked").map(|(_, text)| text.clone()).unwrap()
        };
        assert!(told(&plain).starts_with("5 rows run again by rten: 100.0 % of labels are the same, "), "{}", told(&plain));
        assert!(told(&int8).starts_with("4 rows of fixed ids run again by rten: "), "{}", told(&int8));
        assert!(rig.path("onnx/vocab.txt").exists(), "the tokenizer comes along");
        let config = std::fs::read_to_string(rig.path("onnx8/config.json")).unwrap();
        assert!(config.contains("model_type") && !config.contains("quantization_config"), "{config}");
        let half = rig.run::<Export>(&json!({"to": "hf", "dtype": "f16", "rows": 5}), inputs, "half").unwrap();
        let bytes = std::fs::metadata(rig.path("half/model.safetensors")).unwrap().len() as f64;
        assert_eq!(half.metric("size_bytes").unwrap().value, bytes);
        assert!(told(&half).starts_with("5 rows run again by lmpipe: 100.0 % of labels are the same, "), "{}", told(&half));
        assert!(half.facts.contains(&("weights".to_owned(), "f16".to_owned())), "{:?}", half.facts);
        assert!(rig.path("half/vocab.txt").exists());
        let error = rig.run::<Export>(&json!({"to": "hf", "min_agreement": 0.9}), inputs, "x").unwrap_err().to_string();
        assert!(error.contains("`min_agreement` is of int8 in ONNX and of GGUF"), "{error}");
        let gguf = rig.run::<Export>(&json!({"to": "gguf", "rows": 5}), inputs, "gguf").unwrap();
        assert!(told(&gguf).starts_with("5 rows run again by lmpipe as llama.cpp computes: "), "{}", told(&gguf));
        let notes = gguf.facts.iter().find(|(name, _)| name == "notes").map(|(_, text)| text.as_str());
        assert!(notes.is_some_and(|notes| notes.starts_with("a classifier: ")), "{notes:?}");
        assert!(rig.path("gguf/model.gguf").exists() && rig.path("gguf/vocab.txt").exists());
        let error = rig.run::<Export>(&json!({"to": "hf", "dtype": "q8_0"}), inputs, "x").unwrap_err().to_string();
        assert!(error.contains("`q8_0` is for `to: gguf`"), "{error}");
        let error = rig.run::<Export>(&json!({"dtype": "bf16"}), inputs, "x").unwrap_err().to_string();
        assert!(error.contains("an ONNX file is f32"), "{error}");
        assert!(rig.run::<Export>(&json!({"to": "gguff"}), inputs, "x").unwrap_err().to_string().contains("gguff"));
    }
}
