//! Parquet.

mod pages;

use std::{fs::File, path::Path};

use arrow::{compute::concat_batches, record_batch::RecordBatch};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::Reader;
use crate::{base::fs::AtPath, data::DataError};

pub(super) const PARQUET: Reader = Reader { extensions: &["parquet"], read: |path, _| read(path) };

/// Rows that are decoded at once: enough that the cost of a batch does not show.
const BATCH_ROWS: usize = 65_536;

fn read(path: &Path) -> Result<RecordBatch, DataError> {
    let wrong = |error: &dyn std::fmt::Display| DataError::content(format!("not a Parquet file, or damaged: {error}"));
    let file = File::open(path).at("cannot read", path)?;
    let copy = file.try_clone().at("cannot read", path)?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| wrong(&error))?;
    pages::check(&copy, builder.metadata()).map_err(|error| wrong(&error))?;
    let reader = builder.with_batch_size(BATCH_ROWS).build().map_err(|error| wrong(&error))?;
    let schema = arrow::record_batch::RecordBatchReader::schema(&reader);
    let batches = reader.collect::<Result<Vec<_>, _>>().map_err(|error| wrong(&error))?;
    concat_batches(&schema, &batches).map_err(|error| wrong(&error))
}
