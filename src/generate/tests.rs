//! What is written, beside `transformers`.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use serde_json::Value;

use super::*;
use crate::{
    model::{EarlyStopping, Led, Writing},
    runtime::{Precision, Writer},
};

/// The checkpoints of `tests/data/led`.
const CHECKPOINTS: [&str; 2] = ["conditional", "bare"];

#[derive(Deserialize)]
struct Golden {
    texts: Vec<Vec<u32>>,
    target: Vec<u32>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    settings: Generation,
    written: Vec<Vec<u32>>,
}

fn place(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/led").join(name)
}

fn golden(name: &str) -> Golden {
    serde_json::from_slice(&std::fs::read(place(name).join("written.json")).unwrap()).unwrap()
}

fn expected(name: &str) -> BTreeMap<String, Vec<f32>> {
    let bytes = std::fs::read(place(name).join("expected.safetensors")).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let numbers = |bytes: &[u8]| bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    tensors.iter().map(|(name, view)| (name.to_owned(), numbers(view.data()))).collect()
}

fn writer(name: &str, precision: Precision) -> (Writer, Writing) {
    let led = Led::load(&place(name)).unwrap();
    let proposed = led.writing.clone();
    (Writer::new(led, precision).unwrap(), proposed)
}

fn difference(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// The logits of a draft that is given a target, token by token.
fn logits(writer: &Writer, text: &[f32], target: &[u32]) -> Vec<f32> {
    let mut draft = writer.draft(text).unwrap();
    let (mut all, mut logits) = (Vec::new(), Vec::new());
    for token in target {
        draft.step(&[0], &[*token], &mut logits).unwrap();
        all.extend_from_slice(&logits);
    }
    all
}

#[test]
fn hidden_states_and_logits_are_those_of_transformers() {
    for name in CHECKPOINTS {
        let (writer, _) = writer(name, Precision::F32);
        let (golden, expected) = (golden(name), expected(name));
        for (i, ids) in golden.texts.iter().enumerate() {
            let text = writer.read(ids).unwrap();
            let distance = difference(&text, &expected[&format!("encoder_{i}")]);
            assert!(distance < 2e-5, "{name}: the encoder differs by {distance} for text {i}");
            let distance = difference(&logits(&writer, &text, &golden.target), &expected[&format!("decoder_{i}")]);
            assert!(distance < 5e-5, "{name}: the decoder differs by {distance} for text {i}");
        }
    }
}

#[test]
fn every_token_is_that_of_transformers() {
    for name in CHECKPOINTS {
        let (writer, proposed) = writer(name, Precision::F32);
        let Golden { texts, cases, .. } = golden(name);
        let texts: Vec<_> = texts.iter().map(|ids| writer.read(ids).unwrap()).collect();
        for Case { settings, written } in cases {
            let settings = settings.settle(&proposed, writer.max_written()).unwrap();
            for (text, written) in texts.iter().zip(written) {
                let draft = writer.draft(text).unwrap();
                let mut next = Drafted { draft, vocab_size: writer.vocab_size() };
                assert_eq!(write(&mut next, &settings).unwrap(), written, "{name}: {settings:?}");
            }
        }
    }
}

/// Beams that go on from one another give what each would give alone.
#[test]
fn beams_do_not_mix() {
    let (writer, _) = writer("conditional", Precision::F32);
    let golden = golden("conditional");
    let text = writer.read(&golden.texts[2]).unwrap();
    let mut draft = writer.draft(&text).unwrap();
    let mut found = Vec::new();
    let steps: [(&[usize], &[u32]); 4] =
        [(&[0], &[2]), (&[0, 0, 0], &[7, 8, 9]), (&[2, 0, 2], &[10, 11, 12]), (&[1, 1, 0], &[20, 21, 22])];
    for (parents, tokens) in steps {
        draft.step(parents, tokens, &mut found).unwrap();
    }
    for (beam, target) in [[2, 7, 11, 20], [2, 7, 11, 21], [2, 9, 10, 22]].iter().enumerate() {
        let alone = logits(&writer, &text, target);
        let width = writer.vocab_size();
        assert!(difference(&found[beam * width..][..width], &alone[3 * width..]) < 1e-5, "beam {beam}");
    }
}

#[test]
fn threads_do_not_change_a_bit() {
    let (writer, _) = writer("conditional", Precision::F32);
    let golden = golden("conditional");
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| logits(&writer, &writer.read(&golden.texts[3]).unwrap(), &golden.target))
    };
    assert!(run(1) == run(3));
}

#[test]
fn int8_is_near() {
    for name in CHECKPOINTS {
        let (writer, _) = writer(name, Precision::Int8);
        let (golden, expected) = (golden(name), expected(name));
        for (i, ids) in golden.texts.iter().enumerate() {
            let found = logits(&writer, &writer.read(ids).unwrap(), &golden.target);
            let expected = &expected[&format!("decoder_{i}")];
            let size = expected.iter().map(|x| x * x).sum::<f32>().sqrt();
            let error = found.iter().zip(expected).map(|(a, b)| (a - b).powi(2)).sum::<f32>().sqrt();
            assert!(error < 0.1 * size, "{name}: {error} of {size}");
        }
    }
}

