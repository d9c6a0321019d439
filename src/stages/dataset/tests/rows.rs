//! `filter` and `deduplicate`: which rows stay, and what is said of those that go.

use std::{collections::BTreeMap, path::Path};

use serde_json::{Value, json};

use super::{World, same_on_all_threads, fact, faults};
use crate::{
    base::fs::{read_text, write_atomic},
    data::{Dataset, Split},
    stage::Artifact,
};

impl World {
    /// A dataset of a table with the columns `id`, `text`, `label` and `split`.
    fn table(&self, name: &str, rows: &[(&str, &str, &str, &str)]) -> Artifact {
        let lines: Vec<String> =
            rows.iter().map(|(id, text, label, split)| format!("{id},\"{text}\",{label},{split}\n")).collect();
        let file = format!("{name}.csv");
        let table = format!("id,text,label,split\n{}", lines.concat());
        write_atomic(&self.dir.path().join(&file), table.as_bytes()).unwrap();
        let params = json!({"dataset": file, "label": "label", "id": "id", "split": "split"});
        self.run(name, "dataset", &params, &[]).unwrap()
    }

    fn on(&self, data: &Artifact, name: &str, kind: &str, params: &Value) -> Result<Artifact, String> {
        self.run(name, kind, params, &[("data", vec![data.clone()])])
    }
}

fn ids(artifact: &Artifact, split: Split) -> Vec<String> {
    Dataset::open(&artifact.dir).unwrap().rows(split).unwrap().ids
}

