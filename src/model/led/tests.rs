//! Checkpoints of LED that are whole, renamed or damaged.

use std::path::{Path, PathBuf};

use candle_core::Device;
use serde_json::{Value, json};

use super::*;
use crate::{base::fs::write_atomic, model::Activation};

fn place(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/led").join(name)
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap()
}

/// A copy of `conditional` with another config, another `generation_config.json`, or other weights.
fn changed(config: impl FnOnce(&mut Value), generation: Option<&str>, weights: Option<&[u8]>) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| write_atomic(&dir.path().join(name), bytes).unwrap();
    let mut object: Value = serde_json::from_slice(&read(&place("conditional").join("config.json"))).unwrap();
    config(&mut object);
    write("config.json", object.to_string().as_bytes());
    if let Some(text) = generation {
        write("generation_config.json", text.as_bytes());
    }
    let whole = read(&place("conditional").join("model.safetensors"));
    write("model.safetensors", weights.unwrap_or(&whole));
    dir
}

fn told(dir: &Path) -> String {
    let error = Led::load(dir).err().map(|error| error.to_string()).unwrap_or_default();
    error.replace(&*dir.to_string_lossy(), "DIR")
}

fn told_of(key: &str, value: &Value) -> String {
    told(changed(|config| config[key] = value.clone(), None, None).path())
}

/// The tensors of `conditional` under other names.
fn renamed(rename: impl Fn(&str) -> Vec<String>) -> Vec<u8> {
    let bytes = read(&place("conditional").join("model.safetensors"));
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let views: Vec<_> = tensors
        .iter()
        .flat_map(|(name, view)| {
            rename(name).into_iter().map(move |name| {
                let view =
                    safetensors::tensor::TensorView::new(view.dtype(), view.shape().to_vec(), view.data()).unwrap();
                (name, view)
            })
        })
        .collect();
    safetensors::serialize(views, None).unwrap()
}

#[test]
fn both_checkpoints_are_read() {
    let led = Led::load(&place("conditional")).unwrap();
    assert_eq!((led.notes.len(), led.encoder.spec.n_layers(), led.decoder.layers), (0, 2, 2));
    assert_eq!(led.encoder.spec.layers.iter().map(|layer| layer.reach).collect::<Vec<_>>(), [Some(4), Some(2)]);
    assert!(led.params.contains_key("final_logits_bias") && !led.params.contains_key("lm_head.weight"));
    assert_eq!((led.writing.start, &*led.writing.ends, led.writing.num_beams), (2, &[2][..], None));

    let led = Led::load(&place("bare")).unwrap();
    assert_eq!((led.encoder.spec.activation, led.decoder.activation), (Activation::Relu, Activation::Relu));
    assert!(!led.params.contains_key("final_logits_bias"));
    let writing = &led.writing;
    assert_eq!((&*writing.ends, writing.forced_first, &*writing.forced_last), (&[2, 5][..], Some(0), &[2][..]));
    assert_eq!((writing.num_beams, writing.no_repeat_ngram_size), (Some(2), Some(3)));
}

/// The names of a tensor in another file.
type Rename<'a> = &'a dyn Fn(&str) -> Vec<String>;

#[test]
fn other_names_mean_the_same() {
    let whole = Led::load(&place("conditional")).unwrap();
    let bare = |name: &str| name.strip_prefix("led.").unwrap_or(name).to_owned();
    let renames: [Rename<'_>; 3] = [
        &|name| vec![bare(name)],
        &|name| vec![if name.starts_with("final") { name.to_owned() } else { format!("model.{}", bare(name)) }],
        // As old pickles have them: the table of words four times.
        &|name| match name {
            "led.shared.weight" => ["led.shared", "led.encoder.embed_tokens", "led.decoder.embed_tokens", "lm_head"]
                .map(|module| format!("{module}.weight"))
                .to_vec(),
            _ => vec![name.to_owned()],
        },
    ];
    for rename in renames {
        let dir = changed(|_| {}, None, Some(&renamed(rename)));
        let led = Led::load(dir.path()).unwrap();
        assert_eq!((led.n_parameters(), led.notes.len()), (whole.n_parameters(), 0));
        for (name, tensor) in &whole.encoder.params {
            let found = led.encoder.params[name].flatten_all().unwrap().to_vec1::<f32>().unwrap();
            assert_eq!(found, tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap());
        }
    }
}

#[test]
fn a_head_of_its_own_is_kept() {
    let twice = renamed(|name| match name {
        "led.shared.weight" => vec![name.to_owned(), "lm_head.weight".to_owned()],
        _ => vec![name.to_owned()],
    });
    let untied = |weights| changed(|config| config["tie_word_embeddings"] = false.into(), None, weights);
    assert!(Led::load(untied(Some(&*twice)).path()).unwrap().params.contains_key("lm_head.weight"));
    assert!(told(untied(None).path()).contains("lack `lm_head.weight`"));
}

#[test]
fn tensors_that_are_one_must_not_differ() {
    let twice = renamed(|name| match name {
        "led.encoder.embed_positions.weight" => vec![name.to_owned(), "led.decoder.embed_tokens.weight".to_owned()],
        _ => vec![name.to_owned()],
    });
    let error = told(changed(|_| {}, None, Some(&twice)).path());
    assert!(error.contains("is one tensor with `led.shared.weight` in LED, but the numbers differ"), "{error}");
}

