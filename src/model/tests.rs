//! The tiny models of `tests/data/models` against what `transformers` computes with them.

mod gradients;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use candle_core::{Device, Tensor};

use super::{EncoderSpec, Head, Int8Weight, Keep, LayerShape, Model, Packed, Quantized, ops::Route, parameters};

const MODELS: [&str; 6] =
    ["tiny-classifier", "tiny-gelu-new", "tiny-masked-lm", "tiny-old-names", "tiny-pruned", "tiny-encoder"];
const EVERYTHING: Keep = Keep { hidden_states: true, attentions: true, dropout_seed: None };

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

fn load(name: &str) -> Model {
    Model::load(&folder("models").join(name), &Device::Cpu).unwrap()
}

/// Checkpoints of the other families.
const FAMILIES: [&str; 12] = [
    "distilbert-classifier",
    "distilbert-masked-lm",
    "electra-classifier",
    "electra-encoder",
    "electra-masked-lm",
    "roberta-classifier",
    "roberta-masked-lm",
    "roberta-encoder",
    "xlm-roberta-classifier",
    "longformer-classifier",
    "longformer-masked-lm",
    "longformer-encoder",
];

/// Quantises every linear layer, and the embeddings on request, but the modules in `ignore`.
fn quantize(mut model: Model, embeddings: bool, ignore: &[String]) -> Model {
    for parameter in parameters(&model.spec, &model.head) {
        let Some(module) = parameter.name.strip_suffix(".weight").filter(|_| parameter.shape.len() == 2) else {
            continue;
        };
        if ignore.iter().any(|name| name == module) || (!embeddings && module.contains("embeddings")) {
            continue;
        }
        let weight = model.params.remove(&parameter.name).unwrap();
        model.int8.insert(module.to_owned(), Int8Weight::from_f32(&weight).unwrap());
    }
    model.quantized = Quantized::Int8 { embeddings, ignore: ignore.to_vec() };
    model
}

/// A batch that owns its vectors.
struct Rows {
    input_ids: Vec<u32>,
    type_ids: Vec<u32>,
    offsets: Vec<usize>,
}

impl Rows {
    fn packed(&self) -> Packed<'_> {
        Packed { input_ids: &self.input_ids, type_ids: &self.type_ids, offsets: &self.offsets }
    }

    fn of_lengths(lengths: &[usize], vocab_size: usize) -> Self {
        let mut offsets = vec![0];
        for len in lengths {
            offsets.push(offsets[offsets.len() - 1] + len);
        }
        let tokens = offsets[lengths.len()];
        Self {
            input_ids: (0..tokens).map(|i| ((i * 31 + 7) % vocab_size) as u32).collect(),
            type_ids: (0..tokens).map(|i| (i % 2) as u32).collect(),
            offsets,
        }
    }
}

fn expected(name: &str) -> (Rows, BTreeMap<String, Tensor>) {
    expected_in(&folder("models").join(name))
}

fn expected_in(folder: &Path) -> (Rows, BTreeMap<String, Tensor>) {
    let path = folder.join("expected.safetensors");
    let tensors: BTreeMap<_, _> = candle_core::safetensors::load(path, &Device::Cpu).unwrap().into_iter().collect();
    let ids = |key: &str| -> Vec<u32> {
        tensors[key].to_vec1::<i32>().unwrap().into_iter().map(|id| u32::try_from(id).unwrap()).collect()
    };
    let mut offsets = vec![0];
    for len in ids("lengths") {
        offsets.push(offsets[offsets.len() - 1] + len as usize);
    }
    let input_ids = ids("input_ids");
    let type_ids = if tensors.contains_key("type_ids") { ids("type_ids") } else { vec![0; input_ids.len()] };
    (Rows { input_ids, type_ids, offsets }, tensors)
}

