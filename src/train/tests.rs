//! Trainings of a tiny encoder from random parameters.

#[cfg(feature = "cuda")]
mod cuda;

use std::cell::RefCell;

use candle_core::Device;

use super::*;
use crate::{
    base::every::Every,
    data::Encoding,
    model::{EncoderSpec, Head, Keep, LayerShape, Output},
};

/// A model of two layers that learns in seconds, and rows whose label is whether they contain token 5.
pub(crate) fn tiny() -> (Model, Examples) {
    tiny_on(&Device::Cpu)
}

/// The same on a device.
pub(crate) fn tiny_on(device: &Device) -> (Model, Examples) {
    let spec = EncoderSpec {
        vocab_size: 20,
        max_positions: 16,
        initializer_range: 0.1,
        ..EncoderSpec::bert(16, 8, vec![LayerShape { heads: 2, intermediate_size: 32, reach: None }; 2])
    };
    let head = Head::SequenceClassification { labels: vec!["no".into(), "yes".into()] };
    let model = Model::init(spec, head, 1, device).unwrap();
    let mut rng = rng::stream(3, "rows");
    let mut examples = Examples { labels: Some(Vec::new()), ..Examples::default() };
    for row in 0..48_u32 {
        let len = 2 + rng::below(&mut rng, 6);
        let mut ids: Vec<u32> = (0..len).map(|_| 6 + rng::below(&mut rng, 14) as u32).collect();
        if row % 2 == 1 {
            let at = rng::below(&mut rng, len);
            ids[at] = 5;
        }
        let ids: Vec<u32> = [1].into_iter().chain(ids).chain([2]).collect();
        examples.encodings.push(Encoding { type_ids: vec![0; ids.len()], ids });
        examples.labels.as_mut().unwrap().push(row % 2);
    }
    (model, examples)
}

fn options() -> TrainOptions {
    TrainOptions { epochs: 3, batch_size: 8, learning_rate: 5e-3, ..TrainOptions::default() }
}

fn bits(model: &Model) -> Vec<(String, Vec<u32>)> {
    let bits = |tensor: &Tensor| {
        let values = tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        values.into_iter().map(f32::to_bits).collect()
    };
    model.params.iter().map(|(name, tensor)| (name.clone(), bits(tensor))).collect()
}

fn train_on(model: &mut Model, examples: &Examples, options: &TrainOptions) -> TrainReport {
    let data = TrainData { train: examples, validation: Some(examples) };
    train(model, data, &CrossEntropy::default(), options, &mut ()).unwrap()
}

#[test]
fn it_learns_and_every_parameter_gets_a_gradient() {
    let (mut model, examples) = tiny();
    let report = train_on(&mut model, &examples, &TrainOptions { epochs: 12, ..options() });
    assert_eq!(report.without_gradient, [""; 0]);
    assert_eq!(report.curve.len(), 12 * 6);
    let (first, last) = (report.epochs[0].loss, report.epochs[11].loss);
    assert!(last < 0.5 * first, "loss {first} to {last}");
    assert!(report.best().unwrap().accuracy > 0.9, "{:?}", report.best());
    assert!(model.params.values().all(|tensor| !tensor.is_variable()));
    assert!((model.spec.hidden_dropout - 0.1).abs() < 1e-9);
}

#[test]
fn the_same_seed_gives_the_same_bits_on_any_number_of_threads() {
    let run = |threads: usize, seed: u64| {
        let (mut model, examples) = tiny();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| train_on(&mut model, &examples, &TrainOptions { seed, epochs: 2, ..options() }));
        bits(&model)
    };
    let first = run(1, 7);
    assert!(first == run(3, 7));
    assert!(first != run(1, 8));
}

#[test]
fn accumulating_equals_the_big_batch() {
    let run = |batch_size: usize, accumulate: usize| {
        let (mut model, examples) = tiny();
        // 48 rows in updates of 10 (the last has 8), in halves of 5: a batch of another size must not weigh more.
        let options = TrainOptions { batch_size, accumulate, epochs: 1, dropout: Some(0.0), ..options() };
        train_on(&mut model, &examples, &options)
    };
    let (big, halves) = (run(10, 1), run(5, 2));
    assert_eq!(big.curve.len(), 5);
    for (a, b) in big.curve.iter().zip(&halves.curve) {
        assert!((a.loss - b.loss).abs() < 1e-4, "step {}: loss {} and {}", a.step, a.loss, b.loss);
        assert!((a.gradient_norm - b.gradient_norm).abs() < 1e-3 * a.gradient_norm, "step {}", a.step);
    }
}

/// Claims an accuracy for each evaluation and remembers what the model said in each.
struct Scripted {
    accuracies: Vec<usize>,
    seen: RefCell<Vec<Vec<f32>>>,
}

