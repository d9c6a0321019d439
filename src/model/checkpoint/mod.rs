//! A model directory: load and save.

mod fields;
mod names;
mod pickle;
mod raw;
mod reader;
mod safetensors;
mod stored;
mod weights;

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use ::safetensors::Dtype;
use candle_core::Device;
pub(super) use fields::Fields;
pub(super) use fields::read as read_config;
pub(super) use raw::{Raw, Values};
pub(super) use reader::Reader;
use reader::wrong_shape;
use safetensors::Entry;
use serde_json::{Value, json};
pub(super) use stored::{Format, Stored, format};
pub(super) use weights::read_dir as read_weights;

use super::{
    ClassifierHead, EncoderSpec, FloatType, Head, Model, ModelError, Quantized,
    families::{self, Family},
    led,
    network::label_maps,
    params::{EMBEDDINGS, TOKEN_CLASSIFIER, TRANSFORM, parameters},
};
use crate::base::{fs, model_dir, plural};

pub(super) const DECODER: &str = "cls.predictions.decoder.weight";

/// Reads a model directory.
pub(super) fn load(dir: &Path, device: &Device) -> Result<Model, ModelError> {
    read(dir, device).map(|(model, _)| model)
}

/// Reads a model directory, and says how each of its tensors is stored.
pub(super) fn read(dir: &Path, device: &Device) -> Result<(Model, Vec<Stored>), ModelError> {
    let (file, object) = fields::read(dir)?;
    let config = Fields::new(&file, &object);
    let model_type = config.text("model_type")?.ok_or_else(|| config.fault("`model_type` is missing"))?;
    if model_type == led::MODEL_TYPE {
        return Err(config.fault(&led::refusal()));
    }
    let family = families::of(model_type).map_err(|error| config.fault(&error))?;
    let mut spec = (family.spec)(&config)?;
    let classifies_tokens = architecture(&config) == Some(family.architectures[3]);
    let quantized = match config.value("quantization_config") {
        None => Quantized::No,
        Some(block) => {
            Quantized::read(block).map_err(|error| config.fault(&error))?.with_our_names(family, classifies_tokens)
        }
    };
    if quantized.is_int8() && !device.is_cpu() {
        return Err(ModelError::Device(format!(
            "the model in `{}` is int8, and int8 models run on `cpu` only; leave the stage's `device` out, or name `cpu`",
            dir.display()
        )));
    }

    let tensors = weights::read_dir(dir)?;
    let stored = stored::list(&tensors);
    let names::Renamed { tensors: mut raw, left_over } = names::rename(family, tensors, classifies_tokens)?;
    let mut notes: Vec<String> = left_over.iter().map(|name| format!("`{name}` is not used")).collect();
    let head = head(family, &config, &raw, &mut notes)?;
    let has_classifier = matches!(head, Head::SequenceClassification { .. });
    spec.pooler =
        raw.contains_key("bert.pooler.dense.weight") || (has_classifier && spec.classifier == ClassifierHead::Pooler);
    if !spec.pooler && head == Head::None {
        notes.push("the checkpoint has no pooler".to_owned());
    }
    // Old writers store the tied bias under the decoder's name.
    if let Some(bias) = raw.remove("cls.predictions.decoder.bias")
        && head == Head::MaskedLm
    {
        raw.entry("cls.predictions.bias".to_owned()).or_insert(bias);
    }

    let wanted = parameters(&spec, &head);
    let mut reader = Reader::new(raw, device, &quantized);
    reader.require_all(&wanted, dir)?;
    for parameter in &wanted {
        reader.take(parameter)?;
    }
    if head == Head::MaskedLm {
        reader.take_decoder(&spec)?;
    }
    let Reader { raw, params, int8, packed, .. } = reader;
    notes.extend(raw.keys().filter(|name| *name != DECODER).map(|name| format!("`{name}` is not used")));
    if quantized == Quantized::No && !int8.is_empty() {
        return Err(config.fault("the weights are int8, but there is no `quantization_config`"));
    }
    if quantized.is_int8() && int8.is_empty() {
        return Err(config.fault("there is a `quantization_config`, but no weight is int8"));
    }
    if matches!(quantized, Quantized::WeightOnly { .. }) && packed.is_empty() {
        return Err(config.fault("there is a `quantization_config`, but no weight is packed"));
    }
    let device = device.clone();
    let config = Value::Object(object);
    let model = Model { spec, head, config, params, int8, packed, quantized, device, notes, memory: None };
    Ok((model, stored))
}

