//! Broken and hostile input of every kind: a message that names the file, an exit code that is meant, no panic, no hang, no flood of memory.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use arrow::{
    array::{ArrayRef, RecordBatch, StringArray},
    ipc::writer::FileWriter,
};
use parquet::arrow::ArrowWriter;
use serde_json::{Value, json};

use crate::support::{LmpipeTest, root};

/// What a run may take, address space of the program and its threads included.
const MEMORY_KIB: u64 = 1 << 20;
const TIME: Duration = Duration::from_secs(20);

const RECIPE: &str = "\
lmpipe: 1
name: hostile
vars: {copies: 1}
inputs:
  reviews: {dataset: DATA, text: text, label: label, split: {train: 0.6, validation: 0.2, test: 0.2, by: label}}
stages:
  clean: {uses: normalize, in: reviews, with: {steps: [{unicode: nfkc}, {html: strip}, {whitespace: collapse}]}}
  more: {uses: augment, in: clean, with: {copies: \"{{ copies }}\", steps: [{delete: {rate: 0.1}}]}}
gates:
  - {metric: more.copies, vs: baseline, max_rise: 10%}
";

/// Deterministic numbers: a test that fails fails again.
struct Draw(u64);

impl Draw {
    fn below(&mut self, n: usize) -> usize {
        // Splitmix64 (Steele et al., 2014).
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ (z >> 31)) % n.max(1) as u64).unwrap()
    }
}

/// What bytes can suffer, whatever they mean.
fn damaged(bytes: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut draw = Draw(bytes.len() as u64);
    let n = bytes.len();
    let with = |change: &mut dyn FnMut(&mut Vec<u8>)| {
        let mut copy = bytes.to_vec();
        change(&mut copy);
        copy
    };
    let insert = |at: usize, what: &[u8]| [&bytes[..at], what, &bytes[at..]].concat();
    let mut all = vec![
        ("empty", Vec::new()),
        ("one byte", bytes[..1].to_vec()),
        ("a quarter", bytes[..n / 4].to_vec()),
        ("a half", bytes[..n / 2].to_vec()),
        ("all but the last byte", bytes[..n - 1].to_vec()),
        ("twice", bytes.repeat(2)),
        ("backwards", bytes.iter().rev().copied().collect()),
        ("no head", with(&mut |copy| copy.iter_mut().take(64).for_each(|byte| *byte = 0))),
        ("no tail", with(&mut |copy| copy.iter_mut().rev().take(64).for_each(|byte| *byte = 0))),
        ("a hole", with(&mut |copy| copy[n / 2..].iter_mut().take(64).for_each(|byte| *byte = 0xff))),
        ("a huge length first", with(&mut |copy| copy.iter_mut().take(8).for_each(|byte| *byte = 0xff))),
        (
            "a large length first",
            with(&mut |copy| copy.splice(..8.min(n), 0x7fff_ffff_u64.to_le_bytes()).for_each(drop)),
        ),
        ("a NUL", insert(n / 3, &[0])),
        ("no UTF-8", insert(n / 3, &[0xc3, 0x28, 0xff])),
        ("a mark of byte order", insert(0, "\u{feff}".as_bytes())),
        ("a megabyte of one letter", insert(n / 2, &[b'a'; 1 << 20])),
        ("garbage", (0..n.min(1 << 16)).map(|_| u8::try_from(draw.below(256)).unwrap()).collect()),
    ];
    for name in ["flipped bits", "other flipped bits", "more flipped bits"] {
        all.push((name, with(&mut |copy| (0..8).for_each(|_| copy[draw.below(n)] ^= 1 << draw.below(8)))));
    }
    all
}

