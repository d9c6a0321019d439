//! Runs of a small recipe without a model: cold, warm, changed, failing, gated, locked.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    process::Stdio,
};

use crate::support::{LmpipeTest, Outcome};

const RECIPE: &str = "\
lmpipe: 1
name: small
inputs:
  reviews: {dataset: reviews.csv, text: text, label: label, split: {train: 0.6, validation: 0.2, test: 0.2, by: label}}
stages:
  clean: {uses: normalize, in: reviews, with: {steps: [{unicode: nfkc}, {whitespace: collapse}]}}
  more: {uses: augment, in: clean, with: {copies: 1, steps: [{delete: {rate: 0.1}}]}}
";

fn small() -> LmpipeTest {
    LmpipeTest::with_reviews(RECIPE)
}

#[test]
fn the_second_run_does_nothing() {
    let test = small();
    let first = test.run(&["run", "recipe.yaml"]).success().tells(&[
        "small · 3 stages: 3 ran",
        "clean: started",
        "clean: done",
    ]);
    assert_eq!(first.stdout, "", "standard output is for data");
    test.run(&["plan", "recipe.yaml", "--check"]).success().gives(&["nothing to do: all 3 stages are cached"]);
    test.run(&["run", "recipe.yaml"]).success().tells(&["small · 3 stages: 3 cached", "more: cached"]);
    test.run(&["cache", "verify"]).success().tells(&["3 objects and 3 actions are as they were written"]);
    test.run(&["cache", "ls"]).success().gives(&["dataset", "clean", "normalize", "ago"]);
    let clean = test.run(&["cache", "path", "small", "clean"]).success().stdout;
    assert!(std::path::Path::new(clean.trim()).join("train.arrow").is_file(), "{clean}");
    test.run(&["cache", "path", "small", "clear"]).exits(2).tells(&["no stage `clear`", "did you mean `clean`?"]);
    test.run(&["cache", "path", "smal", "clean"]).exits(2).tells(&["did you mean `small`?"]);
    test.run(&["run", "recipe.yaml", "--force", "-q"]).success();
    test.run(&["cache", "size"]).success().gives(&["objects  3", "actions  3", "runs     3"]);
}

#[test]
fn a_changed_parameter_is_named() {
    let test = small();
    test.run(&["run", "recipe.yaml"]).success();
    test.write(
        "recipe.yaml",
        &RECIPE.replace("rate: 0.1", "rate: 0.2").replace("name: small", "name: small # renamed"),
    );
    test.run(&["plan", "recipe.yaml", "--check"]).exits(4).gives(&["1 of 3 stages would run, about"]);
    test.run(&["plan", "recipe.yaml", "--why", "more"]).success().gives(&[
        "rate",
        "0.1 → 0.2",
        "key now",
        "difference",
    ]);
    test.run(&["run", "recipe.yaml"]).success().tells(&["3 stages: 1 ran, 2 cached"]);
}

#[test]
fn events_are_streamed() {
    let test = small();
    let events = test.run(&["run", "recipe.yaml", "--format", "json"]).success().json_lines();
    let names: Vec<&str> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(names.iter().filter(|name| **name == "finished").count(), 3, "{names:?}");
    assert_eq!(names.last(), Some(&"ended"));
    assert!(events.iter().all(|event| event["version"] == 1));
}

#[test]
fn a_stage_that_fails_is_told_and_not_cached() {
    let test = small();
    let data = test.read("reviews.csv");
    test.write("reviews.csv", &data.replace("text,label", "words,label"));
    let outcome = test.run(&["run", "recipe.yaml"]);
    assert!(matches!(outcome.code, Some(1 | 2)), "{outcome:?}");
    assert!(outcome.stderr.contains("error") && outcome.stderr.contains("`text`"), "{}", outcome.stderr);
    test.write("reviews.csv", &data);
    test.run(&["run", "recipe.yaml"]).success().tells(&["3 ran"]);
}