fn lines(artifact: &Artifact, file: &str) -> Vec<Value> {
    let text = read_text(&artifact.dir.join(file)).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn metric(artifact: &Artifact, name: &str) -> f64 {
    artifact.record.metric(name).unwrap_or_else(|| panic!("no metric `{name}`")).value
}

const FILM: &str = "a slow and quiet film about a fisherman who comes home after twenty years at sea";
const PLOT: &str =
    "the plot of this thriller makes no sense at all but its two leads are so charming that nobody will mind";

#[test]
fn rows_that_meet_all_conditions_stay() {
    let world = World::new();
    let data = world.table(
        "data",
        &[
            ("1", "good", "pos", "train"),
            ("2", "a truly good film that one can see twice", "pos", "train"),
            ("3", "bad film <br> with nothing in it to see", "neg", "train"),
            ("4", "今天天气很好，我们去公园散步吧。", "neg", "train"),
            ("5", "a bad film with nothing in it to see", "neg", "train"),
            ("6", "dull", "neg", "test"),
        ],
    );
    let keep = json!([
        {"length": {"words": {"from": 3, "to": 50}}},
        {"matches": {"regex": "<[a-z]+>", "is": "absent"}},
        {"language": {"is": ["en"], "confidence": 0.0}},
    ]);
    let clean = world.on(&data, "clean", "filter", &json!({"keep": keep, "rejected": true})).unwrap();
    assert_eq!(ids(&clean, Split::Train), ["2", "5"]);
    assert_eq!(ids(&clean, Split::Test), ["6"], "rows of test are not judged unless a recipe says so");
    assert_eq!(fact(&clean, "rows of train"), "5 → 2");
    assert_eq!(fact(&clean, "rows of test"), "1, not judged");
    assert_eq!(fact(&clean, "rows dropped by length"), "1 (words 1)");
    assert_eq!(fact(&clean, "rows dropped by matches"), "1");
    assert_eq!((metric(&clean, "dropped"), metric(&clean, "rows.train")), (3.0, 2.0));
    assert_eq!(clean.record.warnings, ["more than half of `train` was dropped: 3 of 5 rows"]);
    let rejected = lines(&clean, "rejected.jsonl");
    assert_eq!(
        rejected[..2],
        [
            json!({"split": "train", "id": "1", "condition": "length.words", "measured": 1.0}),
            json!({"split": "train", "id": "3", "condition": "matches", "measured": "<br>"}),
        ]
    );
    assert_eq!((rejected.len(), &rejected[2]["condition"]), (3, &json!("language")));
    assert_eq!(clean.record.samples[0].what, "length.words: 1");
    assert_eq!((clean.record.samples[0].before.as_str(), clean.record.samples[0].after.as_str()), ("good", ""));

    let params = json!({"keep": [{"length": {"words": {"to": 8}}}], "splits": "all"});
    let short = world.on(&data, "short", "filter", &params).unwrap();
    assert_eq!(fact(&short, "rows of train"), "5 → 1");
    assert_eq!(short.record.warnings[1], "1 label left no row in `train`: `neg`");
    assert!(!short.dir.join("rejected.jsonl").exists());
    let negative = world.on(&data, "negative", "filter", &json!({"keep": [{"label": {"is": ["neg"]}}]})).unwrap();
    assert_eq!(ids(&negative, Split::Train), ["3", "4", "5"]);
    assert!(negative.record.warnings.is_empty());
}

#[test]
fn a_filter_says_what_is_wrong() {
    let world = World::new();
    let data =
        world.table("data", &[("1", "good", "pos", "train"), ("2", "bad", "neg", "train"), ("3", "so", "neg", "test")]);
    let told = |name: &str, keep: Value| world.on(&data, name, "filter", &json!({"keep": keep})).unwrap_err();
    let error = told("a", json!([{"label": {"is": ["positive"]}}]));
    assert_eq!(error, "`keep[0].label`: no row of the dataset has the label `positive`; there is `neg` and `pos`");
    let error = told("b", json!([{"length": {"words": {"from": 2}}}]));
    assert!(
        error.starts_with("no row of `train` meets all conditions, 2 of all dropped rows by `length.words`"),
        "{error}"
    );
    for (kind, params, path, message) in [
        ("filter", json!({"keep": []}), "keep", "no conditions"),
        (
            "filter",
            json!({"keep": [{"length": {"words": {"from": 9, "to": 1}}}]}),
            "keep[0].length.words",
            "from 9 to 1",
        ),
        ("filter", json!({"keep": [{"length": {}}]}), "keep[0].length", "no length is bounded"),
        ("filter", json!({"keep": [{"label": {"is": ["a"]}}], "splits": "some"}), "splits", "`all`, or a list"),
        ("filter", json!({"keep": [{"label": {"is": ["a"]}}], "splits": []}), "splits", "no split"),
        ("filter", json!({"keep": [{"langauge": {"is": ["en"]}}]}), "keep[0]", "`langauge`"),
        ("deduplicate", json!({"near": {"threshold": 1.5}}), "near.threshold", "between 0.05 and 1"),
        ("deduplicate", json!({"near": {"shingles": {"words": 0}}}), "near.shingles.words", "at least 1"),
        ("deduplicate", json!({"near": {"threshold": 0.05, "permutations": 16}}), "near.permutations", "too few"),
        ("deduplicate", json!({"across": "ignore"}), "across", "`ignore` is not a choice"),
    ] {
        let found = faults(kind, &params);
        let fits = found.iter().any(|fault| fault.path.starts_with(path) && fault.message.contains(message));
        assert!(fits, "{kind} {params}: {found:#?}");
    }
}

#[test]
fn duplicates_go_and_receipts_say_why() {
    let world = World::new();
    let near = FILM.replace("quiet", "silent");
    let data = world.table(
        "data",
        &[
            ("a", FILM, "pos", "train"),
            ("b", "nothing like it", "neg", "train"),
            ("c", "Nothing like it!", "neg", "train"),
            ("d", PLOT, "pos", "train"),
            ("e", &format!("{PLOT} it"), "pos", "train"),
            ("f", ":-)", "pos", "train"),
            ("g", ":-(", "neg", "train"),
            ("v", "only here", "pos", "validation"),
            ("w", "only there", "neg", "validation"),
            ("x", "Only, there", "neg", "test"),
            ("y", &near, "pos", "test"),
            ("z", &near, "pos", "test"),
        ],
    );
    let params = json!({"near": {"threshold": 0.6}});
    let unique = world.on(&data, "unique", "deduplicate", &params).unwrap();
    // `a` is near to `y`; `w` is `x`; of `b` and `c`, and of `d` and `e`, the first stays.
    assert_eq!(ids(&unique, Split::Train), ["b", "d", "f", "g"]);
    assert_eq!(ids(&unique, Split::Validation), ["v"]);
    assert_eq!(ids(&unique, Split::Test), ["x", "y", "z"], "test stays as it is");
    let counts = ["duplicates", "near_duplicates", "leaks.validation", "leaks.test"].map(|name| metric(&unique, name));
    assert_eq!(counts, [1.0, 1.0, 0.0, 2.0]);
    let receipts: BTreeMap<String, Value> = lines(&unique, "duplicates.jsonl")
        .into_iter()
        .map(|line| (line["id"].as_str().unwrap().to_owned(), line))
        .collect();
    assert_eq!(
        receipts["c"],
        json!({"split": "train", "id": "c", "kept_split": "train", "kept": "b", "kind": "exact", "similarity": 1.0, "dropped": true})
    );
    assert_eq!((&receipts["a"]["kept"], &receipts["a"]["kind"]), (&json!("y"), &json!("near")));
    assert_eq!(receipts["w"]["kind"], "exact");
    assert_eq!(receipts["e"]["similarity"], (19.0_f64 / 20.0 * 1e4).round() / 1e4);
    assert_eq!(receipts.len(), 4);
    assert_eq!(fact(&unique, "rows of train"), "7 → 4");
    assert_eq!(fact(&unique, "duplicates within test, which stay"), "1");
    assert_eq!(unique.record.samples.len(), 4);
    let again = world.on(&unique, "again", "deduplicate", &params).unwrap();
    assert_eq!(read_text(&again.dir.join("duplicates.jsonl")).unwrap(), "", "what is left has no duplicates");

    let tell = json!({"near": {"threshold": 0.6}, "across": "tell", "within": "tell"});
    let told = world.on(&data, "told", "deduplicate", &tell).unwrap();
    assert_eq!(metric(&told, "rows.train"), 7.0);
    assert_eq!(metric(&told, "leaks.test"), 2.0);
    assert!(told.record.warnings[0].starts_with("2 rows of `train` or `validation`"), "{:?}", told.record.warnings);
    let exact = world.on(&data, "exact", "deduplicate", &json!({"near": null, "exact": "verbatim"})).unwrap();
    assert_eq!(metric(&exact, "rows.train"), 7.0);
}

#[test]
fn a_leak_fails_a_recipe_that_says_so() {
    let world = World::new();
    let data = world.table(
        "data",
        &[
            ("a", FILM, "pos", "train"),
            ("b", "nothing like it", "neg", "train"),
            ("x", &format!("A {FILM}!"), "pos", "test"),
            ("y", "something else", "neg", "test"),
        ],
    );
    let error = world.on(&data, "fails", "deduplicate", &json!({"across": "fail"})).unwrap_err();
    for told in [
        "`data` has the same or nearly the same texts in several splits: 1 row of `train` or `validation` in `test`",
        "`train` row a and `test` row x, similarity 0.93:",
        FILM,
        &format!("\"A {FILM}!\""),
        "`across: drop`",
    ] {
        assert!(error.contains(told), "{told:?} in {error}");
    }
    let clean = world.on(&data, "drops", "deduplicate", &json!({})).unwrap();
    assert!(world.on(&clean, "passes", "deduplicate", &json!({"across": "fail"})).is_ok());
    let all = world.table(
        "all",
        &[("a", "one", "p", "train"), ("b", "two", "n", "train"), ("x", "One", "p", "test"), ("y", "two", "n", "test")],
    );
    let error = world.on(&all, "nothing", "deduplicate", &json!({})).unwrap_err();
    assert!(error.contains("nothing is left to train on"), "{error}");
}

#[test]
fn pairs_are_one_text() {
    let world = World::new();
    let table = "text,pair,label,split\na b,c,1,train\na,b c,1,train\nA. b?,C!,0,train\nx,y,0,test\ny,x,0,train\n";
    write_atomic(&world.dir.path().join("t.csv"), table.as_bytes()).unwrap();
    let params = json!({"dataset": "t.csv", "pair": "pair", "label": "label", "split": "split"});
    let data = world.run("data", "dataset", &params, &[]).unwrap();
    let unique = world.on(&data, "unique", "deduplicate", &json!({"near": null})).unwrap();
    let rows = Dataset::open(&unique.dir).unwrap().rows(Split::Train).unwrap();
    assert_eq!(rows.texts, ["a b", "a", "y"]);
    assert_eq!(lines(&unique, "duplicates.jsonl")[0]["id"], "2", "rows without an id are named by their number");
}

#[test]
fn bytes_of_rows_do_not_depend_on_threads() {
    same_on_all_threads(1_000, |world, reviews| {
        let keep = json!([{"length": {"words": {"from": 8}}}, {"repetition": {}}, {"quality": {"ellipsis_lines": 1}}]);
        let params = json!({"keep": keep, "splits": ["train", "validation"], "rejected": true});
        let filtered = world.on(&reviews, "filtered", "filter", &params);
        let near = json!({"threshold": 0.2, "shingles": {"words": 1}});
        let unique = world.on(&reviews, "unique", "deduplicate", &json!({"near": near}));
        vec![filtered, unique]
    });
}

/// Against the pairs from 0.5 that `tests/reference/minhash.py` found by comparing all texts with all: of the vendored datasets, which
/// have hardly any, and of a table of rows with copies in which words are others.
#[test]
fn near_duplicates_are_those_of_a_full_comparison() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/rows");
    let pairs: BTreeMap<String, Vec<(String, String, f64)>> =
        serde_json::from_str(&read_text(&golden.join("near_duplicates.json")).unwrap()).unwrap();
    let world = World::new();
    for (name, threshold, expected) in [("movie-reviews", 0.6, 1), ("rfc", 0.6, 1), ("planted", 0.8, 200)] {
        let file = match name {
            "planted" => golden.join("planted.jsonl"),
            name => golden.join(format!("../../../datasets/{name}.parquet")),
        };
        let params = json!({"dataset": file, "label": "label", "id": "id", "split": "split"});
        let data = world.run(name, "dataset", &params, &[]).unwrap();
        let params = json!({"near": {"threshold": threshold}, "across": "tell", "within": "tell"});
        let found = world.on(&data, &format!("found-{name}"), "deduplicate", &params).unwrap();
        // A name for each row that is in a cluster: that of the row which stands for it.
        let mut groups: BTreeMap<String, String> = BTreeMap::new();
        let mut count = 0;
        for line in lines(&found, "duplicates.jsonl") {
            let text = |key: &str| line[key].as_str().unwrap().to_owned();
            let (row, kept, similarity) = (text("id"), text("kept"), line["similarity"].as_f64().unwrap());
            // Where rows are joined through others, those at the ends may be less similar.
            if similarity >= threshold {
                let known = pairs[name].iter().find(|(a, b, _)| [a, b] == [&kept, &row] || [a, b] == [&row, &kept]);
                assert!(
                    known.is_some_and(|(_, _, exact)| (exact - similarity).abs() < 0.06),
                    "{name}: {line} {known:?}"
                );
                count += 1;
            }
            let [row, kept] = [row, kept].map(|id| groups.entry(id.clone()).or_insert(id).clone());
            groups.values_mut().filter(|group| **group == row).for_each(|group| group.clone_from(&kept));
        }
        assert!(count >= expected, "{name}: {count}");
        for (a, b, _) in pairs[name].iter().filter(|(_, _, exact)| *exact >= threshold + 0.05) {
            assert!(groups.contains_key(a) && groups.get(a) == groups.get(b), "{name}: {a} and {b} are not found");
        }
    }
}

