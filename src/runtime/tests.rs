//! The engine against candle's executor.

use candle_core::Device;

use super::*;
use crate::model::{
    Keep, Quantized,
    tests::{MODELS, place},
};

fn load(name: &str) -> Model {
    Model::load(&place(name), &Device::Cpu).unwrap()
}

/// Sequences of many lengths, as many tokens as asked for and a few more.
struct Rows {
    input_ids: Vec<u32>,
    type_ids: Vec<u32>,
    offsets: Vec<usize>,
}

impl Rows {
    fn of(spec: &EncoderSpec, rows: usize) -> Self {
        let mut offsets = vec![0];
        for row in 0..rows {
            offsets.push(offsets[row] + 1 + (row * 7) % spec.max_positions);
        }
        let tokens = *offsets.last().unwrap();
        let input_ids = (0..tokens).map(|at| ((at * 31 + 5) % spec.vocab_size) as u32).collect();
        let type_ids = (0..tokens).map(|at| ((at / 3) % spec.type_vocab_size.max(1)) as u32).collect();
        Self { input_ids, type_ids, offsets }
    }

    fn packed(&self) -> Packed<'_> {
        Packed::new(&self.input_ids, &self.type_ids, &self.offsets)
    }
}

fn int8(mut model: Model, embeddings: bool, keep: &[&str]) -> Model {
    let names: Vec<String> = model.params.keys().cloned().collect();
    for name in names {
        let Some(module) = name.strip_suffix(".weight") else { continue };
        let is_table = module.contains(".embeddings.");
        let is_matrix = model.params[&name].dims().len() == 2;
        if !is_matrix || (is_table && !embeddings) || keep.iter().any(|kept| module.ends_with(kept)) {
            continue;
        }
        let weight = crate::model::Int8Weight::from_f32(&model.params.remove(&name).unwrap()).unwrap();
        model.int8.insert(module.to_owned(), weight);
    }
    model.quantized = Quantized::Int8 { embeddings, ignore: keep.iter().map(|kept| (*kept).to_owned()).collect() };
    model
}

/// How alike two results must be: the greatest difference, and the cosine of the angle between them.
#[derive(Clone, Copy)]
struct Alike {
    difference: f32,
    cosine: f64,
}

fn assert_alike(name: &str, a: &[f32], b: &[f32], alike: Alike) {
    assert_eq!(a.len(), b.len(), "{name}");
    let greatest = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(greatest <= alike.difference, "{name}: differs by {greatest}");
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    let cosine = dot(a, b) / (dot(a, a) * dot(b, b)).sqrt().max(1e-30);
    assert!(a.is_empty() || cosine >= alike.cosine, "{name}: a cosine of {cosine}");
}

fn check(name: &str, model: &Model, alike: Alike) {
    for rows in [1, 3, 40] {
        let rows = Rows::of(&model.spec, rows);
        let output = model.forward(rows.packed(), Keep::default()).unwrap();
        let hidden: Vec<f32> = output.last_hidden_state.flatten_all().unwrap().to_vec1().unwrap();
        let engine = Engine::new(model.clone()).unwrap();
        assert_alike(name, &engine.last_hidden_state(rows.packed()).unwrap(), &hidden, alike);
        let logits = output.logits.map(|logits| logits.flatten_all().unwrap().to_vec1::<f32>().unwrap());
        let found = engine.logits(rows.packed()).unwrap();
        assert_eq!(found.is_some(), logits.is_some());
        assert_alike(name, &found.unwrap_or_default(), &logits.unwrap_or_default(), alike);
    }
}

#[test]
fn f32_models_answer_as_with_candle() {
    for name in MODELS {
        check(name, &load(name), Alike { difference: 2e-5, cosine: 1.0 - 1e-9 });
    }
}

/// An activation that is a rounding error away from the middle between two steps may be quantised to either: what depends on
/// it then differs by a step of one activation, and other tokens of its sequence by what they take of it.
#[test]
fn int8_models_answer_as_with_candle() {
    for name in MODELS {
        let alike = Alike { difference: 0.2, cosine: 0.9995 };
        check(name, &int8(load(name), false, &["classifier", "pooler.dense"]), alike);
        check(name, &int8(load(name), true, &["query", "output.dense"]), alike);
    }
}

