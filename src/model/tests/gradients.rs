//! Gradients: every parameter has one, and all ways to compute them agree.

use super::*;

#[test]
fn every_parameter_gets_a_gradient() {
    for name in MODELS {
        for (seed, attentions, route) in [
            (None, false, Route::Fused),
            (Some(3), false, Route::Fused),
            (Some(3), true, Route::Fused),
            (Some(3), false, Route::Given),
            (Some(3), true, Route::Given),
            (Some(3), true, Route::Composed),
        ] {
            let mut model = load(name);
            let variables = model.trainable().unwrap();
            let (rows, _) = expected(name);
            let keep = Keep { hidden_states: true, attentions, dropout_seed: seed, ..Keep::default() };
            let out = model.forward_by(rows.packed(), keep, route).unwrap();
            let mut loss = out.last_hidden_state.sqr().unwrap().sum_all().unwrap();
            if let Some(logits) = &out.logits {
                loss = (loss + logits.sqr().unwrap().sum_all().unwrap()).unwrap();
            }
            let gradients = loss.backward().unwrap();
            for (parameter, variable) in &variables {
                if is_idle(&model, &rows, parameter) {
                    continue;
                }
                let gradient = gradients.get(variable).unwrap_or_else(|| panic!("{name}: no gradient of {parameter}"));
                let size = gradient.sqr().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap();
                // Softmax does not see what is added to all scores of a row.
                let is_blind = parameter.ends_with("self.key.bias") || parameter.ends_with("self.key_global.bias");
                assert!(
                    size.is_finite() && (size > 0.0 || is_blind),
                    "{name} {route:?}: gradient of {parameter} is {size}"
                );
            }
            assert_eq!(variables.len(), model.params.len());
        }
    }
}

/// Whether nothing that a model computes depends on a parameter: a pooler without a classifier, projections of global tokens
/// where none is global.
fn is_idle(model: &Model, rows: &Rows, parameter: &str) -> bool {
    let is_global = parameter.contains("_global.");
    let no_globals = rows.globals.is_none() && model.globals(&[0, 1]).is_empty();
    (parameter.starts_with("bert.pooler.") && model.head == Head::None) || (is_global && no_globals)
}

/// Classifiers and masked LMs of every family.
fn with_heads() -> impl Iterator<Item = &'static str> {
    MODELS.into_iter().filter(|name| load(name).head != Head::None)
}

/// Gradients are computed by different code on each route; the composed one is candle's own.
#[test]
fn gradients_are_the_composed_ones() {
    for name in with_heads() {
        let mut model = load(name);
        let variables = model.trainable().unwrap();
        let (rows, _) = expected(name);
        for keep in [
            Keep { dropout_seed: Some(11), ..Keep::default() },
            Keep { dropout_seed: Some(11), ..EVERYTHING },
            Keep::default(),
        ] {
            let [fused, given, composed] = [Route::Fused, Route::Given, Route::Composed].map(|route| {
                let out = model.forward_by(rows.packed(), keep, route).unwrap();
                let logits = out.logits.unwrap();
                let mut loss = (logits.sqr().unwrap().mean_all().unwrap() + logits.mean_all().unwrap()).unwrap();
                for attention in &out.attentions {
                    loss = (loss + attention.sqr().unwrap().sum_all().unwrap()).unwrap();
                }
                loss.backward().unwrap()
            });
            for (parameter, variable) in variables.iter().filter(|(parameter, _)| !is_idle(&model, &rows, parameter)) {
                let expected = composed.get(variable).unwrap();
                let size: f32 = expected.abs().unwrap().max_all().unwrap().to_scalar().unwrap();
                for found in [&fused, &given] {
                    let distance = difference(found.get(variable).unwrap(), expected);
                    assert!(distance <= 1e-4 * size.max(1e-2), "{name} {keep:?} {parameter}: {distance} of {size}");
                }
            }
        }
    }
}