impl Objective for Scripted {
    fn loss(&self, output: &Output, prepared: &Prepared, scope: &Scope) -> Result<Loss, TrainError> {
        CrossEntropy::default().loss(output, prepared, scope)
    }

    fn quality(&self, output: &Output, _prepared: &Prepared) -> Result<Counts, TrainError> {
        let mut seen = self.seen.borrow_mut();
        seen.push(output.logits.as_ref().unwrap().flatten_all()?.to_vec1()?);
        Ok(Counts { right: self.accuracies[seen.len() - 1], all: 10, ..Counts::default() })
    }
}

#[test]
fn the_best_epoch_is_kept() {
    let cases = [
        (KeepEpoch::Best, vec![5, 9, 7], 2),
        (KeepEpoch::Best, vec![8, 8, 8], 1),
        (KeepEpoch::Best, vec![1, 2, 3], 3),
        (KeepEpoch::Last, vec![5, 9, 7], 3),
    ];
    for (keep, accuracies, best) in cases {
        let (mut model, examples) = tiny();
        let objective = Scripted { accuracies, seen: RefCell::default() };
        let data = TrainData { train: &examples, validation: Some(&examples) };
        let options = TrainOptions { keep, ..options() };
        let report = train(&mut model, data, &objective, &options, &mut ()).unwrap();
        assert_eq!(report.best_epoch, best);
        let batch = &batches(&examples.encodings, 64, Order::File)[0];
        let output = model
            .forward(crate::model::Packed::new(&batch.input_ids, &batch.type_ids, &batch.offsets), Keep::default());
        let logits: Vec<f32> = output.unwrap().logits.unwrap().flatten_all().unwrap().to_vec1().unwrap();
        assert_eq!(logits, objective.seen.borrow()[best - 1]);
    }
}

/// A loss that leaves the numbers.
struct Exploding;

impl Objective for Exploding {
    fn loss(&self, output: &Output, prepared: &Prepared, scope: &Scope) -> Result<Loss, TrainError> {
        let mut loss = CrossEntropy::default().loss(output, prepared, scope)?;
        loss.total = (loss.total * f64::INFINITY)?;
        Ok(loss)
    }
}

/// Stops before the third step.
#[derive(Default)]
struct Impatient(usize);

impl TrainObserver for Impatient {
    fn on_step(&mut self, _event: &StepEvent) {
        self.0 += 1;
    }

    fn should_stop(&self) -> bool {
        self.0 >= 2
    }
}

/// Stops before a step, and keeps what lay in a folder when it was done: what a kill would have left.
struct Interrupting<'a> {
    folder: &'a std::path::Path,
    left: &'a std::path::Path,
    at: usize,
    done: usize,
    notes: Vec<String>,
}

impl TrainObserver for Interrupting<'_> {
    fn on_step(&mut self, event: &StepEvent) {
        self.done = event.step;
        if self.done == self.at && self.folder.exists() {
            std::fs::create_dir_all(self.left).unwrap();
            for file in std::fs::read_dir(self.folder).unwrap() {
                let file = file.unwrap();
                std::fs::copy(file.path(), self.left.join(file.file_name())).unwrap();
            }
        }
    }

    fn on_note(&mut self, text: &str) {
        self.notes.push(text.to_owned());
    }

    fn should_stop(&self) -> bool {
        self.done >= self.at
    }
}

#[test]
fn an_interrupted_training_ends_with_the_same_bits() {
    let train_to = |folder: &std::path::Path, left: &std::path::Path, at: usize| {
        let (mut model, examples) = tiny();
        let checkpoints = Some(Checkpoints { folder: folder.to_owned(), every: Every::Steps(4) });
        let options = TrainOptions { checkpoints, epochs: 4, ..options() };
        let data = TrainData { train: &examples, validation: Some(&examples) };
        let mut observer = Interrupting { folder, left, at, done: 0, notes: Vec::new() };
        let result = train(&mut model, data, &CrossEntropy::default(), &options, &mut observer);
        (bits(&model), result, observer.notes)
    };
    let dir = tempfile::tempdir().unwrap();
    let nowhere = dir.path().join("nowhere");
    let (whole, report, notes) = train_to(&nowhere, &nowhere, usize::MAX);
    let report = report.unwrap();
    assert_eq!((report.steps, notes.len()), (24, 0));
    // In an epoch, at its end, behind it, and before the first checkpoint is due.
    for at in [1, 3, 5, 6, 7, 12, 13, 18, 23] {
        let (stopped, killed) = (dir.path().join(format!("stopped-{at}")), dir.path().join(format!("killed-{at}")));
        let (_, result, _) = train_to(&stopped, &killed, at);
        assert!(matches!(result, Err(TrainError::Stopped)), "{at}: {result:?}");
        for (folder, behind) in [(&stopped, at), (&killed, (at - 1) / 4 * 4)] {
            let (again, result, notes) = train_to(folder, &nowhere, usize::MAX);
            assert!(again == whole, "{}", folder.display());
            assert_eq!(result.unwrap(), report);
            let expected = (behind > 0).then(|| format!("goes on behind step {behind} of 24"));
            assert_eq!(notes, Vec::from_iter(expected), "{}", folder.display());
        }
    }
}

