//! Who works in a store: runs share it, who tidies has it alone, and a stage is made by one process at a time.
//!
//! Locks are the operating system's, on files that stay: a process that ends in whatever way gives them back, so none is ever
//! stale. Each process makes things in a folder of its own below `tmp/`, and holds a lock there for as long as it lives.

use std::{
    fs::{self, File, TryLockError},
    io::{ErrorKind, Seek, Write},
    path::{Path, PathBuf},
};

use super::{Store, entries};
use crate::{
    base::{
        digest::Digest,
        fs::{self as files, AtPath},
    },
    engine::error::RunError,
};

/// The file in a process's folder that is locked while it lives.
const ALIVE: &str = "alive";

/// A right that ends when it is dropped, or when the process does.
#[derive(Debug)]
pub struct Lock {
    /// The operating system ties the lock to this handle.
    file: File,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing the handle would not do: a process that another thread is starting just now holds a copy of it until it
        // has become that program, and with it the lock.
        if let Err(error) = self.file.unlock() {
            tracing::warn!("a lock of the store is not released: {error}");
        }
    }
}

/// How a lock is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// With others who share it.
    Shared,
    /// By one.
    Alone,
}

/// A stage that this process makes and no other.
#[derive(Debug)]
pub(in crate::engine) struct Claim {
    _stage: Lock,
    _machine: Lock,
}

/// Why a stage cannot be claimed now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::engine) enum Taken {
    /// Another process makes it.
    Stage(Option<u32>),
    /// It is to run alone, and another process runs something, or something of another process is to run alone.
    Machine(Option<u32>),
}

impl Store {
    /// Takes part in the store beside other runs, and clears what dead ones left half-made.
    ///
    /// # Errors
    /// [`RunError::Locked`] while somebody has it alone.
    pub fn join(&self) -> Result<Lock, RunError> {
        let lock = self.take_store(Mode::Shared)?;
        self.sweep()?;
        Ok(lock)
    }

    /// Takes the whole store for this process, to tidy it.
    ///
    /// # Errors
    /// [`RunError::Locked`] while a run goes on in it.
    pub fn lock(&self) -> Result<Lock, RunError> {
        let lock = self.take_store(Mode::Alone)?;
        self.sweep()?;
        Ok(lock)
    }

    fn take_store(&self, mode: Mode) -> Result<Lock, RunError> {
        let path = self.root.join("lock");
        take(&path, mode)?.ok_or_else(|| RunError::Locked { path: self.root.clone(), pid: pid_in(&path) })
    }

    /// Takes a stage, to make it, and the machine: for itself where it runs alone, beside others elsewhere.
    pub(in crate::engine) fn claim(&self, fingerprint: Digest, alone: bool) -> Result<Result<Claim, Taken>, RunError> {
        let folder = self.root.join("locks");
        files::create_dir(&folder)?;
        let (stage, machine) = (folder.join(fingerprint.to_string()), folder.join("machine"));
        let Some(stage_lock) = take(&stage, Mode::Alone)? else { return Ok(Err(Taken::Stage(pid_in(&stage)))) };
        let mode = if alone { Mode::Alone } else { Mode::Shared };
        let Some(machine_lock) = take(&machine, mode)? else { return Ok(Err(Taken::Machine(pid_in(&machine)))) };
        Ok(Ok(Claim { _stage: stage_lock, _machine: machine_lock }))
    }

    /// Removes what processes left that no longer live.
    fn sweep(&self) -> Result<(), RunError> {
        let _tmp = self.lock_tmp()?;
        for left in entries(&self.root.join("tmp"))? {
            let alive = left.join(ALIVE);
            // Folders are made under the lock that is held here: one without this file is of no living process.
            if alive.exists() && take(&alive, Mode::Alone)?.is_none() {
                continue;
            }
            let removed = if left.is_dir() { fs::remove_dir_all(&left) } else { fs::remove_file(&left) };
            removed.at("cannot remove", &left)?;
        }
        self.remove_done_partials()
    }

    fn lock_tmp(&self) -> Result<Lock, RunError> {
        let path = self.root.join("tmp.lock");
        let file = open(&path)?;
        match file.lock() {
            Err(error) if error.kind() != ErrorKind::Unsupported => Err(error).at("cannot lock", &path)?,
            _ => Ok(Lock { file }),
        }
    }

