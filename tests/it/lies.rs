//! Attempts to make the cache serve something that was made from something else; none may succeed.

use std::{
    fs::{self, File},
    path::Path,
};

use crate::support::LmpipeTest;

const RECIPE: &str = "\
lmpipe: 1
name: lies
inputs:
  reviews: {dataset: reviews.csv, text: text, label: label, split: {train: 0.6, validation: 0.2, test: 0.2, by: label}}
  tiny: {model: model}
stages:
  clean: {uses: normalize, in: reviews, with: {steps: [{stopwords: {language: en, keep: [\"{{ env.WORD }}\"]}}]}}
  more: {uses: augment, in: clean, with: {copies: 1, steps: [{replace: {rate: 0.5, table: words.tsv}}]}}
  teacher: {uses: finetune, in: {model: tiny, data: more}, with: {epochs: 1, batch_size: 8, max_length: 16}}
  scores: {uses: evaluate, in: {model: teacher, data: clean}}
";

/// Changes some bytes of a file, and leaves its size and times as they were.
fn change(path: &Path, from: &[u8], to: &[u8]) {
    assert_eq!(from.len(), to.len());
    let times = fs::metadata(path).unwrap().modified().unwrap();
    let mut bytes = fs::read(path).unwrap();
    let at = bytes.windows(from.len()).position(|window| window == from).expect("it is there");
    bytes[at..at + to.len()].copy_from_slice(to);
    let mut file = File::options().write(true).truncate(true).open(path).unwrap();
    std::io::Write::write_all(&mut file, &bytes).unwrap();
    file.set_modified(times).unwrap();
}

/// The stages that run, by their names.
fn ran(test: &LmpipeTest, word: &str, isa: Option<&str>) -> Vec<String> {
    let mut command = test.command(&["run", "recipe.yaml", "--format", "json", "-q"]);
    command.env("WORD", word);
    if let Some(isa) = isa {
        command.env("LMPIPE_ISA", isa);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let events = String::from_utf8(output.stdout).unwrap();
    let events = events.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let started = events.filter(|event| event["event"] == "started");
    started.map(|event| event["name"].as_str().unwrap().to_owned()).collect()
}

fn project() -> LmpipeTest {
    let test = LmpipeTest::with_model();
    test.write("recipe.yaml", RECIPE).write("words.tsv", "good\tfine\nbad\tpoor\n");
    assert_eq!(ran(&test, "the", None), ["reviews", "tiny", "clean", "more", "teacher", "scores"]);
    assert_eq!(ran(&test, "the", None), [""; 0]);
    test
}

const ALL_OF_DATA: [&str; 5] = ["reviews", "clean", "more", "teacher", "scores"];

#[test]
fn other_bytes_of_the_same_size_and_time_are_other_bytes() {
    let test = project();
    let csv = test.path("reviews.csv");
    let text = fs::read_to_string(&csv).unwrap();
    // A letter of the first row.
    let word = text.lines().nth(1).unwrap()[1..4].to_owned();
    change(&csv, word.as_bytes(), "zzz".as_bytes());
    assert_eq!(ran(&test, "the", None), ALL_OF_DATA);

    // The same rows in another order.
    let mut rows: Vec<&str> = text.lines().collect();
    rows.swap(1, 2);
    let times = fs::metadata(&csv).unwrap().modified().unwrap();
    test.write("reviews.csv", &(rows.join("\n") + "\n"));
    File::options().write(true).open(&csv).unwrap().set_modified(times).unwrap();
    assert_eq!(ran(&test, "the", None), ALL_OF_DATA);

    // A word of the lexicon.
    change(&test.path("words.tsv"), b"fine", b"nice");
    assert_eq!(ran(&test, "the", None)[0], "more");
    // A number of the model, whose shape and names stay; what is made of it may come out as before, and what follows is not made again.
    let weights = test.path("model/model.safetensors");
    let bytes = fs::read(&weights).unwrap();
    let last: [u8; 4] = bytes[bytes.len() - 4..].try_into().unwrap();
    let other = f32::from_le_bytes(last) + 0.5;
    let times = fs::metadata(&weights).unwrap().modified().unwrap();
    let changed = [&bytes[..bytes.len() - 4], &other.to_le_bytes()].concat();
    test.write_bytes(&weights, &changed);
    File::options().write(true).open(&weights).unwrap().set_modified(times).unwrap();
    assert_eq!(ran(&test, "the", None)[..2], ["tiny", "teacher"]);
    // A word of its vocabulary.
    change(&test.path("model/vocab.txt"), b"[unused3]", b"[unusedx]");
    assert_eq!(ran(&test, "the", None)[..2], ["tiny", "teacher"]);
}

#[test]
fn what_is_around_a_run_counts_as_far_as_it_changes_bytes() {
    let test = project();
    assert_eq!(ran(&test, "and", None)[0], "clean", "an environment value that the recipe names");
    assert_eq!(ran(&test, "the", None), [""; 0], "what was made before is still there");
    assert_eq!(ran(&test, "the", Some("generic")), ["teacher", "scores"], "other kernels");
    test.write("recipe.yaml", &RECIPE.replace("name: lies", "name: lies\nseed: 7"));
    let with_seed = ran(&test, "the", None);
    assert!(with_seed.contains(&"more".to_owned()) && with_seed.contains(&"teacher".to_owned()), "{with_seed:?}");
    // Names, comments and the form of a number do not count, nor does the number of threads: it changes no byte.
    let other = RECIPE.replace("more", "larger").replace("rate: 0.5", "rate: 5.0e-1");
    let other = other.replace("stages:", "# a comment\nstages:");
    let threads = "devices: {one: {device: cpu, threads: 1}}\ninputs:";
    let other = other.replace("inputs:", threads).replace("uses: finetune,", "uses: finetune, device: one,");
    test.write("recipe.yaml", &other);
    assert_eq!(ran(&test, "the", None), [""; 0]);
    let mut verify = test.command(&["run", "recipe.yaml", "--verify", "teacher"]);
    verify.env("WORD", "the");
    let output = verify.output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && told.contains("the same bytes"), "{told}");
}

#[test]
fn a_store_that_was_edited_is_not_believed() {
    let test = project();
    let listed = test.run(&["cache", "ls", "--format", "json"]).success().json();
    let place = |name: &str| {
        let object = listed.as_array().unwrap().iter().find(|object| object["name"] == name).unwrap();
        (object["digest"].as_str().unwrap().to_owned(), std::path::PathBuf::from(object["path"].as_str().unwrap()))
    };
    let ((clean, clean_dir), (more, more_dir)) = (place("clean"), place("more"));
    // Two artifacts of a kind change places.
    let aside = test.path("aside");
    fs::rename(&clean_dir, &aside).unwrap();
    fs::rename(&more_dir, &clean_dir).unwrap();
    fs::rename(&aside, &more_dir).unwrap();
    test.run(&["cache", "verify"]).exits(5);
    assert_eq!(ran(&test, "the", None), ["clean", "more"]);
    // A record of what was made names another artifact.
    let actions = test.path(".lmpipe/actions");
    let mut edited = 0;
    for shard in fs::read_dir(&actions).unwrap() {
        for action in fs::read_dir(shard.unwrap().path()).unwrap() {
            let path = action.unwrap().path();
            let text = fs::read_to_string(&path).unwrap();
            if text.contains(&format!("\"digest\": \"{more}\"")) {
                change(&path, more.as_bytes(), clean.as_bytes());
                edited += 1;
            }
        }
    }
    assert!(edited > 0);
    assert_eq!(ran(&test, "the", None), ["more"]);
    test.run(&["cache", "verify"]).success();
}