/// What JSON can say that it should not.
fn twisted(text: &str) -> Vec<(&'static str, Vec<u8>)> {
    fn each(value: &mut Value, change: &dyn Fn(&Value) -> Option<Value>) {
        if let Some(new) = change(value) {
            *value = new;
            return;
        }
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| each(item, change)),
            Value::Object(fields) => fields.values_mut().for_each(|item| each(item, change)),
            _ => {}
        }
    }
    let value: Value = serde_json::from_str(text).unwrap();
    let with = |change: &dyn Fn(&Value) -> Option<Value>| {
        let mut copy = value.clone();
        each(&mut copy, change);
        copy.to_string().into_bytes()
    };
    let number = |new: Value| with(&move |old| old.is_number().then(|| new.clone()));
    let string = |new: String| with(&move |old| old.is_string().then(|| json!(new)));
    vec![
        ("negative numbers", number(json!(-1))),
        ("zeros", number(json!(0))),
        ("huge numbers", number(json!(u64::MAX))),
        ("large numbers", number(json!(1_u64 << 40))),
        ("fractions", number(json!(0.5))),
        ("numbers as texts", number(json!("many"))),
        ("no texts", string(String::new())),
        ("a way out", string("../../../../etc/passwd".to_owned())),
        ("long texts", string("x".repeat(100_000))),
        ("nothing", with(&|old| old.is_boolean().then_some(Value::Null))),
        ("lists of texts", with(&|old| old.is_array().then(|| json!(["x", "y"])))),
        ("no lists", with(&|old| old.is_array().then(|| json!([])))),
        ("a list of it", json!([value]).to_string().into_bytes()),
        ("a depth", ("[".repeat(200_000) + &"]".repeat(200_000)).into_bytes()),
        ("a key twice", text.replacen('{', "{\"version\": 1, \"version\": 2, ", 1).into_bytes()),
    ]
}

/// A project, the file in it that suffers, and the command that reads it.
struct Scene<'a> {
    test: &'a LmpipeTest,
    file: &'a str,
    command: &'a [&'a str],
    /// What a failure names.
    named: &'a str,
    faults: Vec<String>,
    tried: usize,
}

impl<'a> Scene<'a> {
    fn new(test: &'a LmpipeTest, file: &'a str, command: &'a [&'a str]) -> Self {
        Self { test, file, command, named: file.rsplit('/').next().unwrap(), faults: Vec::new(), tried: 0 }
    }

    /// Tries all of these in the place of the file, which must be well before and after.
    fn suffer(mut self, kinds: Vec<(&'static str, Vec<u8>)>) -> (usize, Vec<String>) {
        let path = self.test.path(self.file);
        let whole = fs::read(&path).unwrap();
        if let Some(fault) = self.attempt("untouched", &[0]) {
            self.faults.push(fault);
        }
        for (kind, bytes) in kinds {
            self.test.write_bytes(&path, &bytes);
            self.tried += 1;
            let fault = self.attempt(kind, &[0, 1, 2, 3, 5]);
            self.faults.extend(fault);
        }
        self.test.write_bytes(&path, &whole);
        let fault = self.attempt("untouched again", &[0]);
        self.faults.extend(fault);
        (self.tried, self.faults)
    }

    fn attempt(&self, kind: &str, codes: &[i32]) -> Option<String> {
        // The system holds it to its memory: who asks for more is refused, and would be seen to abort.
        let limited = format!("ulimit -v {MEMORY_KIB}; exec \"$0\" \"$@\"");
        let mut command = Command::new("sh");
        let plain = self.test.command(self.command);
        command.args(["-c", &limited]).arg(plain.get_program()).args(plain.get_args());
        command.current_dir(self.test.dir()).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.test.dir()).env("HF_HUB_OFFLINE", "1").stdin(Stdio::null());
        let began = Instant::now();
        let output = command.output().unwrap();
        let (code, took) = (output.status.code(), began.elapsed());
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        let is_meant = code.is_some_and(|code| codes.contains(&code));
        // A gate that fails has said so on standard output.
        let is_told = [Some(0), Some(3)].contains(&code) || told.contains(self.named);
        let is_calm =
            !["panicked", "internal error", "RUST_BACKTRACE", "overflow"].iter().any(|word| told.contains(word));
        let is_well = is_meant && is_told && is_calm && took < TIME && told.len() < 20_000;
        let shown: String = told.chars().take(600).collect();
        (!is_well).then(|| format!("{} · {kind}: {code:?} after {took:.1?}\n{shown}\n", self.file))
    }
}

fn all_kinds(bytes: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut kinds = damaged(bytes);
    kinds.extend(twisted(std::str::from_utf8(bytes).unwrap()));
    kinds
}

#[track_caller]
fn judge(least: usize, outcomes: Vec<(usize, Vec<String>)>) {
    let tried: usize = outcomes.iter().map(|(tried, _)| tried).sum();
    let faults: Vec<String> = outcomes.into_iter().flat_map(|(_, faults)| faults).collect();
    assert!(faults.is_empty(), "{} of {tried}:\n{}", faults.len(), faults.join("\n"));
    assert!(tried >= least, "{tried} tried");
}

