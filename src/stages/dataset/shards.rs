//! Shards: what a data stage has made of its rows so far, for when it is interrupted.
//!
//! A stage makes parts of its output in order. Those that it has made since it last left something are written as one file, which
//! begins with its digest and is named by its first part: the files of a stage follow each other without a gap, and what cannot be
//! used ends them. Each says how many parts there are in all, so that nothing is taken from a program that cuts them otherwise.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    base::{digest::Digest, every::Every, fs as files},
    stage::{Partial, StageCtx, StageError},
};

/// Leaving shards takes at most this share of the time of a stage.
const SHARE: u32 = 50;

/// Makes the parts 0, 1, … `count - 1` of what a stage makes; those that it left when it was interrupted are taken as they are.
///
/// What `make` gives may depend on its number and on nothing that earlier calls of it did, since these may not take place.
///
/// # Errors
/// When a stop was asked for, after what was made is left for the next run; and when `make` fails.
pub(in crate::stages) fn in_order<T: Serialize + DeserializeOwned>(
    ctx: &StageCtx<'_>,
    count: usize,
    mut make: impl FnMut(usize) -> Result<T, StageError>,
) -> Result<Vec<T>, StageError> {
    let mut shards = ctx.partial.map(|to| Shards::new(to, count));
    let mut parts: Vec<T> = shards.as_mut().map_or_else(Vec::new, Shards::found);
    parts.truncate(count);
    if !parts.is_empty() {
        ctx.sink.note(format!("goes on behind part {} of {count}", parts.len()));
    }
    while parts.len() < count {
        if let Some(shards) = &mut shards
            && (ctx.cancel.is_cancelled() || shards.is_due(parts.len()))
            && let Err(error) = shards.write(&parts)
        {
            ctx.sink.note(format!("what is done so far is not kept, and the stage goes on: {error}"));
        }
        ctx.check_cancelled()?;
        parts.push(make(parts.len())?);
    }
    Ok(parts)
}

/// The files of a stage.
struct Shards<'a> {
    to: Partial<'a>,
    /// Parts in all.
    count: usize,
    /// Parts that are in files.
    kept: usize,
    /// When the last file was written, and how long that took.
    last: (Instant, Duration),
}

impl<'a> Shards<'a> {
    fn new(to: Partial<'a>, count: usize) -> Self {
        Self { to, count, kept: 0, last: (Instant::now(), Duration::ZERO) }
    }

    fn path(&self, first: usize) -> PathBuf {
        self.to.dir.join(format!("parts-{first:08}.json"))
    }

    /// All parts that are in files.
    fn found<T: DeserializeOwned>(&mut self) -> Vec<T> {
        let mut parts = Vec::new();
        while let Some(shard) = self.read::<T>(parts.len()).filter(|shard| !shard.is_empty()) {
            parts.extend(shard);
        }
        self.kept = parts.len();
        parts
    }

    fn read<T: DeserializeOwned>(&self, first: usize) -> Option<Vec<T>> {
        let bytes = files::read(&self.path(first)).ok()?;
        let (digest, parts) = bytes.split_at_checked(Digest::of(b"").to_string().len())?;
        let is_whole = digest == Digest::of(parts).to_string().as_bytes();
        let (count, parts): (usize, Vec<T>) = is_whole.then(|| serde_json::from_slice(parts).ok())??;
        (count == self.count).then_some(parts)
    }

    fn is_due(&self, made: usize) -> bool {
        let (when, took) = self.last;
        match self.to.every {
            Every::Never => false,
            Every::Steps(parts) => made >= self.kept + parts,
            Every::Time(time) => when.elapsed() >= time.max(took * SHARE),
        }
    }

    /// Writes the parts that are in no file yet.
    fn write<T: Serialize>(&mut self, parts: &[T]) -> Result<(), StageError> {
        if self.to.every == Every::Never || parts.len() == self.kept {
            return Ok(());
        }
        let began = Instant::now();
        let json = serde_json::to_vec(&(self.count, &parts[self.kept..])).map_err(|error| StageError::msg(error.to_string()))?;
        let bytes = [Digest::of(&json).to_string().as_bytes(), &json].concat();
        let written = files::create_dir(self.to.dir).and_then(|()| files::write_atomic(&self.path(self.kept), &bytes));
        self.last = (Instant::now(), began.elapsed());
        written?;
        self.kept = parts.len();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_follow_each_other_and_damage_ends_them() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("partial");
        let new = |every| Shards::new(Partial { dir: &folder, every }, 6);
        let mut shards = new(Every::Steps(2));
        assert!(!shards.is_due(1) && shards.is_due(2));
        for made in [2, 3, 3, 6] {
            shards.write(&(0..made).collect::<Vec<usize>>()).unwrap();
        }
        assert!(!shards.is_due(7) && shards.is_due(8));
        let found = |every| new(every).found::<usize>();
        assert_eq!(found(Every::Never), (0..6).collect::<Vec<_>>());
        let path = shards.path(3);
        let whole = files::read(&path).unwrap();
        let mut flipped = whole.clone();
        *flipped.last_mut().unwrap() ^= 1;
        for damaged in [&flipped[..], &whole[..9], &whole[..whole.len() - 1], b""] {
            files::write_atomic(&path, damaged).unwrap();
            assert_eq!(found(Every::Steps(1)), [0, 1, 2]);
        }
        // What is made anew takes the place of what cannot be used.
        let mut again = new(Every::Steps(1));
        again.found::<usize>();
        again.write(&[0, 1, 2, 3]).unwrap();
        assert_eq!(found(Every::Steps(1)), [0, 1, 2, 3], "what stood behind the damage began at another part");
        let mut otherwise = Shards::new(Partial { dir: &folder, every: Every::Never }, 7);
        assert!(otherwise.found::<usize>().is_empty(), "seven parts are others than six");
        let mut never = new(Every::Never);
        never.write(&[1]).unwrap();
        assert!(!never.is_due(100));
    }
}
