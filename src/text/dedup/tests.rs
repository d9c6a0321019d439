//! The parts together: planted near-duplicates are found as often as theory says.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::base::rng::{Stream, below, stream};

/// Pairs of texts that share a band.
fn candidates(texts: &[String], shingles: Shingles, bands: Bands) -> BTreeSet<(usize, usize)> {
    let sketcher = Sketcher::new(128);
    let (mut form, mut hashes, mut room, mut signature) = (Form::default(), Vec::new(), Vec::new(), Vec::new());
    let mut buckets: BTreeMap<(u32, u64), Vec<usize>> = BTreeMap::new();
    for (row, text) in texts.iter().enumerate() {
        form.set(text, None);
        shingles.hash(&form, &mut hashes);
        sketcher.sign(&hashes, &mut room, &mut signature);
        for key in bands.keys(&signature) {
            buckets.entry(key).or_default().push(row);
        }
    }
    let pairs = |rows: &Vec<usize>| -> Vec<_> {
        rows.iter().enumerate().flat_map(|(at, &a)| rows[at + 1..].iter().map(move |&b| (a, b))).collect()
    };
    buckets.values().flat_map(pairs).collect()
}

fn resemblance(shingles: Shingles, a: &str, b: &str) -> f64 {
    let (mut form, mut hashes, mut room) = (Form::default(), Vec::new(), Vec::new());
    let mut of = |text: &str| {
        form.set(text, None);
        shingles.hash(&form, &mut hashes);
        Resemblance::of(&hashes, &mut room)
    };
    let (a, b) = (of(a), of(b));
    a.with(&b)
}

fn sentence(random: &mut Stream, words: usize) -> Vec<String> {
    (0..words).map(|_| format!("w{}", below(random, 5_000))).collect()
}

#[test]
fn near_duplicates_are_found_as_often_as_theory_says() {
    let mut random = stream(11, "planted");
    let shingles = Shingles::Words(1);
    for bands in [Bands { count: 16, rows: 6 }, Bands { count: 9, rows: 13 }] {
        // Of 60 words, so many are others in the second text.
        for others in [2, 4, 6, 8, 11, 15, 20] {
            let (mut texts, mut expected) = (Vec::new(), 0.0);
            for pair in 0..1_000 {
                // Words of no other pair, so that all candidates are planted.
                let word = |n: usize| format!("x{pair}y{n}");
                let mut words: Vec<String> = (0..60).map(word).collect();
                texts.push(words.join(" "));
                for n in 0..others {
                    words[n * 3] = word(100 + n);
                }
                texts.push(words.join(" "));
                expected += bands.chance(resemblance(shingles, &texts[2 * pair], &texts[2 * pair + 1]));
            }
            let found = candidates(&texts, shingles, bands);
            assert!(found.iter().all(|(a, b)| a / 2 == b / 2), "nothing else shares a band");
            let error = (found.len() as f64 - expected).abs();
            assert!(
                error < 4.5 * (expected * (1.0 - expected / 1_000.0)).sqrt() + 1.0,
                "{others}: {} of {expected}",
                found.len()
            );
        }
        // What differs in no shingle is always found.
        let text = sentence(&mut random, 20).join(" ");
        assert_eq!(candidates(&[text.clone(), text.to_uppercase()], shingles, bands).len(), 1);
    }
}

#[test]
fn odd_texts_are_texts() {
    let bands = Bands::choose(0.8, 128, 0.99).unwrap();
    let long = "ab".repeat(1 << 19);
    for shingles in [Shingles::Words(3), Shingles::Characters(5)] {
        let texts = ["", "a", "A!", "?!", "👍", &long, &format!("{long}c"), "\0", "\0\0"].map(str::to_owned);
        let found = candidates(&texts, shingles, bands);
        // `abab…` has two kinds of parts, `…ababc` one more: 2 / 3 is found by chance.
        assert_eq!(found.iter().filter(|pair| **pair != (5, 6)).count(), 1, "{found:?}");
        assert!(found.contains(&(1, 2)));
    }
    let film = "这部电影的故事非常感人，演员的表演也十分出色，值得一看。";
    let other = "这部电影的故事非常感人，演员的表演也十分出色，值得再看。";
    let similarity = resemblance(Shingles::Words(3), film, other);
    assert!((0.75..1.0).contains(&similarity), "{similarity}");
    assert!(resemblance(Shingles::Words(3), film, "今天天气很好，我们去公园散步吧，顺便买一些水果回家。") < 0.05);
}
