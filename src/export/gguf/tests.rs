//! GGUF files: what stands in them, what is refused, and what reading back finds.

use std::{
    collections::BTreeMap,
    fs as files,
    path::{Path, PathBuf},
};

use candle_core::quantized::gguf_file::{Content, Value};

use super::{
    super::{Format, Request, Samples, Target, Written, export},
    *,
};
use crate::{
    base::fs,
    data::{Import, Roles},
    model::{Activation, ClassifierHead, EncoderSpec, Head, LayerShape},
};

const VOCABULARY: usize = 120;

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

/// A small BERT of two layers of this width, with heads of 8.
fn spec(width: usize) -> EncoderSpec {
    let layer = LayerShape { heads: width / 8, intermediate_size: 96, reach: None };
    EncoderSpec { vocab_size: VOCABULARY, max_positions: 40, ..EncoderSpec::bert(width, 8, vec![layer; 2]) }
}

fn classifier() -> Head {
    Head::SequenceClassification { labels: vec!["bad".to_owned(), "good".to_owned(), "unsure".to_owned()] }
}

/// A model in a folder with a tokenizer, with larger weights than at its initialisation.
fn folder(model_type: &str, spec: EncoderSpec, head: Head) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let spec = EncoderSpec { initializer_range: 0.15, ..spec };
    let model = Model::init_as(model_type, spec, head, 7, &Device::Cpu).unwrap();
    model.save(dir.path(), &data("tokenizers/bert")).unwrap();
    dir
}

fn request(from: &Path, matrices: MatrixType) -> Request<'_> {
    Request { model: from, format: Format::Gguf(matrices), data: None, rows: 20, max_length: 30, min_agreement: 0.98 }
}

fn written(from: &Path, matrices: MatrixType) -> (Result<Written, ExportError>, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let written = export(&request(from, matrices), Target::File(&dir.path().join("model.gguf")));
    (written, dir)
}

/// Why a model is refused; nothing is left of it.
fn refusal(from: &Path) -> String {
    let dir = tempfile::tempdir().unwrap();
    let error = export(&request(from, MatrixType::Q8_0), Target::Folder(&dir.path().join("to"))).unwrap_err();
    assert_eq!(files::read_dir(dir.path()).unwrap().count(), 0, "{error}");
    error.to_string()
}

fn content(dir: &tempfile::TempDir) -> Content {
    let mut file = files::File::open(dir.path().join("model.gguf")).unwrap();
    Content::read(&mut file).unwrap()
}

/// The tensors of a file, `type [shape]`.
fn tensors(content: &Content) -> BTreeMap<String, String> {
    let tensors = content.tensor_infos.iter();
    tensors.map(|(name, info)| (name.clone(), format!("{:?} {:?}", info.ggml_dtype, info.shape.dims()))).collect()
}

const F32: MatrixType = MatrixType::Float(FloatType::F32);

