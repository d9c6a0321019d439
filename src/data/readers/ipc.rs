//! Arrow IPC: files, and streams.

use std::{io::Cursor, path::Path};

use arrow::{
    compute::concat_batches,
    ipc::reader::{FileReader, StreamReader},
    record_batch::{RecordBatch, RecordBatchReader},
};

use super::Reader;
use crate::{base::fs, data::DataError};

pub(super) const IPC: Reader = Reader { extensions: &["arrow", "ipc", "feather"], read: |path, _| read(path) };

/// What an IPC file, but no stream, begins with.
const MAGIC: &[u8] = b"ARROW1";

fn read(path: &Path) -> Result<RecordBatch, DataError> {
    let bytes = fs::read(path)?;
    let read = || {
        let is_file = bytes.starts_with(MAGIC);
        let cursor = Cursor::new(&bytes);
        if is_file { concat(FileReader::try_new(cursor, None)?) } else { concat(StreamReader::try_new(cursor, None)?) }
    };
    read().map_err(|error| DataError::content(format!("not an Arrow IPC file, or damaged: {error}")))
}

fn concat(reader: impl RecordBatchReader) -> Result<RecordBatch, arrow::error::ArrowError> {
    let schema = reader.schema();
    concat_batches(&schema, &reader.collect::<Result<Vec<_>, _>>()?)
}
