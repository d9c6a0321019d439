//! A whole recipe on a tiny model: trained, made int8, scored, measured, reported, judged; then again.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::support::{LmpipeTest, Outcome};

const RECIPE: &str = r#"
lmpipe: 1
name: tiny
vars: {epochs: 1, rate: 5.0e-5, smallest: 1MB}
inputs:
  reviews: {dataset: reviews.csv, text: text, label: label, split: {train: 0.6, validation: 0.2, test: 0.2, by: label}}
  encoder: {model: ./model}
stages:
  teacher:
    uses: finetune
    in: {model: encoder, data: reviews}
    with: {epochs: "{{ epochs }}", learning_rate: "{{ rate }}", max_length: 24}
  int8: {uses: quantize, in: teacher, with: {scheme: w8a8}}
  scores:
    uses: evaluate
    matrix: {model: [teacher, int8]}
    in: {model: "{{ matrix.model }}", data: reviews}
    with: {max_length: 24}
  speed: {uses: bench, in: {models: [teacher, int8]}, with: {batch: [1], length: [8]}}
  report: {uses: report, in: [scores, speed]}
gates:
  - {metric: speed.int8.size_bytes, max: "{{ smallest }}"}
  - {metric: scores@int8.accuracy, vs: scores@teacher.accuracy, max_drop: 1.0}
"#;

fn tiny() -> LmpipeTest {
    let test = LmpipeTest::with_model();
    test.write("recipe.yaml", RECIPE);
    test
}

/// The digests of what stages made, by stage.
fn digests(outcome: &Outcome) -> BTreeMap<String, String> {
    let finished = |event: &&Value| event["event"] == "finished";
    let text = |event: &Value, key: &str| event[key].as_str().unwrap().to_owned();
    outcome.json_lines().iter().filter(finished).map(|event| (text(event, "name"), text(event, "digest"))).collect()
}

#[test]
fn cold_then_warm_then_forced() {
    let test = tiny();
    let cold = test.run(&["run", "recipe.yaml", "--format", "json"]).success();
    let cold = cold.tells(&["8 stages: 8 ran", "scores@int8", "accuracy", "gates", "report  reports/tiny/index.html"]);
    let files = ["index.html", "report.md", "metrics.json", "junit.xml"];
    let read = || files.map(|name| test.read(&format!("reports/tiny/{name}")));
    let first = read();
    assert!(first[0].contains("<html") && first[1].contains("teacher"), "{}", first[1]);

    let warm = test.run(&["run", "recipe.yaml", "--format", "json"]).success().tells(&["8 stages: 8 cached"]);
    assert_eq!(digests(&cold), digests(&warm));
    assert_eq!(first, read(), "the reports have the same bytes");

    // The same work gives the same bytes, but for what measures time.
    let forced = test.run(&["run", "recipe.yaml", "--force", "--format", "json"]).success().tells(&["8 stages: 8 ran"]);
    let (cold, forced) = (digests(&cold), digests(&forced));
    for stage in ["reviews", "encoder", "teacher", "int8", "scores@teacher", "scores@int8"] {
        assert_eq!(cold[stage], forced[stage], "{stage}");
    }
    test.run(&["cache", "verify"]).success();

    fs::remove_dir_all(test.path("reports")).unwrap();
    test.run(&["report", "recipe.yaml"]).success().gives(&["reports/tiny/index.html"]);
    test.run(&["report", "--reports", "elsewhere"]).success().gives(&["elsewhere/index.html"]);
    assert!(test.path("reports/tiny/index.html").exists() && test.path("elsewhere/junit.xml").exists());
}