#[test]
fn keys_tokens_and_tensors_are_those_of_llama_cpp() {
    let from = folder("bert", spec(64), classifier());
    let (told, dir) = written(from.path(), MatrixType::Q8_0);
    let told = told.unwrap();
    assert_eq!(told.weights, "q8_0");
    assert_eq!(
        told.notes,
        ["a classifier: with the pooling `rank`, llama.cpp gives the logits of `bad`, `good` and `unsure`"]
    );
    assert!(told.describe().starts_with("4 rows of fixed ids run again by lmpipe as llama.cpp computes: "));
    let content = content(&dir);
    let mut keys: Vec<String> = content
        .metadata
        .iter()
        .filter(|(key, _)| !["tokenizer.ggml.tokens", "tokenizer.ggml.token_type"].contains(&key.as_str()))
        .map(|(key, value)| format!("{key} = {value:?}"))
        .collect();
    keys.sort();
    insta::assert_snapshot!(keys.join("\n"));
    let list = |key: &str| content.metadata[key].to_vec().unwrap();
    let token = |id: usize| {
        let (token, kind) = (&list("tokenizer.ggml.tokens")[id], &list("tokenizer.ggml.token_type")[id]);
        (token.to_string().unwrap().clone(), kind.to_i32().unwrap())
    };
    let vocabulary = fs::read_text(&data("tokenizers/bert/vocab.txt")).unwrap();
    for (id, ours) in vocabulary.lines().enumerate() {
        let theirs = match ours.strip_prefix("##") {
            _ if ours.starts_with('[') && ours.len() > 1 => (ours.to_owned(), 3),
            Some(piece) => (piece.to_owned(), 1),
            None => (format!("\u{2581}{ours}"), 1),
        };
        assert_eq!(token(id), theirs, "{ours}");
    }
    assert_eq!(token(119), ("[PAD119]".to_owned(), 5));

    let mut expected = BTreeMap::new();
    let mut add = |name: &str, shape: &str| expected.insert(name.to_owned(), shape.to_owned());
    let norms = ["token_embd_norm", "blk.0.attn_output_norm", "blk.0.layer_output_norm", "blk.1.attn_output_norm"];
    for norm in norms.into_iter().chain(["blk.1.layer_output_norm"]) {
        add(&format!("{norm}.weight"), "F32 [64]");
        add(&format!("{norm}.bias"), "F32 [64]");
    }
    for layer in 0..2 {
        for name in ["attn_q", "attn_k", "attn_v", "attn_output"] {
            add(&format!("blk.{layer}.{name}.weight"), "Q8_0 [64, 64]");
            add(&format!("blk.{layer}.{name}.bias"), "F32 [64]");
        }
        add(&format!("blk.{layer}.ffn_up.weight"), "Q8_0 [96, 64]");
        add(&format!("blk.{layer}.ffn_up.bias"), "F32 [96]");
        add(&format!("blk.{layer}.ffn_down.weight"), "Q8_0 [64, 96]");
        add(&format!("blk.{layer}.ffn_down.bias"), "F32 [64]");
    }
    for (name, shape) in [
        ("token_embd.weight", "Q8_0 [120, 64]"),
        ("position_embd.weight", "F32 [40, 64]"),
        ("token_types.weight", "F32 [2, 64]"),
        ("cls.weight", "Q8_0 [64, 64]"),
        ("cls.bias", "F32 [64]"),
        ("cls.output.weight", "Q8_0 [3, 64]"),
        ("cls.output.bias", "F32 [3]"),
    ] {
        add(name, shape);
    }
    assert_eq!(tensors(&content), expected);
    let (_, again) = written(from.path(), MatrixType::Q8_0);
    let bytes = |dir: &tempfile::TempDir| files::read(dir.path().join("model.gguf")).unwrap();
    assert!(bytes(&again) == bytes(&dir), "the same model gives the same bytes");
}

#[test]
fn every_type_and_rows_that_are_no_multiple_of_32() {
    let from = folder("bert", spec(56), Head::None);
    for (matrices, name, embeddings, down) in [
        // 56 is no multiple of 32, and 96 is one.
        (MatrixType::Q8_0, "q8_0 and f16", "F16 [120, 56]", "Q8_0 [56, 96]"),
        (F32, "f32", "F32 [120, 56]", "F32 [56, 96]"),
        (MatrixType::Float(FloatType::F16), "f16", "F16 [120, 56]", "F16 [56, 96]"),
        (MatrixType::Float(FloatType::Bf16), "bf16", "BF16 [120, 56]", "BF16 [56, 96]"),
    ] {
        let (told, dir) = written(from.path(), matrices);
        assert_eq!(told.unwrap().weights, name);
        let tensors = tensors(&content(&dir));
        assert_eq!((&tensors["token_embd.weight"][..], &tensors["blk.1.ffn_down.weight"][..]), (embeddings, down));
        assert_eq!(tensors["position_embd.weight"], "F32 [40, 56]");
        assert!(!tensors.contains_key("cls.weight"), "no pooler without a classifier");
    }
}

