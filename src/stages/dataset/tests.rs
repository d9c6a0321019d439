//! The stages that make and change datasets, run one after the other as the engine runs them.

mod rows;

use std::{
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    base::{device::DeviceId, digest::Digest, every::Every, fs::write_atomic, node::Node, span::Span},
    data::{Dataset, DatasetReader, Split},
    stage::{Artifact, Cancel, Fault, Lease, Partial, Progress, Record, StageCtx, StageSink, StageSpec},
    stages::{REGISTRY, dataset::stream},
};

/// What a stage is run with besides its parameters and inputs: by default nothing disturbs it.
#[derive(Default)]
struct Around<'a> {
    partial: Option<Partial<'a>>,
    cancel: Cancel,
    /// Progress after which it is asked to stop.
    stop_after: Option<usize>,
    heard: AtomicUsize,
    notes: Mutex<Vec<String>>,
}

impl StageSink for Around<'_> {
    fn progress(&self, _: Progress) {
        if Some(self.heard.fetch_add(1, Ordering::SeqCst) + 1) == self.stop_after {
            self.cancel.cancel();
        }
    }

    fn note(&self, text: String) {
        self.notes.lock().unwrap().push(text);
    }
}

/// Artifacts on disk, for as long as a test runs.
struct World {
    dir: TempDir,
}

impl World {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    /// Checks and runs a stage, and gives its artifact back.
    fn run(
        &self,
        name: &str,
        kind: &str,
        params: &Value,
        inputs: &[(&'static str, Vec<Artifact>)],
    ) -> Result<Artifact, String> {
        self.run_in(&Around::default(), name, kind, params, inputs)
    }

    fn run_in(
        &self,
        around: &Around<'_>,
        name: &str,
        kind: &str,
        params: &Value,
        inputs: &[(&'static str, Vec<Artifact>)],
    ) -> Result<Artifact, String> {
        let spec = spec(kind);
        let params = (spec.check)(&Node::from_json(params, Span::default())).map_err(|faults| format!("{faults:?}"))?;
        let output = self.dir.path().join(name);
        std::fs::create_dir(&output).unwrap();
        let mut ctx = self.ctx(around, name, inputs, &output);
        (spec.run)(&params, &mut ctx).map_err(|error| error.to_string())?;
        let record = ctx.record;
        let digest = Digest::of_dir(&output).unwrap();
        let (stage, kind) = (kind.to_owned(), spec.output);
        Ok(Artifact { name: name.to_owned(), stage, kind, dir: output, digest, inputs: Vec::new(), record })
    }

    fn ctx<'a>(
        &'a self,
        around: &'a Around<'_>,
        name: &'a str,
        inputs: &'a [(&'static str, Vec<Artifact>)],
        output: &'a Path,
    ) -> StageCtx<'a> {
        StageCtx {
            name,
            inputs,
            output,
            partial: around.partial,
            lease: Lease { device: DeviceId::Cpu, threads: 1, exclusive: false },
            seed: 42,
            base_dir: self.dir.path(),
            program: Path::new("lmpipe"),
            cancel: &around.cancel,
            sink: around,
            run: None,
            record: Record::default(),
        }
    }

    fn reviews(&self, limit: usize) -> Artifact {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets/movie-reviews.parquet");
        let params = json!({"dataset": file, "label": "label", "id": "id", "split": "split", "limit": limit});
        self.run("reviews", "dataset", &params, &[]).unwrap()
    }
}

fn spec(kind: &str) -> &'static StageSpec {
    REGISTRY.get(kind).unwrap_or_else(|| panic!("`{kind}` is not registered"))
}

fn faults(kind: &str, params: &Value) -> Vec<Fault> {
    (spec(kind).check)(&Node::from_json(params, Span::default())).err().unwrap_or_default()
}

fn fact<'a>(artifact: &'a Artifact, name: &str) -> &'a str {
    artifact.record.facts.iter().find(|(key, _)| key == name).map_or("", |(_, text)| text)
}