fn difference(a: &Tensor, b: &Tensor) -> f32 {
    assert_eq!(a.dims(), b.dims());
    (a - b).unwrap().abs().unwrap().flatten_all().unwrap().max(0).unwrap().to_scalar().unwrap()
}

/// What is written reads as what was read.
#[test]
fn every_family_gives_what_transformers_gives() {
    for name in FAMILIES {
        let dir = folder("families").join(name);
        let (rows, expected) = expected_in(&dir);
        let written = tempfile::tempdir().unwrap();
        let model = Model::load(&dir, &Device::Cpu).unwrap();
        model.save(written.path(), &dir).unwrap();
        for model in [model, Model::load(written.path(), &Device::Cpu).unwrap()] {
            let check = |what: &str, found: &Tensor| {
                let distance = difference(found, &expected[what]);
                assert!(distance <= 1e-5, "{name}: {what}: {distance}");
            };
            for route in [Route::Fused, Route::Composed] {
                for keep in [EVERYTHING, Keep::default()] {
                    let out = model.forward_by(rows.packed(), keep, route).unwrap();
                    for (i, x) in out.hidden_states.iter().enumerate() {
                        check(&format!("hidden_{i}"), x);
                    }
                    for (i, x) in out.attentions.iter().enumerate() {
                        if expected.contains_key(&format!("attention_{i}")) {
                            check(&format!("attention_{i}"), x);
                        }
                    }
                    check("last_hidden_state", &out.last_hidden_state);
                    assert_eq!(out.logits.is_some(), expected.contains_key("logits"), "{name}");
                    if let Some(logits) = &out.logits {
                        check("logits", logits);
                    }
                }
            }
        }
    }
}

#[test]
fn hidden_states_attentions_and_logits_are_those_of_transformers() {
    for name in MODELS {
        let model = load(name);
        let (rows, expected) = expected(name);
        for route in [Route::Fused, Route::Composed] {
            let out = model.forward_by(rows.packed(), EVERYTHING, route).unwrap();
            for (i, x) in out.hidden_states.iter().enumerate() {
                let distance = difference(x, &expected[&format!("hidden_{i}")]);
                assert!(distance <= 1e-5, "{name} {route:?} hidden state {i}: {distance}");
            }
            for (i, x) in out.attentions.iter().enumerate() {
                let distance = difference(x, &expected[&format!("attention_{i}")]);
                assert!(distance <= 1e-5, "{name} {route:?} attention {i}: {distance}");
            }
            assert_eq!((out.hidden_states.len(), out.attentions.len()), (4, 3));
            match (&out.logits, expected.get("logits")) {
                (Some(found), Some(expected)) => {
                    let distance = difference(found, expected);
                    assert!(distance <= 1e-5, "{name} {route:?} logits: {distance}");
                }
                (found, expected) => assert_eq!(found.is_some(), expected.is_some(), "{name}"),
            }
            let plain = model.forward_by(rows.packed(), Keep::default(), route).unwrap();
            assert!(difference(&plain.last_hidden_state, &out.last_hidden_state) <= 1e-6);
            assert!(plain.hidden_states.is_empty() && plain.attentions.is_empty());
        }
    }
}

#[test]
fn what_is_read_is_what_is_there() {
    let classifier = load("tiny-classifier");
    let labels = ["bad", "so-so", "good"].map(str::to_owned).to_vec();
    assert_eq!(classifier.head, Head::SequenceClassification { labels });
    assert_eq!(classifier.notes, [""; 0]);
    let old = load("tiny-old-names");
    assert_eq!((&old.head, old.spec.pooler), (&Head::MaskedLm, false));
    assert!(!old.params.keys().any(|name| name.contains("gamma") || name.contains("decoder")));
    let heads: Vec<_> = load("tiny-pruned").spec.layers.iter().map(|layer| layer.heads).collect();
    assert_eq!(heads, [3, 5, 1]);
    let encoder = load("tiny-encoder");
    assert_eq!((&encoder.head, encoder.spec.pooler), (&Head::None, false));
    assert_eq!(encoder.notes, ["the checkpoint has no pooler"]);
    for model in [classifier, old, encoder] {
        let wanted = parameters(&model.spec, &model.head);
        let mut names: Vec<_> = wanted.iter().map(|parameter| &parameter.name).collect();
        names.sort();
        assert_eq!(names, model.params.keys().collect::<Vec<_>>());
    }
}