#[test]
fn another_run_holds_the_store() {
    let test = small();
    test.run(&["run", "recipe.yaml"]).success();
    let lock = File::options().write(true).open(test.path(".lmpipe/lock")).unwrap();
    lock.lock().unwrap();
    let mut waiting = test.command(&["run", "recipe.yaml"]).stderr(Stdio::piped()).spawn().unwrap();
    let mut told = String::new();
    BufReader::new(waiting.stderr.as_mut().unwrap()).read_line(&mut told).unwrap();
    assert!(told.starts_with("waiting: the store `") && told.contains("is in use by another run"), "{told}");
    test.run(&["plan", "recipe.yaml"]).success();
    drop(lock);
    assert!(waiting.wait().unwrap().success());
}

#[test]
fn two_runs_at_once_do_the_work_once() {
    let test = small();
    test.write("recipe.yaml", &RECIPE.replace("copies: 1", "copies: 20"));
    let started: Vec<_> = (0..3)
        .map(|_| test.command(&["run", "recipe.yaml", "--format", "json"]).stdout(Stdio::piped()).spawn().unwrap())
        .collect();
    let mut ran = Vec::new();
    for process in started {
        let output = process.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let events = String::from_utf8(output.stdout).unwrap();
        let events = events.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        ran.extend(events.filter(|event| event["event"] == "started").map(|event| event["name"].to_string()));
    }
    ran.sort();
    assert_eq!(ran, ["\"clean\"", "\"more\"", "\"reviews\""]);
    test.run(&["cache", "verify"]).success();
}

#[test]
fn a_stage_runs_again_and_is_compared() {
    let test = small();
    test.run(&["run", "recipe.yaml", "--verify", "more"]).success().tells(&["3 ran"]);
    test.run(&["run", "recipe.yaml", "--verify", "more"])
        .success()
        .tells(&["more: made again: 5 files, the same bytes", "1 ran, 2 cached"]);
    test.run(&["run", "recipe.yaml", "--verify", "mor"]).exits(2).tells(&["no stage `mor`", "did you mean `more`?"]);
}

