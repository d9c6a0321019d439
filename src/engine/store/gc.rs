//! What a store may lose: old runs, and what was used least recently; never what is pinned.
//!
//! Pinned is what the latest run of each recipe made, as its report shows it, and what a file in `pins/` names (a baseline).

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};

use super::{Action, Store, StoredRun, entries, read_json, verify::bytes_below};
use crate::{
    base::{
        digest::{self, Digest},
        fs::{self as files, AtPath},
    },
    engine::error::RunError,
};

const PIN_VERSION: u32 = 1;

/// What is left of an interrupted stage for so long is not asked for any more.
const STALE: Duration = Duration::from_hours(30 * 24);

/// How much is to stay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of what stages made and left; what was used least recently goes first.
    pub max_bytes: Option<u64>,
    /// Runs of each recipe; with older ones goes what they alone refer to.
    pub keep_runs: Option<usize>,
}

/// What goes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tidying {
    /// The names of runs.
    pub runs: Vec<String>,
    /// Objects: what they are, and their bytes.
    pub objects: Vec<Removed>,
    /// Records of what is not there any more.
    pub actions: usize,
    /// The bytes that become free.
    pub freed: u64,
    /// The bytes of what stages made and left that stay.
    pub left: u64,
    /// Those of them that are pinned.
    pub pinned: u64,
    paths: Vec<PathBuf>,
}

/// Something that stages made or left.
#[derive(Clone, Debug, PartialEq)]
pub struct Removed {
    /// The stage.
    pub name: String,
    /// The digest of its content; the fingerprint of a stage that was interrupted.
    pub digest: Digest,
    /// Whether it is what an interrupted stage left.
    pub is_partial: bool,
    /// Its size.
    pub bytes: u64,
}

/// A file in `pins/`.
#[derive(Debug, Serialize, Deserialize)]
struct Pin {
    version: u32,
    what: String,
    objects: Vec<Digest>,
}

struct Candidate {
    removed: Removed,
    path: PathBuf,
    used: SystemTime,
}

impl Store {
    /// Says what limits make of the store, and changes nothing.
    ///
    /// # Errors
    /// When a folder of the store cannot be read.
    pub fn plan_tidying(&self, limits: Limits) -> Result<Tidying, RunError> {
        let mut tidying = Tidying::default();
        let (kept, dropped) = parted(self.runs()?, limits.keep_runs);
        let digests = |runs: &[StoredRun]| -> BTreeSet<Digest> {
            let nodes = runs.iter().filter_map(|run| run.record.as_ref()).flat_map(|record| &record.nodes);
            nodes.filter_map(|node| node.digest).collect()
        };
        let referenced = digests(&kept);
        let dropped_only: BTreeSet<Digest> = digests(&dropped).difference(&referenced).copied().collect();
        let pinned = self.pinned(&kept)?;
        for run in dropped {
            tidying.freed += bytes_below(&run.path);
            tidying.runs.push(run.id);
            tidying.paths.push(run.path);
        }
        let actions = self.actions()?;
        let mut candidates = self.candidates(&actions)?;
        candidates.sort_by_key(|candidate| (candidate.used, candidate.removed.digest));
        let mut total: u64 = candidates.iter().map(|candidate| candidate.removed.bytes).sum();
        let mut gone = BTreeSet::new();
        let now = SystemTime::now();
        for Candidate { removed, path, used } in candidates {
            let is_pinned = !removed.is_partial && pinned.contains(&removed.digest);
            let is_stale = removed.is_partial && now.duration_since(used).is_ok_and(|age| age > STALE);
            let is_over = limits.max_bytes.is_some_and(|max| total > max);
            if is_pinned || !(is_stale || is_over || dropped_only.contains(&removed.digest)) {
                tidying.left += removed.bytes;
                tidying.pinned += if is_pinned { removed.bytes } else { 0 };
                continue;
            }
            total -= removed.bytes;
            tidying.freed += removed.bytes;
            gone.insert(removed.digest);
            tidying.objects.push(removed);
            tidying.paths.push(path);
        }
        for (path, action) in actions {
            if gone.contains(&action.digest) || !self.object_dir(action.digest).is_dir() {
                tidying.actions += 1;
                tidying.paths.push(path);
            }
        }
        Ok(tidying)
    }

    /// Removes what [`Self::plan_tidying`] named; whoever calls it holds [`Self::lock`].
    ///
    /// # Errors
    /// When something cannot be removed; what is left stays whole.
    pub fn tidy(&self, tidying: &Tidying) -> Result<(), RunError> {
        let away = self.scratch()?;
        for (at, path) in tidying.paths.iter().enumerate() {
            if !path.is_dir() {
                fs::remove_file(path).at("cannot remove", path)?;
                continue;
            }
            // Out of the way at once, then piece by piece: a kill between leaves no half object.
            let to = away.path().join(at.to_string());
            fs::rename(path, &to).at("cannot move away", path)?;
            fs::remove_dir_all(&to).at("cannot remove", &to)?;
        }
        // A lock of a stage is of use while the stage is made, and nobody makes one now.
        for lock in entries(&self.root.join("locks"))? {
            fs::remove_file(&lock).at("cannot remove", &lock)?;
        }
        Ok(())
    }

