//! Parquet.

mod pages;

use std::{fs::File, path::Path};

use parquet::{
    arrow::arrow_reader::ParquetRecordBatchReaderBuilder,
    file::metadata::{ParquetMetaData, RowGroupMetaData},
};

use super::{BYTES, ROWS, Reader, Rows, numbered};
use crate::{base::fs::AtPath, data::DataError};

pub(super) const PARQUET: Reader = Reader { extensions: &["parquet"], is_text: false, open: |path, _| open(path) };

const WHAT: &str = "a Parquet file";

fn open(path: &Path) -> Result<Rows, DataError> {
    let wrong = |error: &dyn std::fmt::Display| DataError::content(format!("not {WHAT}, or damaged: {error}"));
    let file = File::open(path).at("cannot read", path)?;
    let copy = file.try_clone().at("cannot read", path)?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| wrong(&error))?;
    pages::check(&copy, builder.metadata()).map_err(|error| wrong(&error))?;
    let rows = rows_at_a_time(builder.metadata());
    let reader = builder.with_batch_size(rows).build().map_err(|error| wrong(&error))?;
    Ok(numbered(reader, WHAT))
}

/// As many rows as take about as much memory as a portion may: of books, a few.
fn rows_at_a_time(metadata: &ParquetMetaData) -> usize {
    let of_group = |group: &RowGroupMetaData| {
        let (rows, bytes) = (group.num_rows().max(0) as u128, group.total_byte_size().max(1) as u128);
        (rows * BYTES as u128 / bytes).clamp(1, ROWS as u128) as usize
    };
    metadata.row_groups().iter().map(of_group).min().unwrap_or(ROWS)
}