/// What `deduplicate` takes for a million sentences: `cargo test --release --lib a_million_rows -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn a_million_rows() {
    let world = World::new();
    let reviews = world.reviews(10_000);
    let dataset = Dataset::open(&reviews.dir).unwrap();
    let mut table = "text,label,split\n".to_owned();
    for copy in 0..100 {
        for split in Split::ALL {
            for text in dataset.rows(split).unwrap().texts {
                // Other words in each copy, so that no two are near.
                let text: Vec<String> = text.replace('"', "").split(' ').map(|word| format!("{word}{copy}")).collect();
                table += "\"";
                table += &text.join(" ");
                table += if copy % 2 == 0 { "\",a," } else { "\",b," };
                table += split.name();
                table += "\n";
            }
        }
    }
    write_atomic(&world.dir.path().join("t.csv"), table.as_bytes()).unwrap();
    let params = json!({"dataset": "t.csv", "label": "label", "split": "split"});
    let data = world.run("data", "dataset", &params, &[]).unwrap();
    let rows: f64 = Split::ALL.iter().map(|split| metric(&data, &format!("rows.{}", split.name()))).sum();
    for (name, params) in [("near", json!({"across": "tell"})), ("exact", json!({"near": null, "across": "tell"}))] {
        let began = std::time::Instant::now();
        let found = world.on(&data, name, "deduplicate", &params).unwrap();
        let took = began.elapsed().as_secs_f64();
        let peak = read_text(Path::new("/proc/self/status")).unwrap_or_default();
        let peak = peak.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default().to_owned();
        println!("{name}: {rows} rows in {took:.2} s, {:.0} rows/s; {peak}; {:?}", rows / took, found.record.metrics);
    }
}
