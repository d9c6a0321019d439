//! Classifiers of every family through surgery and quantisation, written and read again.

use std::path::Path;

use candle_core::Device;

use super::{distill, layers, prune, quant, verify};
use crate::model::Model;

const CLASSIFIERS: [&str; 5] = [
    "models/tiny-classifier",
    "families/distilbert-classifier",
    "families/electra-classifier",
    "families/longformer-classifier",
    "families/roberta-classifier",
];

fn load(name: &str) -> Model {
    Model::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name), &Device::Cpu).unwrap()
}

fn check(name: &str, model: &Model) {
    let dir = tempfile::tempdir().unwrap();
    model.save(dir.path(), dir.path()).unwrap();
    let again = verify::read_back(model, dir.path()).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(again.notes, [""; 0], "{name}");
    assert_eq!(again.quantized, model.quantized, "{name}");
}

#[test]
fn every_family_is_compressed_and_opens_again() {
    for name in CLASSIFIERS {
        let teacher = load(name);
        let mut model = layers::keep_layers(&teacher, &[0, 2]).unwrap();
        check(name, &model);
        prune::surgery::keep_heads(&mut model, &vec![vec![0, 2, 4], vec![1]]).unwrap();
        prune::surgery::keep_neurons(&mut model, &vec![(0..30).collect(), (20..50).collect()]).unwrap();
        check(name, &model);
        let plan = quant::Quantization::plan(&model, quant::Scheme::W8A8, true, &[]).unwrap();
        let int8 = quant::quantize(&model, &plan).unwrap();
        quant::compare(&model, &int8, &plan).unwrap();
        check(name, &int8);
        let shape = distill::StudentShape { n_layers: 1, hidden_size: 12, heads: Some(2), intermediate_size: Some(20) };
        check(name, &distill::fresh_student(&teacher, &shape, 1).unwrap());
    }
}
