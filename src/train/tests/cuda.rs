//! CUDA beside the processor: updates, norms, whole trainings.

use super::{
    super::{loss::finite_difference::numbers, optim::Optimizer},
    *,
};
use crate::model::tests::cuda;

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

/// The largest difference of two lists of numbers.
fn distance(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn updates_and_norms_are_those_of_the_processor() {
    let Some(cuda) = cuda() else { return };
    let shapes = [vec![700, 130], vec![130], vec![3, 5]];
    let tensor = |seed: usize, shape: &[usize], device: &Device| {
        Tensor::from_vec(numbers(shape.iter().product(), seed as u64), shape, device).unwrap()
    };
    let run = |device: &Device| {
        let vars: Vec<Var> = shapes
            .iter()
            .zip(1..)
            .map(|(shape, seed)| Var::from_tensor(&tensor(seed, shape, device)).unwrap())
            .collect();
        let parameters = || {
            let of =
                |(i, var): (usize, &Var)| optim::Parameter { name: format!("p{i}"), var: var.clone(), decay: i != 1 };
            vars.iter().enumerate().map(of).collect::<Vec<_>>()
        };
        let mut adamw = AdamW::new(parameters(), AdamWOptions::default()).unwrap();
        let mut norms = Vec::new();
        for step in 1..5 {
            // The last parameter has no gradient in the second step.
            let found = shapes.iter().enumerate().filter(|(i, _)| step != 2 || *i != 2);
            let gradients: Gradients =
                found.map(|(i, shape)| (format!("p{i}"), tensor(10 * step + i, shape, device))).collect();
            let norm = gradients.norm().unwrap();
            norms.push(norm);
            adamw.update(&gradients, 1e-2, clip_scale(norm, 1.0)).unwrap();
            if step == 3 {
                // As from a checkpoint, which is read on the processor.
                let state = adamw.state().unwrap().into_iter();
                let state = state.map(|(name, tensor)| (name, tensor.to_device(&Device::Cpu).unwrap())).collect();
                adamw = AdamW::new(parameters(), AdamWOptions::default()).unwrap();
                adamw.restore(3, state).unwrap();
            }
        }
        (norms, vars.iter().map(|var| values(var)).collect::<Vec<_>>())
    };
    let ((here, expected), (there, found)) = (run(&Device::Cpu), run(&cuda));
    for (here, there) in here.iter().zip(&there) {
        assert!((here - there).abs() <= 1e-5 * here, "{here} and {there}");
    }
    for (found, expected) in found.iter().zip(&expected) {
        let distance = distance(found, expected);
        assert!(distance < 2e-6, "{distance}");
    }
}

/// Losses, norms and weights of a training with dropout, step by step.
#[test]
fn trainings_are_those_of_the_processor() {
    let Some(cuda) = cuda() else { return };
    let masked_lm = MaskedLm { rate: 0.3, mask_id: 3, vocab_size: 20, label_smoothing: 0.1 };
    let classifier = CrossEntropy { label_smoothing: 0.1 };
    for (objective, is_masked) in [(&classifier as &dyn Objective, false), (&masked_lm, true)] {
        let run = |device: &Device| {
            let (mut model, examples) = tiny_on(device);
            if is_masked {
                let spec = EncoderSpec { pooler: false, ..model.spec.clone() };
                model = Model::init(spec, Head::MaskedLm, 1, device).unwrap();
            }
            let data = TrainData { train: &examples, validation: Some(&examples) };
            let options = TrainOptions { accumulate: 2, ..options() };
            let report = train(&mut model, data, objective, &options, &mut ()).unwrap();
            (report, model)
        };
        let ((expected, here), (found, there)) = (run(&Device::Cpu), run(&cuda));
        for (found, expected) in found.curve.iter().zip(&expected.curve) {
            let step = expected.step;
            assert!((found.loss - expected.loss).abs() < 1e-3, "step {step}: {} and {}", found.loss, expected.loss);
            let norms = (found.gradient_norm, expected.gradient_norm);
            assert!((norms.0 - norms.1).abs() < 5e-3 * norms.1, "step {step}: {norms:?}");
            assert_eq!(found.without_gradient, expected.without_gradient);
        }
        // The gradient of a bias of the keys is the noise of rounding, which Adam blows up.
        for (name, tensor) in here.params.iter().filter(|(name, _)| !name.ends_with("key.bias")) {
            let distance = distance(&values(&there.params[name]), &values(tensor));
            assert!(distance < 5e-3, "{name}: {distance}");
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_bits() {
    let Some(cuda) = cuda() else { return };
    let run = || {
        let (mut model, examples) = tiny_on(&cuda);
        train_on(&mut model, &examples, &TrainOptions { epochs: 2, ..options() });
        bits(&model)
    };
    assert!(run() == run());
}

#[test]
fn a_training_goes_on_from_its_checkpoint() {
    let Some(cuda) = cuda() else { return };
    let dir = tempfile::tempdir().unwrap();
    let (folder, nowhere) = (dir.path().join("training"), dir.path().join("nowhere"));
    let run = |checkpoints: bool, at: usize| {
        let (mut model, examples) = tiny_on(&cuda);
        let checkpoints = checkpoints.then(|| Checkpoints { folder: folder.clone(), every: Every::Steps(4) });
        let options = TrainOptions { checkpoints, ..options() };
        let data = TrainData { train: &examples, validation: Some(&examples) };
        let mut observer = Interrupting { folder: &nowhere, left: &nowhere, at, done: 0, notes: Vec::new() };
        let result = train(&mut model, data, &CrossEntropy::default(), &options, &mut observer);
        (bits(&model), result.is_ok(), observer.notes)
    };
    let whole = run(false, usize::MAX);
    assert!(!run(true, 9).1);
    let again = run(true, usize::MAX);
    assert_eq!(again.2, ["goes on behind step 9 of 18"]);
    assert!(again.0 == whole.0);
}
