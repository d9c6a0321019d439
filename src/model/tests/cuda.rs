//! CUDA beside the processor: what the tiny models compute, their gradients, what is dropped out.

use super::*;

/// Relative to the largest number that is compared, or to one where all are smaller: sums have another order there.
const TOLERANCE: f32 = 2e-5;

fn load_on(name: &str, device: &Device) -> Model {
    Model::load(&place(name), device).unwrap()
}

/// How far numbers of a device are from those of the processor, beside the largest of these.
fn distance(found: &Tensor, expected: &Tensor) -> (f32, f32) {
    let found = found.to_device(&Device::Cpu).unwrap();
    (difference(&found, expected), size(expected))
}

fn size(x: &Tensor) -> f32 {
    x.flatten_all().unwrap().abs().unwrap().max(0).unwrap().to_scalar().unwrap()
}

#[test]
fn outputs_are_those_of_the_processor() {
    let Some(cuda) = cuda() else { return };
    let keep = Keep { projections: true, ..EVERYTHING };
    let mut faults = Vec::new();
    for name in MODELS {
        let (here, there) = (load(name), load_on(name, &cuda));
        let (rows, _) = expected(name);
        for seed in [None, Some(7)] {
            let keep = Keep { dropout_seed: seed, ..keep };
            let [expected, found] = [&here, &there].map(|model| model.forward(rows.packed(), keep).unwrap());
            let plain = Keep { attentions: false, ..keep };
            let plain = there.forward(rows.packed(), plain).unwrap();
            let composed = there.forward_by(rows.packed(), keep, Route::Composed).unwrap();
            let mut check = |what: String, found: &Tensor, expected: &Tensor| {
                let (distance, size) = distance(found, expected);
                if distance.is_nan() || distance > TOLERANCE * size.max(1.0) {
                    faults.push(format!("{name} {seed:?} {what}: {distance} of {size}"));
                }
            };
            check("last state".into(), &found.last_hidden_state, &expected.last_hidden_state);
            check("last state, alone".into(), &plain.last_hidden_state, &expected.last_hidden_state);
            check("last state, composed".into(), &composed.last_hidden_state, &expected.last_hidden_state);
            for (i, (found, expected)) in found.hidden_states.iter().zip(&expected.hidden_states).enumerate() {
                check(format!("state {i}"), found, expected);
            }
            for (i, (found, expected)) in found.attentions.iter().zip(&expected.attentions).enumerate() {
                check(format!("attention {i}"), found, expected);
            }
            for (i, (found, expected)) in found.projections.iter().zip(&expected.projections).enumerate() {
                for (found, expected) in found.iter().zip(expected) {
                    check(format!("projection {i}"), found, expected);
                }
            }
            assert_eq!(found.logits.is_some(), expected.logits.is_some(), "{name}");
            for (found, expected) in found.logits.iter().zip(&expected.logits) {
                check("logits".into(), found, expected);
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn gradients_are_those_of_the_processor() {
    let Some(cuda) = cuda() else { return };
    let mut faults = Vec::new();
    for name in MODELS {
        let (rows, _) = expected(name);
        for keep in [
            Keep { dropout_seed: Some(11), ..Keep::default() },
            Keep { dropout_seed: Some(11), projections: true, ..EVERYTHING },
            Keep::default(),
        ] {
            let [expected, found] = [&Device::Cpu, &cuda].map(|device| {
                let mut model = load_on(name, device);
                let variables = model.trainable().unwrap();
                let out = model.forward(rows.packed(), keep).unwrap();
                let mean = |x: &Tensor| (x.sqr().unwrap().mean_all().unwrap() + x.mean_all().unwrap()).unwrap();
                let mut loss = mean(out.logits.as_ref().unwrap_or(&out.last_hidden_state));
                for kept in out.attentions.iter().chain(out.projections.iter().flatten()) {
                    loss = (loss + kept.sqr().unwrap().mean_all().unwrap()).unwrap();
                }
                let gradients = loss.backward().unwrap();
                let of = |(name, variable): (&String, &candle_core::Var)| {
                    gradients.get(variable).map(|gradient| (name.clone(), gradient.clone()))
                };
                variables.iter().filter_map(of).collect::<BTreeMap<_, _>>()
            });
            let [names, others] = [&expected, &found].map(|gradients| gradients.keys().collect::<Vec<_>>());
            assert_eq!(names, others, "{name} {keep:?}");
            for (parameter, expected) in &expected {
                let (distance, size) = distance(&found[parameter], expected);
                if distance.is_nan() || distance > 1e-4 * size.max(1e-2) {
                    faults.push(format!("{name} {keep:?} {parameter}: {distance} of {size}"));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn what_is_dropped_out_is_the_same_to_the_bit() {
    let Some(cuda) = cuda() else { return };
    let numbers: Vec<f32> = (0..60_000).map(|i| (i as f32).sin()).collect();
    for rate in [0.1, 0.5] {
        let mask = Some(crate::kernels::dropout::Mask::new(rate, 3, 5));
        let [here, there] = [&Device::Cpu, &cuda].map(|device| {
            let x = Tensor::from_slice(&numbers, (300, 200), device).unwrap();
            let dropped = crate::model::ops::drop_out(&x, mask, Route::of(device)).unwrap();
            dropped.flatten_all().unwrap().to_vec1::<f32>().unwrap()
        });
        assert!(here == there, "at rate {rate}");
    }
}

#[test]
fn the_same_step_gives_the_same_bits() {
    let Some(cuda) = cuda() else { return };
    for name in MODELS {
        let (rows, _) = expected(name);
        let run = || {
            let mut model = load_on(name, &cuda);
            let variables = model.trainable().unwrap();
            let keep = Keep { dropout_seed: Some(11), ..Keep::default() };
            let out = model.forward(rows.packed(), keep).unwrap();
            let loss = out.logits.unwrap_or(out.last_hidden_state).sqr().unwrap().mean_all().unwrap();
            let gradients = loss.backward().unwrap();
            let bits = |x: &Tensor| -> Vec<u32> {
                x.flatten_all().unwrap().to_vec1::<f32>().unwrap().into_iter().map(f32::to_bits).collect()
            };
            variables.values().filter_map(|variable| gradients.get(variable)).map(bits).collect::<Vec<_>>()
        };
        assert!(run() == run(), "{name}");
    }
}

#[test]
fn int8_is_refused_by_name() {
    let Some(cuda) = cuda() else { return };
    let error = Model::load(&folder("formats/ct"), &cuda).unwrap_err().to_string();
    assert!(error.contains("int8 models run on `cpu` only"), "{error}");
}

#[test]
fn weights_in_a_few_bits_are_the_same_there() {
    let Some(cuda) = cuda() else { return };
    for name in ["formats/w4a16", "formats/w8a16"] {
        let [here, there] = [&Device::Cpu, &cuda].map(|device| Model::load(&folder(name), device).unwrap());
        for (name, expected) in &here.params {
            assert_eq!(distance(&there.params[name], expected).0, 0.0, "{name}");
        }
    }
}
