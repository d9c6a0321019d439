//! Against matrices and linear equations in numpy: `tests/data/summary/make.py` made the numbers.

use std::path::Path;

use serde_json::Value;

use super::*;
use crate::base::fs;

fn words(line: &Value) -> Vec<&str> {
    line.as_str().unwrap().split(' ').filter(|word| !word.is_empty()).collect()
}

fn goldens() -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/summary/goldens.json");
    serde_json::from_str(&fs::read_text(&path).unwrap()).unwrap()
}

fn sentences(golden: &Value) -> Vec<Vec<&str>> {
    golden["sentences"].as_array().unwrap().iter().map(words).collect()
}

#[test]
fn scores_are_those_of_linear_equations() {
    let goldens = goldens();
    // The first text is not of the collection.
    let mut collection = Idf::default();
    for golden in &goldens[1..] {
        collection.add(sentences(golden).into_iter().flatten());
    }
    for golden in &goldens {
        let document = Document::new(&sentences(golden));
        let of_sentences = Idf::of_sentences(&document);
        for (what, found) in [
            ("lex_rank", lex_rank(&document, &of_sentences, Links::Above(PAPER_THRESHOLD))),
            ("lex_rank_weighted", lex_rank(&document, &of_sentences, Links::Weighted)),
            ("lex_rank_collection", lex_rank(&document, &collection, Links::Above(PAPER_THRESHOLD))),
            ("text_rank", text_rank(&document)),
        ] {
            let expected: Vec<f64> = serde_json::from_value(golden[what].clone()).unwrap();
            assert_eq!(found.len(), expected.len());
            for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
                // Both are in f64; the rounds end at 1e-12 of the sum.
                assert!((found - expected).abs() < 1e-9, "{} {what} {at}: {found} {expected}", golden["name"]);
            }
        }
    }
}

#[test]
fn choices_are_those_of_plain_counting() {
    for golden in goldens() {
        let choice = |key: &str| -> Vec<usize> { serde_json::from_value(golden[key].clone()).unwrap() };
        let document = Document::new(&sentences(&golden));
        let scores: Vec<f64> = serde_json::from_value(golden["text_rank"].clone()).unwrap();
        for (key, blocking) in [("selected", Blocking::Off), ("selected_blocking", Blocking::Trigrams)] {
            assert_eq!(
                select(&scores, &document, Budget::Words(200), blocking),
                choice(key),
                "{} {key}",
                golden["name"]
            );
        }
        assert_eq!(oracle(&document, &words(&golden["reference"]), 8), choice("oracle"), "{}", golden["name"]);
    }
}
