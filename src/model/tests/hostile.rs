//! Directories that are damaged or lie: each ends in an error that names the file, none in a panic or in memory that a
//! number in a file asked for.

use super::*;

fn write(path: &Path, content: impl AsRef<[u8]>) {
    crate::base::fs::write_atomic(path, content.as_ref()).unwrap();
}

/// The error of a directory with these files, its name shortened.
fn told(files: &[(&str, &[u8])]) -> String {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        write(&dir.path().join(name), bytes);
    }
    error_of(dir.path())
}

fn error_of(dir: &Path) -> String {
    let error = Model::load(dir, &Device::Cpu).err().map(|error| error.to_string()).unwrap_or_default();
    error.replace(&*dir.to_string_lossy(), "DIR")
}

fn bytes_of(file: &str) -> Vec<u8> {
    std::fs::read(place("tiny-classifier").join(file)).unwrap()
}

/// A safetensors file of a header and its data.
fn safetensors(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()
}

#[test]
fn safetensors_that_lie_are_refused() {
    let config = bytes_of("config.json");
    let entry = |name: &str, kind: &str, shape: &str, offsets: &str| {
        format!("\"{name}\":{{\"dtype\":\"{kind}\",\"shape\":{shape},\"data_offsets\":{offsets}}}")
    };
    let one = |shape: &str, offsets: &str| format!("{{{}}}", entry("x", "F32", shape, offsets));
    let two = |name: &str, offsets: &str| {
        format!("{{{},{}}}", entry("x", "F32", "[2]", "[0,8]"), entry(name, "F32", "[2]", offsets))
    };
    let max = u64::MAX;
    let headers = [
        (one("[2]", "[0,8]"), "its header promises fewer tensors than"),
        (one("[8]", "[0,32]"), "its header promises more tensors than"),
        (one("[3]", "[0,16]"), "is damaged: "),
        (one("[4]", "[16,0]"), "is damaged: "),
        (one("[4]", "[8,24]"), "is damaged: "),
        (one("[-4]", "[0,16]"), "is damaged: "),
        (one(&format!("[{max},{max}]"), "[0,16]"), "is damaged: "),
        (one(&format!("[{max}]"), &format!("[0,{max}]")), "is damaged: "),
        (one("[2305843009213693951]", "[0,9223372036854775804]"), "is damaged: "),
        (one("[288230376151711744]", "[0,1152921504606846976]"), "its header promises more tensors than"),
        (two("y", "[4,12]"), "is damaged: "),
        (two("y", "[12,20]"), "is damaged: "),
        (two("x", "[8,16]"), "is damaged: the name `x` stands twice in its header"),
        (two("x", "[0,8]"), "is damaged: the name `x` stands twice in its header"),
        (one("[4]", "[0,16]").replace("F32", "F33"), "is damaged: "),
        (one("[4]", "[0,16]").replace("\"x\"", "\"\\ud800\""), "is damaged: "),
        ("[".repeat(100_000), "is damaged: "),
        (format!("{{\"x\":{}", "[".repeat(100_000)), "is damaged: "),
        (format!("{{\"__metadata__\":{}", "{\"a\":".repeat(100_000)), "is damaged: "),
        (String::new(), "is damaged: "),
        ("{}".to_owned(), "its header promises fewer tensors than"),
        (one("[4]", "[0,16]"), "lack `bert.embeddings.word_embeddings.weight`"),
    ];
    for (header, part) in headers {
        let error = told(&[("config.json", &config), ("model.safetensors", &safetensors(&header, &[0; 16]))]);
        assert!(error.contains(part) && error.contains("DIR"), "{part}: {error} of {header:.200}");
        assert!(error.len() < 500, "{error}");
    }
    for length in [0, 1, 1 << 20, 100_000_000, 1 << 62, max] {
        let mut bytes = bytes_of("model.safetensors");
        bytes[..8].copy_from_slice(&u64::to_le_bytes(length));
        let error = told(&[("config.json", &config), ("model.safetensors", &bytes)]);
        assert!(error.contains("`DIR/model.safetensors` is damaged: "), "{length}: {error}");
    }
    let whole = bytes_of("model.safetensors");
    for length in (0..whole.len()).step_by(whole.len() / 60) {
        let error = told(&[("config.json", &config), ("model.safetensors", &whole[..length])]);
        assert!(error.contains("`DIR/model.safetensors` is damaged: "), "{length}: {error}");
    }
}

#[test]
fn a_shape_with_a_zero_promises_nothing() {
    let config = String::from_utf8(bytes_of("config.json")).unwrap();
    let config = config.replace("\"id2label\"", "\"no_labels\"");
    let header = "{\"classifier.weight\":{\"dtype\":\"F32\",\"shape\":[4000000000000,0],\"data_offsets\":[0,0]}}";
    let error = told(&[("config.json", config.as_bytes()), ("model.safetensors", &safetensors(header, &[]))]);
    assert!(error.contains("`classifier.weight` has the shape [4000000000000, 0]"), "{error}");
}

