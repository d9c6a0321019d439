//! Terms against finite differences, and distillations of a tiny encoder.

#[cfg(feature = "cuda")]
mod cuda;

use candle_core::Device;

use super::*;
use crate::{
    compress::layers::{Selection, keep_layers},
    data::{Batch, Order, batches},
    model::{Head, Model, Packed},
    train::{
        self, Examples, Objective, TrainData, TrainOptions,
        loss::finite_difference::{check, numbers},
        tests::tiny,
    },
};

fn output(states: &[Tensor], attentions: &[Tensor]) -> Output {
    Output {
        last_hidden_state: states.last().unwrap().clone(),
        logits: None,
        hidden_states: states.to_vec(),
        attentions: attentions.to_vec(),
        projections: Vec::new(),
    }
}

fn tensor(shape: &[usize], seed: u64) -> Tensor {
    Tensor::from_vec(numbers(shape.iter().product(), seed), shape, &Device::Cpu).unwrap()
}

/// Rows of one and of two tokens.
fn prepared() -> Prepared {
    let batch = Batch { input_ids: vec![0; 3], type_ids: vec![0; 3], offsets: vec![0, 1, 3], rows: vec![0, 1] };
    Prepared { batch, ..Prepared::default() }
}

fn loss_of(term: &dyn Term, student: &Output, teacher: Output) -> candle_core::Result<Tensor> {
    let prepared = prepared();
    let scope = Scope::of(std::slice::from_ref(&prepared));
    let teacher = TeacherOutput::of_states(teacher);
    term.loss(student, &teacher, &prepared, &scope).map_err(candle_core::Error::msg)
}

#[test]
fn gradients_of_hidden_states() {
    let teacher = || output(&[tensor(&[3, 4], 1), tensor(&[3, 4], 2), tensor(&[3, 4], 3)], &[]);
    for width in [4, 2] {
        let embeddings = tensor(&[3, width], 4);
        let last = LastHidden::new(width, 4, 5, &Device::Cpu).unwrap();
        let layers = HiddenLayers::new(vec![1], width, 4, 5, &Device::Cpu).unwrap();
        assert_eq!((last.variables().len(), layers.variables().len()), if width == 4 { (0, 0) } else { (1, 2) });
        for term in [&last as &dyn Term, &layers] {
            check(&[3, width], &numbers(3 * width, 6), 2e-3, |x| {
                loss_of(term, &output(&[embeddings.clone(), x.clone()], &[]), teacher())
            });
        }
    }
    // Without a projection the last hidden state's loss is torch's `mse_loss`.
    let (a, b) = (tensor(&[3, 4], 7), tensor(&[3, 4], 8));
    let expected = (&a - &b).unwrap().sqr().unwrap().mean_all().unwrap().to_scalar::<f32>().unwrap();
    let term = LastHidden::new(4, 4, 5, &Device::Cpu).unwrap();
    let found = loss_of(&term, &output(&[a], &[]), output(&[b], &[])).unwrap().to_scalar::<f32>().unwrap();
    assert!((found - expected).abs() < 1e-6);
}

#[test]
fn gradients_of_attentions() {
    // Two heads in the teacher: 2 · (1 + 4) probabilities; two or one in the student.
    let states = [tensor(&[3, 4], 1)];
    let teacher = || output(&states, &[tensor(&[10], 2), tensor(&[10], 3)]);
    for heads in [2, 1] {
        let term = Attention::new(vec![1], vec![heads], vec![2, 2], Comparison::SquaredError);
        check(&[heads * 5], &numbers(heads * 5, 4), 2e-3, |x| {
            loss_of(&term, &output(&states, std::slice::from_ref(x)), teacher())
        });
        // Of probabilities, which are positive.
        let positive = |seed: u64| tensor(&[10], seed).affine(0.4, 0.5).unwrap();
        let term = Attention::new(vec![1], vec![heads], vec![2, 2], Comparison::Divergence);
        let point: Vec<f32> = numbers(heads * 5, 4).iter().map(|x| 0.4 * x + 0.5).collect();
        check(&[heads * 5], &point, 2e-3, |x| {
            loss_of(&term, &output(&states, std::slice::from_ref(x)), output(&states, &[positive(2), positive(3)]))
        });
    }
}

#[test]
fn gradients_of_relations() {
    let with =
        |projections: [Tensor; 3]| Output { projections: vec![projections], ..output(&[tensor(&[3, 4], 1)], &[]) };
    let teacher = || with([1, 2, 3].map(|seed| tensor(&[3, 8], seed)));
    let term = Relations::new(2, 4, 8).unwrap();
    for place in 0..3 {
        check(&[3, 4], &numbers(12, 7), 2e-3, |x| {
            let mut projections = [4, 5, 6].map(|seed| tensor(&[3, 4], seed));
            projections[place] = x.clone();
            loss_of(&term, &with(projections), teacher())
        });
    }
    let same = [1, 2, 3].map(|seed| tensor(&[3, 8], seed));
    let term = Relations::new(4, 8, 8).unwrap();
    let loss = loss_of(&term, &with(same), teacher()).unwrap().to_scalar::<f32>().unwrap();
    assert!(loss.abs() < 1e-6, "{loss}");
    assert!(Relations::new(3, 4, 8).is_err());
}

