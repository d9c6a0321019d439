//! The command line: usage, output for people and programs, exit codes, what is committed and must be fresh.

use std::{fs, io::Write, process::Stdio};

use crate::support::{LmpipeTest, Outcome, root};

#[test]
fn help_lists_the_commands_and_the_exit_codes() {
    let help = LmpipeTest::new().run(&["--help"]).success();
    help.gives(&[
        "run",
        "plan",
        "validate",
        "dag",
        "gate",
        "data",
        "diff",
        "report",
        "bench",
        "predict",
        "summarize",
        "export",
        "inspect",
        "stages",
        "schema",
        "init",
    ])
    .gives(&["cache", "doctor", "completions", "Exit codes:", "130  interrupted"]);
}

#[test]
fn the_worker_is_hidden() {
    let help = LmpipeTest::new().run(&["--help"]).success();
    assert!(!help.stdout.contains("__probe"), "{}", help.stdout);
}

#[test]
fn version() {
    assert_eq!(
        LmpipeTest::new().run(&["--version"]).success().stdout,
        format!("lmpipe {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn wrong_usage_exits_with_2() {
    let test = LmpipeTest::new();
    for args in [
        &[][..],
        &["rum"],
        &["run"],
        &["run", "a.yaml", "--sett", "x=1"],
        &["run", "a.yaml", "--set", "x"],
        &["plan", "a.yaml", "--format", "xml"],
        &["predict", "model", "--batch", "0"],
        &["predict", "model", "--device", "gpu"],
        &["summarize", "model", "--early-stopping", "maybe"],
        &["export", "model"],
        &["export", "model", "--to", "tflite"],
        &["export", "model", "--to", "onnx", "--data", "rows.csv", "--min-agreement", "99"],
        &["stages", "distill", "--markdown"],
        &["completions", "tcsh"],
    ] {
        let outcome = test.run(args).exits(2);
        assert!(!outcome.stderr.is_empty() && outcome.stdout.is_empty(), "{args:?}: {outcome:?}");
    }
    test.run(&["rum"]).exits(2).tells(&["'run'"]);
}

#[test]
fn recipes_that_are_not_there() {
    let test = LmpipeTest::started();
    for command in ["run", "plan", "validate", "dag", "gate"] {
        test.run(&[command, "recipes.yaml"])
            .exits(2)
            .tells(&["error: there is no file `recipes.yaml`", "hint: did you mean `recipe.yaml`?"]);
        test.run(&[command, "."]).exits(2).tells(&["`.` is a folder, not a recipe"]);
    }
    test.run(&["report", "nothing.yaml"]).exits(2).tells(&["there is no file `nothing.yaml`"]);
}

#[test]
fn stages_are_listed_and_explained() {
    let test = LmpipeTest::new();
    test.run(&["stages"]).success().gives(&["normalize", "distill", "inputs", "dataset"]);
    test.run(&["stages", "distill"]).success().gives(&["teacher", "temperature", "with"]);
    test.run(&["stages", "distil"]).exits(2).tells(&["no stage is called `distil`", "did you mean `distill`?"]);
}

#[test]
fn the_committed_schema_is_fresh() {
    let committed = fs::read_to_string(root().join("lmpipe.schema.json")).unwrap_or_default();
    let made = LmpipeTest::new().run(&["schema"]).success();
    assert!(made.json().is_object());
    assert!(committed == made.stdout, "stale: `lmpipe schema > lmpipe.schema.json`");
}

#[test]
fn the_committed_stage_reference_is_fresh() {
    let committed = fs::read_to_string(root().join("docs/stages.md")).unwrap_or_default();
    let made = LmpipeTest::new().run(&["stages", "--markdown"]).success().stdout;
    assert!(committed == made, "stale: `lmpipe stages --markdown > docs/stages.md`");
}

#[test]
fn init_writes_a_recipe_that_is_right_and_overwrites_nothing() {
    let test = LmpipeTest::new();
    test.run(&["init", "new/project"]).success().tells(&["wrote", "recipe.yaml", "next:"]);
    test.run(&["validate", "new/project/recipe.yaml"]).success().tells(&["2 inputs", "9 stages", "2 gates"]);
    test.write("new/project/recipe.yaml", "mine");
    fs::remove_file(test.path("new/project/reviews.csv")).unwrap();
    test.run(&["init", "new/project"]).exits(2).tells(&["already exist", "nothing was written"]);
    assert_eq!(test.read("new/project/recipe.yaml"), "mine");
    assert!(!test.path("new/project/reviews.csv").exists());
}

#[test]
fn plans_for_people_and_programs() {
    let test = LmpipeTest::started();
    test.run(&["plan", "recipe.yaml"]).success().gives(&[
        "starter",
        "will run",
        "never made",
        "of 11 stages would run",
    ]);
    let shown = test.run(&["plan", "recipe.yaml", "--format", "json"]).success().json();
    let stages: Vec<&str> =
        shown["stages"].as_array().unwrap().iter().map(|stage| stage["stage"].as_str().unwrap()).collect();
    assert!(stages.contains(&"scores@int8") && stages.contains(&"reviews"), "{stages:?}");
    test.run(&["plan", "recipe.yaml", "--check"]).exits(4);
    test.run(&["plan", "recipe.yaml", "--why", "reviews"]).success().gives(&["reviews", "will run", "key now"]);
    test.run(&["plan", "recipe.yaml", "--why", "teachr"]).exits(2).tells(&["did you mean `teacher`?"]);
    assert!(!test.path(".lmpipe").exists(), "looking makes nothing");
}

#[test]
fn graphs_in_three_languages() {
    let test = LmpipeTest::started();
    for (format, texts) in
        [("text", ["teacher", "scores@int8"]), ("dot", ["digraph", "->"]), ("mermaid", ["flowchart", "-->"])]
    {
        test.run(&["dag", "recipe.yaml", "--format", format]).success().gives(&texts);
    }
}

#[test]
fn a_store_without_runs() {
    let test = LmpipeTest::started();
    test.run(&["gate", "recipe.yaml"]).exits(1).tells(&["was never run", "lmpipe run recipe.yaml"]);
    test.run(&["report", "recipe.yaml"]).exits(1).tells(&["was never run"]);
    test.run(&["diff", "latest", "latest"]).exits(2).tells(&["holds no run"]);
    test.run(&["cache", "ls"]).success().tells(&["is empty"]);
    test.run(&["cache", "verify"]).success();
    test.run(&["cache", "size"]).success().gives(&["objects  0"]);
    test.run(&["cache", "path"]).success().gives(&[".lmpipe"]);
    test.run(&["cache", "ls", "--store", "nowhere"]).exits(2).tells(&["there is no store `nowhere`"]);
}

#[test]
fn stores_that_cannot_be_used_exit_with_5() {
    let test = LmpipeTest::started();
    test.write(".lmpipe/version", "99\n");
    for args in [&["run", "recipe.yaml"][..], &["plan", "recipe.yaml"], &["cache", "ls"]] {
        test.run(args).exits(5).tells(&["has format 99"]);
    }
    test.run(&["doctor"]).exits(1).gives(&["has format 99"]);
}

#[test]
fn the_store_can_be_elsewhere() {
    let test = LmpipeTest::started();
    test.run(&["cache", "path", "--store", "other"]).success().gives(&["other"]);
    Outcome::of(test.command(&["cache", "path"]).env("LMPIPE_STORE", "third")).success().gives(&["third"]);
}

#[test]
fn doctor_looks_at_the_machine() {
    let test = LmpipeTest::new();
    test.run(&["doctor"]).success().gives(&["processor", "cores", "memory", "device", "pip", "temporary files"]);
    let findings = test.run(&["doctor", "--format", "json"]).success().json();
    let device = |name: &str| findings.as_array().unwrap().iter().any(|finding| finding["text"] == name);
    assert!(device("cpu"), "{findings:#}");
}

#[test]
fn completions_for_every_shell() {
    let test = LmpipeTest::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        test.run(&["completions", shell]).success().gives(&["lmpipe", "validate"]);
    }
}

#[test]
fn color_and_quiet() {
    let test = LmpipeTest::started();
    let plain = test.run(&["stages"]).success().stdout;
    assert!(!plain.contains('\x1b'), "no color in a pipe");
    assert!(test.run(&["stages", "--color", "always"]).success().stdout.contains('\x1b'));
    let quiet = test.run(&["validate", "-q", "recipe.yaml"]).success();
    assert!(quiet.stdout.is_empty() && quiet.stderr.is_empty(), "{quiet:?}");
    test.run(&["validate", "-q", "nothing.yaml"]).exits(2).tells(&["there is no file"]);
}

#[test]
fn environment_that_is_wrong_is_told() {
    let test = LmpipeTest::new();
    Outcome::of(test.command(&["stages"]).env("LMPIPE_LOG", "lmpipe=loud")).exits(2).tells(&["`LMPIPE_LOG`"]);
    Outcome::of(test.command(&["stages"]).env("LMPIPE_ISA", "mmx")).exits(2).tells(&["`LMPIPE_ISA`"]);
    Outcome::of(test.command(&["stages"]).env("LMPIPE_ISA", "generic")).success();
}

#[test]
fn nobody_reads_and_that_is_fine() {
    let test = LmpipeTest::new();
    let mut child =
        test.command(&["stages", "--markdown"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0), "{output:?}");
}

#[test]
fn models_are_measured_side_by_side() {
    let test = LmpipeTest::new();
    let model = root().join("tests/data/models/tiny-classifier").display().to_string();
    let args = ["bench", &model, "--length", "4,8", "--rounds", "3"];
    test.run(&args).success().gives(&["tiny-classifier", "p50", "on disk", "peak memory"]);
    let json = test.run(&[&args[..], &["--format", "json", "--no-memory"]].concat()).success().json();
    let names: Vec<_> = json["metrics"].as_array().unwrap().iter().map(|metric| &metric["name"]).collect();
    assert!(names.iter().any(|name| *name == "tiny-classifier.latency.b1_l8.p50_ms"), "{names:?}");
    test.run(&["bench"]).exits(2);
    test.run(&["bench", "nothing"]).exits(2).tells(&["there is no folder `nothing`", "hint:"]);
    test.run(&["bench", &model, "--length", "100000"]).exits(1).tells(&["positions"]);
}

#[test]
fn models_are_measured_on_real_rows() {
    let test = LmpipeTest::new();
    // The tiny models have no words of their own.
    let words = (5..83).map(|word| format!("w{word}")).collect::<Vec<_>>().join("\n");
    for (name, tiny) in [("own", "tiny-classifier"), ("plain", "tiny-encoder")] {
        test.write(&format!("{name}/vocab.txt"), &format!("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n{words}\n"));
        for file in ["config.json", "model.safetensors"] {
            std::fs::copy(root().join("tests/data/models").join(tiny).join(file), test.path(name).join(file)).unwrap();
        }
    }
    test.write("rows.csv", "said,split\nw5 w6,train\nw7,test\nw9 w8 w7,test\n");
    let bench =
        |more: &[&str]| test.run(&[&["bench", "own", "--length", "4", "--rounds", "3", "--no-memory"], more].concat());
    let rows =
        ["--data", "rows.csv", "--text", "said", "--max-length", "8", "--rows-batch", "2", "--baseline", "plain"];
    bench(&rows).success().gives(&["a real row", "against the baseline"]);
    let json = bench(&[&rows[..], &["--format", "json"]].concat()).success().json();
    assert!(json["facts"]["throughput"].as_str().unwrap().starts_with("3 rows of `rows.csv`"), "{json}");
    let metric = |name: &str| json["metrics"].as_array().unwrap().iter().find(|metric| metric["name"] == name).cloned();
    for name in ["plain.rows.ms_per_row", "own.rows.ms_per_row", "own.rows.speedup"] {
        let found = metric(name).unwrap();
        assert!(found["value"].as_f64().unwrap() > 0.0 && found["interval"].is_array(), "{found}");
    }
    assert_eq!(metric("plain.rows.speedup"), None, "what the others are compared with");
    bench(&["--data", "none.csv"]).exits(2).tells(&["there is no file `none.csv`"]);
    bench(&["--data", "rows.csv"]).exits(1).tells(&["`text`"]);
    bench(&["--baseline", "none"]).exits(2).tells(&["there is no folder `none`"]);
}

#[test]
fn predictions_need_a_model_and_texts() {
    let test = LmpipeTest::new();
    test.run(&["predict", "nothing"]).exits(2).tells(&["there is no folder `nothing`", "hint:"]);
    test.write("model/config.json", "{}");
    test.run(&["predict", "model", "texts"]).exits(2).tells(&["cannot read `texts`"]);
    test.run(&["predict", "model", "model"]).exits(2).tells(&["is a folder"]);
    test.run(&["predict", "model", "--device", "cuda:0"]).exits(2).tells(&["cuda"]);
    let mut child = test.command(&["predict", "model"]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // The program may have ended before it was asked.
    let _ = child.stdin.take().unwrap().write_all(b"a text\n");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(
        String::from_utf8_lossy(&output.stderr).starts_with("error: cannot classify standard input with `model`: ")
    );
}

#[test]
fn a_led_writes_and_is_told_apart() {
    let test = LmpipeTest::new();
    let led = root().join("tests/data/led/conditional").display().to_string();
    test.run(&["summarize", "nothing"]).exits(2).tells(&["there is no folder `nothing`", "hint:"]);
    test.run(&["summarize", &led, "none.txt"]).exits(2).tells(&["none.txt"]);
    test.run(&["summarize", &led, "--num-beams", "65"]).exits(2).tells(&["`num_beams` must be 1 to 64, not 65"]);
    test.run(&["summarize", &led, "--max-length", "99"]).exits(1).tells(&["the decoder has positions for 33 tokens"]);
    test.write("one.txt", "The end: it is near. ").write("two.txt", &"Labels are short! ".repeat(20));
    let asked = ["summarize", &led, "one.txt", "two.txt", "--num-beams", "3", "--max-length", "16"];
    let texts = test.run(&asked).success().tells(&["only the first 72 tokens of `two.txt` were read"]).stdout;
    let rows = test.run(&[&asked[..], &["--format", "json"]].concat()).success().json_lines();
    assert_eq!((rows.len(), &rows[1]["tokens"]["read"], &rows[1]["is_cut"]), (2, &72.into(), &true.into()), "{rows:?}");
    assert!(texts.starts_with(rows[0]["summary"].as_str().unwrap().trim()), "{texts} {rows:?}");
    test.run(&[&asked[..], &["--int8"]].concat()).success();

    test.run(&["inspect", &led]).success().gives(&["led: an encoder and a decoder that writes", "window 8", "17,939"]);
    assert_eq!(test.run(&["inspect", &led, "--format", "json"]).success().json()["decoder"]["layers"], 2);
    for command in [&["bench", &led][..], &["export", &led, "--to", "onnx"]] {
        test.run(command).exits(1).tells(&["the model is a LED"]);
    }
    test.write("model/config.json", "{\"model_type\": \"bert\"}").write("model/vocab.txt", "[UNK]");
    test.run(&["summarize", "model", "one.txt"]).exits(1).tells(&["what writes texts is a `led`"]);
}

#[test]
fn models_are_exported_and_checked() {
    let test = LmpipeTest::with_model();
    test.run(&["export", "model", "--to", "onnx"]).success().gives(&[
        "wrote model.onnx",
        "checked: 4 rows of fixed ids",
        "100.0 % of labels are the same",
    ]);
    assert!(test.path("model.onnx").is_file());
    let rows = ["--data", "reviews.csv", "--rows", "5", "--max-length", "16", "--format", "json"];
    let json = test.run(&[&["export", "model", "--to", "onnx", "-o", "out"], &rows[..]].concat()).success().json();
    assert_eq!(
        (&json["rows"], &json["agreement"], &json["weights"]),
        (&5.into(), &1.0.into(), &"f32".into()),
        "{json}"
    );
    let size = fs::metadata(test.path("out/model.onnx")).unwrap().len();
    assert_eq!(json["size_bytes"], size);
    for file in ["out/config.json", "out/vocab.txt"] {
        assert!(test.path(file).is_file(), "{file}");
    }
    assert!(fs::read(test.path("out/model.onnx")).unwrap() == fs::read(test.path("model.onnx")).unwrap());
    test.run(&["export", "nothing", "--to", "onnx"]).exits(2).tells(&["there is no folder `nothing`", "hint:"]);
    test.run(&["export", "model", "--to", "onnx", "--data", "none.csv"])
        .exits(2)
        .tells(&["there is no file `none.csv`"]);
    test.run(&["export", "model", "--to", "onnx", "--data", "reviews.csv", "--text", "said"])
        .exits(1)
        .tells(&["`said`"]);
    test.run(&["export", "model", "--to", "onnx", "-o", "no/where.onnx"])
        .exits(1)
        .tells(&["cannot write `no/where.onnx`"]);
    test.write("empty/config.json", "{}");
    test.run(&["export", "empty", "--to", "onnx"]).exits(1).tells(&["cannot export `empty` to `empty.onnx`"]);
}

/// What a newcomer copies from the first page must be a recipe.
#[test]
fn the_recipe_of_the_readme_is_valid() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let recipe = readme.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let test = LmpipeTest::new();
    let data = fs::read_to_string(root().join("src/cli/starter/reviews.csv")).unwrap();
    test.write("reviews.csv", &data).write("recipe.yaml", recipe);
    test.run(&["validate", "recipe.yaml"]).success();
    test.write("recipe.yaml", &recipe.replace("uses: quantize", "uses: quantise"));
    test.run(&["validate", "recipe.yaml"])
        .exits(2)
        .tells(&["no stage is called `quantise`", "did you mean `quantize`?"]);
}
