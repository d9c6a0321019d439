//! Checkpoints: what a training needs to go on after it was interrupted, and to end with the same bits.
//!
//! A checkpoint is a file of tensors and `training.json`, which names it and its digest. The tensors are written first, under a
//! new name, so that an interruption at any moment leaves the earlier checkpoint or the later one. Orders, masks and dropout
//! are drawn from the seed and the number of the step, so no generator has a state to be kept.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use candle_core::{Device, Tensor, Var, safetensors};
use serde::{Deserialize, Serialize};

use super::{EpochPoint, StepPoint, TrainError, TrainReport, optim::Optimizer};
use crate::base::{
    digest::Digest,
    every::Every,
    fs::{self as files, AtPath, PathError},
};

const VERSION: u32 = 1;

/// The file that says what the others are.
const INDEX: &str = "training.json";

/// A checkpoint takes at most this share of the time of a training whose checkpoints are timed.
const SHARE: u32 = 50;

/// Where a training leaves checkpoints, and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoints {
    /// A folder of this training alone; made when the first is written.
    pub folder: PathBuf,
    /// How often.
    pub every: Every,
}

/// The best state so far: its validation accuracy and its parameters, none where the model itself still has them.
pub(super) type Best = (f64, BTreeMap<String, Tensor>);

/// What changes while a training goes on, beside the parameters and the optimiser. It has done a step a point of its curve.
#[derive(Default)]
pub(super) struct Progress {
    pub(super) report: TrainReport,
    pub(super) best: Option<Best>,
}

/// `training.json`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Index {
    version: u32,
    step: usize,
    curve: Vec<StepPoint>,
    epochs: Vec<EpochPoint>,
    best_epoch: usize,
    without_gradient: Vec<String>,
    /// Parameters and moments.
    state: FileOf,
    /// The best validation accuracy and its parameters.
    best: Option<(f64, FileOf)>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileOf {
    name: String,
    digest: Digest,
}

/// Writes the checkpoints of a training.
pub(super) struct Keeper<'a> {
    to: &'a Checkpoints,
    /// When the last was written, after which step, and how long that took.
    last: (Instant, usize, Duration),
    /// The file of the best state, and the epoch that it is of.
    best: Option<(usize, FileOf)>,
}

impl<'a> Keeper<'a> {
    pub(super) fn new(to: &'a Checkpoints) -> Self {
        Self { to, last: (Instant::now(), 0, Duration::ZERO), best: None }
    }

    /// Takes up what an earlier training left, whose epochs have so many steps; nothing where there is none.
    ///
    /// # Errors
    /// When what is there is damaged or of another training; the parameters are then as they were.
    pub(super) fn resume(
        &mut self,
        vars: &BTreeMap<String, Var>,
        optimizer: &mut dyn Optimizer,
        updates: usize,
    ) -> Result<Option<Progress>, String> {
        let path = self.to.folder.join(INDEX);
        if !path.exists() {
            return Ok(None);
        }
        let index: Index = serde_json::from_slice(&files::read(&path).map_err(|error| error.to_string())?)
            .map_err(|error| format!("`{}` cannot be understood: {error}", path.display()))?;
        if index.version != VERSION {
            return Err(format!("`{}` has version {}", path.display(), index.version));
        }
        let done = index.epochs.len() * updates;
        if index.step != index.curve.len() || !(done..=done + updates).contains(&index.step) {
            return Err(format!("`{}` is of another training", path.display()));
        }
        let mut state = read(&self.to.folder, &index.state)?;
        let best = match &index.best {
            None => None,
            Some((accuracy, file)) => Some((*accuracy, read(&self.to.folder, file)?)),
        };
        let mut values = Vec::new();
        for (name, var) in vars {
            let value = state.remove(&format!("value.{name}")).filter(|value| value.shape() == var.shape());
            values.push((var, value.ok_or_else(|| format!("it lacks the parameter `{name}`"))?));
        }
        optimizer.restore(index.step, state).map_err(|error| error.to_string())?;
        for (var, value) in values {
            value.to_device(var.device()).and_then(|value| var.set(&value)).map_err(|error| error.to_string())?;
        }
        self.best = index.best.map(|(_, file)| (index.best_epoch, file));
        self.last = (Instant::now(), index.step, Duration::ZERO);
        let (curve, epochs) = (index.curve, index.epochs);
        let report = TrainReport {
            curve,
            epochs,
            best_epoch: index.best_epoch,
            without_gradient: index.without_gradient,
            ..TrainReport::default()
        };
        Ok(Some(Progress { report, best }))
    }

