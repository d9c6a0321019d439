//! JSON lines: one object a line.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use arrow::{
    array::{ArrayRef, BooleanArray, Float64Array, Int64Array, StringArray},
    record_batch::RecordBatch,
};
use rayon::prelude::*;
use serde_json::{Map, Value};

use super::Reader;
use crate::{base::fs, data::DataError};

pub(super) const JSONL: Reader = Reader { extensions: &["jsonl", "ndjson", "json"], read };

fn read(path: &Path, verbatim: &[&str]) -> Result<RecordBatch, DataError> {
    parse(&utf8(fs::read(path)?)?, verbatim)
}

/// Bytes as text, without a byte order mark; the error names the line of what is not UTF-8.
pub(super) fn utf8(bytes: Vec<u8>) -> Result<String, DataError> {
    let mut text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..at].split(|&byte| byte == b'\n').count();
        let byte = error.as_bytes()[at];
        DataError::content(format!("line {line}: not UTF-8 (byte 0x{byte:02X}); save the file as UTF-8"))
    })?;
    if text.starts_with('\u{feff}') {
        text.drain(..'\u{feff}'.len_utf8());
    }
    Ok(text)
}

fn parse(text: &str, verbatim: &[&str]) -> Result<RecordBatch, DataError> {
    if text.trim().is_empty() {
        return Err(DataError::content("the file is empty"));
    }
    if text.trim_start().starts_with('[') {
        return Err(DataError::content("a JSON array; write one object a line instead (JSON lines)"));
    }
    let lines: Vec<(usize, &str)> = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).collect();
    let rows = lines.par_iter().map(|(index, line)| object(index + 1, line)).collect::<Result<Vec<_>, _>>()?;

    // Columns stand in the order in which they first occur.
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    let mut names: Vec<&str> = Vec::new();
    for name in rows.iter().flat_map(Map::keys) {
        places.entry(name).or_insert_with(|| {
            names.push(name);
            names.len() - 1
        });
    }
    if names.is_empty() {
        return Err(DataError::content("the objects have no keys"));
    }
    let arrays = names.iter().map(|name| {
        let values: Vec<Option<&Value>> = rows.iter().map(|row| row.get(*name).filter(|v| !v.is_null())).collect();
        (*name, column(&values, verbatim.contains(name)), true)
    });
    RecordBatch::try_from_iter_with_nullable(arrays).map_err(|error| DataError::content(error.to_string()))
}

fn object(line: usize, text: &str) -> Result<Map<String, Value>, DataError> {
    match serde_json::from_str(text) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(other) => {
            Err(DataError::content(format!("line {line}: expected an object (`{{…}}`), found {}", kind(&other))))
        }
        Err(error) => {
            // The error counts lines too, of the one line that it saw.
            let what = error.to_string();
            let what = what.split(" at line ").next().unwrap_or_default();
            Err(DataError::content(format!("line {line}, column {}: not JSON: {what}", error.column())))
        }
    }
}

fn column(values: &[Option<&Value>], verbatim: bool) -> ArrayRef {
    let there = || values.iter().flatten();
    let whole = |value: &Value| value.as_i64();
    if !verbatim && there().next().is_some() {
        if there().all(|value| value.is_i64()) {
            return Arc::new(values.iter().map(|value| value.and_then(whole)).collect::<Int64Array>());
        }
        if there().all(|value| value.is_number()) {
            return Arc::new(values.iter().map(|value| value.and_then(Value::as_f64)).collect::<Float64Array>());
        }
        if there().all(|value| value.is_boolean()) {
            return Arc::new(values.iter().map(|value| value.and_then(Value::as_bool)).collect::<BooleanArray>());
        }
    }
    // Mixed and nested values are kept as they are written.
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
    Arc::new(values.iter().map(|value| value.map(text)).collect::<StringArray>())
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use arrow::{array::Array, datatypes::DataType};

    use super::*;
    use crate::data::columns::strings;

    #[test]
    fn keys_become_columns_in_their_order() {
        let text = "{\"text\": \"a\\nb\", \"label\": 1, \"n\": 3}\n\n{\"label\": true, \"text\": \"c\", \"x\": [1]}\n";
        let batch = parse(text, &["label"]).unwrap();
        let names: Vec<_> = batch.schema().fields().iter().map(|field| field.name().clone()).collect();
        assert_eq!(names, ["text", "label", "n", "x"]);
        let labels = strings(&batch, "label").unwrap();
        assert_eq!((labels.value(0), labels.value(1)), ("1", "true"));
        assert_eq!(batch.column(2).data_type(), &DataType::Int64);
        assert!(batch.column(2).is_null(1));
        assert_eq!(strings(&batch, "x").unwrap().value(1), "[1]");
    }

    #[test]
    fn faults_name_their_line() {
        for (text, told) in [
            ("  \n", "the file is empty"),
            ("[{}]", "a JSON array"),
            ("{\"a\": 1}\n\n3\n", "line 3: expected an object (`{…}`), found a number"),
            ("{\"a\": 1}\n{\"a\" 1}\n", "line 2, column 6: not JSON: expected `:`"),
            ("{}\n{}", "the objects have no keys"),
        ] {
            let error = parse(text, &[]).unwrap_err().to_string();
            assert!(error.starts_with(told), "{error}");
        }
        let error = utf8(b"a\nb\nc\xe9d".to_vec()).unwrap_err().to_string();
        assert_eq!(error, "line 3: not UTF-8 (byte 0xE9); save the file as UTF-8");
        assert_eq!(utf8("\u{feff}a".into()).unwrap(), "a");
    }
}