#[test]
fn what_is_wrong_is_named() {
    for (key, value, part) in [
        ("d_model", json!(19), "`encoder_attention_heads` (3) does not divide `d_model` (19)"),
        ("d_model", json!(36), "`led.shared.weight` has the shape [61, 18], but `config.json` asks for [61, 36]"),
        ("decoder_attention_heads", json!(4), "`decoder_attention_heads` (4) does not divide `d_model` (18)"),
        ("decoder_layers", json!(3), "lack `led.decoder.layers.2.self_attn.q_proj.weight`"),
        ("decoder_layers", json!(1_000_000), "no model has more than 1000"),
        ("encoder_layers", json!(3), "`attention_window` has 2 windows for 3 layers"),
        ("attention_window", json!(7), "`attention_window` must be an even number"),
        (
            "decoder_ffn_dim",
            json!(27),
            "`led.decoder.layers.0.fc1.weight` has the shape [26, 18], but `config.json` asks for [27, 18]",
        ),
        (
            "max_encoder_position_embeddings",
            json!(0x7fff_ffff_u32),
            "`led.encoder.embed_positions.weight` has the shape",
        ),
        ("vocab_size", json!(0x7fff_ffff_u32), "`led.shared.weight` has the shape [61, 18]"),
        ("vocab_size", json!(-1), "`vocab_size` must be a whole number above 0"),
        ("activation_function", json!("swish"), "`activation_function` is `swish`; lmpipe has"),
        ("model_type", json!("bart"), "`model_type` is `bart`; what writes texts is a `led`"),
        ("quantization_config", json!({}), "a LED is read in f32, f16 or bf16 only"),
        (
            "decoder_start_token_id",
            json!(61),
            "`decoder_start_token_id` must be the number of a token below 61, not `61`",
        ),
        ("decoder_start_token_id", json!([0, 1]), "must be the number of one token, not of 2"),
        ("eos_token_id", json!([2, -1]), "`eos_token_id` must be the number of a token below 61, not `-1`"),
        ("eos_token_id", json!(vec![2; 17]), "`eos_token_id` names 17 tokens; at most 16 make sense"),
        ("num_beams", json!(1.5), "`num_beams` must be a whole number of at least 0, not `1.5`"),
        ("length_penalty", json!("long"), "`length_penalty` must be a number"),
        ("early_stopping", json!("always"), "`early_stopping` must be true, false or \"never\""),
    ] {
        let error = told_of(key, &value);
        assert!(error.contains(part) && error.contains("DIR"), "{key}: {error}");
    }
    let without_start = |config: &mut Value| {
        config["decoder_start_token_id"] = Value::Null;
        config["bos_token_id"] = Value::Null;
    };
    assert!(told(changed(without_start, None, None).path()).contains("neither `decoder_start_token_id` nor"));
    for (text, part) in [("{", "is not JSON"), ("[]", "is not a JSON object")] {
        let error = told(changed(|_| {}, Some(text), None).path());
        assert!(error.contains("`DIR/generation_config.json`") && error.contains(part), "{error}");
    }
}

/// Files that are cut or flipped end in an error or in a model, never in a panic.
#[test]
fn damaged_weights_are_refused() {
    let whole = read(&place("conditional").join("model.safetensors"));
    for length in (0..whole.len()).step_by(whole.len() / 40) {
        assert!(told(changed(|_| {}, None, Some(&whole[..length])).path()).contains("is damaged"));
    }
    for at in (0..whole.len().min(9000)).step_by(53) {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x55;
        told(changed(|_| {}, None, Some(&flipped)).path());
    }
    let mut infinite = whole.clone();
    let end = infinite.len();
    infinite[end - 4..].copy_from_slice(&f32::INFINITY.to_le_bytes());
    assert!(told(changed(|_| {}, None, Some(&infinite)).path()).contains("is damaged: its number"));
}

#[test]
fn what_the_checkpoint_proposes_is_read() {
    let text = r#"{"decoder_start_token_id": 3, "eos_token_id": 4, "num_beams": 5, "early_stopping": "never", "max_length": 30,
        "min_length": 4, "length_penalty": 2, "do_sample": true, "repetition_penalty": 1, "suppress_tokens": [4]}"#;
    let writing = Led::load(changed(|_| {}, Some(text), None).path()).unwrap().writing;
    let expected = Writing {
        start: 3,
        ends: vec![4],
        num_beams: Some(5),
        early_stopping: Some(EarlyStopping::Never),
        max_length: Some(30),
        min_length: Some(4),
        length_penalty: Some(2.0),
        ignored: vec!["do_sample".to_owned(), "suppress_tokens".to_owned()],
        ..Writing::default()
    };
    assert_eq!(writing, expected);
}

#[test]
fn it_is_no_encoder() {
    let error = Model::load(&place("conditional"), &Device::Cpu).unwrap_err().to_string();
    assert!(error.contains("config.json`: the model is a LED") && error.contains("lmpipe summarize"), "{error}");
    assert!(is_led(&place("bare")) && !is_led(&place("missing")));
}
