//! int8 layers, and the files that hold them.

use super::*;

/// Quantises every linear layer, and the embeddings on request, but the modules in `ignore`.
fn quantize(mut model: Model, embeddings: bool, ignore: &[String]) -> Model {
    for parameter in parameters(&model.spec, &model.head) {
        let Some(module) = parameter.name.strip_suffix(".weight").filter(|_| parameter.shape.len() == 2) else {
            continue;
        };
        if ignore.iter().any(|name| name == module) || (!embeddings && module.contains("embeddings")) {
            continue;
        }
        let weight = model.params.remove(&parameter.name).unwrap();
        model.int8.insert(module.to_owned(), Int8Weight::from_f32(&weight).unwrap());
    }
    model.quantized = Quantized::Int8 { embeddings, ignore: ignore.to_vec() };
    model
}

/// Dequantised weights and fake-quantised activations, by candle's ops: the formula.
fn fake_quant(model: &Model, module: &str, x: &Tensor) -> Tensor {
    // candle divides by a constant as a product with its reciprocal, which is another number.
    let greatest: Vec<f32> = x.abs().unwrap().max(1).unwrap().to_vec1().unwrap();
    let scale: Vec<f32> = greatest.iter().map(|x| if *x == 0.0 { f32::EPSILON } else { x / 127.5 }).collect();
    let scale = Tensor::from_vec(scale, (x.dims()[0], 1), &Device::Cpu).unwrap();
    let q = x.broadcast_div(&scale).unwrap().clamp(-128.0_f32, 127.0).unwrap();
    // `round` of candle rounds halves away from zero.
    let q: Vec<f32> = q.flatten_all().unwrap().to_vec1::<f32>().unwrap().iter().map(|x| x.round_ties_even()).collect();
    let x = Tensor::from_vec(q, x.dims(), &Device::Cpu).unwrap().broadcast_mul(&scale).unwrap();
    let weight = model.int8[module].dequantize().unwrap();
    let bias = &model.params[&format!("{module}.bias")];
    x.matmul(&weight.t().unwrap()).unwrap().broadcast_add(bias).unwrap()
}

#[test]
fn int8_layers_equal_the_formula() {
    let model = quantize(load("tiny-classifier"), false, &[]);
    for (module, inputs) in
        [("bert.encoder.layer.0.attention.self.query", 30), ("bert.encoder.layer.2.output.dense", 50)]
    {
        let x: Vec<f32> =
            (0..40 * inputs).map(|i| ((i * 37 % 101) as f32 / 50.0 - 1.0) * (1.0 + (i / inputs) as f32)).collect();
        let x = Tensor::from_vec(x, (40, inputs), &Device::Cpu).unwrap();
        let found = model.int8[module].linear(&x, Some(&model.params[&format!("{module}.bias")])).unwrap();
        let expected = fake_quant(&model, module, &x);
        let size: f32 = expected.abs().unwrap().max_all().unwrap().to_scalar().unwrap();
        let distance = difference(&found, &expected);
        assert!(distance <= 1e-6 * size, "{module}: {distance} of {size}");
    }
}

#[test]
fn int8_files_are_those_of_compressed_tensors() {
    let model = Model::load(&folder("formats/fp32"), &Device::Cpu).unwrap();
    let ignore = ["bert.pooler.dense".to_owned(), "classifier".to_owned()];
    let int8 = quantize(model.clone(), false, &ignore);
    let dir = tempfile::tempdir().unwrap();
    int8.save(dir.path(), dir.path()).unwrap();
    let bytes = |dir: &Path| std::fs::read(dir.join("model.safetensors")).unwrap();
    assert_eq!(bytes(dir.path()), bytes(&folder("formats/ct")));
    // What that library wrote reads as what we computed, and gives the same logits.
    let theirs = Model::load(&folder("formats/ct"), &Device::Cpu).unwrap();
    assert_eq!(theirs.quantized, int8.quantized);
    assert_eq!(theirs.n_parameters(), model.n_parameters());
    let rows = Rows::of_lengths(&[5, 1, 30], model.spec.vocab_size);
    let logits = |model: &Model| model.forward(rows.packed(), Keep::default()).unwrap().logits.unwrap();
    assert_eq!(difference(&logits(&theirs), &logits(&int8)), 0.0);
    let distance = difference(&logits(&int8), &logits(&model));
    assert!(distance > 0.0 && distance < 0.02, "{distance}");
    assert!(int8.clone().trainable().is_err());
}

#[test]
fn int8_embeddings_read_back() {
    for name in ["tiny-classifier", "tiny-encoder"] {
        let model = load(name);
        let int8 = quantize(model.clone(), true, &[]);
        let dir = tempfile::tempdir().unwrap();
        int8.save(dir.path(), dir.path()).unwrap();
        let again = Model::load(dir.path(), &Device::Cpu).unwrap();
        assert_eq!(again.quantized, Quantized::Int8 { embeddings: true, ignore: Vec::new() });
        let (rows, _) = expected(name);
        let run = |model: &Model| model.forward(rows.packed(), EVERYTHING).unwrap();
        assert_eq!(difference(&run(&int8).last_hidden_state, &run(&again).last_hidden_state), 0.0);
        let distance = difference(&run(&int8).hidden_states[0], &run(&model).hidden_states[0]);
        assert!(distance > 0.0 && distance < 0.05, "{distance}");
    }
    // `transformers` cannot open a masked LM whose tied decoder is int8.
    let int8 = quantize(load("tiny-masked-lm"), true, &[]);
    let dir = tempfile::tempdir().unwrap();
    let error = int8.save(dir.path(), dir.path()).unwrap_err().to_string();
    assert!(error.contains("`bert.embeddings.word_embeddings` is also the decoder"), "{error}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}
