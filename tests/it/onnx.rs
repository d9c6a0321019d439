//! Exported files, in ONNX Runtime: what it makes of each family, and which operations it fuses.

use std::{path::Path, process::Command};

use lmpipe::{
    base::device::DeviceId,
    model::{Model, Packed, Positions, candle_device},
    runtime::Executor,
};
use serde_json::{Value, json};

use crate::support::{
    LmpipeTest,
    python::{Needs, python},
    root,
};

const MODELS: [&str; 10] = [
    "models/tiny-classifier",
    "models/tiny-gelu-new",
    "models/tiny-masked-lm",
    "models/tiny-pruned",
    "families/distilbert-classifier",
    "families/electra-classifier",
    "families/longformer-classifier",
    "families/longformer-masked-lm",
    "families/roberta-encoder",
    "families/xlm-roberta-classifier",
];

#[test]
fn onnxruntime_says_the_same() {
    let Some(python) = python(&Needs { package: "onnxruntime", module: "onnxruntime" }) else { return };
    let test = LmpipeTest::new();
    let mut cases = Vec::new();
    for name in MODELS {
        let model = root().join("tests/data").join(name);
        let file = format!("{}.onnx", name.replace('/', "-"));
        test.run(&["export", &model.display().to_string(), "--to", "onnx", "-o", &file]).success();
        cases.push(case(&model, &test.path(&file)));
    }
    // The weights of the formats are an int8 model of lmpipe's own, whose embeddings are f32.
    let int8 = root().join("tests/data/formats/own_MIN");
    test.run(&["export", &int8.display().to_string(), "--to", "onnx", "-o", "int8.onnx"]).success();
    cases.push(case(&int8, &test.path("int8.onnx")));

    let found = check(&python, &test, &cases);
    assert_eq!(found.len(), cases.len(), "{found:?}");
    for (name, found) in MODELS.iter().zip(&found) {
        let difference = found["difference"].as_f64().unwrap_or(f64::INFINITY);
        assert!(difference <= 1e-5, "{name}: {found}");
        let has = |operation: &str| found["operations"][operation].as_u64().unwrap_or(0) > 0;
        let activations = ["Gelu", "BiasGelu", "FastGelu", "Relu"];
        assert!(!has("Erf") && activations.into_iter().any(has), "{name}: {found}");
        assert!(has("SkipLayerNormalization"), "{name}: {found}");
    }
    let int8 = &found[MODELS.len()];
    let count = |operation: &str| int8["operations"][operation].as_u64().unwrap_or(0);
    // Per layer: queries, keys and values share their quantised input; the other three have one each.
    assert_eq!(
        (count("MatMulIntegerToFloat"), count("DynamicQuantizeMatMul"), count("MatMulInteger")),
        (6, 6, 0),
        "{int8}"
    );
    let (difference, largest) = (int8["difference"].as_f64().unwrap(), int8["largest"].as_f64().unwrap());
    assert!(difference <= 0.1 * largest, "{int8}");
}

/// A padded batch of a model, and what lmpipe says about it.
fn case(model: &Path, file: &Path) -> Value {
    let model = Model::load(model, &candle_device(DeviceId::Cpu).unwrap()).unwrap();
    let spec = model.spec.clone();
    let lengths = [7, 12, 1];
    let mut offsets = vec![0];
    for length in lengths {
        offsets.push(offsets[offsets.len() - 1] + length);
    }
    let tokens = offsets[lengths.len()];
    let input_ids: Vec<u32> = (0..tokens).map(|i| ((i * 31 + 7) % spec.vocab_size) as u32).collect();
    let type_ids: Vec<u32> = (0..tokens).map(|i| (i % spec.type_vocab_size.clamp(1, 2)) as u32).collect();
    let executor = Executor::new(model).unwrap();
    let packed = Packed::new(&input_ids, &type_ids, &offsets);
    let logits = executor.logits(packed).unwrap();
    let answers = logits.unwrap_or_else(|| executor.last_hidden_state(packed).unwrap());

    let longest = 12;
    let padding = match spec.positions {
        Positions::FromZero | Positions::NoTable => 0,
        Positions::AfterPadding(padding) => padding,
    };
    let rows = |values: &[u32], padding: u32| -> Vec<Vec<u32>> {
        let row = |ends: &[usize]| {
            let mut row = values[ends[0]..ends[1]].to_vec();
            row.resize(longest, padding);
            row
        };
        offsets.windows(2).map(row).collect()
    };
    let seen = rows(&vec![1; tokens], 0);
    let mut inputs = json!({"input_ids": rows(&input_ids, padding), "attention_mask": seen});
    if spec.type_vocab_size > 1 {
        inputs["token_type_ids"] = json!(rows(&type_ids, 0));
    }
    let (shape, values) = if answers.len().is_multiple_of(tokens) {
        let width = answers.len() / tokens;
        let mut padded = vec![0.0; lengths.len() * longest * width];
        for (row, ends) in offsets.windows(2).enumerate() {
            let numbers = &answers[ends[0] * width..ends[1] * width];
            padded[row * longest * width..][..numbers.len()].copy_from_slice(numbers);
        }
        (json!([lengths.len(), longest, width]), padded)
    } else {
        (json!([lengths.len(), answers.len() / lengths.len()]), answers)
    };
    json!({"file": file, "inputs": inputs, "expected": {"shape": shape, "values": values, "seen": seen}})
}

fn check(python: &Path, test: &LmpipeTest, cases: &[Value]) -> Vec<Value> {
    test.write("cases.json", &json!(cases).to_string());
    let script = root().join("tests/reference/onnx_check.py");
    let output = Command::new(python).arg(script).arg("arrays").arg(test.path("cases.json")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
