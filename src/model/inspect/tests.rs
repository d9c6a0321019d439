//! What is said of the tiny models, and of variants that `transformers` was seen to open or to refuse.

use std::path::{Path, PathBuf};

use safetensors::{SafeTensors, tensor::TensorView};
use tempfile::TempDir;

use super::*;
use crate::{
    base::fs,
    model::{FloatType, Int8Weight, Quantized},
};

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

/// The model with another text in its `config.json`.
fn with_config(name: &str, from: &str, to: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let config = fs::read_text(&data(name).join("config.json")).unwrap();
    assert!(config.contains(from), "{config}");
    fs::write_atomic(&dir.path().join("config.json"), config.replace(from, to).as_bytes()).unwrap();
    let weights = fs::read(&data(name).join("model.safetensors")).unwrap();
    fs::write_atomic(&dir.path().join("model.safetensors"), &weights).unwrap();
    dir
}

/// The model with other names, and something else said about the file.
fn with_weights(name: &str, rename: fn(&str) -> String, format: Option<(&str, &str)>) -> TempDir {
    let dir = with_config(name, "{", "{");
    let path = dir.path().join("model.safetensors");
    let bytes = fs::read(&path).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let tensors: Vec<(String, TensorView<'_>)> =
        tensors.tensors().into_iter().map(|(name, view)| (rename(&name), view)).collect();
    let about = format.map(|(key, value)| [(key.to_owned(), value.to_owned())].into());
    fs::write_atomic(&path, &safetensors::serialize(tensors, about).unwrap()).unwrap();
    dir
}

fn opening(dir: &Path) -> Opening {
    inspect(dir).unwrap().transformers
}

#[test]
fn parts_are_the_whole() {
    let families = std::fs::read_dir(data("families")).unwrap().chain(std::fs::read_dir(data("models")).unwrap());
    let folders = families.map(|entry| entry.unwrap().path()).chain([data("formats/ct"), data("pickles/model/pickle")]);
    let mut seen = 0;
    for folder in folders.filter(|path| path.is_dir()) {
        let found = inspect(&folder).unwrap();
        let sum = |number: fn(&Part) -> u64| found.parts.iter().map(number).sum::<u64>();
        assert_eq!(sum(|part| part.parameters), found.model.n_parameters() as u64, "{}", folder.display());
        let stored: u64 = found.files.iter().flat_map(|file| &file.types).map(|kind| kind.bytes).sum();
        assert_eq!(sum(|part| part.bytes) + found.unused_bytes, stored, "{}", folder.display());
        assert!(found.parts.is_sorted_by_key(|part| part.place) && found.parts[0].place == Place::Embeddings);
        seen += 1;
    }
    assert!(seen > 25, "{seen}");
}

#[test]
fn zeros_are_counted_where_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let mut model = Model::load(&data("models/tiny-classifier"), &Device::Cpu).unwrap();
    let weight = model.params.get_mut("bert.encoder.layer.1.intermediate.dense.weight").unwrap();
    let count = weight.elem_count() as u64;
    *weight = weight.zeros_like().unwrap();
    model.save_as(dir.path(), dir.path(), FloatType::Bf16).unwrap();
    let found = inspect(dir.path()).unwrap();
    for part in &found.parts {
        let is_it = part.place == Place::Layer(1, Within::FeedForward);
        assert_eq!(part.zeros, if is_it { count } else { 0 }, "{}", part.place);
        assert_eq!(part.bytes, 2 * part.parameters);
    }
    assert!(found.transformers.cautions[0].starts_with("transformers 5 computes in bf16"), "{:?}", found.transformers);
}

#[test]
fn models_open_as_they_are() {
    for (name, class) in [
        ("models/tiny-classifier", "BertForSequenceClassification"),
        ("models/tiny-masked-lm", "BertForMaskedLM"),
        ("families/albert-classifier", "AlbertForSequenceClassification"),
        ("families/electra-encoder", "ElectraModel"),
        ("families/xlm-roberta-classifier", "XLMRobertaForSequenceClassification"),
    ] {
        let found = opening(&data(name));
        assert_eq!(found.describe(), format!("opens as it is: `{class}`"), "{name}");
        assert_eq!((found.versions, found.cautions), (vec![4, 5], Vec::new()), "{name}");
    }
    let found = opening(&data("models/tiny-encoder"));
    assert_eq!(found.cautions, ["it has no pooler: `pooler_output` is random there"]);
    let found = opening(&data("pickles/model/pickle-shards"));
    assert!(found.describe().ends_with("; needs PyTorch 2.6 or newer, which reads pickles safely"), "{found:?}");
    let other = with_config("models/tiny-encoder", "\"BertModel\"", "\"BertForQuestionAnswering\"");
    assert_eq!(opening(other.path()).class, "BertForQuestionAnswering");
}

