//! What a writer leaves when it is interrupted, and how another goes on from it.
//!
//! The growing files are linked under a second name and not copied: to leave something costs no more than to bring what was written
//! to the disk, however much that is.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{BufReader, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use arrow::ipc::reader::StreamReader;
use serde::{Deserialize, Serialize};

use super::DatasetWriter;
use crate::{
    base::{
        digest::Digest,
        fs::{self as files, AtPath},
    },
    data::{DataError, Split, table},
};

/// Where the messages of a file begin at the latest: behind its magic bytes, which are padded to a cache line.
const LONGEST_START: usize = 64;

/// How far a writer was.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pause {
    splits: BTreeMap<Split, PausedSplit>,
}

/// How far the file of a split was.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PausedSplit {
    /// Bytes in whole batches.
    bytes: u64,
    digest: Digest,
    /// The digest of the file of rows that were in no batch yet.
    rest: Option<Digest>,
}

impl DatasetWriter {
    /// Leaves what is written so far in a folder, under names that begin with `name`. The writer goes on.
    ///
    /// # Errors
    /// When it cannot: the folder is on another file system, or the disk is full.
    pub fn pause(&mut self, dir: &Path, name: &str) -> Result<Pause, DataError> {
        let mut splits = BTreeMap::new();
        for (&split, writer) in &mut self.splits {
            let (bytes, digest) = writer.sync()?;
            let link = written(dir, name, split);
            if link.exists() {
                fs::remove_file(&link).at("cannot replace", &link)?;
            }
            fs::hard_link(writer.path(), &link).at("cannot link", &link)?;
            let mut rest = None;
            if let Some(rows) = writer.waiting()? {
                let path = waiting(dir, name, split);
                let bytes = table::to_bytes(&rows).map_err(|error| DataError::content(error.to_string()))?;
                files::write_atomic(&path, &bytes)?;
                rest = Some(Digest::of(&bytes));
            }
            splits.insert(split, PausedSplit { bytes, digest, rest });
        }
        Ok(Pause { splits })
    }

    /// Brings a new writer to where another was. What is left is compared with its digests before any of it is taken.
    ///
    /// # Errors
    /// When something is missing or damaged. The writer is of no use then: begin anew with another.
    pub fn resume(&mut self, dir: &Path, name: &str, pause: &Pause) -> Result<(), DataError> {
        for (&split, paused) in &pause.splits {
            let path = written(dir, name, split);
            let is_same = Digest::of_start(&path, paused.bytes).at("cannot read", &path)? == paused.digest;
            let rest = waiting(dir, name, split);
            let has_rest = match paused.rest {
                Some(digest) => Digest::of_file(&rest).at("cannot read", &rest)? == digest,
                None => true,
            };
            if !is_same || !has_rest {
                return Err(DataError::content(format!("`{}` is damaged", path.display())));
            }
        }
        for (&split, paused) in &pause.splits {
            self.take(split, &written(dir, name, split), paused.bytes)?;
            if paused.rest.is_some() {
                let path = waiting(dir, name, split);
                self.append(split, &table::from_bytes(&path, &files::read(&path)?)?)?;
            }
        }
        Ok(())
    }

    /// Appends the batches in the first bytes of a file that may have no end.
    fn take(&mut self, split: Split, path: &Path, bytes: u64) -> Result<(), DataError> {
        let damaged = |error: &dyn std::fmt::Display| DataError::content(format!("`{}`: {error}", path.display()));
        let mut file = File::open(path).at("cannot read", path)?;
        let mut start = [0; LONGEST_START + 1];
        file.read_exact(&mut start).at("cannot read", path)?;
        // A message begins with four bytes of ones.
        let begin =
            start.iter().position(|&byte| byte == u8::MAX).ok_or_else(|| damaged(&"it has no messages"))? as u64;
        file.seek(SeekFrom::Start(begin)).at("cannot read", path)?;
        let messages = BufReader::new(file.take(bytes - begin));
        let batches = StreamReader::try_new(messages, None).map_err(|error| damaged(&error))?;
        self.append(split, &arrow::array::RecordBatch::new_empty(batches.schema()))?;
        for batch in batches {
            self.append(split, &batch.map_err(|error| damaged(&error))?)?;
        }
        Ok(())
    }
}

fn written(dir: &Path, name: &str, split: Split) -> PathBuf {
    dir.join(format!("{name}-{}.arrow", split.name()))
}

fn waiting(dir: &Path, name: &str, split: Split) -> PathBuf {
    dir.join(format!("{name}-{}-rest.arrow", split.name()))
}