#[test]
fn saving_and_loading_changes_nothing() {
    for name in MODELS {
        let dir = tempfile::tempdir().unwrap();
        let model = load(name);
        model.save(dir.path(), dir.path()).unwrap();
        let again = Model::load(dir.path(), &Device::Cpu).unwrap();
        assert_eq!((&model.spec, &model.head), (&again.spec, &again.head), "{name}");
        for (name, tensor) in &model.params {
            assert_eq!(difference(tensor, &again.params[name]), 0.0, "{name}");
        }
        // A second time the very bytes are the same.
        let other = tempfile::tempdir().unwrap();
        again.save(other.path(), other.path()).unwrap();
        for file in ["config.json", "model.safetensors"] {
            let bytes = |dir: &Path| std::fs::read(dir.join(file)).unwrap();
            assert_eq!(bytes(dir.path()), bytes(other.path()), "{name} {file}");
        }
    }
    // What `transformers` wrote in modern names is written again byte for byte, in the same order.
    let dir = tempfile::tempdir().unwrap();
    load("tiny-classifier").save(dir.path(), dir.path()).unwrap();
    let bytes = |dir: &Path| std::fs::read(dir.join("model.safetensors")).unwrap();
    assert_eq!(bytes(dir.path()), bytes(&folder("models/tiny-classifier")));
}

#[test]
fn dropout_is_seeded_and_training_forgets_nothing_of_it() {
    let model = load("tiny-classifier");
    let (rows, _) = expected("tiny-classifier");
    let run = |seed: Option<u64>, route: Route| {
        let keep = Keep { dropout_seed: seed, ..Keep::default() };
        model.forward_by(rows.packed(), keep, route).unwrap().logits.unwrap()
    };
    assert_eq!(difference(&run(Some(1), Route::Fused), &run(Some(1), Route::Fused)), 0.0);
    assert!(difference(&run(Some(1), Route::Fused), &run(Some(2), Route::Fused)) > 1e-3);
    assert!(difference(&run(Some(1), Route::Fused), &run(None, Route::Fused)) > 1e-3);
    assert!(difference(&run(Some(1), Route::Fused), &run(Some(1), Route::Composed)) < 1e-5);
}

#[test]
fn threads_do_not_change_a_bit() {
    let mut model = load("tiny-classifier");
    let variables = model.trainable().unwrap();
    let rows = Rows::of_lengths(&[24, 3, 11, 1, 24, 7, 19, 2, 24, 24, 24, 5], 83);
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let keep = Keep { dropout_seed: Some(9), ..Keep::default() };
            let loss = model.forward(rows.packed(), keep).unwrap().logits.unwrap().sqr().unwrap().mean_all().unwrap();
            let gradients = loss.backward().unwrap();
            variables
                .values()
                .map(|variable| gradients.get(variable).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap())
                .collect::<Vec<_>>()
        })
    };
    assert!(run(1) == run(4));
}