    /// The folder that this process makes things in; made when it is first asked for.
    pub(super) fn session(&self) -> Result<PathBuf, RunError> {
        let mut session = self.session.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if session.is_none() {
            let _tmp = self.lock_tmp()?;
            let folder = self.root.join("tmp");
            files::create_dir(&folder)?;
            let dir =
                tempfile::Builder::new().prefix("run-").tempdir_in(&folder).at("cannot create a folder in", &folder)?;
            let alive = take(&dir.path().join(ALIVE), Mode::Alone)?;
            *session = Some(Session { dir, _alive: alive });
        }
        Ok(session.as_ref().map(|session| session.dir.path().to_owned()).unwrap_or_default())
    }
}

/// The folder of a process below `tmp/`; it is removed with it.
#[derive(Debug)]
pub(super) struct Session {
    dir: tempfile::TempDir,
    _alive: Option<Lock>,
}

/// Takes a lock if it is free, and leaves the number of this process in the file.
fn take(path: &Path, mode: Mode) -> Result<Option<Lock>, RunError> {
    let mut file = open(path)?;
    let tried = match mode {
        Mode::Shared => file.try_lock_shared(),
        Mode::Alone => file.try_lock(),
    };
    match tried {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        // Some network file systems have no locks: then whoever runs there must see to it himself.
        Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => {
            tracing::warn!("`{}`: this file system has no locks: do not run twice at once here", path.display());
        }
        Err(TryLockError::Error(error)) => Err(error).at("cannot lock", path)?,
    }
    let pid = format!("{}\n", std::process::id());
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| file.write_all(pid.as_bytes()))
        .at("cannot write", path)?;
    Ok(Some(Lock { file }))
}

fn open(path: &Path) -> Result<File, RunError> {
    let open = File::options().read(true).write(true).create(true).truncate(false).open(path);
    Ok(open.at("cannot open", path)?)
}

/// The process that took a lock last. Where locks are mandatory the file cannot be read; messages then do without.
fn pid_in(path: &Path) -> Option<u32> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_share_a_store_and_who_tidies_has_it_alone() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        fs::create_dir(dir.path().join("tmp/left")).unwrap();
        let (one, other) = (store.join().unwrap(), Store::open(dir.path()).unwrap().join().unwrap());
        assert!(!dir.path().join("tmp/left").exists());
        let error = Store::open(dir.path()).unwrap().lock().unwrap_err();
        assert!(matches!(error, RunError::Locked { pid: Some(pid), .. } if pid == std::process::id()), "{error}");
        drop((one, other));
        let alone = store.lock().unwrap();
        assert!(matches!(store.join(), Err(RunError::Locked { .. })));
        drop(alone);
        store.join().unwrap();
    }

    #[test]
    fn what_a_living_run_makes_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let scratch = store.scratch().unwrap();
        let _other = Store::open(dir.path()).unwrap().join().unwrap();
        assert!(scratch.path().exists());
        let path = scratch.path().to_owned();
        drop((scratch, store));
        assert!(!path.parent().unwrap().exists(), "nothing is left of it");
    }

    #[test]
    fn a_stage_is_claimed_once_and_the_machine_by_what_runs_alone() {
        let dir = tempfile::tempdir().unwrap();
        let (one, other) = (Store::open(dir.path()).unwrap(), Store::open(dir.path()).unwrap());
        let (a, b) = (Digest::of(b"a"), Digest::of(b"b"));
        let me = Some(std::process::id());
        let claim = one.claim(a, false).unwrap().unwrap();
        assert_eq!(other.claim(a, false).unwrap().unwrap_err(), Taken::Stage(me));
        let beside = other.claim(b, false).unwrap().unwrap();
        drop(beside);
        assert_eq!(other.claim(b, true).unwrap().unwrap_err(), Taken::Machine(me));
        drop(claim);
        let _alone = other.claim(b, true).unwrap().unwrap();
        assert_eq!(one.claim(a, false).unwrap().unwrap_err(), Taken::Machine(me));
    }
}
