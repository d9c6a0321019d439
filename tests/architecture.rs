//! The building code: which module may import which, and what every file owes its reader.
//!
//! A workspace of crates gets this from the compiler. In one crate this test is the compiler.

#![expect(
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    reason = "a test that cannot read the sources has failed"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// What each module of `src/` may import from its siblings, lowest floor first.
const ALLOWED: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("kernels", &[]),
    ("text", &["base"]),
    ("hub", &["base"]),
    ("stage", &["base"]),
    ("data", &["base"]),
    ("model", &["base", "kernels"]),
    ("profile", &["base", "data", "text"]),
    ("runtime", &["base", "kernels", "model"]),
    ("recipe", &["base", "stage"]),
    ("report", &["base", "stage"]),
    ("train", &["base", "data", "model"]),
    ("eval", &["base", "data", "model", "runtime"]),
    ("export", &["base", "data", "model", "runtime"]),
    ("generate", &["base", "data", "model", "runtime"]),
    ("plan", &["base", "stage", "recipe"]),
    ("compress", &["base", "data", "model", "runtime", "train", "eval"]),
    ("engine", &["base", "stage", "plan"]),
    (
        "stages",
        &[
            "base", "stage", "text", "hub", "data", "profile", "model", "runtime", "train", "eval", "compress",
            "export", "generate", "report",
        ],
    ),
    ("cli", &["base", "stage", "recipe", "plan", "engine", "stages", "report", "hub", "model"]),
];

/// Where a third-party crate may be named; the crates not listed here may be named anywhere.
const CONFINED: &[(&str, &[&str])] = &[
    ("candle_core", &["model", "runtime", "train", "eval", "compress", "export", "stages"]),
    ("candle_nn", &["model", "train", "compress"]),
    ("arrow", &["data"]),
    ("parquet", &["data"]),
    ("clap", &["cli"]),
    ("indicatif", &["cli"]),
    ("minijinja", &["recipe", "report"]),
    ("polars", &["data"]),
    ("tokenizers", &["data"]),
    ("hf_hub", &["hub"]),
    ("rust_stemmers", &["text"]),
    ("jieba_rs", &["text"]),
    ("whatlang", &["text"]),
    ("emojis", &["text"]),
    ("flate2", &["data"]),
    ("zstd", &["data"]),
    ("object_store", &["engine"]),
    ("prost", &["export"]),
    ("tokio", &["engine"]),
    ("rten", &["export"]),
];

/// Folders in which every file must be listed in the folder's `mod.rs`.
const FAMILIES: &[&str] = &["stages", "data/readers", "model/families", "report/formats", "text/filters"];

/// Modules that may say `unsafe`.
const UNSAFE: &[&str] = &["kernels"];

/// Lines of code in one file, its tests not counted.
const MAX_LINES: usize = 800;

#[test]
fn imports_follow_the_floors() {
    let allowed: BTreeMap<_, BTreeSet<_>> = ALLOWED.iter().map(|(m, to)| (*m, to.iter().copied().collect())).collect();
    let mut faults = Vec::new();
    for file in sources() {
        let from = file.module();
        if from.is_empty() {
            continue; // `lib.rs` and `main.rs` join everything
        }
        let Some(may) = allowed.get(from.as_str()) else {
            faults.push(format!("{}: module `{from}` is not in ALLOWED", file.name()));
            continue;
        };
        for (line, path) in file.paths("crate::") {
            if path != from && allowed.contains_key(path.as_str()) && !may.contains(path.as_str()) {
                faults.push(format!("{}:{line}: `{from}` may not import `{path}`", file.name()));
            }
        }
        for (krate, modules) in CONFINED {
            if !modules.contains(&from.as_str()) && file.code().contains(&format!("{krate}::")) {
                faults.push(format!("{}: `{krate}` is kept to {modules:?}", file.name()));
            }
        }
    }
    assert_none(faults);
}