/// Dequantised weights and fake-quantised activations, by candle's ops: the formula.
fn fake_quant(model: &Model, module: &str, x: &Tensor) -> Tensor {
    // candle divides by a constant as a product with its reciprocal, which is another number.
    let greatest: Vec<f32> = x.abs().unwrap().max(1).unwrap().to_vec1().unwrap();
    let scale: Vec<f32> = greatest.iter().map(|x| if *x == 0.0 { f32::EPSILON } else { x / 127.5 }).collect();
    let scale = Tensor::from_vec(scale, (x.dims()[0], 1), &Device::Cpu).unwrap();
    let q = x.broadcast_div(&scale).unwrap().clamp(-128.0_f32, 127.0).unwrap();
    // `round` of candle rounds halves away from zero.
    let q: Vec<f32> = q.flatten_all().unwrap().to_vec1::<f32>().unwrap().iter().map(|x| x.round_ties_even()).collect();
    let x = Tensor::from_vec(q, x.dims(), &Device::Cpu).unwrap().broadcast_mul(&scale).unwrap();
    let weight = model.int8[module].dequantize().unwrap();
    let bias = &model.params[&format!("{module}.bias")];
    x.matmul(&weight.t().unwrap()).unwrap().broadcast_add(bias).unwrap()
}

#[test]
fn int8_layers_equal_the_formula() {
    let model = quantize(load("tiny-classifier"), false, &[]);
    for (module, inputs) in
        [("bert.encoder.layer.0.attention.self.query", 30), ("bert.encoder.layer.2.output.dense", 50)]
    {
        let x: Vec<f32> =
            (0..40 * inputs).map(|i| ((i * 37 % 101) as f32 / 50.0 - 1.0) * (1.0 + (i / inputs) as f32)).collect();
        let x = Tensor::from_vec(x, (40, inputs), &Device::Cpu).unwrap();
        let found = model.int8[module].linear(&x, Some(&model.params[&format!("{module}.bias")])).unwrap();
        let expected = fake_quant(&model, module, &x);
        let size: f32 = expected.abs().unwrap().max_all().unwrap().to_scalar().unwrap();
        let distance = difference(&found, &expected);
        assert!(distance <= 1e-6 * size, "{module}: {distance} of {size}");
    }
}

#[test]
fn int8_files_are_those_of_compressed_tensors() {
    let model = Model::load(&folder("formats/fp32"), &Device::Cpu).unwrap();
    let ignore = ["bert.pooler.dense".to_owned(), "classifier".to_owned()];
    let int8 = quantize(model.clone(), false, &ignore);
    let dir = tempfile::tempdir().unwrap();
    int8.save(dir.path(), dir.path()).unwrap();
    let bytes = |dir: &Path| std::fs::read(dir.join("model.safetensors")).unwrap();
    assert_eq!(bytes(dir.path()), bytes(&folder("formats/ct")));
    // What that library wrote reads as what we computed, and gives the same logits.
    let theirs = Model::load(&folder("formats/ct"), &Device::Cpu).unwrap();
    assert_eq!(theirs.quantized, int8.quantized);
    assert_eq!(theirs.n_parameters(), model.n_parameters());
    let rows = Rows::of_lengths(&[5, 1, 30], model.spec.vocab_size);
    let logits = |model: &Model| model.forward(rows.packed(), Keep::default()).unwrap().logits.unwrap();
    assert_eq!(difference(&logits(&theirs), &logits(&int8)), 0.0);
    let distance = difference(&logits(&int8), &logits(&model));
    assert!(distance > 0.0 && distance < 0.02, "{distance}");
    assert!(int8.clone().trainable().is_err());
}

