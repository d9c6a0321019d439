//! Gates that compare in pairs: a saved baseline is measured again beside what a run made.

use crate::support::LmpipeTest;

const RECIPE: &str = "\
lmpipe: 1
name: paired
vars: {keep: [0, 1]}
inputs:
  model: {model: model}
  reviews: {dataset: reviews.csv, text: text, label: label, split: {train: 0.2, validation: 0.2, test: 0.6, by: label}}
devices: {phone: {device: cpu, threads: 1, exclusive: true}}
stages:
  cut: {uses: reduce_layers, in: model, with: {keep: \"{{ keep }}\"}}
  scores: {uses: evaluate, in: {model: cut, data: reviews}}
  whole: {uses: evaluate, in: {model: model, data: reviews}}
  speed: {uses: bench, in: {models: cut, data: reviews}, device: phone, with: {length: [8], rounds: 3, memory: false}}
  report: {uses: report, in: [scores, speed]}
gates:
  - {metric: speed.cut.latency.b1_l8.p50_ms, vs: baseline, max_ratio: 100}
  - {metric: speed.cut.rows.ms_per_row, vs: baseline, max_ratio: 100}
  - {metric: scores.accuracy, vs: baseline, max_drop: 100%, test: paired}
  - {metric: scores.accuracy, vs: whole.accuracy, max_drop: 100%, test: paired}
";

/// A project with rows that the model knows the labels of.
fn project() -> LmpipeTest {
    let test = LmpipeTest::with_model();
    let labels = ["bad", "so-so", "good"];
    let rows =
        (0..60).map(|row| format!("{},{}\n", &"abcdefghijklmnopqrstuvwxyz"[row % 20..][..=row % 6], labels[row % 3]));
    test.write("reviews.csv", &("text,label\n".to_owned() + &rows.collect::<String>()));
    test
}

#[test]
fn a_baseline_is_measured_again_beside_the_run() {
    let test = project();
    test.write("recipe.yaml", RECIPE);
    test.run(&["run", "recipe.yaml"]).success().tells(&["not judged: there is no baseline", "scores@paired"]);
    test.run(&["gate", "latest"]).success().gives(&["not judged", "in pairs"]);
    test.run(&["baseline", "save", "recipe.yaml"]).success();
    let again = ["run", "recipe.yaml", "--set", "keep=[0]"];
    test.run(&again).success().tells(&["speed@baseline  ", "speed@baseline-2  ", "scores@baseline  ", "in pairs"]);
    for name in ["recipe.yaml", "latest"] {
        let judged = test.run(&["gate", name, "--format", "json"]).success().json();
        let verdicts = judged["verdicts"].as_array().unwrap();
        assert_eq!(verdicts.len(), 4);
        for verdict in verdicts {
            assert!(verdict["text"].as_str().unwrap().contains("in pairs"), "{verdict}");
        }
    }
    // One that is met by nothing fails, from the recipe and from the run.
    test.write("recipe.yaml", &RECIPE.replacen("max_ratio: 100", "max_ratio: 0.00001", 1));
    test.run(&again).exits(3).tells(&["✗  speed.cut.latency.b1_l8.p50_ms", "in pairs"]);
    test.run(&["gate", "latest"]).exits(3).gives(&["✗  speed.cut.latency.b1_l8.p50_ms"]);
    test.run(&["gate", "latest", "--set", "keep=1"]).exits(2).tells(&["`--set` changes a recipe"]);
    // The numbers alone judge where what they are of is elsewhere: of a run, and in another store.
    test.run(&["gate", "latest", "--baseline", "baselines/paired.json"]).exits(3).gives(&["✗  speed.cut.latency"]);
    let elsewhere = test.run(&["run", "recipe.yaml", "--store", "other"]).exits(3);
    assert!(!elsewhere.stderr.contains("speed@baseline"), "{}", elsewhere.stderr);
}

#[test]
fn what_cannot_be_paired_is_told() {
    let test = project();
    let refused = |from: &str, to: &str, told: &str| {
        test.write("recipe.yaml", &RECIPE.replace(from, to));
        test.run(&["run", "recipe.yaml"]).exits(2).tells(&[told]);
    };
    refused("test: paired", "test: exact", "`test` is `paired`, or left out");
    refused("vs: whole.accuracy, max_drop: 100%", "min: 0", "and there is no `vs`");
    refused("vs: whole.accuracy", "vs: whole.loss", "is not the same metric of another evaluation");
}
