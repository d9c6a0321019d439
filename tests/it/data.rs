//! `lmpipe data`: rows of files, of folders of datasets, and of the stages of runs.

use std::fs;

use serde_json::json;

use crate::support::{LmpipeTest, root};

const ROWS: &str = "id,text,label,split\na,A good film,pos,train\nb,A bad film,neg,train\nc,\"A good, good film\",pos,train\n\
                    d,“A good film!”,pos,test\ne,,neg,test\n";

const RECIPE: &str = "lmpipe: 1
name: rows
inputs:
  raw: {dataset: reviews.csv, label: label, split: {train: 0.8, test: 0.2, by: label}}
stages:
  clean: {uses: normalize, in: raw, with: {steps: [{case: lower}, {punctuation: remove}]}}
  more: {uses: augment, in: clean, with: {copies: 1, steps: [{swap: {rate: 0.2}}]}}
  contents: {uses: profile, in: {data: more, before: raw}}
  report: {uses: report, in: {scores: [contents]}}
gates:
  - {metric: contents.leaks.test, max: 0}
  - {metric: contents.duplicates.train, max: 5}
";

#[test]
fn the_first_rows_are_listed() {
    let test = LmpipeTest::new();
    test.write("rows.csv", ROWS);
    let listed = test.run(&["data", "head", "rows.csv", "-n", "2"]).success().stdout;
    assert_eq!(listed, "a  pos  A good film\nb  neg  A bad film\n");
    let listed = test.run(&["data", "head", "rows.csv", "--split", "test", "--format", "json"]).success().json_lines();
    let expected = json!({"id": "d", "split": "test", "label": "pos", "text": "“A good film!”"});
    assert_eq!((listed.len(), &listed[0]), (2, &expected));
    let listed = test.run(&["data", "head", "rows.csv", "--text", "id", "--label", "split", "-n", "1"]).success();
    listed.gives(&["train  a"]);
    test.write("parts/lang=en/a.jsonl", "{\"text\": \"one\"}\nnot json\n{\"text\": \"two\"}\n");
    test.write("parts/lang=de/b.jsonl", "{\"text\": \"drei\"}\n");
    let all = test.run(&["data", "head", "parts", "--format", "json"]).success().tells(&["1 row could not be read"]);
    assert_eq!(
        all.json_lines().iter().map(|row| row["text"].as_str().unwrap()).collect::<Vec<_>>(),
        ["drei", "one", "two"]
    );
    test.run(&["data", "head", "parts/*/a.jsonl", "-n", "1"]).success().gives(&["one"]);
    let wide = format!("text\n{}\n", "word ".repeat(100));
    test.write("wide.csv", &wide);
    let listed = test.run(&["data", "head", "wide.csv"]).success().stdout;
    assert!(
        listed.lines().count() == 1 && listed.trim_end().chars().count() <= 100 && listed.contains('…'),
        "{listed}"
    );
}

#[test]
fn what_is_in_rows_is_told() {
    let test = LmpipeTest::with_model();
    test.write("rows.csv", ROWS);
    let text = test.run(&["data", "stats", "rows.csv", "--tokenizer", "model", "--max-length", "8"]).success();
    text.gives(&[
        "train",
        "in an earlier split",
        "longer than the model reads",
        "empty texts",
        "words of a row",
        "tokens of a row",
        "█",
        "good 3",
    ]);
    let found = test.run(&["data", "stats", "rows.csv", "--format", "json"]).success().json();
    assert_eq!((&found["version"], &found["target"]), (&1.into(), &"rows.csv".into()));
    let [train, test_split] = [0, 1].map(|split| &found["splits"][split]);
    assert_eq!((&train["rows"], &train["words"]["mean"]), (&3.into(), &json!(10.0 / 3.0)));
    assert_eq!((&test_split["repeats"]["leaks"], &test_split["odd"]["empty"]), (&1.into(), &1.into()));
    let reviews = root().join("datasets/movie-reviews.parquet").display().to_string();
    let golden: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(root().join("tests/data/profile.json")).unwrap()).unwrap();
    let found = test.run(&["data", "stats", &reviews, "--format", "json"]).success().json();
    let expected = &golden["movie-reviews.parquet"]["train"]["vocabulary"]["distinct"];
    assert_eq!(&found["splits"][0]["vocabulary"]["distinct"], expected);
}