/// The class that the config names.
fn architecture<'a>(config: &'a Fields<'_>) -> Option<&'a str> {
    config.value("architectures").and_then(|list| list.get(0)).and_then(Value::as_str)
}

/// The head that the config names and the checkpoint has.
fn head(
    family: &Family,
    config: &Fields<'_>,
    raw: &BTreeMap<String, Raw>,
    notes: &mut Vec<String>,
) -> Result<Head, ModelError> {
    let named = architecture(config);
    let [_, classification, masked_lm, token_classification] = family.architectures;
    let classifies_tokens = named == Some(token_classification);
    let classifier =
        raw.get(&if classifies_tokens { format!("{TOKEN_CLASSIFIER}.weight") } else { "classifier.weight".into() });
    let has_masked_lm = raw.contains_key(&format!("{TRANSFORM}.weight"));
    let kind = match named {
        Some(name) if name == classification || name == token_classification => classification,
        Some(name) if name == masked_lm || name.ends_with("ForPreTraining") => masked_lm,
        Some(name) if name.contains("For") => {
            notes.push(format!("the head of `{name}` is not used"));
            return Ok(Head::None);
        }
        _ if classifier.is_some() => classification,
        _ => masked_lm,
    };
    if kind == masked_lm {
        if !has_masked_lm && named.is_some_and(|name| name == masked_lm) {
            notes.push("the checkpoint has no masked-LM head".to_owned());
        }
        return Ok(if has_masked_lm { Head::MaskedLm } else { Head::None });
    }
    let Some(classifier) = classifier else {
        notes.push("the checkpoint has no classifier".to_owned());
        return Ok(Head::None);
    };
    // A shape with a zero in it may claim any number of rows.
    let outputs = match classifier.shape[..] {
        [outputs, width] if width > 0 => outputs,
        _ => return Err(wrong_shape("classifier.weight", classifier, "two numbers above 0")),
    };
    let labels = config.labels()?.unwrap_or_else(|| (0..outputs).map(|id| format!("LABEL_{id}")).collect());
    if labels.len() != outputs {
        let names = plural::count(labels.len(), "label");
        return Err(config.fault(&format!("`id2label` names {names}, but `classifier.weight` has {outputs} rows")));
    }
    Ok(if classifies_tokens { Head::TokenClassification { labels } } else { Head::SequenceClassification { labels } })
}

impl Quantized {
    /// The same with modules as we call them.
    fn with_our_names(self, family: &Family, classifies_tokens: bool) -> Self {
        let mut ours: Vec<String> = Vec::new();
        for module in self.ignored().iter().flat_map(|module| family.our_modules(module, classifies_tokens)) {
            // A bare encoder names its pooler with and without its prefix.
            if !ours.contains(&module) {
                ours.push(module);
            }
        }
        self.ignoring(ours)
    }
}

/// Copies the files of a tokenizer that there are from one folder to another.
///
/// # Errors
/// When a file cannot be read or written.
pub(crate) fn copy_tokenizer(from: &Path, to: &Path) -> Result<(), fs::PathError> {
    for name in model_dir::TOKENIZER {
        let (source, copy) = (from.join(name), to.join(name));
        if source.exists() && source != copy {
            fs::write_atomic(&copy, &fs::read(&source)?)?;
        }
    }
    Ok(())
}

