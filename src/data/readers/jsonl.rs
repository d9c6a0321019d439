//! JSON lines: one object a line.

use std::{collections::BTreeMap, sync::Arc};

use arrow::{
    array::{ArrayRef, BooleanArray, Float64Array, Int64Array, StringArray},
    datatypes::Schema,
    record_batch::{RecordBatch, RecordBatchOptions},
};
use memchr::memchr;
use rayon::prelude::*;
use serde_json::{Map, Value};

use super::{BYTES, BadRow, Portion, ROWS, Reader, Rows, Wanted};
use crate::data::{
    DataError,
    feed::{self, Feed},
    types::{Kind, Types},
};

pub(super) const JSONL: Reader = Reader {
    extensions: &["jsonl", "ndjson", "json"],
    is_text: true,
    open: |path, wanted| open(Feed::open(path)?, wanted),
};

fn open(feed: Feed, wanted: Wanted<'_>) -> Result<Rows, DataError> {
    let verbatim = wanted.verbatim.iter().map(|name| (*name).to_owned()).collect();
    let mut lines = Lines { feed, line: 0, row: 0, verbatim, seen: Vec::new(), types: wanted.types.cloned() };
    lines.skip_blank()?;
    match lines.feed.bytes().first() {
        None => return Err(DataError::content("the file is empty")),
        Some(b'[') => {
            return Err(DataError::content("a JSON array; write one object a line instead (JSON lines)"));
        }
        Some(_) => {}
    }
    let mut has_keys = false;
    Ok(Box::new(std::iter::from_fn(move || {
        let portion = lines.portion().transpose()?;
        Some(portion.and_then(|portion| {
            has_keys |= portion.rows.num_columns() > 0;
            let is_of_use = has_keys || portion.numbers.is_empty();
            if is_of_use { Ok(portion) } else { Err(DataError::content("the objects have no keys")) }
        }))
    })))
}

/// A file, as far as it is read.
struct Lines {
    feed: Feed,
    /// Lines so far.
    line: usize,
    /// Lines with something in them so far.
    row: u64,
    verbatim: Vec<String>,
    /// Those of them that the file has so far.
    seen: Vec<String>,
    types: Option<Types>,
}

impl Lines {
    /// Uses up white space before the first object.
    fn skip_blank(&mut self) -> Result<(), DataError> {
        loop {
            let bytes = self.feed.bytes();
            let blank = bytes.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            let is_all = blank == bytes.len();
            self.line += memchr::memchr_iter(b'\n', &bytes[..blank]).count();
            self.feed.consume(blank);
            if !is_all || self.feed.is_over() {
                return Ok(());
            }
            self.feed.more()?;
        }
    }

    /// The next rows; none at the end.
    fn portion(&mut self) -> Result<Option<Portion>, DataError> {
        // Many lines first, which are read on all cores then.
        let mut ends = Vec::new();
        let mut used = 0;
        while ends.len() < ROWS && used < BYTES {
            match memchr(b'\n', &self.feed.bytes()[used..]) {
                Some(length) => {
                    used += length + 1;
                    ends.push(used);
                }
                None if self.feed.is_over() => {
                    if used < self.feed.bytes().len() {
                        used = self.feed.bytes().len();
                        ends.push(used);
                    }
                    break;
                }
                None if self.feed.is_full() => {
                    return Err(DataError::content(format!(
                        "line {}: a row of more than 256 MiB",
                        self.line + ends.len() + 1
                    )));
                }
                None => self.feed.more()?,
            }
        }
        if ends.is_empty() {
            return Ok(None);
        }
        let bytes = self.feed.bytes();
        let starts = [0].into_iter().chain(ends.iter().copied());
        let lines: Vec<&[u8]> = starts.zip(&ends).map(|(start, &end)| &bytes[start..end]).collect();
        let read: Vec<_> = lines.par_iter().enumerate().map(|(at, line)| object(self.line + at + 1, line)).collect();
        let (mut objects, mut numbers, mut bad) = (Vec::new(), Vec::new(), Vec::new());
        for object in read {
            let Some(object) = object else { continue };
            self.row += 1;
            match object {
                Ok(object) => {
                    numbers.push(self.row);
                    objects.push(object);
                }
                Err(row) => bad.push(BadRow { number: self.row, ..row }),
            }
        }
        let rows = self.columns(&objects)?;
        let is_new = |name: &String| !self.seen.contains(name) && rows.column_by_name(name).is_some();
        self.seen.extend(self.verbatim.iter().filter(|name| is_new(name)).cloned().collect::<Vec<_>>());
        self.line += lines.len();
        self.feed.consume(used);
        Ok(Some(Portion { rows, numbers, bad }))
    }