#[test]
fn the_vendored_datasets_are_what_their_cards_say() {
    let world = World::new();
    for (name, rows, labels) in [
        ("movie-reviews", [8_397, 1_088, 1_081], 2),
        ("wiki-topics", [7_272, 884, 877], 11),
        ("rfc", [370, 91, 149], 12),
    ] {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("datasets/{name}.parquet"));
        let params = json!({"dataset": file, "label": "label", "id": "id", "split": "split", "license": "as stated"});
        let artifact = world.run(name, "dataset", &params, &[]).unwrap();
        let meta = Dataset::open(&artifact.dir).unwrap().meta;
        assert!(meta.rows.values().eq(&rows), "{name}");
        assert_eq!(meta.labels.len(), labels, "{name}");
        assert_eq!(fact(&artifact, "license"), "as stated");
    }
}

#[test]
fn normalised_augmented_and_queried() {
    let world = World::new();
    let reviews = world.reviews(300);
    let steps = json!([
        {"unicode": "nfkc"}, {"case": "lower"},
        {"stopwords": {"language": "en", "keep": ["not", "no", "never", "n't"]}}, {"whitespace": "collapse"}
    ]);
    let clean = world.run("clean", "normalize", &json!({"steps": steps}), &[("data", vec![reviews.clone()])]).unwrap();
    let (before, after) = (Dataset::open(&reviews.dir).unwrap(), Dataset::open(&clean.dir).unwrap());
    assert_eq!(
        (before.meta.rows.clone(), before.meta.labels.clone()),
        (after.meta.rows.clone(), after.meta.labels.clone())
    );
    assert!(fact(&clean, "step stopwords").contains("words "), "{:?}", clean.record.facts);
    assert!((1..=6).contains(&clean.record.samples.len()));
    assert!(clean.record.samples.iter().all(|sample| sample.before != sample.after));
    assert!(after.rows(Split::Test).unwrap().texts.iter().all(|text| *text == text.to_lowercase()));

    let steps =
        json!([{"insert": {"rate": 0.1}}, {"replace": {"rate": 0.1, "source": "wordnet"}}, {"mask": {"rate": 0.1}}]);
    let more =
        world.run("more", "augment", &json!({"copies": 2, "steps": steps}), &[("data", vec![clean.clone()])]).unwrap();
    let augmented = Dataset::open(&more.dir).unwrap();
    let (old, new) = (after.rows(Split::Train).unwrap(), augmented.rows(Split::Train).unwrap());
    assert_eq!(new.texts[..300], old.texts[..]);
    assert!(new.texts.len() > 850 && new.texts.len() <= 900, "{}", new.texts.len());
    assert_eq!(augmented.meta.rows[&Split::Test], 300);
    assert_eq!(augmented.rows(Split::Test).unwrap().texts, after.rows(Split::Test).unwrap().texts);
    let masked = new.texts[300..].iter().filter(|text| text.contains("[MASK]")).count();
    assert!(masked > 500, "{masked}");
    let unique: std::collections::BTreeSet<_> = new.ids.iter().collect();
    assert_eq!(unique.len(), new.ids.len());

    let sql = "SELECT * FROM data WHERE op IS NULL AND length(text) > 40";
    let short = world.run("short", "query", &json!({"sql": sql}), &[("data", vec![more.clone()])]).unwrap();
    let left = Dataset::open(&short.dir).unwrap().rows(Split::Train).unwrap();
    let expected: Vec<_> = old.texts.iter().filter(|text| text.chars().count() > 40).cloned().collect();
    assert_eq!(left.texts, expected);
    let join = "SELECT data.* FROM data JOIN short ON data.id = short.id";
    let inputs = [("data", vec![reviews]), ("with", vec![short])];
    let joined = world.run("joined", "query", &json!({"sql": join}), &inputs).unwrap();
    assert_eq!(Dataset::open(&joined.dir).unwrap().rows(Split::Train).unwrap().ids, left.ids);
}

/// What stages make of some reviews is the same on one thread and on three.
fn same_on_all_threads(reviews: usize, make: impl Fn(&World, Artifact) -> Vec<Result<Artifact, String>> + Sync) {
    let made = [1, 3].map(|threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let world = World::new();
            let made = make(&world, world.reviews(reviews)).into_iter();
            made.map(|artifact| artifact.map(|artifact| (artifact.digest, artifact.record))).collect::<Vec<_>>()
        })
    });
    assert!(made[0].iter().all(Result::is_ok), "{:?}", made[0]);
    assert_eq!(made[0], made[1]);
}