#[test]
fn int8_embeddings_read_back() {
    for name in ["tiny-classifier", "tiny-encoder"] {
        let model = load(name);
        let int8 = quantize(model.clone(), true, &[]);
        let dir = tempfile::tempdir().unwrap();
        int8.save(dir.path(), dir.path()).unwrap();
        let again = Model::load(dir.path(), &Device::Cpu).unwrap();
        assert_eq!(again.quantized, Quantized::Int8 { embeddings: true, ignore: Vec::new() });
        let (rows, _) = expected(name);
        let run = |model: &Model| model.forward(rows.packed(), EVERYTHING).unwrap();
        assert_eq!(difference(&run(&int8).last_hidden_state, &run(&again).last_hidden_state), 0.0);
        let distance = difference(&run(&int8).hidden_states[0], &run(&model).hidden_states[0]);
        assert!(distance > 0.0 && distance < 0.05, "{distance}");
    }
    // `transformers` cannot open a masked LM whose tied decoder is int8.
    let int8 = quantize(load("tiny-masked-lm"), true, &[]);
    let dir = tempfile::tempdir().unwrap();
    let error = int8.save(dir.path(), dir.path()).unwrap_err().to_string();
    assert!(error.contains("`bert.embeddings.word_embeddings` is also the decoder"), "{error}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn heads_are_replaced_and_kept() {
    let labels = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let kept = load("tiny-classifier").with_classifier(&labels(&["bad", "so-so", "good"]), 1).unwrap();
    assert_eq!(
        difference(&kept.params["classifier.weight"], &load("tiny-classifier").params["classifier.weight"]),
        0.0
    );
    for name in ["tiny-classifier", "tiny-masked-lm", "tiny-encoder"] {
        let old = load(name);
        let new = load(name).with_classifier(&labels(&["no", "yes"]), 1).unwrap();
        assert_eq!(new.params["classifier.weight"].dims(), [2, 30]);
        assert_eq!(
            difference(&new.params["bert.embeddings.LayerNorm.bias"], &old.params["bert.embeddings.LayerNorm.bias"]),
            0.0
        );
        let dir = tempfile::tempdir().unwrap();
        new.save(dir.path(), dir.path()).unwrap();
        let again = Model::load(dir.path(), &Device::Cpu).unwrap();
        assert_eq!(again.head, Head::SequenceClassification { labels: labels(&["no", "yes"]) });
        let other = load(name).with_classifier(&labels(&["no", "yes"]), 2).unwrap();
        assert!(difference(&new.params["classifier.weight"], &other.params["classifier.weight"]) > 0.0);
    }
}

#[test]
fn fresh_models_run_and_are_written() {
    let spec = EncoderSpec {
        layers: [2, 1].map(|heads| LayerShape { heads, intermediate_size: 20, reach: None }).to_vec(),
        head_dim: 6,
        hidden_size: 12,
        ..load("tiny-encoder").spec
    };
    let model = Model::init(spec.clone(), Head::MaskedLm, 7, &Device::Cpu).unwrap();
    let same = Model::init(spec.clone(), Head::MaskedLm, 7, &Device::Cpu).unwrap();
    assert!(model.params.iter().all(|(name, tensor)| difference(tensor, &same.params[name]) == 0.0));
    let dir = tempfile::tempdir().unwrap();
    model.save(dir.path(), dir.path()).unwrap();
    let again = Model::load(dir.path(), &Device::Cpu).unwrap();
    assert_eq!(again.spec, spec);
    let mut uneven = spec;
    uneven.layers[1].intermediate_size = 24;
    let error = Model::init(uneven, Head::None, 7, &Device::Cpu).unwrap().save(dir.path(), dir.path()).unwrap_err();
    assert!(error.to_string().contains("20 and 24"), "{error}");
}

#[test]
fn macs_are_counted() {
    let model = load("tiny-classifier");
    // Per layer and token 4 · 30 · 30 + 2 · 30 · 50, attention 2 · 10 · 10 · 30, pooler 30 · 30, classifier 30 · 3.
    assert_eq!(model.macs(10), 3 * (10 * (3600 + 3000) + 6000) + 900 + 90);
    let names: usize = parameters(&model.spec, &model.head).iter().map(|p| p.shape.iter().product::<usize>()).sum();
    assert_eq!(model.n_parameters(), names);
}

#[test]
fn wrong_batches_are_named() {
    let model = load("tiny-classifier");
    let run = |ids: &[u32], kinds: &[u32], offsets: &[usize]| {
        let batch = Packed { input_ids: ids, type_ids: kinds, offsets };
        model.forward(batch, Keep::default()).err().unwrap().to_string()
    };
    assert_eq!(run(&[83], &[0], &[0, 1]), "the token id 83 is out of range: the model has 83");
    assert_eq!(run(&[1], &[2], &[0, 1]), "the token type 2 is out of range: the model has 2");
    assert_eq!(run(&[1; 25], &[0; 25], &[0, 25]), "row 0 of the batch has 25 tokens; the model takes at most 24");
    assert_eq!(run(&[1], &[0], &[0, 1, 1]), "row 1 of the batch has no tokens");
    assert_eq!(run(&[1], &[0], &[0, 2]), "a batch of 1 tokens has wrong offsets or token types");
}

/// Copies a model, damages a file, and gives the error.
fn damaged(name: &str, file: &str, damage: impl Fn(Vec<u8>) -> Vec<u8>) -> String {
    let dir = tempfile::tempdir().unwrap();
    for file in ["config.json", "model.safetensors"] {
        std::fs::copy(folder("models").join(name).join(file), dir.path().join(file)).unwrap();
    }
    let path = dir.path().join(file);
    crate::base::fs::write_atomic(&path, &damage(std::fs::read(&path).unwrap())).unwrap();
    let error =
        Model::load(dir.path(), &Device::Cpu).err().unwrap_or_else(|| panic!("{name} {file} loads")).to_string();
    assert!(error.contains(&*dir.path().to_string_lossy()), "{error}");
    error.replace(&*dir.path().to_string_lossy(), "DIR")
}

fn edited(name: &str, from: &str, to: &str) -> String {
    damaged(name, "config.json", |bytes| {
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.contains(from), "{text}");
        text.replacen(from, to, 1).into_bytes()
    })
}