/// The reviews of the starter.
fn reviews() -> (Vec<String>, Vec<String>) {
    let text = fs::read_to_string(root().join("src/cli/starter/reviews.csv")).unwrap();
    let rows = text.lines().skip(1).filter_map(|line| line.rsplit_once(','));
    rows.map(|(text, label)| (text.trim_matches('"').to_owned(), label.to_owned())).unzip()
}

fn as_batch() -> RecordBatch {
    let (texts, labels) = reviews();
    let column = |values: Vec<String>| -> ArrayRef { Arc::new(StringArray::from(values)) };
    RecordBatch::try_from_iter([("text", column(texts)), ("label", column(labels))]).unwrap()
}

#[test]
fn datasets() {
    let test = LmpipeTest::new();
    let (texts, labels) = reviews();
    let lines = texts.iter().zip(&labels).map(|(text, label)| json!({"text": text, "label": label}).to_string() + "\n");
    let csv = fs::read(root().join("src/cli/starter/reviews.csv")).unwrap();
    let (batch, mut parquet) = (as_batch(), Vec::new());
    let mut writer = ArrowWriter::try_new(&mut parquet, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let mut arrow = FileWriter::try_new(Vec::new(), &batch.schema()).unwrap();
    arrow.write(&batch).unwrap();
    arrow.finish().unwrap();
    let files = [
        ("reviews.csv", csv),
        ("reviews.jsonl", lines.collect::<String>().into_bytes()),
        ("reviews.parquet", parquet),
        ("reviews.arrow", arrow.into_inner().unwrap()),
    ];
    let mut outcomes = Vec::new();
    for (name, bytes) in files {
        test.write_bytes(&test.path(name), &bytes).write("recipe.yaml", &RECIPE.replace("DATA", name));
        outcomes.push(Scene::new(&test, name, &["run", "recipe.yaml", "--force"]).suffer(damaged(&bytes)));
        assert_eq!(fs::read_dir(test.path(".lmpipe/tmp")).unwrap().count(), 0, "nothing half-written is left");
    }
    test.run(&["cache", "verify"]).success();
    judge(80, outcomes);
}

#[test]
fn recipes_and_baselines() {
    let test = LmpipeTest::started();
    let recipe = RECIPE.replace("DATA", "reviews.csv");
    test.write("recipe.yaml", &recipe);
    let mut outcomes =
        vec![Scene::new(&test, "recipe.yaml", &["validate", "recipe.yaml"]).suffer(damaged(recipe.as_bytes()))];
    test.run(&["run", "recipe.yaml"]).success();
    test.run(&["baseline", "save", "recipe.yaml", "--output", "b.json"]).success();
    let baseline = fs::read(test.path("b.json")).unwrap();
    let gate = ["gate", "recipe.yaml", "--baseline", "b.json"];
    outcomes.push(Scene::new(&test, "b.json", &gate).suffer(all_kinds(&baseline)));
    judge(50, outcomes);
}

/// A project with a model that answers, and texts for it.
fn with_texts() -> LmpipeTest {
    let test = LmpipeTest::with_model();
    test.write("texts.txt", "a b c\nwhat a film\nz\n");
    test
}

const PREDICT: [&str; 3] = ["predict", "model", "texts.txt"];

#[test]
fn models() {
    let test = with_texts();
    let config = fs::read(test.path("model/config.json")).unwrap();
    let weights = fs::read(test.path("model/model.safetensors")).unwrap();
    let vocabulary = fs::read(test.path("model/vocab.txt")).unwrap();
    let mut outcomes = vec![
        Scene::new(&test, "model/config.json", &PREDICT).suffer(all_kinds(&config)),
        Scene::new(&test, "model/config.json", &["inspect", "model"]).suffer(all_kinds(&config)),
        Scene::new(&test, "model/model.safetensors", &PREDICT).suffer([damaged(&weights), headers(&weights)].concat()),
        Scene::new(&test, "model/vocab.txt", &PREDICT).suffer(damaged(&vocabulary)),
    ];
    let tokenizer = tokenizer(std::str::from_utf8(&vocabulary).unwrap());
    test.write("model/tokenizer.json", &tokenizer);
    outcomes.push(Scene::new(&test, "model/tokenizer.json", &PREDICT).suffer(all_kinds(tokenizer.as_bytes())));
    judge(150, outcomes);
}

/// A safetensors file whose header says other things: what JSON can say, of each tensor.
fn headers(bytes: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let length = usize::try_from(u64::from_le_bytes(bytes[..8].try_into().unwrap())).unwrap();
    let header = std::str::from_utf8(&bytes[8..8 + length]).unwrap();
    let file = |header: Vec<u8>| [&(header.len() as u64).to_le_bytes()[..], &header, &bytes[8 + length..]].concat();
    twisted(header).into_iter().map(|(kind, header)| (kind, file(header))).collect()
}

fn tokenizer(vocabulary: &str) -> String {
    let ids: serde_json::Map<String, Value> =
        vocabulary.lines().enumerate().map(|(id, token)| (token.to_owned(), json!(id))).collect();
    let special = |token: &str| json!({"id": ids[token], "content": token, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true});
    let tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"].map(special);
    json!({
        "version": "1.0", "truncation": null, "padding": null,
        "added_tokens": tokens,
        "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": true},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", ids["[SEP]"]], "cls": ["[CLS]", ids["[CLS]"]]},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100, "vocab": ids},
    })
    .to_string()
}

