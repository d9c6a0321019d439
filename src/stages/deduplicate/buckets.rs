//! `Buckets`: rows by the keys that they have, in bounded memory; rows that share a key are found.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use rayon::prelude::*;

use crate::{base::fs::AtPath, stage::StageError};

/// Parts by the first bits of the key; one a thread is in memory when rows that share a key are looked for.
const PARTS: usize = 256;
/// Entries of a part in memory, before they go to the disk: 64 MiB in all.
const MOST: usize = 16_384;
/// Bytes of an entry on the disk.
const BYTES: usize = 16;

/// A row and one of its keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    pub(super) key: u64,
    /// More of the key.
    pub(super) check: u32,
    pub(super) row: u32,
}

/// Rows by their keys. What many threads add may come in any order, and what is found does not depend on it.
pub(super) struct Buckets<'a> {
    parts: Vec<Mutex<Part>>,
    /// Where a file lies that has no name and is gone with this.
    dir: &'a Path,
    file: Mutex<Option<File>>,
    most: usize,
}

#[derive(Default)]
struct Part {
    entries: Vec<Entry>,
    /// Where on the disk others lie, and how many.
    spilled: Vec<(u64, usize)>,
}

impl<'a> Buckets<'a> {
    /// Empty; what is too much for the memory goes to the folder.
    pub(super) fn new(dir: &'a Path) -> Self {
        Self::with_most(dir, MOST)
    }

    fn with_most(dir: &'a Path, most: usize) -> Self {
        Self { parts: (0..PARTS).map(|_| Mutex::default()).collect(), dir, file: Mutex::default(), most }
    }

    /// Adds some rows.
    pub(super) fn add(&self, entries: &mut [Entry]) -> Result<(), StageError> {
        entries.sort_unstable_by_key(|entry| part_of(*entry));
        for same in entries.chunk_by(|a, b| part_of(*a) == part_of(*b)) {
            let mut part = lock(&self.parts[part_of(same[0])]);
            part.entries.extend_from_slice(same);
            if part.entries.len() >= self.most {
                let count = part.entries.len();
                let bytes: Vec<u8> = part.entries.iter().flat_map(|entry| entry.to_bytes()).collect();
                let at = self.spill(&bytes).at("cannot write a temporary file in", self.dir)?;
                part.spilled.push((at, count));
                part.entries.clear();
            }
        }
        Ok(())
    }

    fn spill(&self, bytes: &[u8]) -> io::Result<u64> {
        let mut file = lock(&self.file);
        let file = match &mut *file {
            Some(file) => file,
            none => none.insert(tempfile::tempfile_in(self.dir)?),
        };
        let at = file.seek(SeekFrom::End(0))?;
        file.write_all(bytes)?;
        Ok(at)
    }

    /// The rows that share a key, where two or more of those do that `counts` holds for: in the order of rows within, and of keys.
    pub(super) fn shared(self, counts: impl Fn(u32) -> bool + Sync) -> Result<Vec<Vec<u32>>, StageError> {
        let found = |part: &Mutex<Part>| -> Result<Vec<Vec<u32>>, StageError> {
            let mut entries = self.load(part).at("cannot read a temporary file in", self.dir)?;
            entries.retain(|entry| counts(entry.row));
            entries.sort_unstable();
            let buckets = entries.chunk_by(|a, b| (a.key, a.check) == (b.key, b.check));
            Ok(buckets.filter(|same| same.len() > 1).map(|same| same.iter().map(|entry| entry.row).collect()).collect())
        };
        let found = self.parts.par_iter().map(found).collect::<Result<Vec<_>, _>>()?;
        Ok(found.into_iter().flatten().collect())
    }

    fn load(&self, part: &Mutex<Part>) -> io::Result<Vec<Entry>> {
        let Part { mut entries, spilled } = std::mem::take(&mut *lock(part));
        for (at, count) in spilled {
            let mut bytes = vec![0; count * BYTES];
            if let Some(file) = &mut *lock(&self.file) {
                file.seek(SeekFrom::Start(at))?;
                file.read_exact(&mut bytes)?;
            }
            entries.extend(bytes.as_chunks().0.iter().map(Entry::from_bytes));
        }
        Ok(entries)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn part_of(entry: Entry) -> usize {
    (entry.key >> 56) as usize
}

impl Entry {
    fn to_bytes(self) -> [u8; BYTES] {
        let whole = u128::from(self.key) << 64 | u128::from(self.check) << 32 | u128::from(self.row);
        whole.to_le_bytes()
    }

    fn from_bytes(bytes: &[u8; BYTES]) -> Self {
        let whole = u128::from_le_bytes(*bytes);
        Self { key: (whole >> 64) as u64, check: (whole >> 32) as u32, row: whole as u32 }
    }
}

#[cfg(test)]
mod tests {
    use rand::RngCore;

    use super::*;
    use crate::base::rng::{below, stream};

    #[test]
    fn the_disk_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let mut random = stream(2, "buckets");
        let keys: Vec<u64> = (0..2_000).map(|_| random.next_u64()).collect();
        let entries: Vec<Entry> = (0..6_000)
            .map(|row| Entry { key: keys[below(&mut random, keys.len())], check: u32::from(row % 7 == 0), row })
            .collect();
        let found = |most: usize, chunk: usize| {
            let buckets = Buckets::with_most(dir.path(), most);
            let mut entries = entries.clone();
            entries.par_chunks_mut(chunk).for_each(|some| buckets.add(some).unwrap());
            buckets.shared(|row| row != 5).unwrap()
        };
        let expected = found(MOST, 6_000);
        assert!(expected.len() > 1_000);
        for rows in &expected {
            assert!(rows.is_sorted() && rows.len() > 1 && !rows.contains(&5));
            let of = |row: u32| (entries[row as usize].key, entries[row as usize].check);
            assert!(rows.iter().all(|row| of(*row) == of(rows[0])));
        }
        assert_eq!(found(1, 100), expected);
        assert_eq!(found(7, 37), expected);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "the file has no name");
    }
}
