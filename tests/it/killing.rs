//! Runs that are killed at any moment, and taken up again: what they make is what an undisturbed run makes, to the byte.

use std::{collections::BTreeMap, thread, time::Duration};

use crate::support::LmpipeTest;

/// Trains three times, with a checkpoint after each step.
const RECIPE: &str = "\
lmpipe: 1
name: killed
inputs:
  reviews: {dataset: reviews.csv, text: text, label: label, split: {train: 0.6, validation: 0.2, test: 0.2, by: label}}
  tiny: {model: model}
stages:
  more: {uses: augment, in: reviews, with: {copies: 1, steps: [{delete: {rate: 0.1}}]}}
  teacher: {uses: finetune, in: {model: tiny, data: reviews}, with: {epochs: 4, batch_size: 4, max_length: 24}}
  student: {uses: distill, in: {teacher: teacher, data: more}, with: {student: {layers: [0]}, epochs: 3, batch_size: 4, max_length: 24, loss: {logits: 0.5, hard: 0.3, hidden: 0.2}}}
  slim: {uses: prune, in: {model: student, data: reviews}, with: {weights: {sparsity: 0.5}, recover: {epochs: 2, batch_size: 4, max_length: 24}}}
";

/// What each stage made, by its content.
fn made(test: &LmpipeTest) -> BTreeMap<String, String> {
    let objects = test.run(&["cache", "ls", "--format", "json"]).success().json();
    let text = |object: &serde_json::Value, key: &str| object[key].as_str().unwrap().to_owned();
    objects.as_array().unwrap().iter().map(|object| (text(object, "name"), text(object, "digest"))).collect()
}

fn project() -> LmpipeTest {
    let test = LmpipeTest::with_model();
    test.write("recipe.yaml", RECIPE);
    test
}

#[test]
fn what_was_killed_ends_with_the_same_bytes() {
    let run = ["run", "recipe.yaml", "--checkpoint-every", "1 step"];
    let whole = project();
    let began = std::time::Instant::now();
    whole.run(&run).success();
    let (expected, took) = (made(&whole), began.elapsed());
    assert_eq!(expected.len(), 6, "{expected:?}");

    let test = project();
    let mut went_on = 0;
    // Later and later, so that each kill finds something else half-done; the last run ends by itself.
    for kill in 1..=12_u32 {
        let mut process = test.command(&run).stderr(std::process::Stdio::piped()).spawn().unwrap();
        thread::sleep(took.min(Duration::from_secs(20)) * kill / 20);
        process.kill().unwrap();
        let told = String::from_utf8(process.wait_with_output().unwrap().stderr).unwrap();
        went_on += usize::from(told.contains("goes on behind step"));
        test.run(&["cache", "verify"]).success();
    }
    let last = test.run(&run).success();
    assert!(went_on > 0 || last.stderr.contains("goes on behind step"), "no kill hit a training");
    assert_eq!(made(&test), expected);
    assert_eq!(test.run(&["plan", "recipe.yaml", "--check"]).code, Some(0));
    let left = std::fs::read_dir(test.path(".lmpipe/partial")).map_or(0, Iterator::count);
    assert_eq!(left, 0, "what was left for later is gone when it was used");
}
