//! Plans of recipes over the toy registry: what enters a key and what does not, order, drawings.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::{Value, json};

use super::{Key, Machine, Made, Plan, explain};
use crate::{
    base::{device::DeviceId, digest::Digest, fs::write_atomic},
    recipe::{self, toy::REGISTRY},
    stage::{Finds, Reference},
};

const RECIPE: &str = "\
lmpipe: 1
name: keys
about: A recipe
vars: {epochs: 2}
seed: 7
devices:
  phone: {device: cpu, threads: 1, exclusive: true}
inputs:
  reviews: {dataset: reviews.csv, text: text}
  base: {model: hub-name}
stages:
  clean: {uses: normalize, in: reviews, with: {steps: [{unicode: nfkc}]}}
  teacher:
    uses: finetune
    in: {model: base, data: clean}
    with: {epochs: \"{{ epochs }}\", batch_size: 8}
    about: Learns
  speed: {uses: bench, in: teacher, device: phone}
  report: {uses: report, in: speed}
  cut: {uses: prune, in: teacher}
gates:
  - {metric: cut.sparsity, min: 0}
";

struct Project(tempfile::TempDir);

impl Project {
    fn new() -> Self {
        let project = Self(tempfile::tempdir().unwrap());
        write_atomic(&project.0.path().join("reviews.csv"), b"text\nx\n").unwrap();
        project
    }

    fn plan_with(&self, text: &str, env: &BTreeMap<String, String>) -> Plan {
        let path = self.0.path().join("recipe.yaml");
        write_atomic(&path, text.as_bytes()).unwrap();
        match recipe::load(&path, &[], env, &REGISTRY).and_then(|recipe| Plan::new(&recipe, &REGISTRY)) {
            Ok(plan) => plan,
            Err(diagnostics) => panic!("{}", diagnostics.render(100, false)),
        }
    }

    fn plan(&self, text: &str) -> Plan {
        self.plan_with(text, &BTreeMap::new())
    }
}

/// The key of every node, by name; an input's digest is its fingerprint, as if that were what it made.
fn keys(plan: &Plan) -> BTreeMap<String, Key> {
    keys_on(plan, DeviceId::Cpu, &json!({"cpu": "x"}))
}

fn keys_on(plan: &Plan, device: DeviceId, host: &Value) -> BTreeMap<String, Key> {
    let mut made: Vec<Digest> = Vec::new();
    let mut keys = BTreeMap::new();
    for (id, node) in plan.nodes.iter().enumerate() {
        let inputs: Vec<_> =
            node.inputs.iter().map(|(port, from)| (*port, from.iter().map(|from| made[*from]).collect())).collect();
        let key = plan.key(id, &inputs, device, Machine { host, kernels: "toy" });
        made.push(key.fingerprint());
        keys.insert(node.name.clone(), key);
    }
    keys
}

/// The names of the nodes whose keys differ.
fn changed(a: &BTreeMap<String, Key>, b: &BTreeMap<String, Key>) -> Vec<String> {
    a.iter()
        .filter(|(name, key)| b.get(*name).is_none_or(|other| other.fingerprint() != key.fingerprint()))
        .map(|(name, _)| name.clone())
        .collect()
}

#[test]
fn what_does_not_change_the_output_does_not_change_the_key() {
    let project = Project::new();
    let base = keys(&project.plan(RECIPE));
    let unchanged = [
        // Comments, quotes and layout.
        RECIPE.replace("seed: 7", "seed: 7   # lucky").replace("unicode: nfkc", "\"unicode\": 'nfkc'"),
        // The order of keys.
        RECIPE.replace("{epochs: \"{{ epochs }}\", batch_size: 8}", "{batch_size: 8, epochs: \"{{ epochs }}\"}"),
        RECIPE.replace("{model: base, data: clean}", "{data: clean, model: base}"),
        // A default that is written out, a variable that is not, a number in another spelling.
        RECIPE.replace("batch_size: 8}", "batch_size: 8, max_length: 128}"),
        RECIPE.replace("\"{{ epochs }}\"", "2.0").replace("vars: {epochs: 2}\n", ""),
        // What the variable is called.
        RECIPE.replace("epochs: 2", "rounds: 2").replace("{{ epochs }}", "{{ rounds }}"),
    ];
    for text in unchanged {
        assert_ne!(text, RECIPE);
        assert_eq!(changed(&base, &keys(&project.plan(&text))), [""; 0], "{text}");
    }
    // Names, sentences and gates only concern what shows the run.
    for text in [
        RECIPE.replace("name: keys", "name: other"),
        RECIPE.replace("about: A recipe", "about: Another"),
        RECIPE.replace("about: Learns", "about: Learns more"),
        RECIPE.replace("min: 0", "min: 0.1"),
    ] {
        assert_eq!(changed(&base, &keys(&project.plan(&text))), ["report"], "{text}");
    }
    let renamed = keys(&project.plan(&RECIPE.replace("clean", "tidy")));
    assert_eq!(renamed["tidy"], base["clean"]);
    assert_eq!(changed(&base, &renamed), ["clean", "report"]);
}

#[test]
fn a_key_follows_files_not_paths() {
    let project = Project::new();
    let base = keys(&project.plan(RECIPE));
    fs::create_dir(project.0.path().join("data")).unwrap();
    fs::copy(project.0.path().join("reviews.csv"), project.0.path().join("data/moved.csv")).unwrap();
    let moved = RECIPE.replace("reviews.csv", "data/moved.csv");
    assert_eq!(changed(&base, &keys(&project.plan(&moved))), [""; 0]);
    write_atomic(&project.0.path().join("reviews.csv"), b"text\ny\n").unwrap();
    assert_eq!(changed(&base, &keys(&project.plan(RECIPE))), ["clean", "cut", "report", "reviews", "speed", "teacher"]);
    // A folder is all that lies in it.
    let folder = RECIPE.replace("reviews.csv", "data");
    let before = keys(&project.plan(&folder));
    write_atomic(&project.0.path().join("data/more.csv"), b"").unwrap();
    assert!(changed(&before, &keys(&project.plan(&folder))).contains(&"reviews".to_owned()));
}

#[test]
fn what_changes_the_output_changes_the_key() {
    let project = Project::new();
    let base = keys(&project.plan(RECIPE));
    let below_teacher = ["cut", "report", "speed", "teacher"];
    for (text, expected) in [
        (RECIPE.replace("epochs: 2", "epochs: 3"), &below_teacher[..]),
        (RECIPE.replace("batch_size: 8", "batch_size: 9"), &below_teacher[..]),
        (RECIPE.replace("unicode: nfkc", "unicode: nfc"), &["clean", "cut", "report", "speed", "teacher"]),
        (RECIPE.replace("hub-name", "other"), &["base", "cut", "report", "speed", "teacher"]),
        (RECIPE.replace("seed: 7", "seed: 8"), &["base", "clean", "cut", "report", "reviews", "speed", "teacher"]),
        (RECIPE.replace("threads: 1", "threads: 2"), &["report", "speed"]),
        (RECIPE.replace(", exclusive: true", ""), &["report", "speed"]),
    ] {
        assert_eq!(changed(&base, &keys(&project.plan(&text))), expected, "{text}");
    }
    let plan = project.plan(RECIPE);
    let other_host = keys_on(&plan, DeviceId::Cpu, &json!({"cpu": "y"}));
    assert_eq!(changed(&base, &other_host), ["report", "speed"]);
    let host = json!({"cpu": "x"});
    assert_eq!(changed(&base, &keys_on(&plan, DeviceId::Cuda(0), &host)).len(), base.len());
    let (first, second) = (keys_on(&plan, DeviceId::Cuda(0), &host), keys_on(&plan, DeviceId::Cuda(1), &host));
    assert_eq!(changed(&first, &second), ["report", "speed"], "the ordinal matters only to what is measured");
}

#[test]
fn an_environment_value_is_part_of_the_key() {
    let project = Project::new();
    let text = RECIPE.replace("batch_size: 8", "batch_size: \"{{ env.BATCH | int }}\"");
    let with = |value: &str| keys(&project.plan_with(&text, &BTreeMap::from([("BATCH".into(), value.into())])));
    assert_eq!(with("8")["teacher"].0["env"], json!({"BATCH": "8"}));
    assert_eq!(changed(&with("8"), &with("9")), ["cut", "report", "speed", "teacher"]);
}

#[test]
fn a_report_comes_last() {
    let plan = Project::new().plan(RECIPE);
    let names: Vec<_> = plan.nodes.iter().map(|node| node.name.as_str()).collect();
    assert_eq!(names, ["reviews", "base", "clean", "teacher", "speed", "cut", "report"]);
    let report = &plan.nodes[6];
    let needs: Vec<_> = report.needs.iter().map(|id| names[*id]).collect();
    assert_eq!(needs, ["reviews", "base", "clean", "teacher", "cut"], "all but what it takes from");
    for (id, node) in plan.nodes.iter().enumerate() {
        assert!(node.parents().iter().chain(&node.needs).all(|before| *before < id), "{}", node.name);
    }
}

#[test]
fn the_design_is_drawn() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/recipes/valid/design.yaml");
    let recipe = recipe::load(&path, &[], &BTreeMap::new(), &REGISTRY).unwrap();
    let plan = Plan::new(&recipe, &REGISTRY).unwrap();
    let expected = "\
reviews · dataset
└─ clean · normalize
   └─ more · augment
      └─ teacher · finetune  ← minilm
         ├─ student · distill  ← more
         │  ├─ slim · prune  ← more
         │  │  ├─ int8 · quantize
         │  │  │  ├─ scores@int8 · evaluate  ← clean
         │  │  │  └─ speed · bench  ← teacher, student, slim
         │  │  │     └─ report  ← scores@teacher, scores@student, scores@slim, scores@int8
         │  │  └─ scores@slim · evaluate  ← clean
         │  └─ scores@student · evaluate  ← clean
         └─ scores@teacher · evaluate  ← clean
minilm · model
";
    assert_eq!(explain::text(&plan), expected, "{}", explain::text(&plan));
    let table = explain::table(&plan);
    assert!(table.contains("teacher         finetune   minilm, more"), "{table}");
    assert!(table.lines().any(|line| line.ends_with("cpu, 1 thread, alone")), "{table}");
    let dot = explain::dot(&plan);
    assert!(dot.starts_with("digraph \"mobile-bert\" {") && dot.contains("[label=\"teacher\"]"), "{dot}");
    let mermaid = explain::mermaid(&plan);
    assert!(mermaid.contains("[(\"reviews<br>dataset\")]") && mermaid.contains("-->|teacher|"), "{mermaid}");
}