#[test]
fn bytes_do_not_depend_on_threads() {
    same_on_all_threads(200, |world, reviews| {
        let run = |name: &str, kind: &str, params: Value| world.run(name, kind, &params, &[("data", vec![reviews.clone()])]);
        let clean = run("clean", "normalize", json!({"steps": [{"stem": {"language": "en"}}]}));
        let more = run("more", "augment", json!({"steps": [{"swap": {"rate": 0.1}}, {"delete": {"rate": 0.1}}]}));
        let sql = "SELECT MIN(id) AS id, text, FIRST(label) AS label, split FROM data GROUP BY text, split";
        let query = run("query", "query", json!({"sql": sql}));
        vec![Ok(reviews.clone()), clean, more, query]
    });
}

#[test]
fn a_copy_that_would_leak_is_left_out() {
    let world = World::new();
    let table =
        "text,label,split\nterrible film,a,train\nfine film,b,train\nterrible movie,a,test\nfine thing,b,test\n";
    write_atomic(&world.dir.path().join("t.csv"), table.as_bytes()).unwrap();
    let data =
        world.run("data", "dataset", &json!({"dataset": "t.csv", "label": "label", "split": "split"}), &[]).unwrap();
    write_atomic(&world.dir.path().join("words.tsv"), b"film\tmovie\n").unwrap();
    let params = json!({"steps": [{"replace": {"rate": 1.0, "table": "words.tsv"}}]});
    let more = world.run("more", "augment", &params, &[("data", vec![data])]).unwrap();
    let rows = Dataset::open(&more.dir).unwrap().rows(Split::Train).unwrap();
    assert_eq!(rows.texts, ["terrible film", "fine film", "fine movie"]);
    assert_eq!(fact(&more, "copies left out, as they are in validation or test"), "1");
    assert_eq!(rows.labels.unwrap(), [0, 1, 1]);
}

#[test]
fn a_text_that_a_step_would_empty_stays() {
    let world = World::new();
    let table = "text,label,split\nit is the,a,train\nfilm,b,train\n";
    write_atomic(&world.dir.path().join("t.csv"), table.as_bytes()).unwrap();
    let data =
        world.run("data", "dataset", &json!({"dataset": "t.csv", "label": "label", "split": "split"}), &[]).unwrap();
    let again = data.clone();
    let params = json!({"steps": [{"stopwords": {"language": "en"}}, {"case": "upper"}]});
    let clean = world.run("clean", "normalize", &params, &[("data", vec![data])]).unwrap();
    let rows = Dataset::open(&clean.dir).unwrap().rows(Split::Train).unwrap();
    assert_eq!(rows.texts, ["IT IS THE", "FILM"]);
    let told = "1 text would have become empty in a step and stayed as before it; `empty: drop` takes such rows out";
    assert_eq!(clean.record.warnings, [told]);
    let params = json!({"steps": [{"stopwords": {"language": "en"}}, {"case": "upper"}], "empty": "drop"});
    let clean = world.run("less", "normalize", &params, &[("data", vec![again])]).unwrap();
    assert_eq!(Dataset::open(&clean.dir).unwrap().rows(Split::Train).unwrap().texts, ["FILM"]);
    assert_eq!(fact(&clean, "rows that went, as nothing was left of their text"), "1");
}

#[test]
fn a_model_comes_from_the_first_source_that_works() {
    let world = World::new();
    let folder = world.dir.path().join("tiny");
    std::fs::create_dir(&folder).unwrap();
    for (file, text) in
        [("config.json", "{\"model_type\": \"bert\"}"), ("model.safetensors", "abc"), ("vocab.txt", "x")]
    {
        write_atomic(&folder.join(file), text.as_bytes()).unwrap();
    }
    write_atomic(&folder.join("README.md"), b"not taken").unwrap();
    let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let pinned = world.run("a", "model", &json!({"model": ["./missing", "tiny"], "sha256": sha256}), &[]).unwrap();
    assert_eq!((fact(&pinned, "source"), fact(&pinned, "family")), ("tiny", "bert"));
    assert!(pinned.record.warnings.is_empty());
    assert!(!pinned.dir.join("README.md").exists());
    let loose = world.run("b", "model", &json!({"model": "./tiny"}), &[]).unwrap();
    assert!(loose.record.warnings[0].contains(&format!("sha256: {sha256}")), "{:?}", loose.record.warnings);
    let wrong = world.run("c", "model", &json!({"model": "tiny", "sha256": "0".repeat(64)}), &[]).unwrap_err();
    assert!(wrong.contains(sha256) && wrong.contains(&"0".repeat(64)), "{wrong}");
}