#[test]
fn what_was_used_least_recently_goes_first() {
    let test = small();
    for rate in ["0.1", "0.2", "0.3"] {
        test.write("recipe.yaml", &RECIPE.replace("rate: 0.1", &format!("rate: {rate}")));
        test.run(&["run", "recipe.yaml"]).success();
    }
    let named = |test: &LmpipeTest| {
        let listed = test.run(&["cache", "ls", "--format", "json"]).success().json();
        let objects = listed.as_array().unwrap().clone();
        objects
            .iter()
            .filter(|object| object["name"] == "more")
            .map(|object| object["digest"].to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(named(&test).len(), 3);
    // The first is used again: it is now the latest, and what the last run made.
    test.write("recipe.yaml", RECIPE);
    test.run(&["run", "recipe.yaml"]).success().tells(&["3 cached"]);
    test.run(&["cache", "gc"]).success().tells(&["freed 0 B: 0 artifacts and 0 runs"]);
    let would = test.run(&["cache", "gc", "--max-size", "1kB", "--dry-run", "--format", "json"]).success().json();
    assert_eq!(would["objects"].as_array().unwrap().len(), 2, "{would}");
    assert_eq!(named(&test).len(), 3, "nothing was removed yet");
    test.run(&["cache", "gc", "--keep-runs", "2"]).success().tells(&["freed", "1 artifact and 2 runs"]);
    let left = named(&test);
    assert_eq!(left.len(), 2);
    test.run(&["cache", "gc", "--max-size", "1kB"])
        .success()
        .tells(&["1 artifact", "more than the 1.00 kB that were asked for"]);
    test.run(&["cache", "verify"]).success();
    test.run(&["run", "recipe.yaml"]).success().tells(&["3 cached"]);
    let lock = File::options().write(true).open(test.path(".lmpipe/lock")).unwrap();
    lock.lock_shared().unwrap();
    test.run(&["cache", "gc"]).exits(5).tells(&["is in use by another run"]);
    test.run(&["cache", "gc", "--max-size", "much"]).exits(2).tells(&["`much` is no size"]);
}

#[test]
fn a_flipped_bit_is_found_on_use() {
    let test = small();
    test.run(&["run", "recipe.yaml"]).success();
    let clean = test.run(&["cache", "path", "small", "clean"]).success().stdout;
    let file = std::path::Path::new(clean.trim()).join("train.arrow");
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    // As a disk does it: the same size, the same time, and read-only as it was.
    let times = std::fs::metadata(&file).unwrap().modified().unwrap();
    std::fs::remove_file(&file).unwrap();
    test.write_bytes(&file, &bytes);
    File::options().write(true).open(&file).unwrap().set_modified(times).unwrap();
    test.run(&["run", "recipe.yaml"]).success().tells(&["clean: done", "1 ran, 2 cached"]);
    test.run(&["cache", "verify"]).success();
}

#[test]
fn damage_is_found_and_mended() {
    let test = small();
    test.run(&["run", "recipe.yaml"]).success();
    let listed = test.run(&["cache", "ls", "--format", "json"]).success().json();
    let object = listed.as_array().unwrap().iter().find(|object| object["name"] == "clean").unwrap();
    let file = std::path::Path::new(object["path"].as_str().unwrap()).join("dataset.json");
    std::fs::remove_file(&file).unwrap();
    test.run(&["cache", "verify"]).exits(5).gives(&["dataset.json"]).tells(&["damaged", "hint:"]);
    test.run(&["run", "recipe.yaml"]).success().tells(&["1 ran"]);
    test.run(&["cache", "verify"]).success();
}

#[test]
fn a_baseline_is_saved_compared_with_and_kept() {
    let test = small();
    let gates = "\
gates:
  - {metric: clean.rows.train, vs: baseline, max_rise: 10%}
  - {metric: more.copies, vs: baseline, max_rise: 10%}
  - {metric: more.copies, vs: baseline, max_rise: 0, severity: warn}
";
    let recipe = |copies: &str| format!("{}{gates}", RECIPE.replace("copies: 1", copies));
    test.write("recipe.yaml", &recipe("copies: 1"));
    test.run(&["baseline", "save", "recipe.yaml"]).exits(1).tells(&["was never run"]);
    test.run(&["run", "recipe.yaml"]).success().tells(&["not judged: there is no baseline"]);
    test.run(&["baseline", "save", "recipe.yaml"]).success().tells(&["saved baselines/small.json"]);
    test.run(&["gate", "recipe.yaml"]).success().gives(&["✓  more.copies", "0 higher (at most 10 % higher)"]);
    // More rows: the one gate fails the run, the other warns.
    test.write("recipe.yaml", &recipe("copies: 3"));
    test.run(&["run", "recipe.yaml"]).exits(3).tells(&["✗  more.copies", "!  more.copies"]);
    test.run(&["gate", "recipe.yaml"]).exits(3).gives(&["✗  more.copies"]);
    // What it is of stays, though a later run made something else.
    let gone = test.run(&["cache", "gc", "--max-size", "1kB", "--format", "json"]).success().json();
    assert!(gone["objects"].as_array().unwrap().is_empty(), "{gone}");
    test.run(&["gate", "recipe.yaml", "--baseline", "other.json"]).exits(5).tells(&["other.json"]);
    test.write(
        "other.json",
        &test.read("baselines/small.json").replace("\"recipe\": \"small\"", "\"recipe\": \"large\""),
    );
    test.run(&["gate", "recipe.yaml", "--baseline", "other.json"])
        .exits(2)
        .tells(&["is the baseline of the recipe `large`"]);
    // What would not be used is told.
    test.write("recipe.yaml", RECIPE);
    test.run(&["run", "recipe.yaml", "--baseline", "other.json"]).exits(2).tells(&["no gate of the recipe compares"]);
}

#[test]
fn runs_are_listed_shown_compared_and_made_again() {
    let test = small();
    test.run(&["ls"]).success().tells(&["no run was made here"]);
    test.run(&["run", "recipe.yaml"]).success();
    test.run(&["reproduce"]).success().gives(&["✓  clean    same bytes"]).tells(&["3 of 3 stages made the same bytes"]);
    test.run(&["run", "recipe.yaml", "--set", "rate=0.2"]).exits(2);
    let with_rate = RECIPE
        .replace("name: small", "name: small\nvars: {rate: 0.1}")
        .replace("rate: 0.1}}]", "rate: \"{{ rate }}\"}}]");
    test.write("recipe.yaml", &with_rate);
    test.run(&["run", "recipe.yaml", "--set", "rate=0.3"]).success().tells(&["1 ran, 2 cached"]);
    let runs = test.run(&["ls", "--format", "json"]).success().json();
    let runs = runs["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 3, "{runs:?}");
    test.run(&["ls", "small"]).success().gives(&["done", "1 of 3 stages ran", "ago"]);
    test.run(&["ls", "other"]).success().tells(&["no run was made here"]);
    test.run(&["show"]).success().gives(&["--set rate=0.3", "more     augment    ran"]);
    let (old, new) = (runs[1]["id"].as_str().unwrap(), runs[0]["id"].as_str().unwrap());
    let told = ["parameters  more", "rate", "artifact    more"];
    test.run(&["diff", old, new]).success().gives(&told);
    test.run(&["diff", old, new, "--format", "md"])
        .success()
        .gives(&["| Metric | a | b | Change |", "| parameters | `more` |"]);
    test.run(&["diff", old, old]).success();
    // What was set from outside is set again; what changed since is told.
    test.run(&["reproduce", new]).success().tells(&["3 of 3 stages"]);
    test.write("recipe.yaml", &with_rate.replace("whitespace: collapse", "case: lower"));
    test.run(&["reproduce", new])
        .exits(1)
        .gives(&["✗  clean    made from something else", "✗  more     made from something else"])
        .tells(&["1 of 3 stages made the same bytes"]);
}

/// Whether a text stands in any file below a folder.
fn holds(folder: &std::path::Path, text: &str) -> bool {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).any(|path| {
        if path.is_dir() {
            holds(&path, text)
        } else {
            String::from_utf8_lossy(&std::fs::read(path).unwrap()).contains(text)
        }
    })
}

#[test]
fn secrets_of_the_environment_stay_there() {
    let test = small();
    let failing = RECIPE.replace("{delete: {rate: 0.1}}", "{replace: {rate: 0.1, table: none.tsv}}");
    test.write("failing.yaml", &failing);
    for (recipe, code) in [("recipe.yaml", 0), ("failing.yaml", 2)] {
        let mut command = test.command(&["run", recipe]);
        command.envs(["HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "MY_PASSWORD"].map(|name| (name, "hush-hush")));
        let outcome = Outcome::of(&mut command).exits(code);
        assert!(!outcome.stderr.contains("hush-hush") && !outcome.stdout.contains("hush-hush"), "{outcome:?}");
    }
    assert!(test.path(".lmpipe/runs").is_dir() && !holds(test.dir(), "hush-hush"));
    // What a recipe names is its to show.
    test.write("named.yaml", &RECIPE.replace("name: small", "name: named\nabout: \"{{ env.MY_PASSWORD }}\""));
    let mut command = test.command(&["run", "named.yaml"]);
    Outcome::of(command.env("MY_PASSWORD", "hush-hush")).success();
    assert!(holds(test.dir(), "hush-hush"), "the search finds what is there");
}