#[test]
fn a_training_does_not_end_for_want_of_a_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    // A file stands where the folder would be.
    let folder = dir.path().join("training");
    crate::base::fs::write_atomic(&folder, b"").unwrap();
    let train_with = |checkpoints| {
        let (mut model, examples) = tiny();
        let options = TrainOptions { checkpoints, ..options() };
        let data = TrainData { train: &examples, validation: Some(&examples) };
        let nowhere = dir.path().join("nowhere");
        let mut observer =
            Interrupting { folder: &nowhere, left: &nowhere, at: usize::MAX, done: 0, notes: Vec::new() };
        train(&mut model, data, &CrossEntropy::default(), &options, &mut observer).unwrap();
        (bits(&model), observer.notes)
    };
    let (whole, _) = train_with(None);
    let (found, notes) = train_with(Some(Checkpoints { folder: folder.clone(), every: Every::Steps(6) }));
    assert!(found == whole);
    let told: Vec<_> = notes.iter().filter(|note| note.starts_with("no checkpoint was written")).collect();
    assert_eq!(told.len(), 3, "{notes:?}");
    assert!(told[0].contains("training"), "{}", told[0]);
}

type Damage<'a> = &'a dyn Fn(&mut Vec<u8>);

#[test]
fn a_damaged_checkpoint_is_not_trusted() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("training");
    let train_with = |at: usize, seed: u64| {
        let (mut model, examples) = tiny();
        let checkpoints = Some(Checkpoints { folder: folder.clone(), every: Every::Steps(100) });
        let options = TrainOptions { seed, checkpoints, ..options() };
        let data = TrainData { train: &examples, validation: Some(&examples) };
        let mut observer = Interrupting { folder: &folder, left: dir.path(), at, done: 0, notes: Vec::new() };
        let result = train(&mut model, data, &CrossEntropy::default(), &options, &mut observer);
        (bits(&model), result.is_ok(), observer.notes)
    };
    let (whole, ..) = train_with(usize::MAX, 7);
    let path = |ending: &str| {
        let mut files = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path());
        files.find(|path| path.to_string_lossy().ends_with(ending)).unwrap()
    };
    let cases: [(&str, Damage<'_>, &str); 5] = [
        ("safetensors", &|bytes| *bytes.last_mut().unwrap() ^= 1, "the content that was written"),
        ("safetensors", &|bytes| bytes.truncate(100), "the content that was written"),
        ("json", &|bytes| bytes.truncate(100), "cannot be understood"),
        (
            "json",
            &|bytes| *bytes = String::from_utf8(bytes.clone()).unwrap().replace("\"step\":8", "\"step\":9").into(),
            "of another training",
        ),
        (
            "json",
            &|bytes| *bytes = String::from_utf8(bytes.clone()).unwrap().replace("step-8", "../step-8").into(),
            "is no name of a file",
        ),
    ];
    for (ending, damage, why) in cases {
        std::fs::remove_dir_all(&folder).ok();
        assert!(!train_with(8, 7).1);
        let path = path(ending);
        let mut bytes = std::fs::read(&path).unwrap();
        damage(&mut bytes);
        crate::base::fs::write_atomic(&path, &bytes).unwrap();
        let (again, is_done, notes) = train_with(usize::MAX, 7);
        assert!(is_done && again == whole, "{why}");
        assert!(notes[0].starts_with("begins anew") && notes[0].contains(why), "{notes:?}");
    }
}

#[test]
fn what_ends_a_training_is_told() {
    let (mut model, examples) = tiny();
    let data = TrainData { train: &examples, validation: None };
    let error = train(&mut model, data, &Exploding, &options(), &mut ()).unwrap_err().to_string();
    assert!(error.starts_with("step 1: the loss is inf"), "{error}");

    let mut observer = Impatient::default();
    let error = train(&mut model, data, &CrossEntropy::default(), &options(), &mut observer).unwrap_err();
    assert!(matches!(error, TrainError::Stopped));
    assert_eq!(observer.0, 2);
    assert!(model.params.values().all(|tensor| !tensor.is_variable()));

    let nothing = Examples::default();
    let data = TrainData { train: &nothing, validation: None };
    let error = train(&mut model, data, &CrossEntropy::default(), &options(), &mut ()).unwrap_err().to_string();
    assert_eq!(error, "the training split has no rows");

    let unlabelled = Examples { labels: None, ..examples };
    let data = TrainData { train: &unlabelled, validation: None };
    let error = train(&mut model, data, &CrossEntropy::default(), &options(), &mut ()).unwrap_err().to_string();
    assert_eq!(error, "the data has no labels to learn from");
}

