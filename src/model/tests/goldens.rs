//! What the tiny models compute, beside `transformers` and candle-transformers.

use super::*;

#[test]
fn hidden_states_attentions_and_logits_are_those_of_transformers() {
    for name in MODELS {
        let model = load(name);
        let (rows, expected) = expected(name);
        for route in [Route::Fused, Route::Given, Route::Composed] {
            let check = |what: &str, found: &Tensor| {
                let distance = difference(found, &expected[what]);
                assert!(distance <= 1e-5, "{name} {route:?} {what}: {distance}");
            };
            let out = model.forward_by(rows.packed(), EVERYTHING, route).unwrap();
            assert_eq!((out.hidden_states.len(), out.attentions.len()), (4, 3));
            if expected.contains_key("last_hidden_state") {
                check("last_hidden_state", &out.last_hidden_state);
            }
            for (i, x) in out.hidden_states.iter().enumerate() {
                check(&format!("hidden_{i}"), x);
            }
            for (i, x) in out.attentions.iter().enumerate() {
                // `transformers` gives those of windows in a form of its own.
                if model.spec.layers[i].reach.is_none() {
                    check(&format!("attention_{i}"), x);
                }
            }
            assert_eq!(out.logits.is_some(), expected.contains_key("logits"), "{name}");
            if let Some(logits) = &out.logits {
                check("logits", logits);
            }
            let plain = model.forward_by(rows.packed(), Keep::default(), route).unwrap();
            assert!(difference(&plain.last_hidden_state, &out.last_hidden_state) <= 1e-6);
            assert!(plain.hidden_states.is_empty() && plain.attentions.is_empty());
        }
    }
}

#[test]
fn dropout_is_seeded_and_training_forgets_nothing_of_it() {
    let model = load("tiny-classifier");
    let (rows, _) = expected("tiny-classifier");
    let run = |seed: Option<u64>, route: Route| {
        let keep = Keep { dropout_seed: seed, ..Keep::default() };
        model.forward_by(rows.packed(), keep, route).unwrap().logits.unwrap()
    };
    assert_eq!(difference(&run(Some(1), Route::Fused), &run(Some(1), Route::Fused)), 0.0);
    assert!(difference(&run(Some(1), Route::Fused), &run(Some(2), Route::Fused)) > 1e-3);
    assert!(difference(&run(Some(1), Route::Fused), &run(None, Route::Fused)) > 1e-3);
    for route in [Route::Given, Route::Composed] {
        assert!(difference(&run(Some(1), Route::Fused), &run(Some(1), route)) < 1e-5);
    }
}

#[test]
fn threads_do_not_change_a_bit() {
    let mut model = load("tiny-classifier");
    let variables = model.trainable().unwrap();
    let rows = Rows::of_lengths(&[24, 3, 11, 1, 24, 7, 19, 2, 24, 24, 24, 5], 83);
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let keep = Keep { dropout_seed: Some(9), ..Keep::default() };
            let loss = model.forward(rows.packed(), keep).unwrap().logits.unwrap().sqr().unwrap().mean_all().unwrap();
            let gradients = loss.backward().unwrap();
            variables
                .values()
                .map(|variable| gradients.get(variable).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap())
                .collect::<Vec<_>>()
        })
    };
    assert!(run(1) == run(4));
}

#[test]
fn macs_are_counted() {
    let model = load("tiny-classifier");
    // Per layer and token 4 · 30 · 30 + 2 · 30 · 50, attention 2 · 10 · 10 · 30, pooler 30 · 30, classifier 30 · 3.
    assert_eq!(model.macs(10), 3 * (10 * (3600 + 3000) + 6000) + 900 + 90);
    let names: usize = parameters(&model.spec, &model.head).iter().map(|p| p.shape.iter().product::<usize>()).sum();
    assert_eq!(model.n_parameters(), names);
}

#[test]
fn wrong_batches_are_named() {
    let model = load("tiny-classifier");
    let run = |ids: &[u32], kinds: &[u32], offsets: &[usize]| {
        let batch = Packed::new(ids, kinds, offsets);
        model.forward(batch, Keep::default()).err().unwrap().to_string()
    };
    assert_eq!(run(&[83], &[0], &[0, 1]), "the token id 83 is out of range: the model has 83");
    assert_eq!(run(&[1], &[2], &[0, 1]), "the token type 2 is out of range: the model has 2");
    assert_eq!(run(&[1; 25], &[0; 25], &[0, 25]), "row 0 of the batch has 25 tokens; the model takes at most 24");
    assert_eq!(run(&[1], &[0], &[0, 1, 1]), "row 1 of the batch has no tokens");
    assert_eq!(run(&[1], &[0], &[0, 2]), "a batch of 1 tokens has wrong offsets or token types");
    let told = |name: &str, globals: &[usize]| {
        let batch = Packed::new(&[3, 4], &[0, 0], &[0, 2]).with_globals(globals);
        load(name).forward(batch, Keep::default()).err().map(|error| error.to_string())
    };
    for globals in [&[2_usize][..], &[1, 0], &[0, 0]] {
        let expected = "the tokens that all see must ascend and be among the 2 of the batch";
        assert_eq!(told("longformer-encoder", globals).as_deref(), Some(expected));
    }
    assert_eq!(told("tiny-encoder", &[1]), None, "all tokens of a BERT see all");
    let expected = "the model's family has windows, but no tokens that all see";
    assert_eq!(told("modernbert-masked-lm", &[1]).as_deref(), Some(expected));
}

/// candle's own BERT, on a padded batch with a mask.
#[test]
fn hidden_states_are_those_of_candle_transformers() {
    use candle_transformers::models::bert;

    let model = load("tiny-classifier");
    let text = std::fs::read_to_string(folder("models/tiny-classifier/config.json")).unwrap();
    let config: bert::Config = serde_json::from_str(&text).unwrap();
    let params = model.params.clone().into_iter().collect();
    let builder = candle_nn::VarBuilder::from_tensors(params, candle_core::DType::F32, &Device::Cpu);
    let oracle = bert::BertModel::load(builder.pp("bert"), &config).unwrap();
    let (rows, _) = expected("tiny-classifier");
    let found = model.forward(rows.packed(), Keep::default()).unwrap().last_hidden_state;

    let n_rows = rows.offsets.len() - 1;
    let longest = rows.offsets.windows(2).map(|ends| ends[1] - ends[0]).max().unwrap();
    let padded = |values: &dyn Fn(usize) -> u32| {
        let ids: Vec<u32> = rows
            .offsets
            .windows(2)
            .flat_map(|ends| (ends[0]..ends[0] + longest).map(move |i| if i < ends[1] { values(i) } else { 0 }))
            .collect();
        Tensor::from_vec(ids, (n_rows, longest), &Device::Cpu).unwrap()
    };
    let ids = padded(&|i| rows.input_ids[i]);
    let out = oracle.forward(&ids, &padded(&|i| rows.type_ids[i]), Some(&padded(&|_| 1))).unwrap();
    for (row, ends) in rows.offsets.windows(2).enumerate() {
        let (start, len) = (ends[0], ends[1] - ends[0]);
        let expected = out.get(row).unwrap().narrow(0, 0, len).unwrap();
        assert!(difference(&found.narrow(0, start, len).unwrap(), &expected) <= 1e-5, "row {row}");
    }
}
