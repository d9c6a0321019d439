//! Whole recipes against the toy registry: the valid ones load, the invalid ones are told, nothing ever panics.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use rand::RngCore;

use super::{Diagnostics, Recipe, Severity, load, toy::REGISTRY};
use crate::base::rng;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/recipes").join(name)
}

fn recipes(name: &str) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(folder(name)).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    paths.sort();
    paths
}

fn open(path: &Path, sets: &[(&str, &str)]) -> Result<Recipe, Diagnostics> {
    let sets: Vec<_> = sets.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    load(path, &sets, &BTreeMap::from([("HOME".into(), "/home".into())]), &REGISTRY)
}

/// A recipe beside a data set, as text.
fn open_text(text: &str, sets: &[(&str, &str)]) -> Result<Recipe, Diagnostics> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("recipe.yaml");
    crate::base::fs::write_atomic(&path, text.as_bytes()).unwrap();
    crate::base::fs::write_atomic(&dir.path().join("reviews.csv"), b"text\n").unwrap();
    open(&path, sets)
}

fn codes(diagnostics: &Diagnostics, severity: Severity) -> BTreeSet<&str> {
    diagnostics.items.iter().filter(|item| item.severity == severity).map(|item| item.code).collect()
}

#[test]
fn valid_recipes_load_without_warnings() {
    for path in recipes("valid") {
        match open(&path, &[]) {
            Ok(recipe) => assert!(recipe.warnings.is_empty(), "{}", recipe.warnings.render(100, false)),
            Err(diagnostics) => panic!("{}", diagnostics.render(100, false)),
        }
    }
}