#[test]
fn masked_tokens_are_learned() {
    let (model, mut examples) = tiny();
    let spec = EncoderSpec { pooler: false, ..model.spec.clone() };
    let mut model = Model::init(spec, Head::MaskedLm, 1, &Device::Cpu).unwrap();
    // Rows that repeat one token: what is hidden can be read off its neighbours.
    for (row, encoding) in examples.encodings.iter_mut().enumerate() {
        let len = encoding.ids.len();
        encoding.ids[1..len - 1].fill(6 + row as u32 % 3);
    }
    examples.labels = None;
    let objective = MaskedLm { rate: 0.3, mask_id: 3, vocab_size: 20, label_smoothing: 0.0 };
    let data = TrainData { train: &examples, validation: Some(&examples) };
    let options = TrainOptions { epochs: 10, ..options() };
    let report = train(&mut model, data, &objective, &options, &mut ()).unwrap();
    assert_eq!(report.without_gradient, [""; 0]);
    let (first, best) = (report.epochs[0].validation.unwrap(), report.best().unwrap());
    assert!(best.loss < 0.7 * first.loss && best.accuracy > 0.5, "{first:?} to {best:?}");
}

/// Rows, settings and trainings of `tests/reference/steps.py`.
#[derive(serde::Deserialize)]
struct Golden {
    rows: Vec<Vec<u32>>,
    labels: Vec<u32>,
    steps: usize,
    learning_rate: f64,
    warmup: f64,
    weight_decay: f64,
    clip: f64,
    trainings: Vec<GoldenTraining>,
}

#[derive(serde::Deserialize)]
struct GoldenTraining {
    no_decay: Vec<String>,
    losses: Vec<f64>,
    gradient_norms: Vec<f64>,
    /// Sum and norm of every parameter at the end.
    weights: BTreeMap<String, [f64; 2]>,
}

/// Padded and masked rows in torch, packed ones here, in one batch or in accumulated halves: the same losses, gradients
/// and weights, step by step.
#[test]
fn trainings_equal_those_of_torch() {
    let golden: Golden = serde_json::from_str(include_str!("../../tests/data/train/steps.json")).unwrap();
    let encoding = |ids: &Vec<u32>| Encoding { ids: ids.clone(), type_ids: vec![0; ids.len()] };
    let examples = Examples {
        encodings: golden.rows.iter().map(encoding).collect(),
        labels: Some(golden.labels.clone()),
        sentences: None,
    };
    let close = |what: &str, found: f64, expected: f64| {
        assert!((found - expected).abs() <= 2e-4 * expected.abs().max(0.1), "{what}: {found}, torch has {expected}");
    };
    for (training, accumulate) in golden.trainings.iter().zip([1, 2]) {
        let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/models/tiny-classifier");
        let mut model = Model::load(&dir, &Device::Cpu).unwrap();
        let options = TrainOptions {
            epochs: golden.steps,
            batch_size: golden.rows.len() / accumulate,
            accumulate,
            learning_rate: golden.learning_rate,
            warmup: golden.warmup,
            weight_decay: golden.weight_decay,
            no_decay: training.no_decay.clone(),
            clip: golden.clip,
            dropout: Some(0.0),
            keep: KeepEpoch::Last,
            ..TrainOptions::default()
        };
        let report = train_on(&mut model, &examples, &options);
        assert_eq!(report.curve.len(), training.losses.len());
        for (point, (loss, norm)) in report.curve.iter().zip(training.losses.iter().zip(&training.gradient_norms)) {
            close(&format!("loss of step {}", point.step), point.loss, *loss);
            close(&format!("gradient of step {}", point.step), point.gradient_norm, *norm);
        }
        // The probabilities do not depend on a bias of the keys: its gradient is the noise of rounding, which Adam blows up.
        for (name, [sum, norm]) in training.weights.iter().filter(|(name, _)| !name.ends_with("key.bias")) {
            let values: Vec<f32> = model.params[name].flatten_all().unwrap().to_vec1().unwrap();
            close(&format!("sum of {name}"), values.iter().map(|value| f64::from(*value)).sum(), *sum);
            let square: f64 = values.iter().map(|value| f64::from(*value).powi(2)).sum();
            close(&format!("norm of {name}"), square.sqrt(), *norm);
        }
    }
}
