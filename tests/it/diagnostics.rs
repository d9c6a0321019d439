//! Every invalid recipe → a snapshot of what the program says about it; every valid one → nothing to say.
//!
//! A new test is a file in `tests/data/recipes/invalid/`. A first line `# args: --set x=1` adds arguments.

use std::{fs, panic, path::Path};

use crate::support::{LmpipeTest, Outcome, recipes, root};

#[test]
fn invalid_recipes_are_explained() {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let _guard = settings.bind_to_scope();

    let folder = root().join("tests/data/recipes/invalid");
    let test = LmpipeTest::new();
    let mut failures = Vec::new();
    let paths = recipes(&folder);
    assert!(!paths.is_empty(), "no recipe in {}", folder.display());
    for path in paths {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let outcome = validate(&test, &path);
        let judged = panic::catch_unwind(|| {
            assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(2), ""), "{name}: {}", outcome.stderr);
            insta::assert_snapshot!(name.as_str(), outcome.stderr);
        });
        if judged.is_err() {
            failures.push(name);
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
    for entry in fs::read_dir(root().join("tests/it/snapshots")).unwrap() {
        let snapshot = entry.unwrap().path();
        let name = snapshot.file_stem().unwrap().to_str().unwrap();
        let recipe = folder.join(format!("{}.yaml", name.trim_end_matches(".snap")));
        assert!(recipe.exists(), "the recipe of {} is gone", snapshot.display());
    }
}

#[test]
fn valid_recipes_pass() {
    let test = LmpipeTest::new();
    for folder in ["tests/data/recipes/valid", "recipes"] {
        for path in recipes(&root().join(folder)) {
            validate(&test, &path).success();
        }
    }
}

#[test]
fn an_invalid_recipe_does_not_run() {
    let test = LmpipeTest::new();
    test.write("recipe.yaml", "lmpipe: 1\nname: x\nstages: {a: {uses: nothing}}\n");
    for command in ["run", "plan", "dag", "gate", "validate"] {
        test.run(&[command, "recipe.yaml"]).exits(2).tells(&["recipe.yaml:3:", "nothing"]);
    }
    assert!(!test.path(".lmpipe").exists(), "nothing was begun");
}

#[test]
fn problems_as_json() {
    let test = LmpipeTest::new();
    test.write("recipe.yaml", "lmpipe: 1\nname: x\nstages: {a: {uses: nothing}}\n");
    let shown = test.run(&["validate", "--format", "json", "recipe.yaml"]).exits(2).json();
    assert_eq!(shown[0]["valid"], false);
    assert!(shown[0]["problems"][0]["message"].as_str().unwrap().contains("nothing"), "{shown:#}");
}

/// Runs `validate` beside the recipe, so that messages name it by its file name.
fn validate(test: &LmpipeTest, path: &Path) -> Outcome {
    let text = fs::read(path).unwrap();
    let first = String::from_utf8_lossy(text.split(|byte| *byte == b'\n').next().unwrap_or_default()).into_owned();
    let mut args = vec!["validate", path.file_name().unwrap().to_str().unwrap()];
    args.extend(first.strip_prefix("# args:").into_iter().flat_map(str::split_whitespace));
    Outcome::of(test.command(&args).current_dir(path.parent().unwrap()))
}
