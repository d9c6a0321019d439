//! CSV and TSV, as RFC 4180 has them: quoted fields may hold separators and line ends.

use std::{borrow::Cow, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, BooleanArray, Float64Array, Int64Array, StringArray, StringBuilder},
    record_batch::RecordBatch,
};
use memchr::{memchr, memchr2};

use super::{BYTES, BadRow, Portion, ROWS, Reader, Rows, Wanted};
use crate::{
    base::plural,
    data::{
        DataError,
        feed::{self, Feed},
        types::{Kind, Types},
    },
};

pub(super) const CSV: Reader = Reader {
    extensions: &["csv"],
    is_text: true,
    open: |path, wanted| {
        let mut feed = Feed::open(path)?;
        let separator = separator(&mut feed)?;
        open(feed, separator, wanted)
    },
};
pub(super) const TSV: Reader =
    Reader { extensions: &["tsv", "tab"], is_text: true, open: |path, wanted| open(Feed::open(path)?, b'\t', wanted) };

/// What separates the fields of a `.csv` file: a comma, or where the header has none, what it has of those that some programs write
/// instead.
fn separator(feed: &mut Feed) -> Result<u8, DataError> {
    loop {
        let bytes = feed.bytes();
        let blank = bytes.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        let end = memchr(b'\n', &bytes[blank..]);
        if end.is_some() || feed.is_over() || feed.is_full() {
            let header = &bytes[blank..end.map_or(bytes.len(), |end| blank + end)];
            return Ok([b',', b';', b'\t', b'|'].into_iter().find(|one| header.contains(one)).unwrap_or(b','));
        }
        feed.more()?;
    }
}

fn open(feed: Feed, separator: u8, wanted: Wanted<'_>) -> Result<Rows, DataError> {
    let mut table = Table { feed, separator, line: 1, row: 0, names: Vec::new(), kinds: Vec::new(), doubtful: 0 };
    let mut names = None;
    // The header is a record like any other.
    while names.is_none() {
        names = match table.step(|fields| Ok(fields.iter().map(|name| name.trim().to_owned()).collect::<Vec<_>>()))? {
            Step::Over => return Err(DataError::content("the file is empty")),
            Step::Bad(bad) => return Err(DataError::content(format!("{}: {}", bad.place, bad.reason))),
            Step::Record(names) => Some(names),
        };
    }
    table.names = names.unwrap_or_default();
    if table.names.iter().any(|name| name.contains('\r')) {
        return Err(DataError::content("lines end with CR alone; save the file with line ends of LF or CRLF"));
    }
    if let Some(empty) = table.names.iter().position(String::is_empty) {
        return Err(DataError::content(format!("the header gives column {} no name", empty + 1)));
    }
    let kind = |name: &String| match wanted.types {
        _ if wanted.verbatim.contains(&name.as_str()) => Some(Kind::Text),
        types => types.and_then(|types: &Types| types.of(name)).cloned(),
    };
    table.kinds = table.names.iter().map(kind).collect();
    table.row = 0;
    let mut is_first = true;
    Ok(Box::new(std::iter::from_fn(move || {
        let portion = table.portion();
        // Columns are columns without rows, too.
        let is_over = matches!(&portion, Ok(portion) if portion.numbers.is_empty() && portion.bad.is_empty());
        (!is_over || std::mem::take(&mut is_first)).then(|| {
            is_first = false;
            portion
        })
    })))
}

/// A file, as far as it is read.
struct Table {
    feed: Feed,
    separator: u8,
    /// The line that the next record begins at.
    line: usize,
    /// Records behind the header so far.
    row: u64,
    names: Vec<String>,
    /// What each column is, where that is known.
    kinds: Vec<Option<Kind>>,
    /// The last line of a record whose quotes do not match: up to it, what looks like a record may be a part of that one.
    doubtful: usize,
}