/// Where GELU is llama.cpp's own, f32 answers are the model's to the bit; pruned heads are no exception but for the order of
/// sums.
#[test]
fn f32_says_the_same_also_where_heads_are_filled() {
    let tanh = EncoderSpec { activation: Activation::GeluTanh, ..spec(64) };
    let from = folder("bert", tanh.clone(), classifier());
    let told = written(from.path(), F32).0.unwrap();
    assert_eq!(told.comparison.largest_difference, 0.0);
    let mut pruned = tanh;
    pruned.layers[0].heads = 3;
    pruned.layers[1].heads = 7;
    let from = folder("bert", pruned, classifier());
    let (told, dir) = written(from.path(), F32);
    let told = told.unwrap();
    assert!(told.comparison.largest_difference <= 1e-6 * told.comparison.largest, "{:?}", told.comparison);
    assert!(told.notes[1].starts_with("6 pruned heads are filled with zeros"), "{:?}", told.notes);
    let tensors = tensors(&content(&dir));
    assert_eq!((&tensors["blk.0.attn_q.weight"][..], &tensors["blk.0.attn_q.bias"][..]), ("F32 [64, 64]", "F32 [64]"));
    assert_eq!(tensors["blk.0.attn_output.weight"], "F32 [64, 64]");
}

#[test]
fn encoders_of_other_families_and_heads_that_stay_behind() {
    for (family, head, types) in
        [("distilbert", Head::None, false), ("distilbert", Head::MaskedLm, false), ("bert", Head::MaskedLm, true)]
    {
        let types_of = if types { 2 } else { 0 };
        let spec = EncoderSpec { type_vocab_size: types_of, pooler: false, ..spec(64) };
        let from = folder(family, spec, head.clone());
        let (told, dir) = written(from.path(), MatrixType::Q8_0);
        let told = told.unwrap();
        assert_eq!(told.comparison.answers, 0, "hidden states are compared");
        let mean = "embeddings by the pooling `mean`, since no `modules.json` names another";
        assert_eq!(told.notes.last().unwrap(), mean);
        assert_eq!(told.notes.len() == 2, head == Head::MaskedLm, "{:?}", told.notes);
        let content = content(&dir);
        assert_eq!(content.tensor_infos.contains_key("token_types.weight"), types);
        assert!(content.tensor_infos.keys().all(|name| !name.starts_with("cls")), "{family}");
        assert_eq!(content.metadata["bert.pooling_type"].to_u32().unwrap(), 1);
    }
    // ELECTRA's encoder is BERT's where its embeddings are as wide as its layers.
    let from = folder("electra", spec(64), Head::None);
    assert!(written(from.path(), MatrixType::Q8_0).0.is_ok());
}

#[test]
fn what_llama_cpp_cannot_be_is_refused_before_anything_is_written() {
    for (name, why) in [
        ("families/albert-masked-lm", "`albert`): its word embeddings are not as wide as its layers"),
        ("families/mobilebert-classifier", "`mobilebert`): its "),
        ("families/modernbert-masked-lm", "`modernbert`): its layers are not those of BERT"),
        ("families/roberta-encoder", "`roberta`): it counts positions from behind the padding token's"),
        ("families/xlm-roberta-classifier", "`xlm-roberta`): it counts positions"),
        ("families/longformer-encoder", "`longformer`): it counts positions"),
        ("families/electra-encoder", "`electra`): its word embeddings are not as wide"),
        ("families/distilbert-classifier", "its classifier has ReLU where that of llama.cpp has tanh"),
        ("formats/ct", "an int8 model would be rounded a second time: export the f32 model"),
    ] {
        let told = refusal(&data(name));
        assert!(told.contains(why), "{name}: {told}");
        assert!(told.contains("`gguf`") || told.contains("`hf` and `onnx` hold every family"), "{told}");
    }
    let dense = ClassifierHead::Dense { activation: Activation::Gelu, drops_input: true };
    let from = folder("electra", EncoderSpec { classifier: dense, pooler: false, ..spec(64) }, classifier());
    assert!(refusal(from.path()).contains("its classifier has GELU"));
    let relu = EncoderSpec { activation: Activation::Relu, ..spec(64) };
    let told = refusal(folder("bert", relu, Head::None).path());
    assert!(told.contains("have the activation `relu`, and llama.cpp's have GELU"), "{told}");
}

