//! What is read, written and refused.

use super::*;

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

/// Copies a model, damages a file, and gives the error.
fn damaged(name: &str, file: &str, damage: impl Fn(Vec<u8>) -> Vec<u8>) -> String {
    let dir = tempfile::tempdir().unwrap();
    for file in ["config.json", "model.safetensors"] {
        std::fs::copy(place(name).join(file), dir.path().join(file)).unwrap();
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