#[test]
fn lost_heads_open_in_4_or_nowhere() {
    let found = opening(&data("models/tiny-pruned"));
    assert_eq!(
        found.describe(),
        "opens in transformers 4 only, as `BertForSequenceClassification`: heads are gone in 2 layers, and transformers 5 \
         does not read `pruned_heads`"
    );
    let dir = tempfile::tempdir().unwrap();
    let model = Model::load(&data("families/longformer-classifier"), &Device::Cpu).unwrap();
    let mut spec = model.spec.clone();
    spec.layers[0].heads -= 1;
    model.init_alike(spec, model.head.clone(), 1).unwrap().save(dir.path(), dir.path()).unwrap();
    assert_eq!(
        opening(dir.path()).describe(),
        "cannot be opened: heads are gone in 1 layer, which `LongformerModel` cannot lack"
    );
}

#[test]
fn int8_must_be_what_the_config_says() {
    let found = opening(&data("formats/ct"));
    let needs = "opens as `BertForSequenceClassification`; needs `pip install compressed-tensors`";
    assert_eq!(found.describe(), needs);
    assert!(found.cautions[0].contains("half precision"), "{found:?}");
    let pooler = with_config("formats/ct", "\"bert.pooler.dense\",", "");
    assert_eq!(
        opening(pooler.path()).describe(),
        "cannot be opened: `bert.pooler.dense` is f32, and `quantization_config` says int8 (by `ignore`)"
    );
    let more = "\"bert.pooler.dense\", \"bert.encoder.layer.0.output.dense\",";
    let more = with_config("formats/ct", "\"bert.pooler.dense\",", more);
    assert!(opening(more.path()).describe().contains("`bert.encoder.layer.0.output.dense` is int8, and"));
    let pattern = with_config("formats/ct", "\"bert.pooler.dense\"", "\"re:.*pooler\"");
    assert_eq!(opening(pattern.path()).describe(), needs);
    let unknown = with_config("formats/ct", "\"bert.pooler.dense\"", "\"re:(?=pooler)\"");
    assert_eq!(opening(unknown.path()).describe(), needs, "no verdict rests on a pattern that is not understood");
}

/// The modules of a bare encoder have no prefix there, and it has a pooler whatever the checkpoint has.
#[test]
fn what_an_int8_encoder_ignores_is_kept() {
    let mut model = Model::load(&data("models/tiny-encoder"), &Device::Cpu).unwrap();
    let stays = "bert.encoder.layer.0.output.dense";
    let names: Vec<String> =
        model.params.keys().filter(|name| name.contains(".dense.weight") || name.contains(".self.")).cloned().collect();
    for module in names.iter().filter_map(|name| name.strip_suffix(".weight")).filter(|module| *module != stays) {
        let weight = model.params.remove(&format!("{module}.weight")).unwrap();
        model.int8.insert(module.to_owned(), Int8Weight::from_f32(&weight).unwrap());
    }
    model.quantized =
        Quantized::Int8 { embeddings: false, ignore: vec![stays.to_owned(), "bert.pooler.dense".to_owned()] };
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    model.save(one.path(), one.path()).unwrap();
    let found = inspect(one.path()).unwrap();
    assert_eq!(found.transformers.versions, [4, 5], "{:?}", found.transformers);
    found.model.save_as(two.path(), two.path(), FloatType::F16).unwrap();
    let again = inspect(two.path()).unwrap();
    assert_eq!(again.transformers.versions, [4, 5], "{:?}", again.transformers);
    assert_eq!(again.model.difference(&found.model, FloatType::F16).unwrap(), None);
    let ignored = |found: &Inspection| found.model.config["quantization_config"]["ignore"].clone();
    assert_eq!(ignored(&found), ignored(&again));
    assert_eq!(ignored(&found).as_array().unwrap().len(), 4);
}

#[test]
fn files_that_transformers_4_refuses() {
    let same: fn(&str) -> String = str::to_owned;
    let named = with_weights("models/tiny-classifier", same, Some(("format", "np")));
    let text = "opens in transformers 5 only, as `BertForSequenceClassification`: `model.safetensors` does not say";
    assert!(opening(named.path()).describe().starts_with(text), "{:?}", opening(named.path()));
    let other = with_weights("models/tiny-classifier", same, Some(("by", "hand")));
    assert_eq!(opening(other.path()).versions, [5]);
    let silent = opening(with_weights("models/tiny-classifier", same, None).path());
    assert_eq!((silent.versions, silent.cautions.len()), (vec![4, 5], 1));
    let bare: fn(&str) -> String = |name| name.trim_start_matches("bert.").to_owned();
    let bare_names = with_weights("models/tiny-classifier", bare, Some(("format", "pt")));
    assert!(opening(bare_names.path()).describe().contains("5 only"), "{:?}", opening(bare_names.path()));
    let encoder = with_weights("models/tiny-encoder", bare, Some(("format", "pt")));
    assert_eq!(opening(encoder.path()).versions, [4, 5]);
}
