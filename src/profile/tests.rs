//! Profiles and changes of small datasets, of odd texts, and of the datasets beside the numbers of Python.

use std::{collections::BTreeMap, path::Path};

use serde_json::Value;

use super::*;
use crate::{
    base::fs::{read_text, write_atomic},
    data::{Columns, RowSource},
};

/// A folder with a file of rows.
fn rows(name: &str, text: &str) -> (tempfile::TempDir, RowSource) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    write_atomic(&path, text.as_bytes()).unwrap();
    let source = RowSource::open(&path, &Columns::default()).unwrap();
    (dir, source)
}

fn profile(source: &RowSource) -> Profile {
    Profile::of(source, Options::default(), &mut |_| Ok(())).unwrap()
}

/// Rows of JSON lines with a split, an id and a label.
fn lines(rows: &[(&str, &str, &str, &str)]) -> String {
    let line = |(split, id, label, text): &(&str, &str, &str, &str)| {
        serde_json::json!({"split": split, "id": id, "label": label, "text": text}).to_string() + "\n"
    };
    rows.iter().map(line).collect()
}

#[test]
fn splits_are_described() {
    let text = lines(&[
        ("train", "1", "pos", "A good film, a GOOD film."),
        ("train", "2", "neg", "Bad!"),
        ("train", "3", "pos", "bad"),
        ("validation", "4", "pos", "new words here"),
        ("test", "5", "neg", "“Bad”"),
        ("test", "6", "neg", "New words, here?"),
        ("test", "7", "pos", "\u{fffd} \0 x"),
        ("test", "8", "pos", " \u{a0}"),
    ]);
    let (_dir, source) = rows("rows.jsonl", &text);
    let profile = profile(&source);
    let [train, validation, test] = profile.splits.as_slice() else { panic!("three splits") };
    assert_eq!((train.name.as_str(), train.rows, profile.rows()), ("train", 3, 8));
    assert_eq!((train.words.min, train.words.max, train.words.p50), (1, 6, 1.0));
    assert_eq!(train.labels, [("neg", 1), ("pos", 2)].map(|(label, rows)| LabelCount { label: label.into(), rows }));
    assert_eq!((train.repeats.duplicates, train.repeats.leaks), (1, 0));
    assert_eq!((validation.repeats.duplicates, validation.repeats.leaks), (0, 0));
    assert_eq!((test.repeats.duplicates, test.repeats.leaks), (0, 2));
    assert_eq!(test.repeats.shared, [("train".to_owned(), 1), ("validation".to_owned(), 1)]);
    assert_eq!((test.odd.empty, test.odd.nul, test.odd.control, test.odd.replacement), (1, 1, 1, 1));
    assert_eq!((train.vocabulary.words, train.vocabulary.distinct, train.vocabulary.once), (8, 4, 0));
    assert_eq!(test.languages.none, 1);
    assert!(profile.notes.is_empty(), "{:?}", profile.notes);
    let json = serde_json::to_string(&profile).unwrap();
    assert_eq!(Profile::from_json(&json).unwrap(), profile);
    let other = Profile::from_json(&json.replace("\"version\":1", "\"version\":2")).unwrap_err();
    assert_eq!(other, "version 2 of a profile, this program reads 1");
}

#[test]
fn odd_texts_neither_break_nor_vanish() {
    let long = "wort".repeat(1 << 18);
    let texts =
        ["", "\0", "😀👍🏽", "שלום עולם", "مرحبا بالعالم", "你好,世界", long.as_str(), "a\u{301}", "\u{feff}", "ﬁ"];
    let text: String = texts.iter().map(|text| serde_json::json!({"text": text}).to_string() + "\n").collect();
    let (_dir, source) = rows("odd.jsonl", &text);
    let profile = profile(&source);
    let all = profile.split(ALL).unwrap();
    assert_eq!((all.rows, all.characters.max, all.odd.empty), (10, 1 << 20, 1));
    assert_eq!(all.odd.very_long, 1, "{:?}", all.odd);
    assert_eq!(all.languages.rows, 10);
    // The two of no words are told apart.
    assert_eq!(all.repeats.duplicates, 0);
    let words = all.words.bins.iter().map(|bin| bin.rows).sum::<u64>();
    assert_eq!(words, 10);
}

#[test]
fn no_row_is_a_profile_too() {
    let (_dir, source) = rows("rows.csv", "text,label\n");
    assert!(profile(&source).splits.is_empty());
}

#[test]
fn threads_and_batches_do_not_matter() {
    let word = |i: usize| ["alpha", "Beta", "γάμμα", "delta", "ε"][i % 5].repeat(1 + i % 3);
    let line = |row: usize| {
        let text: Vec<String> = (0..row % 40).map(|i| word(i * row)).collect();
        serde_json::json!({"text": text.join(" "), "label": (row % 7).to_string()}).to_string() + "\n"
    };
    let text: String = (0..10_000).map(line).collect();
    let (_dir, source) = rows("rows.jsonl", &text);
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| profile(&source))
    };
    let one = with(1);
    assert_eq!(with(3), one);
    let half: String = (0..10_000).map(|row| line(row) + if row % 2 == 0 { " " } else { "" }).collect();
    let (_other, source) = rows("rows.jsonl", &half);
    assert_eq!(profile(&source), one);
    assert!(one.notes.iter().any(|note| note.contains("5,000 of 10,000 rows, spread evenly")), "{:?}", one.notes);
}

