//! Tables as Arrow IPC files: the splits of datasets, and what scores rest on.

use std::{io::Cursor, path::Path, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, Float64Array, ListArray, RecordBatch, StringArray, UInt64Array},
    compute::concat_batches,
    datatypes::{Field, Float32Type, Schema},
    error::ArrowError,
    ipc::{reader::FileReader, writer::FileWriter},
};

use super::{DataError, columns};
use crate::base::fs;

/// A column of a table.
pub enum Column {
    /// Texts.
    Texts(Vec<String>),
    /// Counts.
    Counts(Vec<u64>),
    /// Numbers.
    Numbers(Vec<f64>),
    /// A list of numbers a row: logits.
    Vectors(Vec<Vec<f32>>),
}

impl Column {
    fn array(self) -> ArrayRef {
        match self {
            Self::Texts(values) => Arc::new(StringArray::from(values)),
            Self::Counts(values) => Arc::new(UInt64Array::from(values)),
            Self::Numbers(values) => Arc::new(Float64Array::from(values)),
            Self::Vectors(rows) => {
                let rows = rows.into_iter().map(|row| Some(row.into_iter().map(Some).collect::<Vec<_>>()));
                Arc::new(ListArray::from_iter_primitive::<Float32Type, _, _>(rows))
            }
        }
    }
}

/// Writes a table as an Arrow IPC file; the same columns give the same bytes.
///
/// # Errors
/// When the columns differ in length, or the file cannot be written.
pub fn write_table(path: &Path, columns: Vec<(&str, Column)>) -> Result<(), DataError> {
    let wrong = |error: ArrowError| DataError::content(format!("cannot write `{}`: {error}", path.display()));
    let columns = columns.into_iter().map(|(name, column)| (name, column.array()));
    let batch = RecordBatch::try_from_iter(columns).map_err(wrong)?;
    Ok(fs::write_atomic(path, &to_bytes(&batch).map_err(wrong)?)?)
}

/// Reads columns of texts from an Arrow IPC file, in the order of `names`.
///
/// # Errors
/// When the file cannot be read, or a column is missing or of another type.
pub fn read_texts<const N: usize>(path: &Path, names: [&str; N]) -> Result<[Vec<String>; N], DataError> {
    let batch = from_bytes(path, &fs::read(path)?)?;
    let mut found = [const { Vec::new() }; N];
    for (texts, name) in found.iter_mut().zip(names) {
        let column = columns::strings(&batch, name)
            .map_err(|error| DataError::content(format!("`{}`: {error}", path.display())))?;
        *texts = (0..column.len()).map(|row| column.value(row).to_owned()).collect();
    }
    Ok(found)
}

/// An Arrow IPC file as one record batch; `path` is for messages.
pub(super) fn from_bytes(path: &Path, bytes: &[u8]) -> Result<RecordBatch, DataError> {
    let wrong = |error| DataError::content(format!("`{}` is damaged: {error}", path.display()));
    let reader = FileReader::try_new(Cursor::new(bytes), None).map_err(wrong)?;
    let schema = reader.schema();
    let batches = reader.collect::<Result<Vec<_>, _>>().map_err(wrong)?;
    match <[RecordBatch; 1]>::try_from(batches) {
        Ok([batch]) => Ok(batch),
        Err(batches) => concat_batches(&schema, &batches).map_err(wrong),
    }
}

/// The bytes of an Arrow IPC file: uncompressed, and without metadata, whose order in the file would be that of a hash map.
pub(super) fn to_bytes(batch: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
    let plain = |field: &Field| Field::new(field.name(), field.data_type().clone(), true);
    let fields: Vec<_> = batch.schema().fields().iter().map(|field| plain(field)).collect();
    let schema = Arc::new(Schema::new(fields));
    let batch = RecordBatch::try_new(Arc::clone(&schema), batch.columns().to_vec())?;
    let mut writer = FileWriter::try_new(Vec::new(), &schema)?;
    writer.write(&batch)?;
    writer.into_inner()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_come_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("scores.arrow");
        let texts = |values: [&str; 2]| Column::Texts(values.map(str::to_owned).to_vec());
        let columns = || {
            vec![
                ("id", texts(["a", "b"])),
                ("predicted", texts(["good", "bad"])),
                ("logits", Column::Vectors(vec![vec![0.5, 1.5], vec![-1.0, 2.0]])),
                ("round", Column::Counts(vec![1, 2])),
                ("ms", Column::Numbers(vec![0.25, 1e-3])),
            ]
        };
        write_table(&path, columns()).unwrap();
        let [predicted, id] = read_texts(&path, ["predicted", "id"]).unwrap();
        assert_eq!((predicted, id), (vec!["good".into(), "bad".into()], vec!["a".into(), "b".into()]));
        let bytes = fs::read(&path).unwrap();
        let batch = from_bytes(&path, &bytes).unwrap();
        assert_eq!((batch.num_rows(), batch.num_columns()), (2, 5));
        write_table(&path, columns()).unwrap();
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }

    #[test]
    fn what_is_wrong_with_a_table_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("scores.arrow");
        let uneven = vec![("id", Column::Counts(vec![1])), ("ms", Column::Numbers(vec![]))];
        assert!(write_table(&path, uneven).is_err());
        assert!(!path.exists());
        write_table(&path, vec![("id", Column::Counts(vec![1]))]).unwrap();
        let error = read_texts(&path, ["id"]).unwrap_err().to_string();
        assert!(error.contains("holds whole numbers, not text"), "{error}");
        let error = read_texts(&path, ["ids"]).unwrap_err().to_string();
        assert!(error.contains("did you mean `id`?"), "{error}");
        fs::write_atomic(&path, b"ARROW1").unwrap();
        assert!(read_texts(&path, ["id"]).unwrap_err().to_string().contains("damaged"));
    }
}