#[test]
fn a_changed_parameter_runs_what_depends_on_it() {
    let test = tiny();
    test.run(&["run", "recipe.yaml", "-q"]).success();
    let changed = ["--set", "rate=1.0e-3"];
    let plan = test.run(&[&["plan", "recipe.yaml", "--format", "json"], &changed[..]].concat()).success().json();
    let state = |name: &str| {
        let stages = plan["stages"].as_array().unwrap();
        stages.iter().find(|stage| stage["stage"] == name).unwrap()["state"].as_str().unwrap()
    };
    assert_eq!(
        ["reviews", "encoder", "teacher", "int8", "report"].map(state),
        ["cached", "cached", "will_run", "may_run", "may_run"]
    );
    test.run(&[&["plan", "recipe.yaml", "--why", "teacher"], &changed[..]].concat()).success().gives(&[
        "teacher will run: parameter `learning_rate` changed: 5e-5 → 0.001",
        "key when it was made last",
        "difference",
    ]);
    test.run(&[&["run", "recipe.yaml"], &changed[..]].concat()).success().tells(&["6 ran, 2 cached"]);

    let mut runs: Vec<String> = fs::read_dir(test.path(".lmpipe/runs"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    runs.sort();
    let [a, b] = &runs[..] else { panic!("{runs:?}") };
    test.run(&["diff", a, b]).success().gives(&["metric", "scores@int8.accuracy", "speed.int8.size_bytes", "="]);
    let shown = test.run(&["diff", a, "latest", "--format", "json"]).success().json();
    assert!(shown["metrics"].as_array().unwrap().len() > 10, "{shown:#}");
    test.run(&["diff", a, "nothing"]).exits(2).tells(&["holds no run `nothing`", "the latest are"]);
}

#[test]
fn gates_decide_the_exit_code() {
    let test = tiny();
    let strict = ["--set", "smallest=1kB"];
    test.run(&["run", "recipe.yaml"]).success().tells(&["✓  speed.int8.size_bytes"]);
    test.run(&["gate", "recipe.yaml"]).success().gives(&["✓  speed.int8.size_bytes", "✓  scores@int8.accuracy"]);
    test.run(&[&["gate", "recipe.yaml"], &strict[..]].concat()).exits(3).gives(&["✗  speed.int8.size_bytes"]);
    test.run(&[&["run", "recipe.yaml"], &strict[..]].concat())
        .exits(3)
        .tells(&["✗  speed.int8.size_bytes", "7 cached"]);
    test.run(&[&["run", "recipe.yaml", "--quiet"], &strict[..]].concat())
        .exits(3)
        .tells(&["error: gate failed: speed.int8.size_bytes"]);
    let shown = test.run(&[&["gate", "recipe.yaml", "--format", "json"], &strict[..]].concat()).exits(3).json();
    assert_eq!((&shown["verdicts"][0]["passed"], &shown["stale_stages"]), (&false.into(), &0.into()));
}

#[test]
fn predictions() {
    let test = tiny();
    test.run(&["run", "recipe.yaml", "-q"]).success();
    let listed = test.run(&["cache", "ls", "--format", "json"]).success().json();
    let model = |name: &str| {
        let object = listed.as_array().unwrap().iter().find(|object| object["name"] == name).unwrap();
        object["path"].as_str().unwrap().to_owned()
    };
    test.write("texts.jsonl", "{\"text\": \"a fine film\"}\n{\"text\": \"\\\"quoted\\\"\"}\n");
    for name in ["teacher", "int8"] {
        let model = model(name);
        let answers = test.run(&["predict", &model, "texts.jsonl", "--batch", "1"]).success().json_lines();
        assert_eq!(answers.len(), 2);
        assert_eq!(answers[1]["text"], "\"quoted\"");
        let logits = answers[0]["logits"].as_object().unwrap();
        assert!(logits.contains_key("positive") && logits.contains_key("negative"), "{answers:?}");

        let mut child = test
            .command(&["predict", &model, "--format", "tsv"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(b"a fine film\n").unwrap();
        let output = child.wait_with_output().unwrap();
        let line = String::from_utf8(output.stdout).unwrap();
        let [label, score, text] = line.trim_end().split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        assert_eq!((label, text), (answers[0]["label"].as_str().unwrap(), "a fine film"));
        assert!(score.parse::<f32>().unwrap() >= 0.5);
    }
    test.write("texts.jsonl", "{\"text\": \"a\"}\n{\"txt\": \"b\"}\n");
    test.run(&["predict", &model("teacher"), "texts.jsonl"]).exits(1).tells(&["`texts.jsonl`", "line 2"]);
}

#[test]
#[cfg(unix)]
fn a_run_that_is_interrupted_stops_and_goes_on_later() {
    let test = tiny();
    let mut child = test
        .command(&["run", "recipe.yaml", "--set", "epochs=1000000", "--format", "json", "--reports", "my reports"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut events = BufReader::new(child.stdout.take().unwrap()).lines();
    let begun = |line: &str| line.contains("\"started\"") && line.contains("\"teacher\"");
    assert!(events.any(|line| begun(&line.unwrap())));
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    // Whoever stops reading stops the program from writing.
    events.for_each(drop);
    let output = child.wait_with_output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{told}");
    for text in [
        "stopping after the current step, press Ctrl-C again to abort",
        "error: interrupted",
        "hint: `lmpipe run recipe.yaml --set epochs=1000000 --reports 'my reports'` goes on",
    ] {
        assert!(told.contains(text), "`{text}` is not in\n{told}");
    }
    test.run(&["cache", "verify"]).success();
    test.run(&["run", "recipe.yaml"]).success().tells(&["6 ran, 2 cached"]);
}