#[test]
fn floors_have_no_cycle() {
    let mut placed = BTreeSet::new();
    for (module, imports) in ALLOWED {
        let early: Vec<_> = imports.iter().filter(|m| !placed.contains(*m)).collect();
        assert!(early.is_empty(), "`{module}` is listed before what it imports: {early:?}");
        placed.insert(module);
    }
}

#[test]
fn every_file_says_what_it_is_for() {
    assert_none(
        sources()
            .iter()
            .filter(|file| !file.text.starts_with("//! "))
            .map(|file| format!("{}: does not start with a `//!` sentence", file.name()))
            .collect(),
    );
}

#[test]
fn no_file_is_too_long() {
    assert_none(
        sources()
            .iter()
            .map(|file| (file, file.code().lines().count()))
            .filter(|(_, lines)| *lines > MAX_LINES)
            .map(|(file, lines)| format!("{}: {lines} lines, at most {MAX_LINES}", file.name()))
            .collect(),
    );
}

#[test]
fn unsafe_stays_in_the_kernels() {
    assert_none(
        sources()
            .iter()
            .filter(|file| !UNSAFE.iter().any(|at| file.path.starts_with(at)))
            .filter(|file| file.code().split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "unsafe"))
            .map(|file| format!("{}: `unsafe` outside {UNSAFE:?}", file.name()))
            .collect(),
    );
}

#[test]
fn every_member_of_a_family_is_registered() {
    let mut faults = Vec::new();
    for family in FAMILIES {
        let list = fs::read_to_string(root().join(family).join("mod.rs")).unwrap();
        for entry in fs::read_dir(root().join(family)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            if name != "mod" && name != "snapshots" && !list.contains(&format!("{name}::")) {
                faults.push(format!("{family}/{name}: not listed in {family}/mod.rs"));
            }
        }
    }
    assert_none(faults);
}

struct Source {
    /// Relative to `src/`.
    path: PathBuf,
    text: String,
}

impl Source {
    fn name(&self) -> String {
        format!("src/{}", self.path.display())
    }

    /// The top-level module that the file belongs to; empty for a file right under `src/`.
    fn module(&self) -> String {
        match self.path.components().count() {
            1 => String::new(),
            _ => self.path.components().next().unwrap().as_os_str().to_str().unwrap().to_owned(),
        }
    }

    /// The file up to its unit tests, its comment lines blank.
    fn code(&self) -> String {
        let code = self.text.split("\n#[cfg(test)]\nmod ").next().unwrap();
        code.lines()
            .map(|line| if line.trim_start().starts_with("//") { "" } else { line })
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// The first segment after each `prefix`, with its line number; `prefix{a, b::c}` gives both.
    fn paths(&self, prefix: &str) -> Vec<(usize, String)> {
        let code = self.code();
        let mut found = Vec::new();
        for (at, _) in code.match_indices(prefix) {
            let line = code[..at].lines().count().max(1);
            let rest = &code[at + prefix.len()..];
            if let Some(group) = rest.strip_prefix('{') {
                let mut depth = 1;
                let mut start = 0;
                for (i, c) in group.char_indices() {
                    match c {
                        '{' => depth += 1,
                        '}' => depth -= 1,
                        _ => {}
                    }
                    if depth == 0 || (c == ',' && depth == 1) {
                        found.push((line, first_segment(&group[start..i])));
                        start = i + 1;
                    }
                    if depth == 0 {
                        break;
                    }
                }
            } else {
                found.push((line, first_segment(rest)));
            }
        }
        found
    }
}

fn first_segment(path: &str) -> String {
    path.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn sources() -> Vec<Source> {
    let mut folders = vec![root()];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ext| ext == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                sources.push(Source { path: path.strip_prefix(root()).unwrap().into(), text });
            }
        }
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(!sources.is_empty(), "no source found under {}", root().display());
    sources
}

#[track_caller]
fn assert_none(faults: Vec<String>) {
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}
