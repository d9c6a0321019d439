//! CSV and TSV, as RFC 4180 has them: quoted fields may hold separators and line ends.

use std::{borrow::Cow, path::Path, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, BooleanArray, Float64Array, Int64Array, StringArray, StringBuilder},
    record_batch::RecordBatch,
};

use super::Reader;
use crate::{
    base::{fs, plural},
    data::DataError,
};

pub(super) const CSV: Reader = Reader { extensions: &["csv"], read: |path, verbatim| read(path, b',', verbatim) };
pub(super) const TSV: Reader =
    Reader { extensions: &["tsv", "tab"], read: |path, verbatim| read(path, b'\t', verbatim) };

fn read(path: &Path, separator: u8, verbatim: &[&str]) -> Result<RecordBatch, DataError> {
    parse(&super::jsonl::utf8(fs::read(path)?)?, separator, verbatim)
}

fn parse(text: &str, separator: u8, verbatim: &[&str]) -> Result<RecordBatch, DataError> {
    let mut records = Records { text, separator, at: 0, line: 1 };
    let mut fields = Vec::new();
    if records.next(&mut fields)?.is_none() {
        return Err(DataError::content("the file is empty"));
    }
    let names: Vec<String> = fields.iter().map(|name| name.trim().to_owned()).collect();
    if let Some(empty) = names.iter().position(String::is_empty) {
        return Err(DataError::content(format!("the header gives column {} no name", empty + 1)));
    }
    let mut columns: Vec<StringBuilder> = names.iter().map(|_| StringBuilder::new()).collect();
    let mut row = 0;
    while let Some(line) = records.next(&mut fields)? {
        row += 1;
        if fields.len() != names.len() {
            return Err(DataError::content(format!(
                "row {row} (line {line}): {} where the header has {}",
                plural::count(fields.len(), "field"),
                names.len()
            )));
        }
        for (column, field) in columns.iter_mut().zip(&fields) {
            column.append_option(Some(field.as_ref()).filter(|field| !field.is_empty()));
        }
    }
    let arrays = names.iter().zip(columns).map(|(name, mut column)| {
        let column = column.finish();
        let array = if verbatim.contains(&name.as_str()) { Arc::new(column) } else { infer(column) };
        (name, array, true)
    });
    RecordBatch::try_from_iter_with_nullable(arrays).map_err(|error| DataError::content(error.to_string()))
}

/// Whole numbers, numbers or booleans where every value is one, text otherwise. `007` and `1e3` are text: they are
/// written on purpose.
fn infer(column: StringArray) -> ArrayRef {
    let values = || column.iter();
    if column.null_count() == column.len() {
        return Arc::new(column);
    }
    let whole = |text: &str| {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let plain = digits == "0" && digits == text || !digits.starts_with('0');
        (plain && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok()).flatten()
    };
    if let Some(numbers) = all(values(), whole) {
        return Arc::new(Int64Array::from(numbers));
    }
    let number = |text: &str| {
        let shape = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-'));
        let padded = text.trim_start_matches('-').strip_prefix('0').is_some_and(|rest| !rest.starts_with('.'));
        (shape && (!padded || text == "0")).then(|| text.parse::<f64>().ok()).flatten()
    };
    if let Some(numbers) = all(values(), number) {
        return Arc::new(Float64Array::from(numbers));
    }
    let boolean = |text: &str| match text {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    };
    match all(values(), boolean) {
        Some(booleans) => Arc::new(BooleanArray::from(booleans)),
        None => Arc::new(column),
    }
}

/// The values, if every one that is there can be read.
fn all<'a, T>(
    values: impl Iterator<Item = Option<&'a str>>,
    read: impl Fn(&str) -> Option<T>,
) -> Option<Vec<Option<T>>> {
    values.map(|value| value.map_or(Some(None), |text| read(text).map(Some))).collect()
}

struct Records<'a> {
    text: &'a str,
    separator: u8,
    at: usize,
    line: usize,
}