/// What a training collects is what candle's store has, also in the second of two batches and the second of two steps.
#[test]
fn collected_gradients_are_those_of_the_store() {
    for name in with_heads() {
        let mut model = load(name);
        let variables = model.trainable().unwrap();
        let plain = model.clone();
        let mut again = model.clone();
        let memory = model.collect_gradients();
        let recomputing = again.collect_gradients();
        recomputing.recompute();
        let rows = expected(name).0;
        for hidden_states in [false, true] {
            let backward = |model: &Model, seed: u64| {
                let keep = Keep { dropout_seed: Some(seed), hidden_states, ..Keep::default() };
                let out = model.forward_by(rows.packed(), keep, Route::Fused).unwrap();
                let mut loss = out.logits.unwrap().sqr().unwrap().mean_all().unwrap();
                for state in &out.hidden_states {
                    loss = (loss + state.sqr().unwrap().mean_all().unwrap()).unwrap();
                }
                loss.backward().unwrap()
            };
            memory.begin_step();
            let of_head = [1, 2].map(|seed| backward(&model, seed));
            let collected: std::collections::BTreeMap<_, _> = memory.gradients().into_iter().collect();
            let stores = [1, 2].map(|seed| backward(&plain, seed));
            let mut in_memory = 0;
            for (parameter, variable) in variables.iter().filter(|(parameter, _)| !is_idle(&model, &rows, parameter)) {
                let sum = |stores: &[candle_core::backprop::GradStore; 2]| {
                    let [first, second] = stores.each_ref().map(|store| store.get(variable).cloned());
                    first.map(|first| (first + second.unwrap()).unwrap())
                };
                let expected = sum(&stores).unwrap();
                let found = match (sum(&of_head), collected.get(parameter)) {
                    (Some(head), Some(layers)) => (head + layers).unwrap(),
                    (head, layers) => head.or_else(|| layers.cloned()).unwrap(),
                };
                in_memory += usize::from(collected.contains_key(parameter));
                let size: f32 = expected.abs().unwrap().max_all().unwrap().to_scalar().unwrap();
                let distance = difference(&found, &expected);
                assert!(distance <= 1e-5 * size.max(1e-2), "{name} {parameter}: {distance} of {size}");
            }
            // Computed again, they are the same to the bit.
            recomputing.begin_step();
            for seed in [1, 2] {
                backward(&again, seed);
            }
            for (name, gradient) in recomputing.gradients() {
                assert_eq!(difference(&gradient, &collected[&name]), 0.0, "{name}");
            }
            let tables = model.params.keys().filter(|name| name.ends_with("_embeddings.weight")).count();
            let is_plain = model.spec.has_plain_layers();
            let least = if is_plain { 16 * model.spec.n_stored_layers() + tables } else { 0 };
            assert!(in_memory >= least, "{name}: layers and tables write to the memory");
        }
    }
}

/// A step in the direction of the gradient changes the loss by as much as the gradient says.
#[test]
fn the_loss_follows_the_gradient() {
    let mut model = load("tiny-classifier");
    let variables = model.trainable().unwrap();
    let (rows, _) = expected("tiny-classifier");
    let keep = Keep { dropout_seed: Some(5), ..Keep::default() };
    let loss =
        |model: &Model| model.forward(rows.packed(), keep).unwrap().logits.unwrap().sqr().unwrap().mean_all().unwrap();
    let gradients = loss(&model).backward().unwrap();
    for (name, variable) in &variables {
        let gradient = gradients.get(variable).unwrap();
        let square: f32 = gradient.sqr().unwrap().sum_all().unwrap().to_scalar().unwrap();
        if square < 1e-6 {
            continue;
        }
        let step = 0.003 / f64::from(square.sqrt());
        let before = variable.as_tensor().copy().unwrap();
        let at = |step: f64| {
            variable.set(&(&before + (gradient * step).unwrap()).unwrap()).unwrap();
            f64::from(loss(&model).to_scalar::<f32>().unwrap())
        };
        let slope = (at(step) - at(-step)) / (2.0 * step);
        variable.set(&before).unwrap();
        let error = (slope - f64::from(square)).abs() / f64::from(square);
        assert!(error < 0.03, "{name}: {slope} is not {square}");
    }
}
