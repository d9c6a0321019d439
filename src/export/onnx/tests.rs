//! The graphs of the tiny models, run by rten beside lmpipe's own engine.

use super::*;
use crate::{
    base::device::DeviceId,
    export::{Format, MIN_AGREEMENT, Request, Samples, Target, Written, export, file},
    model::{
        self, Int8Weight, Quantized,
        tests::{MODELS, place},
    },
};

fn load(name: &str) -> Model {
    Model::load(&place(name), &model::candle_device(DeviceId::Cpu).unwrap()).unwrap()
}

/// All linear layers of the encoder as int8, and the tables.
fn int8(name: &str) -> Model {
    let mut model = load(name);
    let names: Vec<String> = model.params.keys().cloned().collect();
    for name in names {
        let module = name.strip_suffix(".weight").unwrap_or_default();
        let is_linear = module.contains(".encoder.layer.") && !module.ends_with("LayerNorm");
        if is_linear || module.ends_with("_embeddings") {
            let weight = model.params.remove(&name).unwrap();
            model.int8.insert(module.to_owned(), Int8Weight::from_f32(&weight).unwrap());
        }
    }
    model.quantized = Quantized::Int8 { embeddings: true, ignore: Vec::new() };
    model
}

fn write(model: Model) -> Result<Written, ExportError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.onnx");
    let samples = Samples::fixed(&model.spec, model.spec.type_vocab_size);
    let request =
        Request { model: dir.path(), format: Format::Onnx, data: None, rows: 1, max_length: 1, min_agreement: 0.99 };
    let encoded = file::encode(&model, &request)?;
    let written = file::draft(encoded, model, &request, &path, &samples).and_then(file::Draft::publish);
    assert_eq!(path.exists(), written.is_ok());
    written
}

#[test]
fn every_family_says_the_same_in_f32() {
    for name in MODELS {
        let written = write(load(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let found = written.comparison;
        assert!(found.largest_difference <= 1e-5 * found.largest.max(1.0), "{name}: {found:?}");
    }
}

#[test]
fn every_family_says_nearly_the_same_in_int8() {
    for name in MODELS {
        let written = write(int8(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let found = written.comparison;
        assert!(found.deviation() <= 0.04, "{name}: {} {found:?}", found.deviation());
    }
}

#[test]
fn an_int8_file_is_small_and_shares_what_is_quantised() {
    let draw = |model: &Model| draw(model).unwrap().graph.unwrap();
    let (plain, graph) = (draw(&load("distilbert-classifier")), draw(&int8("distilbert-classifier")));
    // Of so small a model, the graph itself is as many bytes as the weights.
    let weights = |graph: &proto::GraphProto| graph.initializer.iter().map(|it| it.raw_data.len()).sum::<usize>();
    assert!(weights(&graph) < weights(&plain) / 2, "{} {}", weights(&graph), weights(&plain));
    let count = |operation: &str| graph.node.iter().filter(|node| node.op_type == operation).count();
    let layers = load("distilbert-classifier").spec.n_layers();
    assert_eq!((count("DynamicQuantizeLinear"), count("MatMulInteger")), (4 * layers, 6 * layers));
    let names: std::collections::BTreeSet<_> = graph.node.iter().map(|node| &node.name).collect();
    assert_eq!(names.len(), graph.node.len(), "every node has a name of its own");
}

#[test]
fn windows_may_differ_by_the_layer() {
    let mut model = load("longformer-classifier");
    for (index, layer) in model.spec.layers.iter_mut().enumerate() {
        layer.reach = [Some(1), None, Some(3)][index % 3];
    }
    write(model).unwrap();
}

#[test]
fn a_model_is_not_written_over() {
    let dir = tempfile::tempdir().unwrap();
    let mut model = int8("tiny-classifier");
    if let Quantized::Int8 { embeddings, .. } = &mut model.quantized {
        *embeddings = true;
    }
    model.save(dir.path(), dir.path()).unwrap();
    let config = std::fs::read(dir.path().join("config.json")).unwrap();
    for format in [Format::Onnx, Format::Hf(crate::model::FloatType::F32)] {
        let request =
            Request { model: dir.path(), format, data: None, rows: 1, max_length: 8, min_agreement: MIN_AGREEMENT };
        let error = export(&request, Target::Folder(&dir.path().join("."))).unwrap_err().to_string();
        assert!(error.contains("it would replace the model itself"), "{error}");
    }
    assert_eq!(std::fs::read(dir.path().join("config.json")).unwrap(), config);
    assert!(!dir.path().join("model.onnx").exists());
}

#[test]
fn what_differs_is_not_published() {
    let mut model = load("tiny-classifier");
    let name = "bert.encoder.layer.0.output.dense.bias";
    let broken = (model.params[name].ones_like().unwrap() * f64::NAN).unwrap();
    model.params.insert(name.to_owned(), broken);
    let error = write(model).unwrap_err().to_string();
    assert!(error.contains("answers differently") && error.contains("nothing was published"), "{error}");
}

#[test]
fn what_is_too_large_is_refused_with_a_way_out() {
    assert!(check_size(MAX_BYTES).is_ok());
    let error = check_size(MAX_BYTES + 1).unwrap_err().to_string();
    assert!(error.contains("2.15 GB") && error.contains("`embeddings: true`"), "{error}");
}

#[test]
fn the_same_model_gives_the_same_bytes() {
    assert!(encode(&load("roberta-classifier")).unwrap() == encode(&load("roberta-classifier")).unwrap());
}