#[test]
fn tokenizers_that_llama_cpp_has_not_are_refused() {
    let from = folder("bert", spec(64), Head::None);
    let set = |text: &str| fs::write_atomic(&from.path().join("tokenizer_config.json"), text.as_bytes()).unwrap();
    set("{\"tokenize_chinese_chars\": false}");
    assert!(refusal(from.path()).contains("does not split them at Chinese characters"));
    set("{\"do_lower_case\": false}");
    let (told, dir) = written(from.path(), MatrixType::Q8_0);
    assert!(told.unwrap().notes[1].starts_with("the tokenizer heeds case"));
    let keys = content(&dir).metadata;
    for key in ["tokenizer.ggml.normalizer.lowercase", "tokenizer.ggml.normalizer.strip_accents"] {
        assert!(!keys[key].to_bool().unwrap(), "{key}");
    }
    set("{}");
    let vocabulary = from.path().join("vocab.txt");
    let text = fs::read_text(&vocabulary).unwrap();
    // A piece that would be found for the word `twice` gives its name away.
    fs::write_atomic(&vocabulary, format!("{text}▁twice\n##▁twice\ntwice\n").as_bytes()).unwrap();
    let (told, dir) = written(from.path(), F32);
    told.unwrap();
    let tokens = content(&dir).metadata["tokenizer.ggml.tokens"].to_vec().unwrap()[114..117].to_vec();
    let tokens: Vec<_> = tokens.iter().map(|token| token.to_string().unwrap().as_str()).collect();
    assert_eq!(tokens, ["▁▁twice", "[PAD115]", "▁twice"]);
    fs::write_atomic(&vocabulary, format!("{text}##[MASK]\n").as_bytes()).unwrap();
    assert!(refusal(from.path()).contains("it has the token `[MASK]` twice"), "{}", refusal(from.path()));
    files::remove_file(&vocabulary).unwrap();
    assert!(refusal(from.path()).contains("tokenizer"));
    for name in ["vocab.json", "merges.txt"] {
        files::copy(data("tokenizers/roberta").join(name), from.path().join(name)).unwrap();
    }
    let told = refusal(from.path());
    assert!(told.contains("it is not a WordPiece tokenizer") || told.contains("do not belong together"), "{told}");
}

#[test]
fn sentence_transformers_name_the_pooling() {
    let from = folder("bert", spec(64), Head::None);
    let set = |name: &str, text: &str| {
        fs::create_dir(&from.path().join("1_Pooling")).unwrap();
        fs::write_atomic(&from.path().join(name), text.as_bytes()).unwrap();
    };
    let module =
        |kind: &str, path: &str| format!("{{\"type\": \"sentence_transformers.models.{kind}\", \"path\": \"{path}\"}}");
    let modules =
        |middle: &str| format!("[{}, {middle}, {}]", module("Transformer", ""), module("Normalize", "2_Normalize"));
    set("modules.json", &modules(&module("Pooling", "1_Pooling")));
    for (mode, number) in [("cls_token", 2), ("mean_tokens", 1), ("lasttoken", 3)] {
        set("1_Pooling/config.json", &format!("{{\"pooling_mode_{mode}\": true, \"pooling_mode_max_tokens\": false}}"));
        let (told, dir) = written(from.path(), MatrixType::Q8_0);
        assert!(told.unwrap().notes[0].ends_with("as `1_Pooling/config.json` says"));
        assert_eq!(content(&dir).metadata["bert.pooling_type"].to_u32().unwrap(), number);
    }
    set("1_Pooling/config.json", "{\"pooling_mode_max_tokens\": true}");
    assert!(refusal(from.path()).contains("[\"pooling_mode_max_tokens\"], and llama.cpp pools by the mean"));
    set("modules.json", &modules(&module("Dense", "2_Dense")));
    assert!(refusal(from.path()).contains("names the module `Dense`, which `gguf` does not write"));
    set("modules.json", "{");
    assert!(refusal(from.path()).contains("modules.json` is not JSON"));
}

