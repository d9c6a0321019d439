//! Columns by name, and the few types that a dataset keeps.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatch, StringArray},
    compute::cast,
    datatypes::{DataType, Field, Schema},
};

use super::DataError;
use crate::base::{plural, suggest};

/// The place of a column.
pub(super) fn position(batch: &RecordBatch, name: &str) -> Result<usize, DataError> {
    let schema = batch.schema();
    schema.index_of(name).map_err(|_| {
        let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        DataError::content(no_column(name, &names))
    })
}

/// What to say where a column is missing.
fn no_column(name: &str, names: &[&str]) -> String {
    let near = suggest::nearest(name, names.iter().copied());
    let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    format!("there is no column `{name}`{hint} (the columns are {})", plural::list(names))
}

/// A column of strings.
pub(super) fn strings<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a StringArray, DataError> {
    let column = batch.column(position(batch, name)?);
    column.as_string_opt::<i32>().ok_or_else(|| {
        DataError::content(format!("the column `{name}` holds {}, not text", type_name(column.data_type())))
    })
}

/// The type of a column, in words.
pub(super) fn type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "text".to_owned(),
        DataType::Boolean => "booleans".to_owned(),
        data_type if data_type.is_integer() => "whole numbers".to_owned(),
        data_type if data_type.is_floating() => "numbers".to_owned(),
        DataType::Null => "nothing".to_owned(),
        other => format!("values of type {other}"),
    }
}

/// Brings every text column to one type (`Utf8`), whatever the file's writer chose, and every other column to a type
/// that Arrow readers of other languages know too; metadata is dropped.
pub(super) fn plain(batch: &RecordBatch) -> Result<RecordBatch, DataError> {
    if batch.num_columns() == 0 {
        return Ok(batch.clone());
    }
    let mut fields = Vec::with_capacity(batch.num_columns());
    let mut arrays = Vec::with_capacity(batch.num_columns());
    for (field, array) in batch.schema().fields().iter().zip(batch.columns()) {
        let array = plain_array(array)
            .map_err(|error| DataError::content(format!("the column `{}`: {error}", field.name())))?;
        fields.push(Field::new(field.name(), array.data_type().clone(), true));
        arrays.push(array);
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(|error| DataError::content(error.to_string()))
}

fn plain_array(array: &ArrayRef) -> Result<ArrayRef, arrow::error::ArrowError> {
    match array.data_type() {
        DataType::LargeUtf8 | DataType::Utf8View | DataType::Null => cast(array, &DataType::Utf8),
        DataType::Dictionary(_, values) => plain_array(&cast(array, values)?),
        DataType::RunEndEncoded(_, values) => plain_array(&cast(array, values.data_type())?),
        // Text that was written as bytes, as some Parquet writers do: it is text if it is UTF-8.
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => match cast(array, &DataType::Utf8) {
            Ok(text) if text.null_count() == array.null_count() => Ok(text),
            _ => Ok(Arc::clone(array)),
        },
        _ => Ok(Arc::clone(array)),
    }
}

/// The same batch with a column as text: numbers and booleans become their digits and names.
pub(super) fn as_text(batch: &RecordBatch, name: &str) -> Result<RecordBatch, DataError> {
    let at = position(batch, name)?;
    let column = batch.column(at);
    if column.data_type() == &DataType::Utf8 {
        return Ok(batch.clone());
    }
    let refuse = || {
        DataError::content(format!("the column `{name}` holds {}, which is not text", type_name(column.data_type())))
    };
    if column.data_type().is_nested() || column.data_type().is_binary() {
        return Err(refuse());
    }
    let text = cast(column, &DataType::Utf8).map_err(|_| refuse())?;
    replace(batch, at, text)
}

/// The same batch with another array at a place.
pub(super) fn replace(batch: &RecordBatch, at: usize, array: ArrayRef) -> Result<RecordBatch, DataError> {
    let mut fields: Vec<_> = batch.schema().fields().iter().map(|field| field.as_ref().clone()).collect();
    let mut arrays = batch.columns().to_vec();
    fields[at] = Field::new(fields[at].name(), array.data_type().clone(), true);
    arrays[at] = array;
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(|error| DataError::content(error.to_string()))
}

/// The same batch with a column set: replaced where it is, appended where it is not.
pub(super) fn set(batch: &RecordBatch, name: &str, array: ArrayRef) -> Result<RecordBatch, DataError> {
    if let Ok(at) = batch.schema().index_of(name) {
        return replace(batch, at, array);
    }
    let mut fields: Vec<_> = batch.schema().fields().iter().map(|field| field.as_ref().clone()).collect();
    let mut arrays = batch.columns().to_vec();
    fields.push(Field::new(name, array.data_type().clone(), true));
    arrays.push(array);
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(|error| DataError::content(error.to_string()))
}

#[cfg(test)]
mod tests {
    use arrow::array::{BooleanArray, Int64Array, LargeStringArray, StringViewArray};

    use super::*;

    fn batch() -> RecordBatch {
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("text", Arc::new(StringViewArray::from(vec!["a", "b"]))),
            ("label", Arc::new(Int64Array::from(vec![1, -2]))),
            ("flag", Arc::new(BooleanArray::from(vec![true, false]))),
            ("large", Arc::new(LargeStringArray::from(vec![Some("x"), None]))),
        ];
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap()
    }

    #[test]
    fn every_text_type_becomes_one() {
        let plain = plain(&batch()).unwrap();
        assert_eq!(strings(&plain, "text").unwrap().value(1), "b");
        assert!(strings(&plain, "large").unwrap().is_null(1));
        let error = strings(&plain, "label").unwrap_err().to_string();
        assert_eq!(error, "the column `label` holds whole numbers, not text");
        let text = as_text(&as_text(&plain, "label").unwrap(), "flag").unwrap();
        assert_eq!(strings(&text, "label").unwrap().value(1), "-2");
        assert_eq!(strings(&text, "flag").unwrap().value(0), "true");
    }

    #[test]
    fn a_missing_column_is_named_with_what_there_is() {
        let error = position(&batch(), "lable").unwrap_err().to_string();
        assert_eq!(
            error,
            "there is no column `lable`; did you mean `label`? (the columns are `text`, `label`, `flag` and `large`)"
        );
    }
}