/// Writes a model directory, f32 parameters in a type. The weights are written last: a directory with weights is whole.
pub(super) fn save(model: &Model, dir: &Path, tokenizer_from: &Path, floats: FloatType) -> Result<(), ModelError> {
    let family = families::of_config(&model.config)?;
    let has_words = model.int8.contains_key(EMBEDDINGS[0]) || model.packed.contains_key(EMBEDDINGS[0]);
    if model.head == Head::MaskedLm && has_words && !model.params.contains_key(DECODER) {
        return Err(ModelError::Checkpoint(format!(
            "`{}` is also the decoder of the masked LM, which other programs read as f32: leave it f32",
            EMBEDDINGS[0]
        )));
    }
    let config = config(model, family, floats)?;
    let entries = entries(model, family, floats)?;
    fs::create_dir(dir)?;
    copy_tokenizer(tokenizer_from, dir)?;
    let text = serde_json::to_string_pretty(&config).map_err(|error| {
        ModelError::Checkpoint(format!("cannot write `{}`: {error}", dir.join("config.json").display()))
    })?;
    fs::write_atomic(&dir.join("config.json"), (text + "\n").as_bytes())?;
    safetensors::write(&dir.join("model.safetensors"), entries)
}

/// Demands that the `config.json` that would be written reads as what the model is.
pub(super) fn check_config(model: &Model) -> Result<(), ModelError> {
    let family = families::of_config(&model.config)?;
    let config = config(model, family, FloatType::F32)?;
    let object = config.as_object().cloned().unwrap_or_default();
    let read = (family.spec)(&Fields::new(Path::new("config.json"), &object))?;
    // Whether there is a pooler is told by the weights.
    let read = EncoderSpec { pooler: model.spec.pooler, ..read };
    if read == model.spec {
        return Ok(());
    }
    Err(ModelError::Checkpoint(format!(
        "`config.json` of the family `{}` cannot say what the model is: {:?} would read as {read:?}",
        family.model_type, model.spec
    )))
}

/// `config.json`: what was read, and on it what the model is now.
pub(super) fn config(model: &Model, family: &Family, floats: FloatType) -> Result<Value, ModelError> {
    let spec = &model.spec;
    let mut widths = spec.layers.iter().map(|layer| layer.intermediate_size);
    let first = widths.next().ok_or_else(|| ModelError::Checkpoint("a model has at least one layer".to_owned()))?;
    if let Some(other) = widths.find(|width| *width != first) {
        return Err(ModelError::Checkpoint(format!(
            "`config.json` has one `intermediate_size` for all layers, but they have {first} and {other}: prune all \
             layers to the same width"
        )));
    }
    let mut config = model.config.as_object().cloned().unwrap_or_default();
    family.write_config(spec, &mut config)?;
    let [none, classification, masked_lm, token_classification] = family.architectures;
    let architecture = match &model.head {
        Head::None => none,
        Head::SequenceClassification { labels } | Head::TokenClassification { labels } => {
            let (by_id, by_label) = label_maps(labels);
            config.insert("id2label".to_owned(), by_id);
            config.insert("label2id".to_owned(), by_label);
            // Readers count `id2label`; a stale number beside it would contradict it.
            config.shift_remove("num_labels");
            let is_of_tokens = matches!(model.head, Head::TokenClassification { .. });
            if is_of_tokens { token_classification } else { classification }
        }
        Head::MaskedLm => masked_lm,
    };
    config.insert("architectures".to_owned(), json!([architecture]));
    for key in ["torch_dtype", "dtype"] {
        config.entry(key).and_modify(|kind| *kind = json!(floats.config_name()));
    }
    if floats != FloatType::F32 && !config.contains_key("dtype") {
        // The name that older readers know, too.
        config.insert("torch_dtype".to_owned(), json!(floats.config_name()));
    }
    if model.params.contains_key(DECODER) {
        config.insert("tie_word_embeddings".to_owned(), json!(false));
    }
    match model.quantized.clone().ignoring(ignored(model, family)).block() {
        None => _ = config.shift_remove("quantization_config"),
        Some(block) => _ = config.insert("quantization_config".to_owned(), block),
    }
    Ok(Value::Object(config))
}

/// The modules that stay f32 in a quantised model, as the family calls them.
fn ignored(model: &Model, family: &Family) -> Vec<String> {
    let mut ignore: Vec<_> = model.quantized.ignored().iter().map(|module| family.their_module(module)).collect();
    ignore.dedup();
    if model.head == Head::None {
        // Modules of a bare encoder have no prefix there.
        let bare: Vec<_> =
            ignore.iter().filter_map(|module| module.strip_prefix(family.prefix)).map(str::to_owned).collect();
        ignore.extend(bare);
        let mut seen = BTreeSet::new();
        ignore.retain(|module| seen.insert(module.clone()));
    }
    ignore
}