#[test]
fn changes_are_told() {
    let test = LmpipeTest::new();
    let after = ROWS.replace("A bad film", "A very bad film").replace("e,,neg,test\n", "f,New,neg,test\n");
    test.write("before.csv", ROWS).write("after.csv", &after);
    test.run(&["data", "diff", "before.csv", "after.csv"]).success().gives(&[
        "changed  1",
        "added    1",
        "removed  1",
        "A {+very +}bad film",
        "matched by their ids",
        "rows of train",
        "label neg",
    ]);
    let json = test.run(&["data", "diff", "before.csv", "after.csv", "--format", "json", "-n", "1"]).success().json();
    let changed = &json["changes"]["changed_rows"][0];
    assert_eq!((&changed["name"], &changed["after"]), (&"b".into(), &"A very bad film".into()));
    let md = test.run(&["data", "diff", "before.csv", "after.csv", "--format", "md"]).success();
    md.gives(&["`before.csv` → `after.csv`", "A <ins>very </ins>bad film", "| rows of train | 3 | 3 | = |"]);
    test.run(&["data", "diff", "before.csv", "before.csv", "-n", "0"]).success().gives(&["same     5", "changed  0"]);
}

#[test]
fn what_stages_made_is_found_by_their_names() {
    let test = LmpipeTest::with_reviews(RECIPE);
    test.run(&["data", "head", "clean"]).exits(2).tells(&["no file, folder or stage `clean`", "holds no run"]);
    test.run(&["run", "recipe.yaml", "--quiet"]).success();
    let rows = test.run(&["data", "head", "clean", "--format", "json", "-n", "3"]).success().json_lines();
    assert_eq!((rows.len(), &rows[0]["split"]), (3, &"train".into()));
    let by_run = test.run(&["data", "head", "latest/clean", "--format", "json", "-n", "3"]).success();
    assert_eq!(by_run.json_lines(), rows);
    let json = test.run(&["data", "diff", "clean", "more", "--format", "json"]).success().json();
    let changes = &json["changes"];
    assert_eq!((&changes["removed"], &changes["changed"]), (&0.into(), &0.into()));
    assert_eq!(changes["added_by"][0][0], "swap");
    assert!(changes["added_rows"][0]["parent"].is_string(), "{changes:#}");
    let dir = test.run(&["cache", "path", "rows", "more"]).success().stdout;
    let by_folder = test.run(&["data", "stats", dir.trim(), "--format", "json"]).success().json();
    let by_stage = test.run(&["data", "stats", "more", "--format", "json"]).success().json();
    assert_eq!(by_folder["splits"], by_stage["splits"]);
    let report = test.run(&["cache", "path", "rows", "report"]).success().stdout;
    let page = fs::read_to_string(format!("{}/index.html", report.trim())).unwrap();
    for part in ["What is in the data", "Length in words", "before: raw", "rows by label"] {
        assert!(page.contains(part), "{part}");
    }
    test.run(&["data", "head", "mor"]).exits(2).tells(&["no file, folder or stage `mor`", "did you mean `more`?"]);
    test.run(&["data", "head", "contents"]).exits(2).tells(&["`contents` is made by `profile`: that is no dataset"]);
    test.run(&["data", "head", "nothing/clean"]).exits(2).tells(&["no file, folder or stage `nothing/clean`"]);
    test.run(&["data", "head", "clean", "--text", "body"]).exits(2).tells(&["is a dataset, which knows"]);
}

#[test]
fn what_is_wrong_is_told() {
    let test = LmpipeTest::new();
    test.write("rows.csv", ROWS).write("other.csv", "body,n\nx,1\n").write("notes.txt", "x");
    for args in
        [&["data"][..], &["data", "head"], &["data", "diff", "rows.csv"], &["data", "head", "rows.csv", "-n", "0"]]
    {
        test.run(args).exits(2);
    }
    test.run(&["data", "head", "other.csv"]).exits(2).tells(&[
        "there is no column `text` (the columns are `body` and `n`)",
        "hint: `--text COLUMN` names the column",
    ]);
    test.run(&["data", "head", "other.csv", "--text", "body", "--split", "test"]).exits(2).tells(&["in no splits"]);
    test.run(&["data", "head", "rows.csv", "--label", "lable"]).exits(2).tells(&["did you mean `label`?"]);
    test.run(&["data", "stats", "notes.txt"]).exits(2).tells(&["no reader for the extension `.txt`"]);
    test.run(&["data", "stats", "*.parquet"]).exits(2).tells(&["no file fits the pattern"]);
    test.run(&["data", "stats", "rows.csv", "--tokenizer", "model"]).exits(2).tells(&["there is no folder `model`"]);
    test.run(&["data", "stats", "rows.csv", "--max-length", "8"]).exits(2).tells(&["--tokenizer"]);
}
