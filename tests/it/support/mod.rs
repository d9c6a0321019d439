//! `LmpipeTest`: a project in a temporary folder, and the program run in it.

pub(crate) mod python;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

/// A project of its own: no test sees another's store, nor the user's home.
pub(crate) struct LmpipeTest {
    dir: TempDir,
}

/// What a run of the program left behind.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl LmpipeTest {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        // Marks the top of the project, so that the store is made here.
        fs::create_dir(dir.path().join(".git")).unwrap();
        Self { dir }
    }

    /// A project with the starter recipe: `recipe.yaml`, `reviews.csv`.
    pub(crate) fn started() -> Self {
        let test = Self::new();
        test.run(&["init"]).success();
        test
    }

    /// A project with the reviews of the starter and a recipe of its own: `recipe.yaml`, `reviews.csv`.
    pub(crate) fn with_reviews(recipe: &str) -> Self {
        let test = Self::new();
        let data = fs::read_to_string(root().join("src/cli/starter/reviews.csv")).unwrap();
        test.write("reviews.csv", &data).write("recipe.yaml", recipe);
        test
    }

    /// A project with a model small enough to train in a blink, its vocabulary, and the reviews of the starter.
    pub(crate) fn with_model() -> Self {
        let test = Self::new();
        let model = root().join("tests/data/models/tiny-classifier");
        fs::create_dir(test.path("model")).unwrap();
        for name in ["config.json", "model.safetensors"] {
            fs::copy(model.join(name), test.path("model").join(name)).unwrap();
        }
        let letters = ('a'..='z').flat_map(|letter| [letter.to_string(), format!("##{letter}")]);
        let special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"].map(str::to_owned);
        // The model has 83 embeddings: the rest is never looked up.
        let unused = (0..26).map(|n| format!("[unused{n}]"));
        let vocabulary: Vec<String> = special.into_iter().chain(letters).chain(unused).collect();
        test.write("model/vocab.txt", &(vocabulary.join("\n") + "\n"));
        let data = fs::read_to_string(root().join("src/cli/starter/reviews.csv")).unwrap();
        test.write("reviews.csv", &data);
        test
    }

    /// Copies a model of `tests/data` into the project.
    pub(crate) fn copy_model(&self, name: &str, to: &str) -> &Self {
        fs::create_dir(self.path(to)).unwrap();
        for file in ["config.json", "model.safetensors"] {
            fs::copy(root().join("tests/data").join(name).join(file), self.path(to).join(file)).unwrap();
        }
        self
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    #[expect(clippy::disallowed_methods, reason = "a half-written file of a test harms nobody")]
    pub(crate) fn write(&self, name: &str, text: &str) -> &Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    #[expect(clippy::disallowed_methods, reason = "a half-written file of a test harms nobody")]
    pub(crate) fn write_bytes(&self, path: &Path, bytes: &[u8]) -> &Self {
        fs::write(path, bytes).unwrap();
        self
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// The program with arguments, in the project's folder, with an environment that does not depend on the machine.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lmpipe"));
        command.args(args).current_dir(self.dir()).env_clear().stdin(Stdio::null());
        for name in ["PATH", "TMPDIR", "SYSTEMROOT"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.env("HOME", self.dir()).env("HF_HUB_OFFLINE", "1");
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Outcome {
        Outcome::of(&mut self.command(args))
    }
}

impl Outcome {
    pub(crate) fn of(command: &mut Command) -> Self {
        let output = command.output().unwrap();
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    #[track_caller]
    pub(crate) fn success(self) -> Self {
        self.exits(0)
    }

    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "\n-- stdout\n{}\n-- stderr\n{}", self.stdout, self.stderr);
        self
    }

    /// Standard error says all of these.
    #[track_caller]
    pub(crate) fn tells(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(self.stderr.contains(text), "`{text}` is not in\n{}", self.stderr);
        }
        self
    }

    /// Standard output has all of these.
    #[track_caller]
    pub(crate) fn gives(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(self.stdout.contains(text), "`{text}` is not in\n{}", self.stdout);
        }
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error} in\n{}", self.stdout))
    }

    /// Standard output as JSON lines.
    #[track_caller]
    pub(crate) fn json_lines(&self) -> Vec<Value> {
        self.stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e} in\n{line}")))
            .collect()
    }
}

/// The top folder of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The recipes of a folder, sorted.
pub(crate) fn recipes(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    paths.sort();
    paths
}