/// The next record.
enum Step<T> {
    /// There is none.
    Over,
    /// It cannot be used.
    Bad(BadRow),
    /// What was made of its fields.
    Record(T),
}

impl Table {
    fn portion(&mut self) -> Result<Portion, DataError> {
        let mut columns: Vec<StringBuilder> = self.names.iter().map(|_| StringBuilder::new()).collect();
        let (mut numbers, mut bad, mut bytes) = (Vec::new(), Vec::new(), 0);
        while numbers.len() + bad.len() < ROWS && bytes < BYTES {
            let width = columns.len();
            let step = self.step(|fields| {
                if fields.len() != width {
                    let count = plural::count(fields.len(), "field");
                    return Err(format!("{count} where the header has {width}"));
                }
                for (column, field) in columns.iter_mut().zip(fields) {
                    bytes += field.len();
                    column.append_option(Some(field.as_ref()).filter(|field| !field.is_empty()));
                }
                Ok(())
            })?;
            match step {
                Step::Over => break,
                Step::Bad(row) => bad.push(row),
                Step::Record(()) => numbers.push(self.row),
            }
        }
        let arrays = self.names.iter().zip(&self.kinds).zip(columns).map(|((name, kind), mut column)| {
            let column = column.finish();
            (name, kind.as_ref().map_or_else(|| infer(column.clone()), |kind| read_as(&column, kind)), true)
        });
        let rows = RecordBatch::try_from_iter_with_nullable(arrays);
        let rows = rows.map_err(|error| DataError::content(error.to_string()))?;
        Ok(Portion { rows, numbers, bad })
    }