#[test]
fn a_difference_names_what_changed() {
    let old = json!({"params": {"epochs": 2, "steps": [1, 2]}, "seed": 7});
    let new = json!({"params": {"epochs": 3, "steps": [1], "batch": 8}, "seed": 7});
    let lines = ["params.epochs: 2 → 3", "params.steps[1]: 2 → (nothing)", "params.batch: (nothing) → 8"];
    assert_eq!(explain::difference(&old, &new), lines);
    assert!(explain::difference(&old, &old).is_empty());
}

const COMPARED: &str = "\
lmpipe: 1
name: compared
inputs:
  reviews: {dataset: reviews.csv, text: text}
  base: {model: hub-name}
stages:
  first: {uses: finetune, in: {model: base, data: reviews}}
  second: {uses: finetune, in: {model: base, data: reviews}, with: {epochs: 9}}
  scores: {uses: evaluate, matrix: {model: [first, second]}, in: {model: \"{{ matrix.model }}\", data: reviews}}
  speed: {uses: bench, in: [first, second], device: cpu}
  report: {uses: report, in: speed}
gates:
  - {metric: speed.first.p50_ms, vs: baseline, max_rise: 5%}
  - {metric: speed.first.p50_ms, vs: baseline, max_ratio: 2, severity: warn}
  - {metric: speed.second.p50_ms, vs: speed.first.p50_ms, max_ratio: 2}
  - {metric: scores@first.accuracy, vs: baseline, max_drop: 1%}
  - {metric: scores@first.accuracy, vs: baseline, max_drop: 2%, test: paired}
  - {metric: scores@second.accuracy, vs: scores@first.accuracy, max_drop: 1%, test: paired}
";

#[test]
fn what_gates_compare_in_pairs_is_a_stage_of_its_own() {
    let project = Project::new();
    let made = |name: &str| {
        let digest = Digest::of(name.as_bytes());
        (name != "speed").then(|| Made { dir: Path::new("store").join(name), digest })
    };
    let mut plan = project.plan(COMPARED);
    let before: Vec<String> = plan.nodes.iter().map(|node| node.name.clone()).collect();
    plan.add_comparisons(&REGISTRY, made).unwrap();
    let names: Vec<&str> = plan.nodes.iter().map(|node| node.name.as_str()).collect();
    let (report, others) = before.split_last().unwrap();
    let added = ["speed@baseline", "scores@first@baseline", "scores@second@paired"];
    assert_eq!(names[..others.len()], *others);
    assert_eq!(names[others.len()..], [&added[..], &[report.as_str()]].concat());
    // Everything is before what takes it, and the same stages are still wired.
    let wired = |name: &str| {
        let node = &plan.nodes[plan.find(name).unwrap()];
        let from = node.inputs.iter().flat_map(|(_, from)| from).map(|id| plan.nodes[*id].name.as_str());
        (node.params["baseline"].as_str(), from.collect::<Vec<_>>())
    };
    assert_eq!(wired("speed@baseline"), (Some("store/first"), vec!["first"]));
    assert_eq!(wired("scores@first@baseline"), (Some("store/scores@first"), vec!["scores@first"]));
    assert_eq!(wired("scores@second@paired"), (None, vec!["scores@second", "scores@first"]));
    assert_eq!(wired("report").1, ["speed"]);
    for (id, node) in plan.nodes.iter().enumerate() {
        assert!(node.parents().iter().chain(&node.needs).all(|from| *from < id), "{}", node.name);
    }
    let speed = &plan.nodes[plan.find("speed@baseline").unwrap()];
    assert_eq!(speed.files["baseline"], Digest::of(b"first"), "the content is the identity");
    let reference = |gate: usize| plan.references.get(&plan.gates[gate].reference());
    let ratio = Reference::Paired("speed@baseline.ratio".into(), Finds::Ratio);
    assert_eq!((reference(0), reference(1), reference(2)), (Some(&ratio), Some(&ratio), None));
    let between = Reference::Paired("scores@second@paired.difference".into(), Finds::Difference);
    assert_eq!(reference(5), Some(&between));

    // Nothing is left of the baseline: nothing is measured beside it.
    let mut plan = project.plan(COMPARED);
    plan.add_comparisons(&REGISTRY, |_| None).unwrap();
    assert_eq!(plan.nodes.len(), before.len() + 1);
}

#[test]
fn what_cannot_be_paired_is_told_before_anything_runs() {
    let project = Project::new();
    for (from, to, expected) in [
        (
            "scores@second.accuracy, vs",
            "scores@second.loss, vs",
            "`scores@second.loss` has `test: paired`, but this metric",
        ),
        ("vs: scores@first.accuracy", "vs: speed.first.p50_ms", "`speed.first.p50_ms` is not the same metric"),
    ] {
        let mut plan = project.plan(&COMPARED.replace(from, to));
        let faults = plan.add_comparisons(&REGISTRY, |_| None).unwrap_err();
        assert!(faults.len() == 1 && faults[0].contains(expected), "{faults:?}");
    }
}