/// All tensors under their names in the file.
fn entries(model: &Model, family: &Family, floats: FloatType) -> Result<BTreeMap<String, Entry<'static>>, ModelError> {
    let mut entries = BTreeMap::new();
    for (name, tensor) in model.params.iter().filter(|(name, _)| !model.is_packed(name)) {
        let values = tensor.to_device(&Device::Cpu)?.flatten_all()?.to_vec1::<f32>()?;
        let bytes = floats.bytes(&values).map_err(|place| too_large(name, values[place], floats))?;
        let entry = Entry { kind: dtype(floats), shape: tensor.dims().to_vec(), bytes: Cow::Owned(bytes) };
        entries.insert(name.clone(), entry);
    }
    for (module, weight) in &model.int8 {
        let values: Vec<u8> = weight.values().iter().map(|&value| value as u8).collect();
        let entry = Entry { kind: Dtype::I8, shape: weight.shape().to_vec(), bytes: Cow::Owned(values) };
        entries.insert(format!("{module}.weight"), entry);
        let scales: Vec<u8> = weight.scales().iter().flat_map(|scale| scale.to_le_bytes()).collect();
        let entry = Entry { kind: Dtype::F32, shape: vec![weight.shape()[0], 1], bytes: Cow::Owned(scales) };
        entries.insert(format!("{module}.weight_scale"), entry);
    }
    check_complete(model, &entries)?;
    for (module, weight) in &model.packed {
        let [rows, columns] = weight.shape();
        let (words, scales) = (weight.words(), weight.scales());
        let mut insert = |suffix: &str, kind, columns: Option<usize>, bytes: Vec<u8>| {
            let shape = columns.map_or_else(|| vec![2], |columns| vec![rows, columns]);
            entries.insert(format!("{module}.weight_{suffix}"), Entry { kind, shape, bytes: Cow::Owned(bytes) });
        };
        let bytes = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        insert("packed", Dtype::I32, Some(words.len() / rows.max(1)), bytes);
        let bytes = scales.iter().flat_map(|scale| scale.to_le_bytes()).collect();
        insert("scale", Dtype::F32, Some(scales.len() / rows.max(1)), bytes);
        insert(
            "shape",
            Dtype::I64,
            None,
            [rows, columns].iter().flat_map(|size| (*size as i64).to_le_bytes()).collect(),
        );
    }
    names::rename_back(family, entries)
}

fn dtype(floats: FloatType) -> Dtype {
    match floats {
        FloatType::F32 => Dtype::F32,
        FloatType::F16 => Dtype::F16,
        FloatType::Bf16 => Dtype::BF16,
    }
}

fn too_large(name: &str, value: f32, floats: FloatType) -> ModelError {
    let (kind, wider) = (floats.name(), if floats == FloatType::F16 { "bf16 or f32" } else { "f32" });
    ModelError::Checkpoint(format!(
        "`{name}` holds {value:e}, which is too large for {kind}: store the model as {wider}"
    ))
}

/// What is written must be what the config asks for: a surgery that forgot a tensor ends here, not at the reader.
fn check_complete(model: &Model, entries: &BTreeMap<String, Entry<'_>>) -> Result<(), ModelError> {
    let wanted = parameters(&model.spec, &model.head);
    for parameter in wanted.iter().filter(|parameter| !model.is_packed(&parameter.name)) {
        let entry = entries.get(&parameter.name);
        let shape = entry.map(|entry| entry.shape.as_slice());
        if shape != Some(&parameter.shape) {
            let found = shape.map_or_else(|| "missing".to_owned(), |shape| format!("of the shape {shape:?}"));
            return Err(ModelError::Checkpoint(format!(
                "`{}` is {found}, but the model's shape asks for {:?}",
                parameter.name, parameter.shape
            )));
        }
    }
    let known: BTreeSet<_> = wanted.iter().map(|parameter| parameter.name.as_str()).chain([DECODER]).collect();
    match model.params.keys().find(|name| !known.contains(name.as_str())) {
        Some(name) => Err(ModelError::Checkpoint(format!("`{name}` is no parameter of the model's shape"))),
        None => Ok(()),
    }
}