impl<'a> Records<'a> {
    /// The fields of the next record, and the line that it starts at; blank lines are no records.
    fn next(&mut self, fields: &mut Vec<Cow<'a, str>>) -> Result<Option<usize>, DataError> {
        let bytes = self.text.as_bytes();
        loop {
            match bytes.get(self.at..) {
                None | Some([]) => return Ok(None),
                Some([b'\n', ..]) => self.at += 1,
                Some([b'\r', b'\n', ..]) => self.at += 2,
                Some(_) => break,
            }
            self.line += 1;
        }
        let start = self.line;
        fields.clear();
        loop {
            let field = if bytes.get(self.at) == Some(&b'"') { self.quoted()? } else { self.bare() };
            fields.push(field);
            match bytes.get(self.at) {
                Some(&byte) if byte == self.separator => self.at += 1,
                // `bare` and `quoted` stop before a separator, a line end or the end.
                Some(_) => {
                    self.at += 1;
                    self.line += 1;
                    return Ok(Some(start));
                }
                None => return Ok(Some(start)),
            }
        }
    }

    fn bare(&mut self) -> Cow<'a, str> {
        let rest = &self.text.as_bytes()[self.at..];
        let length = rest.iter().position(|&byte| byte == self.separator || byte == b'\n').unwrap_or(rest.len());
        let field = &self.text[self.at..self.at + length];
        let is_last = rest.get(length) != Some(&self.separator);
        self.at += length;
        Cow::Borrowed(if is_last { field.strip_suffix('\r').unwrap_or(field) } else { field })
    }

    fn quoted(&mut self) -> Result<Cow<'a, str>, DataError> {
        let (bytes, opened) = (self.text.as_bytes(), self.line);
        let mut from = self.at + 1;
        let mut field = Cow::Borrowed("");
        loop {
            let Some(length) = bytes[from..].iter().position(|&byte| byte == b'"') else {
                return Err(DataError::content(format!("line {opened}: a quote is opened and never closed")));
            };
            let part = &self.text[from..from + length];
            self.line += part.bytes().filter(|&byte| byte == b'\n').count();
            from += length + 1;
            match &mut field {
                Cow::Borrowed("") => field = Cow::Borrowed(part),
                field => field.to_mut().push_str(part),
            }
            if bytes.get(from) == Some(&b'"') {
                field.to_mut().push('"');
                from += 1;
            } else {
                break;
            }
        }
        self.at = from;
        match &bytes[from..] {
            [] | [b'\n', ..] => Ok(field),
            [b'\r', b'\n', ..] => {
                self.at += 1;
                Ok(field)
            }
            [byte, ..] if *byte == self.separator => Ok(field),
            _ => Err(DataError::content(format!(
                "line {}: text after a closing quote; a quote inside of a quoted field is written twice",
                self.line
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::DataType;

    use super::*;
    use crate::data::columns::strings;

    #[test]
    fn quotes_line_ends_and_types() {
        let text = "id,text,label,score,ok\r\n1,\"a \"\"b\"\",\r\nc\",1.0,0.5,true\r\n\r\n2,plain,01,,false\n";
        let batch = parse(text, b',', &["text", "label"]).unwrap();
        assert_eq!(batch.num_rows(), 2);
        assert_eq!(strings(&batch, "text").unwrap().value(0), "a \"b\",\r\nc");
        assert_eq!(strings(&batch, "label").unwrap().value(0), "1.0");
        let types: Vec<_> = batch.schema().fields().iter().map(|field| field.data_type().clone()).collect();
        assert_eq!(
            types,
            [DataType::Int64, DataType::Utf8, DataType::Utf8, DataType::Float64, DataType::Boolean],
            "{types:?}"
        );
        assert!(batch.column(3).is_null(1));
        let tabs = parse("a\tb\nx, y\t07", b'\t', &[]).unwrap();
        assert_eq!(strings(&tabs, "b").unwrap().value(0), "07");
        assert_eq!(strings(&tabs, "a").unwrap().value(0), "x, y");
    }

    #[test]
    fn faults_name_their_line() {
        struct Case {
            text: &'static str,
            told: &'static str,
        }
        let cases = [
            Case { text: "", told: "the file is empty" },
            Case { text: "\n\n", told: "the file is empty" },
            Case { text: "a,b\n1,2\n\"x\ny\",3\n4\n", told: "row 3 (line 5): 1 field where the header has 2" },
            Case { text: "a,b\n1,2,3\n", told: "row 1 (line 2): 3 fields where the header has 2" },
            Case { text: "a,b\n1,\"2\n", told: "line 2: a quote is opened and never closed" },
            Case { text: "a,b\n1,\"2\"x\n", told: "line 2: text after a closing quote" },
            Case { text: "a,,c\n1,2,3\n", told: "the header gives column 2 no name" },
        ];
        for Case { text, told } in cases {
            let error = parse(text, b',', &[]).unwrap_err().to_string();
            assert!(error.starts_with(told), "{error}");
        }
    }
}