#[test]
fn configs_that_lie_are_refused_before_memory_is_asked_for() {
    let (config, weights) = (String::from_utf8(bytes_of("config.json")).unwrap(), bytes_of("model.safetensors"));
    let cases = [
        ("vocab_size", "2000000000", "has the shape [83, 30], but `config.json` asks for [2000000000, 30]"),
        ("vocab_size", "82", "but `config.json` asks for [82, 30]"),
        ("vocab_size", "1e30", "`vocab_size` must be a whole number above 0, not `1e+30`"),
        ("hidden_size", "2000000000", "but `config.json` asks for [83, 2000000000]"),
        ("hidden_size", "18446744073709551616", "`hidden_size` must be a whole number above 0"),
        ("hidden_size", "\"big\"", "`hidden_size` must be a whole number above 0, not `\"big\"`"),
        ("hidden_size", "31", "`num_attention_heads` (5) does not divide `hidden_size` (31)"),
        ("num_hidden_layers", "1000000000", "`num_hidden_layers` is 1000000000; no encoder has more than 1000"),
        ("num_hidden_layers", "0", "`num_hidden_layers` must be a whole number above 0, not `0`"),
        ("num_hidden_layers", "-3", "`num_hidden_layers` must be a whole number above 0, not `-3`"),
        ("num_hidden_layers", "[3]", "`num_hidden_layers` must be a whole number above 0, not `[3]`"),
        ("num_attention_heads", "2000000000", "`num_attention_heads` (2000000000) does not divide"),
        ("num_attention_heads", "2.5", "`num_attention_heads` must be a whole number above 0, not `2.5`"),
        ("intermediate_size", "2000000000", "but `config.json` asks for [2000000000, 30]"),
        ("max_position_embeddings", "2000000000", "but `config.json` asks for [2000000000, 30]"),
        ("type_vocab_size", "2147483648", "`type_vocab_size` must be a whole number above 0"),
        ("layer_norm_eps", "-1", "`layer_norm_eps` must be a number of at least 0"),
        ("hidden_dropout_prob", "2", "`hidden_dropout_prob` must be below 1"),
    ];
    for (key, value, part) in cases {
        let mut edited: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&config).unwrap();
        assert!(edited.contains_key(key), "{key}");
        edited.insert(key.to_owned(), serde_json::from_str(value).unwrap());
        let text = serde_json::to_string(&edited).unwrap();
        let error = told(&[("config.json", text.as_bytes()), ("model.safetensors", &weights)]);
        assert!(error.contains(part), "{key} {value}: {error}");
    }
    for text in ["[".repeat(100_000), "{\"a\":".repeat(100_000), String::new(), "\u{feff}{}".to_owned()] {
        let error = told(&[("config.json", text.as_bytes()), ("model.safetensors", &weights)]);
        assert!(error.contains("`DIR/config.json` is not JSON: "), "{error}");
    }
    let error = told(&[("config.json", b"{\xff}"), ("model.safetensors", &weights)]);
    assert!(error.starts_with("cannot read `DIR/config.json`"), "{error}");
}

#[test]
fn numbers_that_are_not_finite_are_refused() {
    let config = bytes_of("config.json");
    for (value, shown) in [(f32::NAN, "NaN"), (f32::INFINITY, "inf"), (f32::NEG_INFINITY, "-inf")] {
        let mut bytes = bytes_of("model.safetensors");
        let at = bytes.len() - 4;
        bytes[at..].copy_from_slice(&value.to_le_bytes());
        let error = told(&[("config.json", &config), ("model.safetensors", &bytes)]);
        let damaged = error.starts_with("`DIR/model.safetensors`: `") && error.ends_with(&format!(" is {shown}"));
        assert!(damaged && error.contains("is damaged: its number "), "{error}");
    }
}

#[test]
fn damage_of_any_kind_is_survived() {
    let dir = tempfile::tempdir().unwrap();
    let whole = ["config.json", "model.safetensors"].map(|name| (name, bytes_of(name)));
    let header = u64::from_le_bytes(whole[1].1[..8].try_into().unwrap()) as usize + 8;
    let mut random = 1_u64;
    for (name, bytes) in &whole {
        for (name, bytes) in &whole {
            write(&dir.path().join(name), bytes);
        }
        for _ in 0..500 {
            let mut bytes = bytes.clone();
            for _ in 0..2 {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let at = (random >> 33) as usize % bytes.len().min(header);
                bytes[at] = (random >> 20) as u8;
            }
            write(&dir.path().join(name), &bytes);
            // Either is right: many bytes are of names that are not used.
            let _ = Model::load(dir.path(), &Device::Cpu);
        }
    }
}

/// Copies a folder of `tests/data/pickles/model`.
fn copy_of(name: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(folder("pickles/model").join(name)).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, dir.path().join(path.file_name().unwrap())).unwrap();
    }
    dir
}

