//! Arrow IPC: files, and streams.

use std::{
    fs::File,
    io::{BufReader, Read, Seek, SeekFrom},
    path::Path,
};

use arrow::ipc::reader::{FileReader, StreamReader};

use super::{Reader, Rows, numbered};
use crate::{base::fs::AtPath, data::DataError};

pub(super) const IPC: Reader =
    Reader { extensions: &["arrow", "ipc", "feather"], is_text: false, open: |path, _| open(path) };

/// What an IPC file, but no stream, begins with.
const MAGIC: &[u8; 6] = b"ARROW1";
const WHAT: &str = "an Arrow IPC file";

fn open(path: &Path) -> Result<Rows, DataError> {
    let wrong = |error| DataError::content(format!("not {WHAT}, or damaged: {error}"));
    let mut file = File::open(path).at("cannot read", path)?;
    let mut start = Vec::new();
    file.by_ref().take(MAGIC.len() as u64).read_to_end(&mut start).at("cannot read", path)?;
    file.seek(SeekFrom::Start(0)).at("cannot read", path)?;
    let file = BufReader::new(file);
    Ok(if start == MAGIC {
        numbered(FileReader::try_new(file, None).map_err(wrong)?, WHAT)
    } else {
        numbered(StreamReader::try_new(file, None).map_err(wrong)?, WHAT)
    })
}
