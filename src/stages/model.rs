//! `model`: takes a pretrained model from the first source that has it.

use std::{borrow::Cow, fmt, fs::File, io::BufReader};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{SeqAccess, Visitor},
};
use serde_json::{Value, json};

use crate::{
    base::{fs::AtPath, units},
    hub::{self, HubError, Source, Watch},
    stage::{ArtifactKind, Cancel, Faults, Port, Progress, Stage, StageCtx, StageError},
};

/// Parameters of a `model` input.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// Where the model is: `hf://org/name@revision`, `pip://package==version/folder/inside`, or a folder; or a list of
    /// such, which are tried in order.
    model: Sources,
    /// The SHA-256 of the weights, whatever the source: it is these or none. Of weights in several files it is that of what
    /// `sha256sum` prints for them in the order of their names.
    #[serde(default)]
    sha256: Option<String>,
}

/// One source or several, as they are written.
#[derive(Clone, Debug)]
pub(super) struct Sources(Vec<String>);

impl Params {
    /// The folders among the sources, by their place.
    fn folders(&self) -> impl Iterator<Item = (usize, &str)> {
        let folder = |(at, text): (usize, &'_ String)| matches!(text.parse(), Ok(Source::Folder(_))).then_some(at);
        self.model.0.iter().enumerate().filter_map(folder).map(|at| (at, self.model.0[at].as_str()))
    }

    fn path(&self, at: usize) -> String {
        if self.model.0.len() == 1 { "model".to_owned() } else { format!("model[{at}]") }
    }
}

/// See the file's first line.
pub(super) struct ModelSource;

impl Stage for ModelSource {
    const KIND: &'static str = "model";
    const VERSION: u32 = 2;
    const ABOUT: &'static str = "takes a pretrained model from the first source that has it";
    const INPUTS: &'static [Port] = &[];
    const OUTPUT: ArtifactKind = ArtifactKind::Model;
    const SOURCE: bool = true;
    type Params = Params;

    fn check(params: &Params, faults: &mut Faults) {
        if params.model.0.is_empty() {
            faults.at("model", "no source").help("`hf://org/name`, `pip://package==version/folder`, or a folder");
        }
        for (at, text) in params.model.0.iter().enumerate() {
            if let Err(fault) = text.parse::<Source>() {
                faults.at(params.path(at), fault);
            }
        }
        // The fingerprint sees the content of an only folder; of one among several it sees the pin, or nothing.
        if params.sha256.is_none()
            && params.model.0.len() > 1
            && let Some((at, folder)) = params.folders().next()
        {
            faults
                .at(
                    params.path(at),
                    format!("the folder `{folder}` is one of several sources, and nothing pins the weights"),
                )
                .help("add `sha256:` with the SHA-256 of the weights, `model.safetensors`");
        }
        if let Some(sha256) = &params.sha256
            && (sha256.len() != 64 || !sha256.bytes().all(|byte| byte.is_ascii_hexdigit()))
        {
            faults
                .at("sha256", format!("`{sha256}` is not a SHA-256"))
                .help("64 hexadecimal digits, as `sha256sum model.safetensors` prints them");
        }
    }

    /// A folder that is the only source must be there. One of several is an alternative: if it is missing, the next source
    /// is taken.
    fn files(params: &Params) -> Vec<(String, String)> {
        if params.model.0.len() > 1 {
            return Vec::new();
        }
        params.folders().map(|(at, text)| (params.path(at), plain(text).to_owned())).collect()
    }

    /// Pinned weights are the same weights from every source.
    fn identity(params: &Params) -> Value {
        match &params.sha256 {
            Some(sha256) => json!({ "sha256": sha256.to_lowercase() }),
            // The content of an only folder is part of the fingerprint by `files`.
            None if params.model.0.len() == 1 && params.folders().next().is_some() => json!({}),
            None => json!({ "model": params.model.0 }),
        }
    }

    fn run(params: &Params, ctx: &mut StageCtx<'_>) -> Result<(), StageError> {
        let sources: Vec<Source> =
            params.model.0.iter().map(|text| text.parse()).collect::<Result<_, String>>().map_err(StageError::msg)?;
        let (sink, cancel): (_, &Cancel) = (ctx.sink, ctx.cancel);
        let watch = Watch {
            note: &|text| sink.note(text),
            progress: &|done, total| {
                sink.progress(Progress { done, total, unit: "byte", message: units::bytes(done) });
            },
            stopped: &|| cancel.is_cancelled(),
        };
        let found = match hub::resolve(&sources, params.sha256.as_deref(), ctx.base_dir, &watch) {
            Ok(found) => found,
            Err(HubError::Stopped) => return Err(StageError::msg("stopped")),
            Err(error) => return Err(error.into()),
        };
        let mut size = 0;
        for file in &found.files {
            let from = found.dir.join(file);
            size += std::fs::copy(&from, ctx.output.join(file)).at("cannot copy", &from)?;
        }
        ctx.record.fact("source", &found.source);
        ctx.record.fact("sha256", &found.sha256);
        ctx.record.fact("size", units::bytes(size));
        describe(ctx)?;
        if params.sha256.is_none() {
            let warning =
                format!("the weights are not pinned; to have the same ones everywhere: `sha256: {}`", found.sha256);
            ctx.record.warnings.push(warning);
        }
        Ok(())
    }
}

/// What `config.json` says of the model.
fn describe(ctx: &mut StageCtx<'_>) -> Result<(), StageError> {
    let path = ctx.output.join("config.json");
    let file = File::open(&path).at("cannot read", &path)?;
    let config: Value = serde_json::from_reader(BufReader::new(file))
        .map_err(|error| StageError::msg(format!("`config.json` of the model is not JSON: {error}")))?;
    for (name, keys) in [
        ("family", ["model_type", "model_type"]),
        ("layers", ["num_hidden_layers", "n_layers"]),
        ("hidden size", ["hidden_size", "dim"]),
        ("attention heads", ["num_attention_heads", "n_heads"]),
        ("vocabulary", ["vocab_size", "vocab_size"]),
    ] {
        match keys.iter().find_map(|key| config.get(key)) {
            Some(Value::String(text)) => ctx.record.fact(name, text.clone()),
            Some(Value::Number(number)) => ctx.record.fact(name, number.to_string()),
            _ => {}
        }
    }
    Ok(())
}

/// The path of a folder that may be written as `file:./x`.
fn plain(text: &str) -> &str {
    let text = text.strip_prefix("file:").unwrap_or(text);
    text.strip_prefix("//").unwrap_or(text)
}

impl Serialize for Sources {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Sources {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMany;
        impl<'de> Visitor<'de> for OneOrMany {
            type Value = Sources;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a source of a model, or a list of sources")
            }

            fn visit_str<E>(self, source: &str) -> Result<Sources, E> {
                Ok(Sources(vec![source.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Sources, A::Error> {
                let mut sources = Vec::new();
                while let Some(source) = items.next_element()? {
                    sources.push(source);
                }
                Ok(Sources(sources))
            }
        }
        deserializer.deserialize_any(OneOrMany)
    }
}

impl JsonSchema for Sources {
    fn schema_name() -> Cow<'static, str> {
        "Sources".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A source of a model, or a list of sources, which are tried in order.",
            "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}],
        })
    }
}
