//! `export --to gguf`: files, folders, what is told, and what does not fit together.

use std::fs;

use crate::support::LmpipeTest;

#[test]
fn a_file_or_a_folder_for_llama_cpp() {
    let test = LmpipeTest::with_model();
    test.run(&["export", "model", "--to", "gguf"]).success().gives(&[
        "wrote model.gguf",
        "note: a classifier: with the pooling `rank`, llama.cpp gives the logits of ",
        "checked: 4 rows of fixed ids run again by lmpipe as llama.cpp computes: 100.0 % of labels are the same",
        "GELU is the tanh approximation there",
    ]);
    let file = fs::read(test.path("model.gguf")).unwrap();
    assert!(file.starts_with(b"GGUF"));
    let rows = ["--data", "reviews.csv", "--rows", "5", "--max-length", "16", "--format", "json"];
    let json = test.run(&[&["export", "model", "--to", "gguf", "-o", "out"], &rows[..]].concat()).success().json();
    // Rows of 30 numbers are no multiple of 32.
    assert_eq!((&json["weights"], &json["agreement"]), (&"q8_0 and f16".into(), &1.0.into()), "{json}");
    assert_eq!(json["notes"].as_array().unwrap().len(), 1, "{json}");
    assert!(fs::read(test.path("out/model.gguf")).unwrap() == file, "the same model gives the same bytes");
    for name in ["out/config.json", "out/vocab.txt"] {
        assert!(test.path(name).is_file(), "{name}");
    }
    for (dtype, name) in [("f32", "f32"), ("f16", "f16"), ("bf16", "bf16"), ("q8_0", "q8_0 and f16")] {
        let args = ["export", "model", "--to", "gguf", "--dtype", dtype, "-o", "typed.gguf", "--format", "json"];
        assert_eq!(test.run(&args).success().json()["weights"], name);
    }
}

#[test]
fn what_does_not_fit_is_told() {
    let test = LmpipeTest::with_model();
    test.copy_model("families/roberta-encoder", "roberta").copy_model("formats/ct", "int8");
    test.run(&["export", "roberta", "--to", "gguf", "-o", "out"])
        .exits(1)
        .tells(&["llama.cpp's architecture `bert` cannot be this model (`model_type` `roberta`)"]);
    test.run(&["export", "int8", "--to", "gguf", "-o", "out"]).exits(1).tells(&["export the f32 model"]);
    assert!(!test.path("out").exists());
    test.run(&["export", "model", "--to", "hf", "--dtype", "q8_0", "-o", "out"])
        .exits(2)
        .tells(&["`--dtype q8_0` is for `--to gguf`"]);
    test.run(&["export", "model", "--to", "gguf", "--dtype", "int4"]).exits(2);
}