/// What cannot be asked of a draft is an error and no panic.
#[test]
fn drafts_have_bounds() {
    let (writer, _) = writer("conditional", Precision::F32);
    assert_eq!((writer.max_text(), writer.max_written(), writer.vocab_size()), (72, 33, 61));
    let told = |ids: &[u32]| writer.read(ids).unwrap_err().to_string();
    assert!(told(&[]).contains("has no tokens"), "{}", told(&[]));
    assert!(told(&[0; 73]).contains("the model takes at most 72"));
    assert!(told(&[0, 61]).contains("61 is out of range"));
    assert!(writer.draft(&[]).is_err());
    let text = writer.read(&[0]).unwrap();
    let (mut draft, mut logits) = (writer.draft(&text).unwrap(), Vec::new());
    for (parents, tokens, part) in [
        (&[1][..], &[2][..], "1 beams cannot go on from [1] of 1"),
        (&[0, 0], &[2], "cannot go on"),
        (&[], &[], "cannot go on"),
        (&[0], &[61], "the token 61 is out of range"),
    ] {
        let error = draft.step(parents, tokens, &mut logits).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
    for _ in 0..32 {
        draft.step(&[0], &[5], &mut logits).unwrap();
    }
    let error = draft.step(&[0], &[5], &mut logits).unwrap_err().to_string();
    assert!(error.contains("the decoder takes at most 32 tokens"), "{error}");
}

/// Logits that depend on the last token alone.
struct Table(Vec<Vec<f32>>);

impl NextToken for Table {
    fn vocab_size(&self) -> usize {
        self.0.len()
    }

    fn step(&mut self, _: &[usize], tokens: &[u32], logits: &mut Vec<f32>) -> Result<(), ModelError> {
        logits.clear();
        logits.extend(tokens.iter().flat_map(|token| &self.0[*token as usize]));
        Ok(())
    }
}

/// The best text of all, by trying each.
fn best(table: &Table, settings: &Settings) -> Vec<u32> {
    let mut best = (f64::NEG_INFINITY, Vec::new());
    let mut open = vec![(vec![settings.start], 0.0)];
    while let Some((tokens, score)) = open.pop() {
        let row = &table.0[*tokens.last().unwrap() as usize];
        let total = row.iter().map(|x| f64::from(*x).exp()).sum::<f64>().ln();
        for (token, logit) in row.iter().enumerate() {
            let (mut longer, score) = (tokens.clone(), score + f64::from(*logit) - total);
            longer.push(token as u32);
            if settings.ends.contains(&(token as u32)) || longer.len() == settings.max_length {
                let score = score / ((longer.len() - 1) as f64).powf(settings.length_penalty);
                if score > best.0 {
                    best = (score, longer);
                }
            } else {
                open.push((longer, score));
            }
        }
    }
    best.1
}

/// As many beams as there are texts find the best; a greedy search does not always.
#[test]
fn enough_beams_find_the_best_text() {
    let mut greedy_is_worse = 0;
    for seed in 0..40_u32 {
        let noise =
            |at: u32| f64::from(at.wrapping_mul(2_654_435_761).wrapping_add(seed * 97_003) >> 7 & 1023) as f32 / 256.0;
        let table: Vec<Vec<f32>> = (0..4).map(|a| (0..4).map(|b| noise(a * 4 + b + 1)).collect()).collect();
        let mut table = Table(table);
        for length_penalty in [0.0, 1.0, 2.0, -0.5] {
            let settings = Settings {
                start: 0,
                ends: vec![3],
                num_beams: 64,
                length_penalty,
                early_stopping: EarlyStopping::Never,
                max_length: 5,
                ..Settings::default()
            };
            let expected = best(&table, &settings);
            assert_eq!(write(&mut table, &settings).unwrap(), expected, "{seed} {length_penalty}");
            let greedy = write(&mut table, &Settings { num_beams: 1, ..settings }).unwrap();
            greedy_is_worse += u32::from(greedy != expected);
        }
    }
    assert!(greedy_is_worse > 20, "{greedy_is_worse}");
}

/// A checkpoint that proposes something else.
fn folder(change: impl FnOnce(&mut Value)) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(place("conditional")).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), dir.path().join(file.file_name())).unwrap();
    }
    let path = dir.path().join("generation_config.json");
    let mut generation: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    change(&mut generation);
    crate::base::fs::write_atomic(&path, generation.to_string().as_bytes()).unwrap();
    dir
}

#[test]
fn a_text_becomes_a_summary() {
    let dir = folder(|generation| generation["repetition_penalty"] = 1.2.into());
    let summarizer = Summarizer::load(dir.path()).unwrap();
    assert_eq!(summarizer.notes, ["`repetition_penalty` of the checkpoint is not followed"]);
    let generation = Generation { num_beams: Some(2), max_length: Some(12), ..Generation::default() };
    let short = summarizer.summary("a b. ab", &generation).unwrap();
    assert!(!short.is_cut && short.read == 9 && (1..12).contains(&short.written), "{short:?}");
    assert!(!short.text.contains("</s>") && short.text == summarizer.summarize("a b. ab", &generation).unwrap());
    // What is beyond the encoder's positions is not read.
    let long = summarizer.summary(&"a b".repeat(100), &generation).unwrap();
    assert!(long.is_cut && long.read == 72, "{long:?}");
    assert_eq!(long.text, summarizer.summarize(&"a b".repeat(2000), &generation).unwrap());
    // Nothing is a text, too.
    assert_eq!(summarizer.summary("", &generation).unwrap().read, 2);
    let error = summarizer.summarize("a", &Generation { max_length: Some(40), ..generation }).unwrap_err().to_string();
    assert_eq!(error, "`max_length` is 40, but the decoder has positions for 33 tokens");
}