#[test]
fn a_watch_can_end_it() {
    let (_dir, source) = rows("rows.csv", "text\na\n");
    let stop = &mut |_| Err(crate::data::DataError::Content("stopped".to_owned()));
    let told = Profile::of(&source, Options::default(), stop).unwrap_err().to_string();
    assert_eq!(told, "stopped");
}

fn changes(before: &str, after: &str, examples: usize) -> Changes {
    let ((_a, before), (_b, after)) = (rows("rows.jsonl", before), rows("rows.jsonl", after));
    compare(&before, &after, examples).unwrap()
}

#[test]
fn changes_are_found_by_id() {
    let before = lines(&[
        ("train", "1", "pos", "a good film"),
        ("train", "2", "neg", "a bad film"),
        ("train", "3", "neg", "a film"),
        ("test", "4", "pos", "fine"),
        ("test", "5", "pos", "gone"),
    ]);
    let after = lines(&[
        ("train", "3", "neg", "a film"),
        ("train", "1", "pos", "a very good film"),
        ("train", "4", "pos", "fine"),
        ("train", "2", "pos", "a bad film"),
        ("test", "6", "pos", "new"),
    ]);
    let found = changes(&before, &after, 5);
    assert!(found.by_id);
    assert_eq!((found.same, found.changed, found.relabelled, found.moved), (1, 1, 1, 1));
    assert_eq!((found.added, found.removed), (1, 1));
    let changed = &found.changed_rows[0];
    assert_eq!((changed.name.as_str(), changed.before.as_str()), ("1", "a good film"));
    assert_eq!((found.removed_rows[0].name.as_str(), found.removed_rows[0].text.as_str()), ("5", "gone"));
    assert_eq!(found.added_rows[0].name, "6");
    let labels: Vec<_> = found.labels.iter().map(|label| (label.label.as_str(), label.rows)).collect();
    assert_eq!(labels, [("neg", [2, 1]), ("pos", [3, 4])]);
    let train = &found.splits[0];
    assert_eq!((train.name.as_str(), train.rows), ("train", [3, 4]));
    assert!((train.words[0] - 8.0 / 3.0).abs() < 1e-9 && (train.words[1] - 10.0 / 4.0).abs() < 1e-9);
    let none = changes(&before, &before, 5);
    assert_eq!((none.same, none.changed, none.added, none.removed), (5, 0, 0, 0));
    assert!(changes(&before, &after, 0).changed_rows.is_empty());
}

#[test]
fn without_ids_the_place_counts_and_augmented_rows_say_what_made_them() {
    let before = "{\"text\": \"a\"}\n{\"text\": \"b\"}\n";
    let after = "{\"text\": \"a\", \"parent\": null, \"op\": null}\n{\"text\": \"b c\", \"parent\": null, \"op\": null}\n\
                 {\"text\": \"b b\", \"parent\": \"1\", \"op\": \"insert\"}\n";
    let found = changes(before, after, 5);
    assert_eq!((found.by_id, found.same, found.changed, found.added), (false, 1, 1, 1));
    assert_eq!(found.added_by, [("insert".to_owned(), 1)]);
    let added = &found.added_rows[0];
    assert_eq!((added.parent.as_deref(), added.op.as_deref()), (Some("1"), Some("insert")));
    assert_eq!(found.splits[0].name, ALL);
}

/// `tests/reference/profiles.py` made the numbers.
#[test]
fn the_datasets_are_as_python_sees_them() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let golden: BTreeMap<String, Value> =
        serde_json::from_str(&read_text(&root.join("tests/data/profile.json")).unwrap()).unwrap();
    for (name, splits) in golden {
        let source = RowSource::open(&root.join("datasets").join(name), &Columns::default()).unwrap();
        let found = profile(&source);
        for (split, expected) in splits.as_object().unwrap() {
            let found = serde_json::to_value(found.split(split).unwrap()).unwrap();
            assert_alike(&found, expected, split);
        }
    }
}

/// What is expected is there, numbers to nine digits; more may be.
#[track_caller]
fn assert_alike(found: &Value, expected: &Value, at: &str) {
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => {
            for (key, expected) in expected {
                assert_alike(found.get(key).unwrap_or(&Value::Null), expected, &format!("{at}.{key}"));
            }
        }
        (Value::Array(found), Value::Array(expected)) => {
            assert_eq!(found.len(), expected.len(), "{at}");
            for (place, (found, expected)) in found.iter().zip(expected).enumerate() {
                assert_alike(found, expected, &format!("{at}[{place}]"));
            }
        }
        (Value::Number(found), Value::Number(expected)) => {
            let (found, expected) = (found.as_f64().unwrap(), expected.as_f64().unwrap());
            assert!((found - expected).abs() <= 1e-9 * expected.abs(), "{at}: {found} is not {expected}");
        }
        _ => assert_eq!(found, expected, "{at}"),
    }
}