#[test]
fn invalid_recipes_are_told_with_exactly_the_expected_codes() {
    let paths = recipes("invalid");
    assert!(paths.len() >= 30);
    let mut wrong = Vec::new();
    for path in paths {
        let bytes = fs::read(&path).unwrap();
        let first = String::from_utf8_lossy(&bytes).lines().next().unwrap_or_default().to_owned();
        let expected: BTreeSet<_> = first.strip_prefix("# expect: ").unwrap().split(", ").collect();
        let Err(diagnostics) = open(&path, &[]) else {
            wrong.push(format!("{}: loads", path.display()));
            continue;
        };
        // More would be a consequence of what is wrong, told as if it were another fault.
        if codes(&diagnostics, Severity::Error) != expected {
            wrong.push(diagnostics.render(100, false));
        }
        for item in &diagnostics.items {
            assert!(item.span.is_some(), "{}: {} has no place", path.display(), item.message);
            assert!(item.message.starts_with(|c: char| !c.is_uppercase()), "{}", item.message);
            assert!(!item.message.ends_with('.'), "{}", item.message);
        }
        assert!(!diagnostics.render(20, true).is_empty() && diagnostics.to_json().is_array());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_report_shows_the_line_the_label_and_the_help() {
    let text = "lmpipe: 1\nname: x\nabout: für Telefone\nstages:\n  clean:\n    uses: normalise\n";
    let diagnostics = open_text(text, &[]).unwrap_err();
    let shown = diagnostics.render(100, false);
    for part in [
        "recipe::unknown-stage",
        "no stage is called `normalise`",
        "recipe.yaml:6:11",
        "uses: normalise",
        "unknown stage",
        "did you mean `normalize`?",
        "1 error in ",
    ] {
        assert!(shown.contains(part), "{part} in\n{shown}");
    }
    assert!(!shown.contains('\u{1b}'), "{shown}");
    assert!(diagnostics.render(100, true).contains('\u{1b}'));
    let json = diagnostics.to_json();
    assert_eq!((&json[0]["place"]["line"], &json[0]["place"]["column"]), (&6.into(), &11.into()));
}

#[test]
fn the_design_is_wired_as_it_is_written() {
    let recipe = open(&folder("valid/design.yaml"), &[("epochs", "1")]).unwrap();
    let step = |name: &str| recipe.steps.iter().find(|step| step.name == name).unwrap();
    let names = |steps: &[usize]| steps.iter().map(|at| recipe.steps[*at].name.as_str()).collect::<Vec<_>>();
    assert_eq!(step("teacher").params["epochs"], 1);
    assert_eq!(step("teacher").device.candidates.len(), 2);
    assert_eq!(names(&step("scores@int8").wires[0].1), ["int8"]);
    let report = step("report");
    assert_eq!(names(&report.wires[0].1), ["scores@teacher", "scores@student", "scores@slim", "scores@int8", "speed"]);
    assert_eq!(recipe.gates.len(), 3);
    assert_eq!(recipe.gates[2].bound.parts(), ("max", 25e6, false));
    assert_eq!(recipe.resolved["vars"]["epochs"], 1);
    assert_eq!(recipe.resolved["stages"]["scores@int8"]["in"]["model"], "int8");
}

#[test]
fn cells_have_seeds_and_names() {
    let recipe = open(&folder("valid/everything.yaml"), &[]).unwrap();
    let names: Vec<_> = recipe.steps.iter().map(|step| step.name.as_str()).collect();
    assert!(names.contains(&"teacher@0_00005-s7") && names.contains(&"teacher@0_0001-s8"), "{names:?}");
    assert!(!names.contains(&"slice"), "left out by its `if`");
    let teacher = recipe.steps.iter().find(|step| step.name == "teacher@0_0001-s8").unwrap();
    assert_eq!((teacher.seed, &teacher.params["epochs"]), (8, &4.into()));
    assert_eq!(teacher.about, "seed 8, 0.0001");
    let pooled = recipe.steps.iter().find(|step| step.name == "pooled").unwrap();
    assert_eq!(pooled.wires[1].1.len(), 1, "what is left out is not missed in a port that takes many");
    assert_eq!(pooled.needs.len(), 4, "a family is needed whole");
    assert_eq!(recipe.gates[0].bound.parts(), ("max_drop", 0.02, true));
    assert_eq!(recipe.gates[1].bound.parts(), ("min", 0.6, false));
    let scores = recipe.steps.iter().find(|step| step.name == "scores@0_00005-s7").unwrap();
    assert_eq!(recipe.steps[scores.wires[0].1[0]].name, "teacher@0_00005-s7");
}

#[test]
fn stages_with_the_same_seeds_take_from_the_cell_of_their_own() {
    let text = "lmpipe: 1\nname: x\ninputs: {r: {dataset: reviews.csv, text: text}, m: {model: hub}}\nstages:\n\
                \x20 teacher: {uses: finetune, seeds: 3, in: {model: m, data: r}}\n\
                \x20 slow: {uses: finetune, seeds: 3, matrix: {epochs: [5, 6]}, in: {model: m, data: r}}\n\
                \x20 scores: {uses: evaluate, seeds: 3, matrix: {model: [teacher, slow@5]}, in: {model: \"{{ matrix.model }}\", data: r}}\n\
                \x20 speed: {uses: bench, seeds: 3, in: {models: [teacher, slow@6]}}\n\
                \x20 all: {uses: bench, in: {models: teacher}}\n\
                gates:\n  - {metric: scores@teacher.accuracy, min: 0}\n  - {metric: scores@slow-5.accuracy, vs: scores@teacher.accuracy, max_drop: 0}\n";
    let recipe = open_text(text, &[]);
    let names: Vec<String> = match &recipe {
        Ok(recipe) => recipe.steps.iter().map(|step| step.name.clone()).collect(),
        Err(diagnostics) => panic!("{}", diagnostics.render(200, false)),
    };
    let recipe = recipe.unwrap();
    let takes = |name: &str| {
        let step = recipe.steps.iter().find(|step| step.name == name).unwrap_or_else(|| panic!("{names:?}"));
        step.wires[0].1.iter().map(|from| recipe.steps[*from].name.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(takes("scores@teacher-s43"), ["teacher@s43"]);
    assert_eq!(takes("scores@slow-5-s44"), ["slow@5-s44"]);
    assert_eq!(takes("speed@s42"), ["teacher@s42", "slow@6-s42"]);
    assert_eq!(takes("all"), ["teacher@s42", "teacher@s43", "teacher@s44"], "who has no seeds takes all");
    assert_eq!(recipe.gates[0].metric, "scores@teacher.accuracy");
    let family = |name: &str| recipe.steps.iter().find(|step| step.name == name).unwrap().family.as_deref();
    assert_eq!((family("teacher@s42"), family("slow@5-s42"), family("all")), (Some("teacher"), Some("slow@5"), None));
    let wrong = text.replace("scores: {uses: evaluate, seeds: 3, ", "scores: {uses: evaluate, ");
    let told = open_text(&wrong, &[]).unwrap_err().render(200, false);
    assert!(told.contains("give `scores` the same `seeds`, and each takes the cell of its own"), "{told}");
}

#[test]
fn variables_of_the_command_line() {
    let text = "lmpipe: 1\nname: x\nvars: {n: 1, where: text}\ninputs: {r: {dataset: reviews.csv, text: \"{{ where }}\", rows: \"{{ n }}\"}}\n\
                stages: {c: {uses: normalize, in: r, with: {steps: []}}}\n";
    let rows = |sets: &[(&str, &str)]| open_text(text, sets).map(|recipe| recipe.steps[0].params["rows"].clone());
    assert_eq!(rows(&[]).unwrap(), 1);
    assert_eq!(rows(&[("n", "3")]).unwrap(), 3);
    assert_eq!(rows(&[("n", "3"), ("n", "{{ 2 + 2 }}")]).unwrap(), 4);
    for (sets, code, part) in [
        (("m", "3"), "recipe::set", "the recipe has no variable `m`"),
        (("wher", "3"), "recipe::set", "did you mean `where`?"),
        (("n", "[1"), "recipe::set", "--set n=[1"),
        (("n", "many"), "recipe::parameter", "expected a whole number"),
        (("n", "{{ m }}"), "recipe::unknown-variable", "no variable is called `m`"),
    ] {
        let diagnostics = rows(&[sets]).unwrap_err();
        assert!(codes(&diagnostics, Severity::Error).contains(code), "{sets:?}: {:?}", diagnostics.items);
        assert!(diagnostics.render(200, false).contains(part), "{sets:?}: {}", diagnostics.render(200, false));
    }
}

#[test]
fn the_environment_enters_the_steps_that_use_it() {
    let text = "lmpipe: 1\nname: x\nvars: {home: \"{{ env.HOME }}\"}\ninputs: {r: {dataset: reviews.csv, text: text}}\n\
                stages:\n  a: {uses: query, in: r, with: {sql: \"{{ home }}\"}}\n  b: {uses: query, in: r, about: \"{{ env.HOME }}\", with: {sql: x}}\n";
    let recipe = open_text(text, &[]).unwrap();
    assert_eq!(recipe.steps[1].env, BTreeMap::from([("HOME".into(), "/home".into())]));
    assert!(recipe.steps[2].env.is_empty(), "only parameters change what a stage makes");
}

#[test]
fn what_nothing_uses_is_a_warning() {
    let text = "lmpipe: 1\nname: x\nvars: {n: 1}\ndevices: {phone: cpu}\ninputs: {r: {dataset: reviews.csv, text: text}, s: {dataset: reviews.csv, text: text}}\n\
                stages: {c: {uses: normalize, in: r, with: {steps: []}}}\n";
    let recipe = open_text(text, &[]).unwrap();
    let expected = ["recipe::unused-device", "recipe::unused-input", "recipe::unused-variable"];
    assert_eq!(codes(&recipe.warnings, Severity::Warning), BTreeSet::from(expected));
    assert_eq!(recipe.warnings.summary().split(" in ").next(), Some("3 warnings"));
}

#[test]
fn a_gate_on_what_is_left_out_falls_away_with_a_warning() {
    let text = "lmpipe: 1\nname: x\ninputs: {r: {dataset: reviews.csv, text: text}, m: {model: y}}\n\
                stages:\n  s: {uses: evaluate, if: false, in: {model: m, data: r}}\n  c: {uses: bench, in: m}\n\
                gates: [{metric: s.accuracy, min: 0.5}, {metric: c.m.size_bytes, vs: s.accuracy, max_ratio: 1}]\n";
    let recipe = open_text(text, &[]).unwrap();
    assert!(recipe.gates.is_empty());
    assert_eq!(codes(&recipe.warnings, Severity::Warning), BTreeSet::from(["recipe::left-out"]));
}

#[test]
fn files_that_are_no_recipes() {
    let missing = open(Path::new("/nowhere/recipe.yaml"), &[]).unwrap_err();
    assert_eq!(codes(&missing, Severity::Error), BTreeSet::from(["recipe::unreadable"]));
    assert!(missing.render(100, false).contains("cannot read `/nowhere/recipe.yaml`"));
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(open(dir.path(), &[]).unwrap_err().items.len(), 1);
    let large = "x".repeat(5 << 20);
    assert_eq!(codes(&open_text(&large, &[]).unwrap_err(), Severity::Error), BTreeSet::from(["recipe::limit"]));
    for text in
        ["", "# only a comment\n", "---\n", "null\n", "~", "\u{feff}", "...\n", "text", "3", "lmpipe", "\0", "\t"]
    {
        let diagnostics = open_text(text, &[]).unwrap_err();
        assert!(diagnostics.has_errors(), "{text:?}");
        assert!(!diagnostics.render(80, false).is_empty());
    }
}

#[test]
fn broken_recipes_never_panic() {
    let mut rng = rng::stream(1, "broken recipes");
    let dir = tempfile::tempdir().unwrap();
    crate::base::fs::write_atomic(&dir.path().join("reviews.csv"), b"text\n").unwrap();
    let path = dir.path().join("recipes/broken.yaml");
    fs::create_dir(dir.path().join("recipes")).unwrap();
    for source in recipes("valid").iter().chain(&recipes("invalid")) {
        let original = String::from_utf8_lossy(&fs::read(source).unwrap()).into_owned();
        for _ in 0..25 {
            let mut lines: Vec<String> = original.lines().map(str::to_owned).collect();
            for _ in 0..=rng::below(&mut rng, 3) {
                let at = rng::below(&mut rng, lines.len().max(1));
                if lines.is_empty() {
                    break;
                }
                match rng.next_u32() % 6 {
                    0 => drop(lines.remove(at)),
                    1 => lines.insert(at, lines[at].clone()),
                    2 => lines[at].insert_str(0, "  "),
                    3 => {
                        let other = rng::below(&mut rng, lines.len());
                        lines.swap(at, other);
                    }
                    4 => {
                        let mut characters: Vec<char> = lines[at].chars().collect();
                        if !characters.is_empty() {
                            let place = rng::below(&mut rng, characters.len());
                            characters[place] =
                                ['{', ']', ':', '"', '*', '&', 'ü', '\t', '!', '@', '\0'][rng::below(&mut rng, 11)];
                        }
                        lines[at] = characters.into_iter().collect();
                    }
                    _ => {
                        let characters: Vec<char> = lines[at].chars().collect();
                        lines[at] = characters[..rng::below(&mut rng, characters.len() + 1)].iter().collect();
                    }
                }
            }
            fs::File::create(&path)
                .and_then(|mut file| std::io::Write::write_all(&mut file, lines.join("\n").as_bytes()))
                .unwrap();
            match open(&path, &[]) {
                Ok(recipe) => drop(recipe.warnings.render(80, false)),
                Err(diagnostics) => {
                    assert!(diagnostics.has_errors(), "{}", lines.join("\n"));
                    assert!(!diagnostics.render(80, true).is_empty() && diagnostics.to_json().is_array());
                }
            }
        }
    }
}