type Damage<'a> = &'a dyn Fn(Vec<u8>) -> Vec<u8>;

#[test]
fn faults_are_named() {
    let config = [
        ("\"hidden_size\": 30", "\"hidden_size\": 32", "`num_attention_heads` (5) does not divide `hidden_size` (32)"),
        ("\"hidden_size\": 30", "\"hiddensize\": 30", "`hidden_size` is missing; it has `hiddensize`"),
        (
            "\"hidden_size\": 30",
            "\"hidden_size\": \"30\"",
            "`hidden_size` must be a whole number above 0, not `\"30\"`",
        ),
        ("\"hidden_size\": 30", "\"hidden_size\": -1", "`hidden_size` must be a whole number above 0, not `-1`"),
        (
            "\"num_hidden_layers\": 3",
            "\"num_hidden_layers\": 99999",
            "`num_hidden_layers` is 99999; no encoder has more",
        ),
        ("\"model_type\": \"bert\"", "\"model_type\": \"bart\"", "did you mean `bert`?"),
        ("\"model_type\": \"bert\",", "", "`model_type` is missing"),
        ("\"hidden_act\": \"gelu\"", "\"hidden_act\": \"swish\"", "`hidden_act` is `swish`; lmpipe has `gelu`,"),
        ("\"absolute\"", "\"relative_key\"", "`position_embedding_type` is `relative_key`"),
        ("\"hidden_dropout_prob\": 0.1", "\"hidden_dropout_prob\": 1", "`hidden_dropout_prob` must be below 1"),
        ("\"2\": \"good\"", "\"3\": \"good\"", "`id2label` must map 0, 1, … to the names of the labels"),
        (",\n    \"2\": \"good\"", "", "`id2label` names 2 labels, but `classifier.weight` has 3 rows"),
        ("{", "[", "`DIR/config.json` is not JSON: "),
        (
            "\"vocab_size\": 83",
            "\"vocab_size\": 84",
            "`bert.embeddings.word_embeddings.weight` has the shape [83, 30], but `config.json` asks for [84, 30]",
        ),
        (
            "\"num_hidden_layers\": 3",
            "\"num_hidden_layers\": 4",
            "lack `bert.encoder.layer.3.attention.self.query.weight`",
        ),
        (
            "\"id2label\"",
            "\"pruned_heads\": {\"0\": [5]}, \"id2label\"",
            "`pruned_heads` must map layers (0 to 2) to lists of heads (0 to 4)",
        ),
        ("\"id2label\"", "\"pruned_heads\": {\"0\": [0,1,2,3,4]}, \"id2label\"", "leaves layer 0 without heads"),
        (
            "\"id2label\"",
            "\"quantization_config\": {\"quant_method\": \"gptq\"}, \"id2label\"",
            "`quantization_config` is `gptq`",
        ),
    ];
    for (from, to, part) in config {
        let error = edited("tiny-classifier", from, to);
        assert!(error.contains(part), "{to}: {error}");
    }
    let weights = |damage: &dyn Fn(Vec<u8>) -> Vec<u8>| damaged("tiny-classifier", "model.safetensors", damage);
    let cases: [(Damage<'_>, &str); 5] = [
        (&|bytes| bytes[..bytes.len() - 9].to_vec(), "is damaged: its header promises more tensors"),
        (&|_| Vec::new(), "is damaged: it has 0 bytes"),
        (
            &|_| b"version https://git-lfs.github.com/spec/v1\n".to_vec(),
            "is damaged: it does not start with a safetensors header",
        ),
        (
            &|mut bytes| {
                bytes[20] = b'}';
                bytes
            },
            "is damaged: ",
        ),
        (
            &|bytes| {
                let text: Vec<u8> = bytes.iter().map(|byte| if byte.is_ascii() { *byte } else { b'?' }).collect();
                let at = String::from_utf8(text).unwrap().find("\"F32\"").unwrap();
                let mut bytes = bytes;
                bytes[at + 1] = b'I';
                bytes
            },
            "is of the type I32, not of a float type",
        ),
    ];
    for (damage, part) in cases {
        let error = weights(damage);
        assert!(error.contains(part), "{error}");
    }
    let error = Model::load(Path::new("missing"), &Device::Cpu).err().unwrap().to_string();
    assert!(error.starts_with("cannot read `missing/config.json`"), "{error}");
}

/// candle's own BERT, on a padded batch with a mask.
#[test]
fn hidden_states_are_those_of_candle_transformers() {
    use candle_transformers::models::bert;

    let model = load("tiny-classifier");
    let text = std::fs::read_to_string(folder("models/tiny-classifier/config.json")).unwrap();
    let config: bert::Config = serde_json::from_str(&text).unwrap();
    let params = model.params.clone().into_iter().collect();
    let builder = candle_nn::VarBuilder::from_tensors(params, candle_core::DType::F32, &Device::Cpu);
    let oracle = bert::BertModel::load(builder.pp("bert"), &config).unwrap();
    let (rows, _) = expected("tiny-classifier");
    let found = model.forward(rows.packed(), Keep::default()).unwrap().last_hidden_state;

    let n_rows = rows.offsets.len() - 1;
    let longest = rows.offsets.windows(2).map(|ends| ends[1] - ends[0]).max().unwrap();
    let padded = |values: &dyn Fn(usize) -> u32| {
        let ids: Vec<u32> = rows
            .offsets
            .windows(2)
            .flat_map(|ends| (ends[0]..ends[0] + longest).map(move |i| if i < ends[1] { values(i) } else { 0 }))
            .collect();
        Tensor::from_vec(ids, (n_rows, longest), &Device::Cpu).unwrap()
    };
    let ids = padded(&|i| rows.input_ids[i]);
    let out = oracle.forward(&ids, &padded(&|i| rows.type_ids[i]), Some(&padded(&|_| 1))).unwrap();
    for (row, ends) in rows.offsets.windows(2).enumerate() {
        let (start, len) = (ends[0], ends[1] - ends[0]);
        let expected = out.get(row).unwrap().narrow(0, 0, len).unwrap();
        assert!(difference(&found.narrow(0, start, len).unwrap(), &expected) <= 1e-5, "row {row}");
    }
}
