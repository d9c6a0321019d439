//! One writer a store, across processes: the lock that a run holds.

use std::{
    fs::{self, File, TryLockError},
    io::{Read, Seek, Write},
};

use super::{Store, entries};
use crate::{base::fs::AtPath, engine::error::RunError};

/// The right to write to a store, given back when it is dropped, or when the process ends in whatever way.
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
            tracing::warn!("the store's lock is not released: {error}");
        }
    }
}

impl Store {
    /// Takes the store for this process, and clears what dead runs left half-made.
    ///
    /// # Errors
    /// [`RunError::Locked`] when another process has it.
    pub fn lock(&self) -> Result<Lock, RunError> {
        let path = self.root.join("lock");
        let mut file =
            File::options().read(true).write(true).create(true).truncate(false).open(&path).at("cannot open", &path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                // Where locks are mandatory the file cannot be read; the message then does without the process.
                let _ = file.read_to_string(&mut text);
                return Err(RunError::Locked { path: self.root.clone(), pid: text.trim().parse().ok() });
            }
            Err(TryLockError::Error(error)) => Err(error).at("cannot lock", &path)?,
        }
        let pid = format!("{}\n", std::process::id());
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(pid.as_bytes()))
            .at("cannot write", &path)?;
        // Nobody else writes now, so everything in here was left by a run that was killed.
        for left in entries(&self.root.join("tmp"))? {
            let removed = if left.is_dir() { fs::remove_dir_all(&left) } else { fs::remove_file(&left) };
            removed.at("cannot remove", &left)?;
        }
        self.remove_done_partials()?;
        Ok(Lock { file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holds_it_and_the_other_is_told_who() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        fs::create_dir(dir.path().join("tmp/left")).unwrap();
        let lock = store.lock().unwrap();
        assert!(!dir.path().join("tmp/left").exists());
        fs::create_dir(dir.path().join("tmp/being-made")).unwrap();
        let error = Store::open(dir.path()).unwrap().lock().unwrap_err();
        assert!(matches!(error, RunError::Locked { pid: Some(pid), .. } if pid == std::process::id()), "{error}");
        assert!(dir.path().join("tmp/being-made").exists(), "what a living run makes is left alone");
        drop(lock);
        store.lock().unwrap();
    }
}
