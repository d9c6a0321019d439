//! `quantize`: lowers the number format of weights and activations.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    base::{device::DeviceId, plural},
    compress::{
        modules,
        quant::{self, Quantization},
        verify,
    },
    eval,
    model::{self, Model, Width},
    stage::{ArtifactKind, Better, Faults, Port, Stage, StageCtx, StageError, Unit},
};

/// Parameters of `quantize`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// What becomes how narrow.
    #[serde(default)]
    scheme: Scheme,
    /// How many neighbours in a row of weights share a scale, a divisor of its length; for `w4a16` (128, unless said otherwise) and
    /// `w8a16` (the whole row, unless said otherwise).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    group_size: Option<usize>,
    /// Whether the embedding tables become narrow too: weights only, in `w8a8` int8 with a scale a row. They are half of a small
    /// model.
    #[serde(default)]
    embeddings: bool,
    /// Linear layers that stay f32, by name (`output.dense`, `bert.encoder.layer.0.*`) or regular expression
    /// (`re:.*layer\.[01]\.`). The pooler and the classifier always do.
    #[serde(default)]
    ignore: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Scheme {
    /// Weights int8 per output channel, activations int8 per token as they come, both symmetric.
    #[default]
    W8a8,
    /// Weights int8, computed in f32: a quarter of the file, no faster, and hardly another answer.
    W8a16,
    /// Weights of 4 bits, computed in f32: an eighth of the file, no faster; look at the quality.
    W4a16,
}

impl Params {
    fn scheme(&self) -> quant::Scheme {
        let width = |bits, group_size| quant::Scheme::WeightOnly(Width { bits, group_size });
        match self.scheme {
            Scheme::W8a8 => quant::Scheme::W8A8,
            Scheme::W8a16 => width(8, self.group_size),
            Scheme::W4a16 => width(4, Some(self.group_size.unwrap_or(128))),
        }
    }
}

/// The stage.
pub(super) struct Quantize;

impl Stage for Quantize {
    const KIND: &'static str = "quantize";
    const VERSION: u32 = 2;
    const ABOUT: &'static str = "makes weights narrow, and activations int8, in a form that other programs read";
    const INPUTS: &'static [Port] = &[Port::model("model")];
    const OUTPUT: ArtifactKind = ArtifactKind::Model;
    const COMPUTES: bool = true;
    type Params = Params;

    fn check(params: &Params, faults: &mut Faults) {
        faults.at_least("group_size", params.group_size.unwrap_or(1), 1);
        if params.group_size.is_some() && params.scheme == Scheme::W8a8 {
            faults
                .at("group_size", "the weights of `w8a8` have a scale an output channel")
                .help("`scheme: w4a16` and `scheme: w8a16` have groups");
        }
        for (i, pattern) in params.ignore.iter().enumerate() {
            if let Some(message) = modules::fault(pattern) {
                faults.at(format!("ignore[{i}]"), message);
            }
        }
    }

    fn run(params: &Params, ctx: &mut StageCtx<'_>) -> Result<(), StageError> {
        let artifact = ctx.input("model")?.clone();
        // int8 models run on the processor only, whatever the stage was lent.
        let parent = Model::load(&artifact.dir, &model::candle_device(DeviceId::Cpu)?)?;
        let scheme = params.scheme();
        let plan = Quantization::plan(&parent, scheme, params.embeddings, &params.ignore)?;
        let quantized = quant::quantize(&parent, &plan)?;
        ctx.check_cancelled()?;
        quantized.save(ctx.output, &artifact.dir)?;
        // What counts is the file: it is read again, must say what was meant, and must compute what the scheme says.
        let written = verify::read_back(&quantized, ctx.output)?;
        let compared = quant::compare(&parent, &written, &plan)?;
        let (before, after) = (eval::size_on_disk(&artifact.dir)?, eval::size_on_disk(ctx.output)?);
        ctx.metric("size_bytes", after as f64, Unit::Bytes, Better::Lower);
        ctx.metric("compression", before as f64 / after.max(1) as f64, Unit::Number, Better::Higher);
        ctx.record.fact("scheme", scheme.describe());
        let kind = format!("int{}", scheme.bits());
        ctx.record.fact(kind.clone(), plural::count(plan.modules.len(), "linear layer"));
        if !plan.embeddings.is_empty() {
            ctx.record.fact(format!("{kind} tables"), plural::list(&plan.embeddings));
        }
        ctx.record.fact("stay f32", plural::list(&plan.ignore));
        ctx.record.fact(
            "checked",
            format!(
                "read back; hidden states of fixed ids differ from the fake-quantised reference by {:.1e} of their size behind the first layer and {:.1e} behind the last, and rounding itself moves those by {:.1e}",
                compared.first_layer, compared.from_reference, compared.price
            ),
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::evaluate::rig::Rig, *};

    #[test]
    fn smaller_and_checked() {
        let rig = Rig::new();
        let plain = rig.run::<Quantize>(&json!({}), &[("model", &["model"])], "int8").unwrap();
        let tables = rig.run::<Quantize>(&json!({"embeddings": true}), &[("model", &["model"])], "int8e").unwrap();
        let bytes = |record: &crate::stage::Record| record.metric("size_bytes").unwrap().value;
        assert!(bytes(&tables) < bytes(&plain));
        assert_eq!(bytes(&plain), eval::size_on_disk(&rig.path("int8")).unwrap() as f64);
        assert!(plain.metric("compression").unwrap().value > 1.0);
        assert!(rig.path("int8/vocab.txt").exists(), "the tokenizer comes along");
        let error = rig.run::<Quantize>(&json!({}), &[("model", &["int8"])], "again").unwrap_err().to_string();
        assert!(error.contains("quantised already"), "{error}");
        let error = rig.run::<Quantize>(&json!({"scheme": "w3a16"}), &[("model", &["model"])], "x").unwrap_err();
        assert!(error.to_string().contains("w3a16"), "{error}");
    }

    #[test]
    fn four_bits_are_smaller_than_eight() {
        let rig = Rig::new();
        let made = |params: serde_json::Value, name| rig.run::<Quantize>(&params, &[("model", &["model"])], name);
        let eight = made(json!({"scheme": "w8a16", "embeddings": true}), "int8").unwrap();
        let four = made(json!({"scheme": "w4a16", "group_size": 8, "embeddings": true}), "int4").unwrap();
        let bytes = |record: &crate::stage::Record| record.metric("size_bytes").unwrap().value;
        assert!(bytes(&four) < bytes(&eight), "{} {}", bytes(&four), bytes(&eight));
        let told = four.facts.iter().find(|(name, _)| name == "scheme").map(|(_, text)| text.as_str());
        assert_eq!(told, Some("int4 weights per 8 in a row, symmetric, computed in f32"));
        let error = made(json!({"scheme": "w4a16"}), "x").unwrap_err().to_string();
        assert!(error.contains("`group_size` is 128, which does not divide its rows of 32"), "{error}");
        let error = made(json!({"group_size": 8}), "x").unwrap_err().to_string();
        assert!(error.contains("`w8a8` have a scale an output channel"), "{error}");
    }
}
