//! The folders of runs: `run.json`, `recipe.json`, `plan.json`, `events.jsonl`, `metrics.json`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value, json};

use super::{Store, entries, file_name, read_json, write_json};
use crate::{
    base::fs::AtPath,
    engine::{clock, error::RunError, record::RunRecord},
};

/// The folder of a run that is under way.
#[derive(Debug)]
pub struct RunFolder {
    /// The run's name: the time it began, and the recipe.
    pub id: String,
    /// The folder.
    pub path: PathBuf,
}

/// A run in the store.
#[derive(Clone, Debug)]
pub struct StoredRun {
    /// The run's name: the time it began, and the recipe.
    pub id: String,
    /// Its folder.
    pub path: PathBuf,
    /// What became of it; `None` when it was killed before it could say.
    pub record: Option<RunRecord>,
}

impl Store {
    /// Makes the folder of a run that began at a time.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(in crate::engine) fn begin_run(&self, recipe: &str, started: &str) -> Result<RunFolder, RunError> {
        let base = format!("{}-{}", clock::stamp(started), file_name(recipe));
        let mut id = base.clone();
        let mut attempt = 1;
        loop {
            let path = self.root.join("runs").join(&id);
            match fs::create_dir(&path) {
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                    attempt += 1;
                    id = format!("{base}-{attempt}");
                }
                other => {
                    other.at("cannot create the folder", &path)?;
                    return Ok(RunFolder { id, path });
                }
            }
        }
    }

    /// All runs, the oldest first.
    ///
    /// # Errors
    /// When the folder of runs cannot be read.
    pub fn runs(&self) -> Result<Vec<StoredRun>, RunError> {
        let folders = entries(&self.root.join("runs"))?;
        Ok(folders
            .into_iter()
            .filter(|path| path.is_dir())
            .map(|path| StoredRun {
                id: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
                record: read_json(&path.join("run.json"), RunRecord::VERSION.into()).ok(),
                path,
            })
            .collect())
    }

    /// The run of a name.
    ///
    /// # Errors
    /// When there is none, or it was made by another version.
    pub fn run(&self, id: &str) -> Result<RunRecord, RunError> {
        read_json(&self.root.join("runs").join(id).join("run.json"), RunRecord::VERSION.into())
    }

    /// The last run of a recipe, by its `name`, that came to an end.
    ///
    /// # Errors
    /// When the folder of runs cannot be read.
    pub fn latest_run(&self, recipe: &str) -> Result<Option<RunRecord>, RunError> {
        let ending = format!("-{}", file_name(recipe));
        for folder in entries(&self.root.join("runs"))?.iter().rev() {
            // The name spares reading the other recipes' runs; it may be one of several with this ending.
            if !folder.file_name().unwrap_or_default().to_string_lossy().contains(&ending) {
                continue;
            }
            let run: Result<RunRecord, _> = read_json(&folder.join("run.json"), RunRecord::VERSION.into());
            if let Some(run) = run.ok().filter(|run| run.name == recipe) {
                return Ok(Some(run));
            }
        }
        Ok(None)
    }
}

impl RunFolder {
    /// Writes a JSON file of the run.
    pub(in crate::engine) fn write(&self, name: &str, value: &impl serde::Serialize) -> Result<(), RunError> {
        write_json(&self.path.join(name), value)
    }

    /// Writes what became of the run: its metrics, then its record, which says that it ended.
    pub(in crate::engine) fn end(&self, run: &RunRecord) -> Result<(), RunError> {
        self.write("metrics.json", &metrics(run))?;
        self.write("run.json", run)
    }

    /// The path of a file of the run.
    pub(in crate::engine) fn file(&self, name: &str) -> PathBuf {
        Path::new(&self.path).join(name)
    }
}

/// All metrics of a run by their full names, for `jq` and the like.
fn metrics(run: &RunRecord) -> Value {
    let mut all = Map::new();
    for node in &run.nodes {
        for metric in &node.record.metrics {
            let mut shown = json!({"value": metric.value, "unit": metric.unit, "better": metric.better});
            if let Some(interval) = metric.interval {
                shown["interval"] = json!(interval);
            }
            all.insert(format!("{}.{}", node.name, metric.name), shown);
        }
    }
    json!({"version": 1, "run": run.id, "recipe": run.name, "metrics": all})
}