#[test]
fn a_model_is_the_same_from_files_of_every_kind() {
    let whole = Model::load(&folder("pickles/model/whole"), &Device::Cpu).unwrap();
    for name in ["pickle", "shards", "pickle-shards"] {
        let model = Model::load(&folder("pickles/model").join(name), &Device::Cpu).unwrap();
        assert_eq!((&model.spec, &model.head, &model.notes), (&whole.spec, &whole.head, &whole.notes), "{name}");
        assert_eq!(model.params.keys().collect::<Vec<_>>(), whole.params.keys().collect::<Vec<_>>(), "{name}");
        for (parameter, tensor) in &whole.params {
            assert_eq!(difference(tensor, &model.params[parameter]), 0.0, "{name} {parameter}");
        }
    }
}

#[test]
fn shards_that_contradict_their_index_are_refused() {
    for (name, index) in [("shards", "model.safetensors.index.json"), ("pickle-shards", "pytorch_model.bin.index.json")]
    {
        let dir = copy_of(name);
        let path = dir.path().join(index);
        let text = std::fs::read_to_string(&path).unwrap();
        let mut value: serde_json::Value = serde_json::from_str(&text).unwrap();
        let map = value["weight_map"].as_object().unwrap().clone();
        let shards: Vec<_> = map.values().map(|shard| shard.as_str().unwrap().to_owned()).collect();
        let (first, last) = (shards.iter().min().unwrap(), shards.iter().max().unwrap());

        // A tensor that is in no file, and one that is in another.
        value["weight_map"]["bert.no.weight"] = first.as_str().into();
        write(&path, value.to_string());
        let error = error_of(dir.path());
        let expected = format!("`DIR/{index}` says that `bert.no.weight` is in `{first}`, but it is not");
        assert_eq!(error, expected);
        value["weight_map"] = map.clone().into();
        let tensor = map.iter().find(|(_, shard)| shard.as_str() == Some(first)).unwrap().0;
        value["weight_map"][tensor] = last.as_str().into();
        write(&path, value.to_string());
        assert!(error_of(dir.path()).contains(&format!("says that `{tensor}` is in `{last}`")));

        // A file twice, under two names.
        let extension = Path::new(first).extension().unwrap().to_str().unwrap();
        let copy = format!("a-copy.{extension}");
        std::fs::copy(dir.path().join(first), dir.path().join(&copy)).unwrap();
        value["weight_map"] = map.into();
        value["weight_map"]["more"] = copy.as_str().into();
        write(&path, value.to_string());
        let error = error_of(dir.path());
        assert!(error.contains(&format!("is in two files, `DIR/{copy}` and `DIR/{first}`")), "{error}");

        write(&path, &text);
        std::fs::remove_file(dir.path().join(last)).unwrap();
        let error = error_of(dir.path());
        assert_eq!(error, format!("`DIR/{index}` names `{last}`, which is not there (an unfinished download?)"));
        write(&path, "[".repeat(100_000));
        assert!(error_of(dir.path()).starts_with(&format!("`DIR/{index}` is not JSON: ")));
    }
}

#[test]
fn packed_weights_that_lie_are_refused() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/formats/w4a16");
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    let (config, weights) = (read("config.json"), read("model.safetensors"));
    // The first occurrence, by as many bytes.
    let changed = |bytes: &[u8], from: &[u8], to: &[u8]| {
        assert_eq!(from.len(), to.len());
        let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
        [&bytes[..at], to, &bytes[at + from.len()..]].concat()
    };
    let text = String::from_utf8(config.clone()).unwrap();
    let without_block = text.replace("\"quantization_config\"", "\"quantization_konfig\"");
    let shape = |rows: i64, columns: i64| [rows.to_le_bytes(), columns.to_le_bytes()].concat();
    let cases: [(Vec<u8>, Vec<u8>, &str); 8] = [
        (config.clone(), changed(&weights, b"weight_scale", b"weight_scalf"), "weight_scale` is missing"),
        (config.clone(), changed(&weights, b"weight_shape", b"weight_shapf"), "weight_shape` is missing"),
        (config.clone(), changed(&weights, b"weight_packed", b"weight_pakked"), "lack `bert.encoder.layer.0."),
        (config.clone(), changed(&weights, &shape(32, 32), &shape(32, 31)), "weight_shape` does not say [32, 32]"),
        (text.replace("\"num_bits\": 4", "\"num_bits\": 8").into(), weights.clone(), "has the shape [32, 4], but"),
        (text.replace("\"group_size\": 16", "\"group_size\": 8").into(), weights.clone(), "has the shape [32, 2], but"),
        (
            text.replace("\"group_size\": 16", "\"group_size\": 5").into(),
            weights.clone(),
            "does not divide its rows of 32",
        ),
        (without_block.into(), weights.clone(), "`config.json` has no `quantization_config`"),
    ];
    for (config, weights, part) in &cases {
        let error = told(&[("config.json", config), ("model.safetensors", weights)]);
        assert!(error.contains(part), "{part}: {error}");
    }
}