#[test]
fn numbers_that_are_too_large_and_damaged_files_are_found() {
    let from = folder("bert", spec(56), Head::None);
    let mut model = Model::load(from.path(), &Device::Cpu).unwrap();
    let encoded = encode(&model, from.path(), MatrixType::Q8_0).unwrap().bytes;
    let file = from.path().join("draft.gguf");
    let request = request(from.path(), MatrixType::Q8_0);
    let samples = Samples::fixed(&model.spec, 1);
    let told = |bytes: &[u8]| {
        fs::write_atomic(&file, bytes).unwrap();
        compare(&file, model.clone(), &request, MatrixType::Q8_0, &samples).map_err(|error| error.to_string())
    };
    assert!(told(&encoded).is_ok());
    assert!(told(&encoded[..encoded.len() / 2]).is_err());
    assert!(told(b"GGUF").unwrap_err().contains("cannot be run by another engine"));
    let place = |text: &str| encoded.windows(text.len()).position(|bytes| bytes == text.as_bytes()).unwrap();
    for (text, at, why) in [
        ("bert.block_count", 20, "`bert.block_count` is"),
        ("▁good", 4, "is `▁g"),
        ("blk.0.attn_q.weight", 4, "reads as another model"),
        ("blk.0.attn_output_norm.bias", 18, "reads as another model"),
    ] {
        let mut bytes = encoded.clone();
        bytes[place(text) + at] ^= 1;
        let told = told(&bytes).unwrap_err();
        assert!(told.contains(why) && told.contains("nothing was published"), "{told}");
    }
    // The last tensor is a norm's bias; and a matrix's numbers are elsewhere.
    let mut bytes = encoded.clone();
    let last = bytes.len() - 32;
    bytes[last..].iter_mut().for_each(|byte| *byte ^= 64);
    assert!(told(&bytes).unwrap_err().contains("reads as other numbers"));
    let tables = content_of(&encoded);
    let info = &tables.tensor_infos["blk.1.ffn_down.weight"];
    let start = (tables.tensor_data_offset + info.offset) as usize;
    let mut bytes = encoded.clone();
    bytes[start..start + 34 * 100].iter_mut().for_each(|byte| *byte ^= 64);
    assert!(told(&bytes).unwrap_err().contains("and q8_0 may change 3 %"));

    let name = "bert.encoder.layer.1.intermediate.dense.weight";
    let large = model.params[name].affine(0.0, 65_520.0).unwrap();
    model.params.insert(name.to_owned(), large);
    let error = encode(&model, from.path(), MatrixType::Q8_0).err().unwrap().to_string();
    assert_eq!(error, format!("`{name}` holds 6.552e4, which is too large for f16: store the model as bf16 or f32"));
}

fn content_of(bytes: &[u8]) -> Content {
    Content::read(&mut Cursor::new(bytes)).unwrap()
}

/// llama.cpp takes both texts of a pair for the first: a model that tells them apart answers otherwise there.
#[test]
fn pairs_are_compared_without_their_types() {
    let from = folder("bert", spec(64), classifier());
    let dir = tempfile::tempdir().unwrap();
    let rows = dir.path().join("rows.csv");
    let row =
        |n: usize| format!("good movie {n},not a good {n} film at all,{}\n", ["train", "validation", "test"][n % 3]);
    fs::write_atomic(&rows, ("text,other,split\n".to_owned() + &(0..10).map(row).collect::<String>()).as_bytes())
        .unwrap();
    let import =
        Import::by_column(Roles { text: "text".into(), pair: Some("other".into()), label: None, id: None }, "split");
    let (dataset, _) = import.read(&rows, "pairs").unwrap();
    dataset.write(dir.path()).unwrap();
    let request = Request { data: Some(dir.path()), min_agreement: 0.0, ..request(from.path(), F32) };
    let file = dir.path().join("model.gguf");
    let error = export(&request, Target::File(&file)).unwrap_err().to_string();
    assert!(error.contains("llama.cpp gives all tokens the type 0, and these rows are pairs"), "{error}");
    assert!(!file.exists());
}

#[test]
fn a_folder_has_the_tokenizer_beside_the_file() {
    let from = folder("bert", spec(64), Head::None);
    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().join("to");
    export(&request(from.path(), MatrixType::Q8_0), Target::Folder(&to)).unwrap();
    for name in ["model.gguf", "config.json", "vocab.txt"] {
        assert!(to.join(name).is_file(), "{name}");
    }
    let value = &content_of(&files::read(to.join("model.gguf")).unwrap()).metadata["general.file_type"];
    assert!(matches!(value, Value::U32(7)), "{value:?}");
}