fn all_terms(teacher: &Model, student: &Model) -> Vec<WeightedTerm> {
    let mapping = uniform_mapping(student.spec.n_layers(), teacher.spec.n_layers());
    let (width, teacher_width) = (student.spec.hidden_size, teacher.spec.hidden_size);
    let heads = |model: &Model| model.spec.layers.iter().map(|layer| layer.heads).collect();
    let device = &student.device;
    vec![
        (0.5, Box::new(Logits { temperature: 2.0 })),
        (0.5, Box::new(Hard::default())),
        (0.1, Box::new(LastHidden::new(width, teacher_width, 1, device).unwrap())),
        (0.1, Box::new(HiddenLayers::new(mapping.clone(), width, teacher_width, 1, device).unwrap())),
        (0.1, Box::new(Attention::new(mapping.clone(), heads(student), heads(teacher), Comparison::SquaredError))),
        (0.1, Box::new(Attention::new(mapping, heads(student), heads(teacher), Comparison::Divergence))),
        (0.1, Box::new(Relations::new(2, width, teacher_width).unwrap())),
    ]
}

fn train_on(student: &mut Model, objective: &Distillation, examples: &Examples) -> train::TrainReport {
    let options = TrainOptions { epochs: 4, batch_size: 8, learning_rate: 3e-3, ..TrainOptions::default() };
    let data = TrainData { train: examples, validation: Some(examples) };
    train::train(student, data, objective, &options, &mut ()).unwrap()
}

#[test]
fn a_narrower_student_learns_all_terms() {
    let (teacher, examples) = tiny();
    let shape = StudentShape { n_layers: 1, hidden_size: 8, heads: Some(1), intermediate_size: None };
    let mut student = fresh_student(&teacher, &shape, 2).unwrap();
    let terms = all_terms(&teacher, &student);
    let objective = Distillation::new(Teacher::new(&teacher), terms).unwrap();
    assert_eq!(objective.needs(), Needs::States);
    let projection = objective.variables()["layers_projection"].as_detached_tensor().copy().unwrap();
    let report = train_on(&mut student, &objective, &examples);
    assert_eq!(report.without_gradient, [""; 0]);
    let names: Vec<_> = report.part_curves(10).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["logits", "hard", "hidden", "hidden_layers", "attention", "attention_kl", "relations"]);
    assert!(report.epochs[3].loss < report.epochs[0].loss, "{:?}", report.epochs);
    let moved = (objective.variables()["layers_projection"].as_detached_tensor() - projection).unwrap();
    assert!(moved.abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap() > 1e-3);
    assert_eq!(student.params["bert.embeddings.word_embeddings.weight"].dims(), [20, 8]);
    assert!(!student.params.keys().any(|name| name.contains("projection")));
}

#[test]
fn what_is_known_before_is_that_of_each_batch() {
    let run = |known: bool, hidden: f64| {
        let (teacher, examples) = tiny();
        let mut student = student_of_layers(&teacher, &Selection::First(1)).unwrap();
        let last = LastHidden::new(16, 16, 1, &Device::Cpu).unwrap();
        let terms: Vec<WeightedTerm> = vec![(1.0, Box::new(Logits { temperature: 2.0 })), (hidden, Box::new(last))];
        let mut objective = Distillation::new(Teacher::new(&teacher), terms).unwrap();
        assert_eq!(objective.needs(), if hidden > 0.0 { Needs::LastState } else { Needs::Logits });
        let mut told = Vec::new();
        if known && hidden > 0.0 {
            objective.teacher_mut().keep_states().unwrap();
        } else if known {
            let progress = &mut |done| {
                told.push(done);
                true
            };
            objective.teacher_mut().learn_logits(&examples, progress).unwrap();
        }
        train_on(&mut student, &objective, &examples).curve
    };
    for hidden in [0.0, 0.5] {
        for (a, b) in run(true, hidden).iter().zip(&run(false, hidden)) {
            assert!((a.loss - b.loss).abs() < 1e-5, "step {}: {} and {}", a.step, a.loss, b.loss);
        }
    }
}

#[test]
fn kept_layers_compute_what_they_did() {
    let (model, examples) = tiny();
    let batch = &batches(&examples.encodings, 8, Order::File)[0];
    let packed = Packed::new(&batch.input_ids, &batch.type_ids, &batch.offsets);
    let keep = Keep { hidden_states: true, ..Keep::default() };
    let whole = model.forward(packed, keep).unwrap();
    let values = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();

    let first = keep_layers(&model, &[0]).unwrap();
    assert_eq!(first.spec.n_layers(), 1);
    assert_eq!(values(&first.forward(packed, keep).unwrap().last_hidden_state), values(&whole.hidden_states[1]));
    assert_eq!(first.head, Head::SequenceClassification { labels: vec!["no".into(), "yes".into()] });

    let all = keep_layers(&model, &[0, 1]).unwrap();
    assert_eq!(values(all.forward(packed, keep).unwrap().logits.as_ref().unwrap()), values(&whole.logits.unwrap()));

    let second = keep_layers(&model, &[1]).unwrap();
    let name = |layer: usize| format!("bert.encoder.layer.{layer}.attention.self.query.weight");
    assert_eq!(values(&second.params[&name(0)]), values(&model.params[&name(1)]));
    assert!(!second.params.contains_key(&name(1)));
}