#[test]
fn an_identity_holds_content_not_names() {
    let identity = |kind: &str, params: &Value| {
        let spec = spec(kind);
        let params = (spec.check)(&Node::from_json(params, Span::default())).unwrap();
        ((spec.identity)(&params), (spec.files)(&params))
    };
    let (one, files) = identity("dataset", &json!({"dataset": "a/x.parquet", "split": "split"}));
    let (two, _) = identity("dataset", &json!({"dataset": "b/y.parquet", "split": "split"}));
    assert_eq!(one, two);
    assert_eq!(files, [("dataset".to_owned(), "a/x.parquet".to_owned())]);
    let sha256 = "AB".repeat(32);
    let (one, files) = identity("model", &json!({"model": ["hf://a/b", "./x"], "sha256": sha256}));
    assert_eq!((one, files), (json!({"sha256": sha256.to_lowercase()}), Vec::new()));
    let (one, files) = identity("model", &json!({"model": "file:./x"}));
    assert_eq!((one, files), (json!({}), vec![("model".to_owned(), "./x".to_owned())]));
    let (one, files) = identity("augment", &json!({"steps": [{"insert": {"rate": 0.1, "table": "w.tsv"}}]}));
    assert!(!one.to_string().contains("w.tsv"));
    assert_eq!(files, [("steps[0].insert.table".to_owned(), "w.tsv".to_owned())]);
}

#[test]
fn faults_have_their_place() {
    let split = json!({"train": 0.8, "validation": 0.1, "test": 0.2});
    for (kind, params, path, told) in [
        ("dataset", json!({"dataset": "x.csv"}), "split", "`split` is missing"),
        ("dataset", json!({"dataset": "x.csv", "split": split}), "split", "the shares add up to 1.1, not 1"),
        ("dataset", json!({"dataset": "x.csv", "split": {"train": 1, "tst": 0}}), "split.tst", "unknown key `tst`"),
        ("dataset", json!({"dataset": "x.csv", "split": 3}), "split", "the name of a column, or"),
        ("dataset", json!({"dataset": "x.csv", "split": "text"}), "split", "it is the text"),
        ("dataset", json!({"dataset": "x.csv", "split": "s", "label": "text"}), "label", "cannot be the label"),
        ("dataset", json!({"dataset": "x.csv", "split": "s", "limit": 0}), "limit", "a limit of 0 rows"),
        ("dataset", json!({"dataset": "x.csv", "split": "s", "limit": -1}), "limit", "a number of rows"),
        ("dataset", json!({"dataset": "x.csv", "split": "s", "limit": {"test": 0}}), "limit.test", "a limit of 0 rows"),
        ("model", json!({"model": []}), "model", "no source"),
        ("model", json!({"model": "s3://x"}), "model", "`s3://` is no source"),
        ("model", json!({"model": ["hf://a/b", "pip://x"]}), "model[1]", "is not of the form"),
        ("model", json!({"model": ["hf://a/b", "./x"]}), "model[1]", "nothing pins the weights"),
        ("model", json!({"model": 3}), "model", "a source of a model, or a list"),
        ("model", json!({"model": "hf://a/b", "sha256": "abc"}), "sha256", "`abc` is not a SHA-256"),
        ("normalize", json!({"steps": []}), "steps", "no steps"),
        ("normalize", json!({"steps": [{"unicode": "nfk"}]}), "steps[0].unicode", "`nfk` is not a choice"),
        (
            "normalize",
            json!({"steps": [{"case": "lower"}, {"stem": {"language": "english"}}]}),
            "steps[1].stem.language",
            "there are no stemmers for the language `english`",
        ),
        ("augment", json!({"copies": 0, "steps": [{"swap": {"rate": 0.1}}]}), "copies", "at least 1"),
        ("augment", json!({"steps": [{"swap": {"rate": 1.1}}]}), "steps[0].swap.rate", "above 0 and up to 1"),
        ("augment", json!({"steps": [{"swap": {"rate": 0.1}}], "language": "xx"}), "language", "no stop words"),
        ("query", json!({"sql": " "}), "sql", "the query is empty"),
        ("query", json!({"sql": "SELEC 1"}), "sql", "sql parser error"),
    ] {
        let found = faults(kind, &params);
        let fits = found.iter().any(|fault| fault.path == path && fault.message.contains(told));
        assert!(fits, "{kind} {params}: {found:#?}");
    }
}