#[test]
fn pickles_and_shards() {
    let test = LmpipeTest::new();
    let copy = |folder: &str| {
        let from = root().join("tests/data/pickles/model").join(folder);
        fs::create_dir(test.path(folder)).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, test.path(folder).join(path.file_name().unwrap())).unwrap();
        }
    };
    copy("pickle");
    copy("shards");
    let read = |name: &str| fs::read(test.path(name)).unwrap();
    let (pickle, index) = (read("pickle/pytorch_model.bin"), read("shards/model.safetensors.index.json"));
    let inspected = |file, folder| Scene::new(&test, file, folder);
    judge(
        50,
        vec![
            inspected("pickle/pytorch_model.bin", &["inspect", "pickle"]).suffer(damaged(&pickle)),
            inspected("shards/model.safetensors.index.json", &["inspect", "shards"]).suffer(all_kinds(&index)),
        ],
    );
}

#[test]
fn texts_to_classify() {
    let test = with_texts();
    let texts = fs::read(test.path("texts.txt")).unwrap();
    let mut outcomes = vec![Scene::new(&test, "texts.txt", &PREDICT).suffer(damaged(&texts))];
    test.write("texts.jsonl", "{\"text\": \"a b\"}\n{\"text\": \"c\"}\n");
    let lines = fs::read(test.path("texts.jsonl")).unwrap();
    outcomes.push(Scene::new(&test, "texts.jsonl", &["predict", "model", "texts.jsonl"]).suffer(damaged(&lines)));
    judge(40, outcomes);
}

#[test]
fn what_the_store_says_of_itself() {
    let test = LmpipeTest::started();
    test.write("recipe.yaml", &RECIPE.replace("DATA", "reviews.csv"));
    test.run(&["run", "recipe.yaml"]).success();
    let files = walk(&test.path(".lmpipe"));
    let is_told = |path: &Path| path.extension().is_some_and(|ext| ext == "json" || ext == "jsonl");
    let mut faults = Vec::new();
    for path in files.iter().filter(|path| is_told(path)) {
        let whole = fs::read(path).unwrap();
        for (kind, bytes) in
            damaged(&whole).into_iter().filter(|(kind, _)| ["empty", "a half", "garbage"].contains(kind))
        {
            // What is in the store is read only.
            fs::remove_file(path).unwrap();
            test.write_bytes(path, &bytes);
            for args in [&["run", "recipe.yaml"][..], &["ls"], &["plan", "recipe.yaml"]] {
                let outcome = test.run(args);
                let is_well = [0, 5].contains(&outcome.code.unwrap_or(-1)) && !outcome.stderr.contains("panicked");
                if !is_well {
                    faults.push(format!(
                        "{} · {kind} · {args:?}: {:?}\n{}",
                        path.display(),
                        outcome.code,
                        outcome.stderr
                    ));
                }
            }
            let _ = fs::remove_file(path);
            test.write_bytes(path, &whole);
        }
    }
    assert!(files.len() > 10 && faults.is_empty(), "{}", faults.join("\n"));
}

fn walk(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(walk(&path)) } else { files.push(path) }
    }
    files.sort();
    files
}