    /// Whether the next checkpoint is due after a step.
    pub(super) fn is_due(&self, step: usize) -> bool {
        let (when, last, took) = self.last;
        match self.to.every {
            Every::Never => false,
            Every::Steps(steps) => step >= last + steps,
            Every::Time(time) => when.elapsed() >= time.max(took * SHARE),
        }
    }

    /// Writes a checkpoint.
    ///
    /// # Errors
    /// When it cannot be written; the earlier one then stays, and the next is due when it would have been after this one.
    pub(super) fn write(
        &mut self,
        vars: &BTreeMap<String, Var>,
        optimizer: &dyn Optimizer,
        progress: &Progress,
    ) -> Result<(), TrainError> {
        let step = progress.report.curve.len();
        if self.to.every == Every::Never || step == 0 {
            return Ok(());
        }
        let began = Instant::now();
        let written = self.write_files(vars, optimizer, progress);
        self.last = (Instant::now(), step, began.elapsed());
        written
    }

    fn write_files(
        &mut self,
        vars: &BTreeMap<String, Var>,
        optimizer: &dyn Optimizer,
        progress: &Progress,
    ) -> Result<(), TrainError> {
        let (folder, report) = (&self.to.folder, &progress.report);
        let step = report.curve.len();
        files::create_dir(folder)?;
        let best = match &progress.best {
            None => None,
            Some((accuracy, state)) => {
                let known = self.best.take().filter(|(epoch, _)| *epoch == report.best_epoch);
                let file = match known {
                    Some((_, file)) => file,
                    None => write(folder, &format!("best-{}", report.best_epoch), state)?,
                };
                self.best = Some((report.best_epoch, file.clone()));
                Some((*accuracy, file))
            }
        };
        let mut state = optimizer.state()?;
        for (name, var) in vars {
            state.insert(format!("value.{name}"), var.as_detached_tensor());
        }
        // The number of epochs tells a checkpoint before an evaluation from that behind it.
        let state = write(folder, &format!("step-{step}-{}", report.epochs.len()), &state)?;
        let names = [Some(state.name.clone()), best.as_ref().map(|(_, file)| file.name.clone())];
        let index = Index {
            version: VERSION,
            step,
            curve: report.curve.clone(),
            epochs: report.epochs.clone(),
            best_epoch: report.best_epoch,
            without_gradient: report.without_gradient.clone(),
            state,
            best,
        };
        let index = serde_json::to_vec(&index).map_err(|error| TrainError::Unfit(error.to_string()))?;
        files::write_atomic(&folder.join(INDEX), &index)?;
        remove_others(folder, &names.into_iter().flatten().chain([INDEX.to_owned()]).collect::<Vec<_>>())?;
        Ok(())
    }
}

/// Writes tensors to a file of the folder, whole and synced.
fn write(folder: &Path, name: &str, tensors: &BTreeMap<String, Tensor>) -> Result<FileOf, TrainError> {
    let name = format!("{name}.safetensors");
    let (draft, path) = (folder.join(format!(".{name}")), folder.join(&name));
    let tensors: HashMap<&str, Tensor> = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor.clone())).collect();
    let publish = || -> Result<Digest, TrainError> {
        safetensors::save(&tensors, &draft)?;
        fs::File::open(&draft).and_then(|file| file.sync_all()).at("cannot sync", &draft)?;
        let digest = Digest::of_file(&draft).at("cannot read", &draft)?;
        fs::rename(&draft, &path).at("cannot write", &path)?;
        Ok(digest)
    };
    let published = publish();
    if published.is_err() {
        // On a full disk, a half takes the room that the next one needs.
        let _ = fs::remove_file(&draft);
    }
    published.map(|digest| FileOf { name, digest })
}

/// Reads such a file; the error says what is wrong with it.
fn read(folder: &Path, file: &FileOf) -> Result<BTreeMap<String, Tensor>, String> {
    if file.name.contains(['/', '\\']) {
        return Err(format!("`{}` is no name of a file", file.name));
    }
    let path = folder.join(&file.name);
    let at = |error: &dyn std::fmt::Display| format!("`{}`: {error}", path.display());
    if Digest::of_file(&path).map_err(|error| at(&error))? != file.digest {
        return Err(at(&"it does not have the content that was written"));
    }
    Ok(safetensors::load(&path, &Device::Cpu).map_err(|error| at(&error))?.into_iter().collect())
}

fn remove_others(folder: &Path, names: &[String]) -> Result<(), PathError> {
    for entry in fs::read_dir(folder).at("cannot read", folder)? {
        let entry = entry.at("cannot read", folder)?;
        if !names.iter().any(|name| entry.file_name() == name.as_str()) {
            fs::remove_file(entry.path()).at("cannot remove", &entry.path())?;
        }
    }
    Ok(())
}