#[test]
fn a_stop_ends_a_stage_and_it_goes_on() {
    let world = World::new();
    // Long rows make many parts.
    let text = "word ".repeat(200_000);
    let rows = (0..24).map(|row| format!("{row},{text}Row {row},{},train", row % 2));
    let table: Vec<String> = ["id,text,label,split".to_owned()].into_iter().chain(rows).collect();
    write_atomic(&world.dir.path().join("t.csv"), table.join("\n").as_bytes()).unwrap();
    let params = json!({"dataset": "t.csv", "label": "label", "id": "id", "split": "split"});
    let data = world.run("data", "dataset", &params, &[]).unwrap();
    let partial = world.dir.path().join("partial");
    for (kind, params, parts) in [
        ("normalize", json!({"steps": [{"case": "upper"}, {"whitespace": "collapse"}, {"numbers": "token"}]}), 6),
        ("augment", json!({"copies": 2, "steps": [{"swap": {"count": 2}}, {"delete": {"rate": 0.1}}]}), 12),
    ] {
        let inputs = [("data", vec![data.clone()])];
        let run =
            |name: &str, around: &Around<'_>| world.run_in(around, &format!("{kind}-{name}"), kind, &params, &inputs);
        let undisturbed = run("whole", &Around::default()).unwrap();
        let kept = Some(Partial { dir: &partial, every: Every::default() });
        for (attempt, stop_after) in [1, 1].into_iter().enumerate() {
            let around = Around { partial: kept, stop_after: Some(stop_after), ..Around::default() };
            assert_eq!(run(&format!("stopped-{attempt}"), &around).unwrap_err(), "stopped");
            let output = world.dir.path().join(format!("{kind}-stopped-{attempt}"));
            assert!(!output.join("dataset.json").exists());
        }
        let around = Around { partial: kept, ..Around::default() };
        let resumed = run("resumed", &around).unwrap();
        assert_eq!(around.notes.into_inner().unwrap(), [format!("goes on behind part 2 of {parts}")]);
        assert_eq!(around.heard.into_inner(), parts - 2, "{kind}: what was made is not made again");
        assert_eq!((resumed.digest, resumed.record), (undisturbed.digest, undisturbed.record), "{kind}");
        std::fs::remove_dir_all(&partial).unwrap();
    }
}

#[test]
fn a_stop_that_is_seen_between_parts_leaves_what_is_made() {
    let world = World::new();
    let data = world.reviews(6);
    let (reader, partial) = (DatasetReader::open(&data.dir).unwrap(), world.dir.path().join("partial"));
    let around = Around { partial: Some(Partial { dir: &partial, every: Every::default() }), ..Around::default() };
    let output = world.dir.path().join("out");
    std::fs::create_dir(&output).unwrap();
    let mut ctx = world.ctx(&around, "out", &[], &output);
    // On one thread two parts are made at a time; the writer waits when the last two are.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let made = pool.install(|| {
        stream::make::<()>(&mut ctx, reader.meta(), &[1, 2, 3, 4, 5, 6], |at| {
            if at == 5 {
                std::thread::sleep(std::time::Duration::from_millis(200));
                around.cancel.cancel();
            }
            Ok((reader.read(Split::Train, 0)?, ()))
        })
    });
    assert_eq!(made.unwrap_err().to_string(), "stopped");
    let so_far = crate::base::fs::read_text(&partial.join("so-far.json")).unwrap();
    assert!(so_far.contains("\"done\":4"), "{so_far}");
}
