//! `Kept`: the shingles of the rows that are compared, in bounded memory.

use std::{
    borrow::Cow,
    fs::File,
    io::{self, BufWriter, Read, Seek, SeekFrom, Write},
    path::Path,
    sync::{Mutex, PoisonError},
};

use crate::{base::fs::AtPath, stage::StageError, text::dedup::Resemblance};

/// Shingles in memory, four bytes each; what is more lies on the disk.
const MOST: usize = 64 << 20;

/// The shingles of rows, by their places among these.
pub(super) struct Kept<'a> {
    most: usize,
    memory: Vec<Resemblance>,
    /// Shingles in memory.
    count: usize,
    /// Where a file lies that has no name and is gone with this.
    dir: &'a Path,
    disk: Option<Disk>,
}

/// What did not fit.
struct Disk {
    file: Mutex<BufWriter<File>>,
    /// Where the shingles of each row end, in bytes.
    ends: Vec<u64>,
}

impl<'a> Kept<'a> {
    /// Empty; what is too much for the memory goes to the folder.
    pub(super) fn new(dir: &'a Path) -> Self {
        Self::with_most(dir, MOST)
    }

    fn with_most(dir: &'a Path, most: usize) -> Self {
        Self { most, memory: Vec::new(), count: 0, dir, disk: None }
    }

    /// Adds the next row.
    pub(super) fn push(&mut self, row: Resemblance) -> Result<(), StageError> {
        if self.disk.is_none() && self.count + row.shingles().len() <= self.most {
            self.count += row.shingles().len();
            self.memory.push(row);
            return Ok(());
        }
        let write = |disk: &mut Option<Disk>| -> io::Result<()> {
            let disk = match disk {
                Some(disk) => disk,
                none => {
                    let file = Mutex::new(BufWriter::with_capacity(1 << 20, tempfile::tempfile_in(self.dir)?));
                    none.insert(Disk { file, ends: Vec::new() })
                }
            };
            let bytes: Vec<u8> = row.shingles().iter().flat_map(|shingle| shingle.to_le_bytes()).collect();
            disk.ends.push(disk.ends.last().copied().unwrap_or_default() + bytes.len() as u64);
            disk.file.get_mut().unwrap_or_else(PoisonError::into_inner).write_all(&bytes)
        };
        Ok(write(&mut self.disk).at("cannot write a temporary file in", self.dir)?)
    }

    /// The shingles of the row at a place.
    pub(super) fn get(&self, at: usize) -> Result<Cow<'_, Resemblance>, StageError> {
        if let Some(row) = self.memory.get(at) {
            return Ok(Cow::Borrowed(row));
        }
        let read = |disk: &Disk| -> io::Result<Resemblance> {
            let place = at - self.memory.len();
            let start = place.checked_sub(1).map_or(0, |before| disk.ends[before]);
            let mut bytes = vec![0; (disk.ends[place] - start) as usize];
            let mut file = disk.file.lock().unwrap_or_else(PoisonError::into_inner);
            file.flush()?;
            let file = file.get_mut();
            file.seek(SeekFrom::Start(start))?;
            file.read_exact(&mut bytes)?;
            Ok(Resemblance::from_shingles(bytes.as_chunks().0.iter().map(|four| u32::from_le_bytes(*four)).collect()))
        };
        let disk = self.disk.as_ref().expect("what is not in memory is on the disk");
        Ok(Cow::Owned(read(disk).at("cannot read a temporary file in", self.dir)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_disk_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let row = |row: u32| Resemblance::from_shingles((0..row % 5).map(|shingle| row * 10 + shingle).collect());
        for most in [0, 1, 20, 1_000] {
            let mut kept = Kept::with_most(dir.path(), most);
            (0..50).for_each(|number| kept.push(row(number)).unwrap());
            assert!(kept.count <= most);
            for number in [49, 0, 7, 8, 48] {
                assert_eq!(*kept.get(number).unwrap(), row(number as u32), "{most}");
            }
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "the file has no name");
    }
}
