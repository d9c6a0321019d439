//! CUDA beside the processor: a distillation by all terms.

use super::*;
use crate::{model::tests::cuda, train::tests::tiny_on};

#[test]
fn distillations_are_those_of_the_processor() {
    let Some(cuda) = cuda() else { return };
    for heads in [1, 2] {
        let run = |device: &Device| {
            let (teacher, examples) = tiny_on(device);
            let shape = StudentShape { n_layers: 1, hidden_size: 8, heads: Some(heads), intermediate_size: None };
            let mut student = fresh_student(&teacher, &shape, 2).unwrap();
            let terms = all_terms(&teacher, &student);
            let objective = Distillation::new(Teacher::new(&teacher), terms).unwrap();
            train_on(&mut student, &objective, &examples).curve
        };
        for (found, expected) in run(&cuda).iter().zip(&run(&Device::Cpu)) {
            for ((name, found), (_, expected)) in found.parts.iter().zip(&expected.parts) {
                assert!((found - expected).abs() < 1e-3 * expected.abs().max(1.0), "{name}: {found} and {expected}");
            }
            let norms = (found.gradient_norm, expected.gradient_norm);
            assert!((norms.0 - norms.1).abs() < 5e-3 * norms.1, "step {}: {norms:?}", expected.step);
        }
    }
}

#[test]
fn what_a_teacher_is_known_to_say_is_what_it_says() {
    let Some(cuda) = cuda() else { return };
    let run = |device: &Device| {
        let (teacher, examples) = tiny_on(device);
        let mut student = student_of_layers(&teacher, &Selection::First(1)).unwrap();
        let terms: Vec<WeightedTerm> = vec![(1.0, Box::new(Logits { temperature: 2.0 }))];
        let mut objective = Distillation::new(Teacher::new(&teacher), terms).unwrap();
        objective.teacher_mut().learn_logits(&examples, &mut |_| true).unwrap();
        train_on(&mut student, &objective, &examples).curve
    };
    for (found, expected) in run(&cuda).iter().zip(&run(&Device::Cpu)) {
        assert!((found.loss - expected.loss).abs() < 1e-3, "{} and {}", found.loss, expected.loss);
    }
}
