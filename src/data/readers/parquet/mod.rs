//! Parquet.

mod pages;

use std::{fs::File, path::Path};

use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::{ROWS, Reader, Rows, numbered};
use crate::{base::fs::AtPath, data::DataError};

pub(super) const PARQUET: Reader = Reader { extensions: &["parquet"], is_text: false, open: |path, _| open(path) };

const WHAT: &str = "a Parquet file";

fn open(path: &Path) -> Result<Rows, DataError> {
    let wrong = |error: &dyn std::fmt::Display| DataError::content(format!("not {WHAT}, or damaged: {error}"));
    let file = File::open(path).at("cannot read", path)?;
    let copy = file.try_clone().at("cannot read", path)?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| wrong(&error))?;
    pages::check(&copy, builder.metadata()).map_err(|error| wrong(&error))?;
    let reader = builder.with_batch_size(ROWS).build().map_err(|error| wrong(&error))?;
    Ok(numbered(reader, WHAT))
}
