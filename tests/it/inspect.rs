//! `lmpipe inspect`: snapshots of what is said of the tiny models, for people and for programs.

use std::fs;

use crate::support::LmpipeTest;

#[test]
fn models_are_described() {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.set_snapshot_path("inspections");
    let _guard = settings.bind_to_scope();
    let test = LmpipeTest::new();
    for name in [
        "models/tiny-classifier",
        "models/tiny-pruned",
        "families/albert-classifier",
        "families/mobilebert-classifier",
        "families/modernbert-classifier-cls",
        "families/longformer-classifier",
        "formats/ct",
    ] {
        let folder = name.split_once('/').unwrap().1;
        test.copy_model(name, folder);
        insta::assert_snapshot!(folder, test.run(&["inspect", folder]).success().stdout);
    }
    insta::assert_snapshot!("ct-json", test.run(&["inspect", "ct", "--format", "json"]).success().stdout);
}

#[test]
fn the_numbers_add_up() {
    let test = LmpipeTest::with_model();
    let json = test.run(&["inspect", "model", "--format", "json"]).success().json();
    let sum = |key: &str| json["parts"].as_array().unwrap().iter().map(|part| part[key].as_u64().unwrap()).sum::<u64>();
    for key in ["parameters", "bytes", "zeros"] {
        assert_eq!(json["total"][key], sum(key), "{json:#}");
    }
    assert_eq!(json["total"]["bytes"].as_u64(), json["total"]["parameters"].as_u64().map(|count| 4 * count));
    assert_eq!((&json["tokenizer"]["kind"], &json["tokenizer"]["tokens"]), (&"word_piece".into(), &83.into()));
    let size = fs::metadata(test.path("model/model.safetensors")).unwrap().len();
    assert_eq!(json["weights"]["files"][0]["bytes"], size);
    test.write("model/vocab.txt", &(test.read("model/vocab.txt") + "more\n"));
    test.run(&["inspect", "model"]).success().gives(&["84 tokens, but the model has embeddings for 83"]);
}

#[test]
fn what_is_no_model_is_told() {
    let test = LmpipeTest::with_model();
    test.run(&["inspect"]).exits(2);
    test.run(&["inspect", "nothing"]).exits(2).tells(&["there is no folder `nothing`", "hint:"]);
    test.write("empty/config.json", "{}");
    test.run(&["inspect", "empty"]).exits(1).tells(&["cannot inspect `empty`: `empty/config.json`: `model_type`"]);
    test.write("model/model.safetensors", "version https://git-lfs");
    test.run(&["inspect", "model"]).exits(1).tells(&["`model/model.safetensors` is damaged"]);
}

#[test]
fn halves_are_written_and_seen() {
    let test = LmpipeTest::with_model();
    let wide = fs::metadata(test.path("model/model.safetensors")).unwrap().len();
    for dtype in ["f16", "bf16"] {
        let args = ["export", "model", "--to", "hf", "--dtype", dtype, "-o", dtype];
        let data = ["--data", "reviews.csv", "--rows", "5", "--format", "json"];
        let json = test.run(&[&args[..], &data].concat()).success().json();
        assert_eq!((&json["weights"], &json["agreement"]), (&dtype.into(), &1.0.into()), "{json}");
        assert!(json["size_bytes"].as_u64().unwrap() < wide * 6 / 10, "{json}");
        test.run(&["inspect", dtype]).success().gives(&[&format!(" {dtype} tensors"), "opens as it is"]);
        assert!(test.path(dtype).join("vocab.txt").is_file());
    }
    test.run(&["export", "model", "--to", "hf", "-o", "f32"]).success().gives(&[
        "wrote f32/model.safetensors",
        "checked: 4 rows of fixed ids run again by lmpipe: 100.0 % of labels are the same, logits differ by at most 0.0e0",
    ]);
    test.run(&["export", "model", "--to", "hf"]).exits(2).tells(&["name it with `-o DIR`"]);
    test.run(&["export", "model", "--to", "onnx", "--dtype", "f16"]).exits(2).tells(&["`--dtype` is for `--to hf`"]);
    test.run(&["export", "model", "--to", "hf", "-o", "model"]).exits(1).tells(&["would replace the model itself"]);
    test.run(&["export", "model", "--to", "hf", "--dtype", "int4", "-o", "x"]).exits(2);
}