    /// Reads the next record; blank lines are none. `make` sees its fields, or says why they are of no use.
    fn step<T>(&mut self, make: impl FnOnce(&[Cow<'_, str>]) -> Result<T, String>) -> Result<Step<T>, DataError> {
        loop {
            let bytes = self.feed.bytes();
            let is_over = self.feed.is_over();
            match bytes {
                [] if is_over => return Ok(Step::Over),
                [b'\n', ..] | [b'\r', b'\n', ..] => {
                    self.feed.consume(if bytes[0] == b'\n' { 1 } else { 2 });
                    self.line += 1;
                    continue;
                }
                _ => {}
            }
            let is_doubtful = self.line <= self.doubtful;
            let mut record =
                Record { bytes, separator: self.separator, is_doubtful, at: 0, lines: 0, fields: Vec::new() };
            match record.read(is_over) {
                Found::Whole => {
                    let (line, used, lines) = (self.line, record.at, record.lines);
                    let text = record.fields.iter().map(|field| as_text(field)).collect::<Option<Vec<_>>>();
                    self.row += 1;
                    let not_utf8 = || record.fields.iter().find_map(|field| feed::not_utf8(field)).unwrap_or_default();
                    let step = match text.ok_or_else(not_utf8).and_then(|fields| make(&fields)) {
                        Ok(made) => Step::Record(made),
                        Err(reason) => Step::Bad(self.bad(line, reason, &bytes[..used])),
                    };
                    self.feed.consume(used);
                    self.line += lines;
                    return Ok(step);
                }
                Found::Wrong(lines, what) => {
                    self.row += 1;
                    let end = memchr(b'\n', bytes).map_or(bytes.len(), |at| at + 1);
                    let mut bad = self.bad(self.line, what.to_owned(), &bytes[..end]);
                    // A fault in the form of the file: what row it is in depends on what was meant.
                    bad.place = format!("line {}", self.line + lines);
                    self.doubtful = self.doubtful.max(self.line + lines);
                    self.feed.consume(end);
                    self.line += 1;
                    return Ok(Step::Bad(bad));
                }
                Found::More if self.feed.is_full() => {
                    return Err(DataError::content(format!("line {}: a row of more than 256 MiB", self.line)));
                }
                Found::More => self.feed.more()?,
            }
        }
    }

    fn bad(&self, line: usize, reason: String, bytes: &[u8]) -> BadRow {
        let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        let place = format!("row {} (line {line})", self.row);
        BadRow { number: self.row, place, reason, content: feed::beginning(bytes) }
    }
}

fn as_text(field: &[u8]) -> Option<Cow<'_, str>> {
    std::str::from_utf8(field).ok().map(Cow::Borrowed)
}

/// A column of a known type; a value that is none of it, as a file that has changed meanwhile may have, is missing.
fn read_as(column: &StringArray, kind: &Kind) -> ArrayRef {
    let values = column.iter();
    match kind {
        Kind::Whole => Arc::new(values.map(|value| value.and_then(whole)).collect::<Int64Array>()),
        Kind::Number => Arc::new(values.map(|value| value.and_then(number)).collect::<Float64Array>()),
        Kind::Boolean => Arc::new(values.map(|value| value.and_then(boolean)).collect::<BooleanArray>()),
        Kind::Nothing | Kind::Text | Kind::Other(_) => Arc::new(column.clone()),
    }
}

/// Whole numbers, numbers or booleans where every value is one, text otherwise. `007`, `1e3` and whole
/// numbers beyond 64 bits are text: they are written on purpose.
fn infer(column: StringArray) -> ArrayRef {
    if column.null_count() == column.len() {
        return Arc::new(column);
    }
    if let Some(numbers) = all(column.iter(), whole) {
        return Arc::new(Int64Array::from(numbers));
    }
    if let Some(numbers) = all(column.iter(), number) {
        return Arc::new(Float64Array::from(numbers));
    }
    match all(column.iter(), boolean) {
        Some(booleans) => Arc::new(BooleanArray::from(booleans)),
        None => Arc::new(column),
    }
}

fn whole(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = digits == "0" && digits == text || !digits.starts_with('0');
    (plain && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

fn number(text: &str) -> Option<f64> {
    let shape = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-'));
    let padded = text.trim_start_matches('-').strip_prefix('0').is_some_and(|rest| !rest.starts_with('.'));
    // A whole number beyond 64 bits is an id, of which a float would lose digits.
    let fits = text.contains('.') || whole(text).is_some();
    (shape && fits && (!padded || text == "0")).then(|| text.parse().ok()).flatten()
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

/// The values, if every one that is there can be read.
fn all<'a, T>(
    values: impl Iterator<Item = Option<&'a str>>,
    read: impl Fn(&str) -> Option<T>,
) -> Option<Vec<Option<T>>> {
    values.map(|value| value.map_or(Some(None), |text| read(text).map(Some))).collect()
}

/// A record, as far as it is read.
struct Record<'a> {
    /// It, and what is there behind it.
    bytes: &'a [u8],
    separator: u8,
    /// Whether it may be a part of a record whose quotes do not match.
    is_doubtful: bool,
    at: usize,
    /// Lines that end in it.
    lines: usize,
    fields: Vec<Cow<'a, [u8]>>,
}

/// How the reading of a record ended.
enum Found {
    /// Behind its line end.
    Whole,
    /// Where the bytes did.
    More,
    /// So many lines behind its first, with something that no record has.
    Wrong(usize, &'static str),
}

impl<'a> Record<'a> {
    /// Reads the fields of the record that the bytes begin with; `is_last` says that no others follow these.
    fn read(&mut self, is_last: bool) -> Found {
        loop {
            let found = if self.bytes.get(self.at) == Some(&b'"') { self.quoted(is_last) } else { self.bare(is_last) };
            match found {
                Ok(field) => self.fields.push(field),
                Err(found) => return found,
            }
            match self.bytes.get(self.at) {
                Some(&byte) if byte == self.separator => self.at += 1,
                // `bare` and `quoted` stop before a separator, a line end or the end.
                Some(_) => {
                    self.at += 1;
                    self.lines += 1;
                    return Found::Whole;
                }
                None => return Found::Whole,
            }
        }
    }

    fn bare(&mut self, is_last: bool) -> Result<Cow<'a, [u8]>, Found> {
        let rest = &self.bytes[self.at..];
        let length = match memchr2(self.separator, b'\n', rest) {
            Some(length) => length,
            None if is_last => rest.len(),
            None => return Err(Found::More),
        };
        let field = &rest[..length];
        if self.is_doubtful && memchr(b'"', field).is_some() {
            return Err(Found::Wrong(self.lines, "a quote within a field, behind a row whose quotes do not match"));
        }
        let ends_record = rest.get(length) != Some(&self.separator);
        self.at += length;
        Ok(Cow::Borrowed(if ends_record { field.strip_suffix(b"\r").unwrap_or(field) } else { field }))
    }

    fn quoted(&mut self, is_last: bool) -> Result<Cow<'a, [u8]>, Found> {
        let (bytes, opened) = (self.bytes, self.lines);
        let mut from = self.at + 1;
        let mut field: Cow<'_, [u8]> = Cow::Borrowed(b"");
        loop {
            let Some(length) = memchr(b'"', &bytes[from..]) else {
                return Err(if is_last {
                    Found::Wrong(opened, "a quote is opened and never closed")
                } else {
                    Found::More
                });
            };
            let part = &bytes[from..from + length];
            self.lines += memchr::memchr_iter(b'\n', part).count();
            from += length + 1;
            match &mut field {
                Cow::Borrowed(b"") => field = Cow::Borrowed(part),
                field => field.to_mut().extend_from_slice(part),
            }
            match bytes.get(from) {
                Some(b'"') => {
                    field.to_mut().push(b'"');
                    from += 1;
                }
                // The next byte may be the second of two quotes.
                None if !is_last => return Err(Found::More),
                _ => break,
            }
        }
        self.at = from;
        match &bytes[from..] {
            [] | [b'\n', ..] => Ok(field),
            [b'\r', b'\n', ..] => {
                self.at += 1;
                Ok(field)
            }
            [b'\r'] if !is_last => Err(Found::More),
            [byte, ..] if *byte == self.separator => Ok(field),
            _ => Err(Found::Wrong(
                self.lines,
                "text after a closing quote; a quote inside of a quoted field is written twice",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::DataType;

    use super::*;
    use crate::data::columns::strings;

    fn portions(bytes: &[u8], separator: u8, verbatim: &[&str]) -> Result<Vec<Portion>, DataError> {
        // One byte at first: every record is read again and again until it is whole.
        let feed = Feed::by_steps(Box::new(std::io::Cursor::new(bytes.to_vec())), 1)?;
        open(feed, separator, Wanted { verbatim, types: None })?.collect()
    }

    fn parse(bytes: &[u8], separator: u8, verbatim: &[&str]) -> Result<RecordBatch, DataError> {
        let mut portions = portions(bytes, separator, verbatim)?;
        assert_eq!(portions.len(), 1);
        let portion = portions.remove(0);
        match portion.bad.first() {
            None => Ok(portion.rows),
            Some(bad) => Err(DataError::content(format!("{}: {}", bad.place, bad.reason))),
        }
    }

    #[test]
    fn quotes_line_ends_and_types() {
        let text = "id,text,label,score,ok\r\n1,\"a \"\"b\"\",\r\nc\",1.0,0.5,true\r\n\r\n2,plain,01,,false\n";
        let batch = parse(text.as_bytes(), b',', &["text", "label"]).unwrap();
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
        let ids = parse(b"id\n12345678901234567890\n12345678901234567891\n", b',', &[]).unwrap();
        assert_eq!(strings(&ids, "id").unwrap().value(1), "12345678901234567891");
        let tabs = parse(b"a\tb\nx, y\t07", b'\t', &[]).unwrap();
        assert_eq!(strings(&tabs, "b").unwrap().value(0), "07");
        assert_eq!(strings(&tabs, "a").unwrap().value(0), "x, y");
    }

    #[test]
    fn the_header_says_what_separates_fields() {
        let of = |text: &[u8]| {
            let mut feed = Feed::by_steps(Box::new(std::io::Cursor::new(text.to_vec())), 1).unwrap();
            separator(&mut feed).unwrap()
        };
        assert_eq!(of(b"text;label\na,b;c\n"), b';');
        assert_eq!(of(b"\n\"text\"|\"label\""), b'|');
        assert_eq!(of(b"a;b,c\nd;e\n"), b',');
        assert_eq!((of(b"text\na;b"), of(b"")), (b',', b','));
        let utf16: Vec<u8> = "text,label\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let error = Feed::by_steps(Box::new(std::io::Cursor::new(utf16)), 1).err().unwrap().to_string();
        assert!(error.starts_with("UTF-16"), "{error}");
        assert!(parse(b"a,b\r1,2\r3,4", b',', &[]).unwrap_err().to_string().starts_with("lines end with CR alone"));
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
            let error = parse(text.as_bytes(), b',', &[]).unwrap_err().to_string();
            assert!(error.starts_with(told), "{error}");
        }
    }

    #[test]
    fn bad_rows_do_not_hide_the_others() {
        let text = b"a,b\n1,x\n2\n3,\"y\"y\n4,\xe9\n5,\"open\n6,z\n";
        let portion = portions(text, b',', &[]).unwrap().remove(0);
        assert_eq!(portion.numbers, [1, 6]);
        assert_eq!(strings(&portion.rows, "b").unwrap().value(1), "z");
        let bad: Vec<_> =
            portion.bad.iter().map(|bad| (bad.place.as_str(), bad.reason.split(';').next().unwrap())).collect();
        assert_eq!(
            bad,
            [
                ("row 2 (line 3)", "1 field where the header has 2"),
                ("line 4", "text after a closing quote"),
                ("row 4 (line 5)", "not UTF-8 (byte 0xE9)"),
                ("line 6", "a quote is opened and never closed"),
            ]
        );
        let contents: Vec<_> = portion.bad.iter().map(|bad| bad.content.as_str()).collect();
        assert_eq!(contents, ["2", "3,\"y\"y", "4,\u{fffd}", "5,\"open"]);
        // The end of a row whose quotes do not match is no row; what is whole within it is.
        let text = b"a,b\n\"one\ntwo\" x,pos\nthree,\"p\n4,x\n5,\"y\"\nsix\" and,z\n";
        let portion = portions(text, b',', &[]).unwrap().remove(0);
        let firsts: Vec<_> = strings(&portion.rows, "a").unwrap().iter().flatten().collect();
        assert_eq!(firsts, ["4", "5", "six\" and"]);
        let bad: Vec<_> = portion.bad.iter().map(|bad| bad.content.as_str()).collect();
        assert_eq!(bad, ["\"one", "two\" x,pos", "three,\"p"]);
    }

    #[test]
    fn a_type_that_is_known_is_kept() {
        let mut types = Types::default();
        for text in [&b"n,t,e\n1,1,\n"[..], b"n,t,e\n2.5,x,\n", b"n,t,e\n,true,\n"] {
            types.see(&parse(text, b',', &[]).unwrap()).unwrap();
        }
        let feed = Feed::by_steps(Box::new(&b"n,t,e\n1,007,\n"[..]), 5).unwrap();
        let wanted = Wanted { verbatim: &[], types: Some(&types) };
        let rows = open(feed, b',', wanted).unwrap().next().unwrap().unwrap().rows;
        let kinds: Vec<_> = rows.schema().fields().iter().map(|field| field.data_type().clone()).collect();
        assert_eq!(kinds, [DataType::Float64, DataType::Utf8, DataType::Utf8]);
        assert_eq!(strings(&rows, "t").unwrap().value(0), "007");
    }
}