    /// Notes that what a fingerprint led to was of use.
    pub(in crate::engine) fn touch(&self, fingerprint: Digest) {
        let path = self.action_path(fingerprint);
        let touched =
            fs::File::options().append(true).open(&path).and_then(|file| file.set_modified(SystemTime::now()));
        if let Err(error) = touched {
            tracing::debug!("`{}`: {error}", path.display());
        }
    }

    /// Keeps objects for somebody, a baseline, from now on instead of those that it kept before.
    ///
    /// # Errors
    /// When it cannot be noted.
    pub fn pin(&self, who: &str, objects: Vec<Digest>) -> Result<(), RunError> {
        let folder = self.root.join("pins");
        files::create_dir(&folder)?;
        let pin = Pin { version: PIN_VERSION, what: who.to_owned(), objects };
        self.write_json(&folder.join(format!("{}.json", Digest::of(who.as_bytes()).short())), &pin)
    }

    /// What must stay: what the latest run of each recipe made, and what pins name.
    fn pinned(&self, runs: &[StoredRun]) -> Result<BTreeSet<Digest>, RunError> {
        let mut latest = BTreeMap::new();
        for record in runs.iter().filter_map(|run| run.record.as_ref()) {
            latest.insert(record.name.as_str(), record);
        }
        let nodes = latest.into_values().flat_map(|record| &record.nodes);
        let mut pinned: BTreeSet<Digest> = nodes.filter_map(|node| node.digest).collect();
        for path in entries(&self.root.join("pins"))? {
            let pin: Pin = read_json(&path, PIN_VERSION.into())?;
            pinned.extend(pin.objects);
        }
        Ok(pinned)
    }

    fn actions(&self) -> Result<Vec<(PathBuf, Action)>, RunError> {
        let leaves = self.leaves("actions")?.into_iter();
        // What cannot be read is for `verify` to tell.
        Ok(leaves.filter_map(|path| Some((path.clone(), read_json(&path, 1).ok()?))).collect())
    }

    /// All that may go, with the time when it was used last.
    fn candidates(&self, actions: &[(PathBuf, Action)]) -> Result<Vec<Candidate>, RunError> {
        let mut candidates = Vec::new();
        for digest in self.objects()? {
            let path = self.object_dir(digest);
            let of_it = actions.iter().filter(|(_, action)| action.digest == digest);
            let name = of_it.clone().next().map_or_else(|| "unknown".to_owned(), |(_, action)| action.node.clone());
            let used = of_it.map(|(path, _)| modified(path)).chain([modified(&path)]).max();
            let removed = Removed { name, digest, is_partial: false, bytes: bytes_below(&path) };
            candidates.push(Candidate { removed, path, used: used.unwrap_or(SystemTime::UNIX_EPOCH) });
        }
        for path in entries(&self.root.join("partial"))? {
            let Some(digest) = path.file_name().and_then(|name| name.to_str()?.parse().ok()) else { continue };
            let removed =
                Removed { name: "interrupted".to_owned(), digest, is_partial: true, bytes: bytes_below(&path) };
            let files = digest::files_below(&path).at("cannot read", &path)?;
            let used = files.iter().map(|file| modified(&path.join(file))).max();
            candidates.push(Candidate { removed, path, used: used.unwrap_or(SystemTime::UNIX_EPOCH) });
        }
        Ok(candidates)
    }
}

/// Runs that stay, and those that go: of each recipe all but the latest so many. One that was killed before it could say what it
/// is of goes when there is a later one that could.
fn parted(runs: Vec<StoredRun>, keep: Option<usize>) -> (Vec<StoredRun>, Vec<StoredRun>) {
    let Some(keep) = keep else { return (runs, Vec::new()) };
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let (mut kept, mut dropped) = (Vec::new(), Vec::new());
    for run in runs.into_iter().rev() {
        let stays = match &run.record {
            Some(record) => {
                let count = seen.entry(record.name.clone()).or_default();
                *count += 1;
                *count <= keep
            }
            None => seen.is_empty(),
        };
        if stays { kept.push(run) } else { dropped.push(run) }
    }
    kept.reverse();
    dropped.reverse();
    (kept, dropped)
}

fn modified(path: &Path) -> SystemTime {
    fs::metadata(path).and_then(|found| found.modified()).unwrap_or(SystemTime::UNIX_EPOCH)
}
