//! Classifiers of every family through surgery and quantisation, written and read again.

use std::path::Path;

use candle_core::Device;

use super::{distill, layers, prune, quant, verify};
use crate::model::Model;

const CLASSIFIERS: [&str; 9] = [
    "models/tiny-classifier",
    "families/albert-classifier",
    "families/distilbert-classifier",
    "families/electra-classifier",
    "families/longformer-classifier",
    "families/mobilebert-classifier",
    "families/mobilebert-layer-norm",
    "families/modernbert-classifier-mean",
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
        let heads = prune::surgery::keep_heads(&mut model, &vec![vec![0, 2, 4], vec![1]]);
        let cannot = ["albert", "longformer", "modernbert"].iter().any(|family| name.contains(family));
        assert_eq!(heads.is_ok(), !cannot, "{name}: {heads:?}");
        let width = model.spec.layers[0].intermediate_size;
        let neurons = (0..model.spec.nets().len()).map(|net| (net % 2..width - 4 + net % 2).collect()).collect();
        prune::surgery::keep_neurons(&mut model, &neurons).unwrap();
        check(name, &model);
        let plan = quant::Quantization::plan(&model, quant::Scheme::W8A8, true, &[]).unwrap();
        let int8 = quant::quantize(&model, &plan).unwrap();
        quant::compare(&model, &int8, &plan).unwrap();
        check(name, &int8);
        let shape = distill::StudentShape { n_layers: 2, hidden_size: 20, heads: Some(2), intermediate_size: Some(20) };
        check(name, &distill::fresh_student(&teacher, &shape, 1).unwrap());
    }
}

/// What would be read as another model is refused before it is trained.
#[test]
fn students_that_no_config_describes_are_refused() {
    let fresh = |name: &str, hidden_size: usize| {
        let shape = distill::StudentShape { n_layers: 1, hidden_size, heads: Some(1), intermediate_size: Some(8) };
        distill::fresh_student(&load(name), &shape, 1).map(|_| ()).map_err(|error| error.to_string())
    };
    fresh("families/electra-masked-lm", 20).unwrap();
    let error = fresh("families/electra-masked-lm", 14).unwrap_err();
    assert!(error.contains("no projection of embeddings that are as wide as its layers, 14"), "{error}");
    let error = fresh("families/mobilebert-masked-lm", 8).unwrap_err();
    assert!(error.contains("wider than layers in MobileBERT: 14 against 8"), "{error}");
    let error = fresh("families/modernbert-masked-lm", 9).unwrap_err();
    assert!(error.contains("heads are 9 wide"), "{error}");
}

/// A config of defaults alone still says all of a model that has others.
#[test]
fn fresh_students_keep_what_their_family_has_other_defaults_for() {
    let mut teacher = load("families/modernbert-classifier-mean");
    teacher.spec.masked_lm_activation = crate::model::Activation::Relu;
    teacher.spec.classifier_dropout = Some(0.25);
    let shape = distill::StudentShape { n_layers: 2, hidden_size: 12, heads: Some(2), intermediate_size: Some(8) };
    check("modernbert", &distill::fresh_student(&teacher, &shape, 1).unwrap());
}

#[test]
fn every_family_loses_tokens_and_opens_again() {
    for name in CLASSIFIERS.into_iter().chain([
        "models/tiny-masked-lm",
        "families/albert-masked-lm",
        "families/mobilebert-masked-lm",
        "families/modernbert-masked-lm",
        "families/roberta-masked-lm",
    ]) {
        let mut model = load(name);
        let kept: Vec<u32> = (0..model.spec.vocab_size as u32).filter(|token| *token < 4 || token % 3 == 0).collect();
        prune::keep_tokens(&mut model, &kept).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(model.spec.vocab_size, kept.len());
        check(name, &model);
    }
    let mut model = load("families/roberta-classifier");
    let error = prune::keep_tokens(&mut model, &[0, 2, 3]).unwrap_err().to_string();
    assert!(error.contains("the number of the padding token, 1"), "{error}");
}