    fn columns(&self, objects: &[Map<String, Value>]) -> Result<RecordBatch, DataError> {
        // Columns stand in the order in which they first occur.
        let mut places: BTreeMap<&str, usize> = BTreeMap::new();
        let mut names: Vec<&str> = Vec::new();
        for name in objects.iter().flat_map(Map::keys) {
            places.entry(name).or_insert_with(|| {
                names.push(name);
                names.len() - 1
            });
        }
        // A row that lacks a key lacks a value, also where none of its neighbours has it.
        names.extend(self.seen.iter().map(String::as_str).filter(|name| !places.contains_key(name)));
        if names.is_empty() {
            let options = RecordBatchOptions::new().with_row_count(Some(objects.len()));
            return RecordBatch::try_new_with_options(Arc::new(Schema::empty()), Vec::new(), &options)
                .map_err(|error| DataError::content(error.to_string()));
        }
        let arrays = names.iter().map(|name| {
            let values: Vec<_> = objects.iter().map(|row| row.get(*name).filter(|value| !value.is_null())).collect();
            let known = self.types.as_ref().and_then(|types| types.of(name)).cloned();
            let kind = if self.verbatim.iter().any(|verbatim| verbatim == name) { Some(Kind::Text) } else { known };
            (*name, column(&values, &kind.unwrap_or_else(|| kind_of(&values))), true)
        });
        RecordBatch::try_from_iter_with_nullable(arrays).map_err(|error| DataError::content(error.to_string()))
    }
}

/// The object of a line; none where the line is blank.
fn object(line: usize, bytes: &[u8]) -> Option<Result<Map<String, Value>, BadRow>> {
    // Which row it is, is known when the lines before it are read.
    let bad =
        |place: String, reason: String| Some(Err(BadRow { number: 0, place, reason, content: feed::beginning(bytes) }));
    if bytes.trim_ascii().is_empty() {
        return None;
    }
    if let Some(reason) = feed::not_utf8(bytes) {
        return bad(format!("line {line}"), reason);
    }
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(map)) => Some(Ok(map)),
        Ok(other) => bad(format!("line {line}"), format!("expected an object (`{{…}}`), found {}", kind(&other))),
        Err(error) => {
            // The error counts lines too, of the one line that it saw.
            let what = error.to_string();
            let what = what.split(" at line ").next().unwrap_or_default();
            bad(format!("line {line}, column {}", error.column()), format!("not JSON: {what}"))
        }
    }
}

/// What all values are.
fn kind_of(values: &[Option<&Value>]) -> Kind {
    let there = || values.iter().flatten();
    if there().next().is_none() {
        Kind::Text
    } else if there().all(|value| value.is_i64()) {
        Kind::Whole
    } else if there().all(|value| value.is_i64() || value.is_f64()) {
        Kind::Number
    } else if there().all(|value| value.is_boolean()) {
        Kind::Boolean
    } else {
        Kind::Text
    }
}

fn column(values: &[Option<&Value>], kind: &Kind) -> ArrayRef {
    let values = values.iter().copied();
    match kind {
        Kind::Whole => Arc::new(values.map(|value| value.and_then(Value::as_i64)).collect::<Int64Array>()),
        Kind::Number => Arc::new(values.map(|value| value.and_then(Value::as_f64)).collect::<Float64Array>()),
        Kind::Boolean => Arc::new(values.map(|value| value.and_then(Value::as_bool)).collect::<BooleanArray>()),
        Kind::Nothing | Kind::Text | Kind::Other(_) => {
            // Mixed and nested values are kept as they are written.
            let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
            Arc::new(values.map(|value| value.map(text)).collect::<StringArray>())
        }
    }
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

    fn portions(text: &[u8], verbatim: &[&str]) -> Result<Vec<Portion>, DataError> {
        let feed = Feed::by_steps(Box::new(std::io::Cursor::new(text.to_vec())), 1)?;
        open(feed, Wanted { verbatim, types: None })?.collect()
    }

    fn parse(text: &str, verbatim: &[&str]) -> Result<RecordBatch, DataError> {
        let mut portions = portions(text.as_bytes(), verbatim)?;
        let portion = portions.remove(0);
        match portion.bad.first() {
            None => Ok(portion.rows),
            Some(bad) => Err(DataError::content(format!("{}: {}", bad.place, bad.reason))),
        }
    }

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
    fn a_value_is_missing_wherever_the_row_stands() {
        let whole = "{\"text\": \"a\", \"label\": 1}\n".repeat(ROWS);
        let portions = portions(format!("{whole}{{\"text\": \"b\"}}").as_bytes(), &["text", "label", "id"]).unwrap();
        let last = &portions[1].rows;
        assert_eq!((last.num_rows(), last.num_columns()), (1, 2));
        assert!(strings(last, "label").unwrap().is_null(0));
        let ids = parse("{\"id\": 12345678901234567890}\n{\"id\": 1}\n", &[]).unwrap();
        assert_eq!(strings(&ids, "id").unwrap().value(0), "12345678901234567890");
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
    }

    #[test]
    fn bad_lines_do_not_hide_the_others() {
        let text = b"\xef\xbb\xbf\n{\"a\": 1}\n{\"a\": \"\xe9\"}\n\nnull\n{\"a\": 2}";
        let portions = portions(text, &[]).unwrap();
        let numbers: Vec<_> = portions.iter().flat_map(|portion| portion.numbers.clone()).collect();
        assert_eq!(numbers, [1, 4]);
        let bad: Vec<_> = portions.iter().flat_map(|portion| portion.bad.clone()).collect();
        let told: Vec<_> = bad.iter().map(|bad| format!("{}: {}", bad.place, bad.reason)).collect();
        assert_eq!(
            told,
            ["line 3: not UTF-8 (byte 0xE9); save the file as UTF-8", "line 5: expected an object (`{…}`), found null"]
        );
    }
}