#[test]
fn tokens_that_all_see_may_be_named() {
    for (name, is_int8) in
        [("longformer-global", false), ("longformer-classifier", false), ("longformer-classifier", true)]
    {
        let model = if is_int8 { int8(load(name), false, &["classifier"]) } else { load(name) };
        let rows = Rows::of(&model.spec, 9);
        // The first token of some sequences, later ones of others, none of the last.
        let globals: Vec<usize> = rows.offsets[..8].iter().zip(0..).map(|(start, at)| start + at % 2).collect();
        let batch = rows.packed().with_globals(&globals);
        let expected = model.forward(batch, Keep::default()).unwrap();
        let (hidden, logits) = (expected.last_hidden_state.flatten_all().unwrap(), expected.logits);
        let alike = if is_int8 {
            Alike { difference: 0.2, cosine: 0.9995 }
        } else {
            Alike { difference: 2e-5, cosine: 1.0 - 1e-9 }
        };
        let engine = Engine::with_globals(model.clone()).unwrap();
        assert_alike(name, &engine.last_hidden_state(batch).unwrap(), &hidden.to_vec1::<f32>().unwrap(), alike);
        let logits = logits.map(|logits| logits.flatten_all().unwrap().to_vec1::<f32>().unwrap()).unwrap_or_default();
        assert_alike(name, &engine.logits(batch).unwrap().unwrap_or_default(), &logits, alike);
        let plain = engine.last_hidden_state(rows.packed()).unwrap();
        assert_alike(
            name,
            &plain,
            &Engine::new(model.clone()).unwrap().last_hidden_state(rows.packed()).unwrap(),
            alike,
        );
    }
    let engine = Engine::new(load("longformer-global")).unwrap();
    let error = engine.last_hidden_state(Packed::new(&[3], &[0], &[0, 1]).with_globals(&[0])).unwrap_err().to_string();
    assert!(error.contains("packed without what tokens that all see need"), "{error}");
}

#[test]
fn threads_and_neighbours_do_not_change_a_bit() {
    let classifiers = [
        "tiny-classifier",
        "albert-classifier",
        "longformer-classifier",
        "mobilebert-classifier",
        "modernbert-classifier-cls",
        "modernbert-classifier-mean",
    ];
    for model in classifiers.into_iter().flat_map(|name| [load(name), int8(load(name), true, &["classifier"])]) {
        let engine = Engine::new(model).unwrap();
        let rows = Rows::of(&engine.spec, 50);
        let run = |threads: usize, batch: Packed<'_>| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| (engine.logits(batch).unwrap().unwrap(), engine.last_hidden_state(batch).unwrap()))
        };
        let one = run(1, rows.packed());
        for threads in [2, 3, 8] {
            assert_eq!(run(threads, rows.packed()), one);
        }
        let labels = engine.labels;
        for (row, ends) in rows.offsets.windows(2).enumerate() {
            let (ids, types) = (&rows.input_ids[ends[0]..ends[1]], &rows.type_ids[ends[0]..ends[1]]);
            let offsets = [0, ends[1] - ends[0]];
            let alone = Packed::new(ids, types, &offsets);
            for threads in [1, 4] {
                assert_eq!(run(threads, alone).0, one.0[row * labels..][..labels]);
            }
        }
    }
}

#[test]
fn some_tokens_get_what_they_get_among_all() {
    let mut masked = 0;
    for name in MODELS {
        for model in [load(name), int8(load(name), true, &[])] {
            let engine = Engine::new(model).unwrap();
            let rows = Rows::of(&engine.spec, 30);
            let width = engine.spec.vocab_size;
            let positions: Vec<usize> = (0..rows.input_ids.len()).filter(|at| at % 7 == 3 || at % 11 == 0).collect();
            let run = |threads: usize, positions: &[usize]| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| engine.logits_at(rows.packed(), positions).unwrap())
            };
            let found = run(1, &positions);
            assert_eq!(found.is_some(), engine.head == Head::MaskedLm, "{name}");
            let Some(found) = found else { continue };
            masked += 1;
            let all = engine.logits(rows.packed()).unwrap().unwrap();
            for (at, position) in positions.iter().enumerate() {
                assert_eq!(
                    found[at * width..(at + 1) * width],
                    all[position * width..(position + 1) * width],
                    "{name}"
                );
            }
            assert_eq!(run(3, &positions).unwrap(), found);
            assert_eq!(run(2, &[]).unwrap(), Vec::<f32>::new());
            for wrong in [vec![3, 2], vec![rows.input_ids.len()]] {
                assert!(engine.logits_at(rows.packed(), &wrong).is_err());
            }
        }
    }
    assert!(masked > 2, "no model with a masked-LM head was tried");
}

#[test]
fn what_is_wrong_with_a_batch_is_said() {
    let engine = Engine::new(load("tiny-classifier")).unwrap();
    let ids = vec![1_u32; 30];
    let batch = |ids, offsets| Packed::new(ids, &[0; 30], offsets);
    let error = engine.logits(batch(&ids, &[0, 30])).unwrap_err().to_string();
    assert!(error.contains("30 tokens; the model takes at most 24"), "{error}");
    let ids = vec![5000_u32; 30];
    let error = engine.logits(batch(&ids, &[0, 20, 30])).unwrap_err().to_string();
    assert!(error.contains("5000"), "{error}");
}

#[test]
fn chunks_are_whole_sequences() {
    assert_eq!(chunks(&[0], 1), Vec::<Range<usize>>::new());
    assert_eq!(chunks(&[0, 100, 200, 300, 900, 901], 1), [0..2, 2..3, 3..4, 4..5]);
    assert_eq!(chunks(&[0, 20, 40, 60, 80], 2), [0..1, 1..2, 2..3, 3..4]);
}
