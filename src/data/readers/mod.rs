//! The list of readers, by extension: a new one is one file and one line.

mod csv;
mod ipc;
mod jsonl;
mod parquet;

use std::{collections::BTreeSet, path::Path};

use arrow::record_batch::RecordBatch;

use super::{DataError, columns, types::Types};
use crate::base::{guard, plural, suggest};

/// Rows of a portion at most.
const ROWS: usize = 8_192;
/// Bytes of a portion of a text format, about.
const BYTES: usize = 4 << 20;
/// How a compressed file of a text format ends.
pub(super) const COMPRESSED: [&str; 3] = ["gz", "zst", "zstd"];

/// A file format.
pub(super) struct Reader {
    /// The extensions that it goes by, in lower case.
    pub(super) extensions: &'static [&'static str],
    /// Whether its files may be compressed as a whole.
    pub(super) is_text: bool,
    /// Opens a file. Errors do not name it.
    pub(super) open: fn(&Path, Wanted<'_>) -> Result<Rows, DataError>,
}

/// The rows of a file, portion by portion.
pub(super) type Rows = Box<dyn Iterator<Item = Result<Portion, DataError>> + Send>;

/// How a file is to be read.
#[derive(Clone, Copy, Default)]
pub(super) struct Wanted<'a> {
    /// Columns that keep their text as it is written: a label `1.0` is not `1`. Other columns of text formats become numbers or
    /// booleans where every value of a portion is one.
    pub(super) verbatim: &'a [&'a str],
    /// What all columns are, where the table was read before: other columns of text formats become that.
    pub(super) types: Option<&'a Types>,
}

/// Some neighbouring rows of a file.
pub(super) struct Portion {
    /// Those that could be read.
    pub(super) rows: RecordBatch,
    /// The number of each in the file, from 1.
    pub(super) numbers: Vec<u64>,
    /// Those that could not.
    pub(super) bad: Vec<BadRow>,
}

/// A row that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BadRow {
    /// Its number in the file, from 1.
    pub(super) number: u64,
    /// Where it stands: `row 3 (line 5)`.
    pub(super) place: String,
    /// What is wrong with it.
    pub(super) reason: String,
    /// How it begins, where it is text.
    pub(super) content: String,
}

static READERS: &[Reader] = &[csv::CSV, csv::TSV, ipc::IPC, jsonl::JSONL, parquet::PARQUET];

/// Opens a table, by its extension; text columns come as `Utf8`.
///
/// # Errors
/// When no reader knows the extension, the file cannot be read, or two columns have one name.
pub(super) fn open(path: &Path, wanted: Wanted<'_>) -> Result<Rows, DataError> {
    let reader = reader_of(path)?;
    // The libraries behind the readers are written for files that their own writers wrote.
    let unpanicked = |outcome: Result<Result<_, DataError>, String>| {
        outcome.unwrap_or_else(|panic| Err(DataError::content(format!("damaged: {panic}"))))
    };
    let mut rows = unpanicked(guard::caught(|| (reader.open)(path, wanted)))?;
    let mut is_over = false;
    Ok(Box::new(std::iter::from_fn(move || {
        if is_over {
            return None;
        }
        let next = guard::caught(|| {
            let Some(mut portion) = rows.next().transpose()? else { return Ok(None) };
            portion.rows = columns::plain(&portion.rows)?;
            one_of_each_name(&portion.rows)?;
            Ok(Some(portion))
        });
        let next = next.unwrap_or_else(|panic| Err(DataError::content(format!("damaged: {panic}"))));
        is_over = !matches!(next, Ok(Some(_)));
        next.transpose()
    })))
}

/// Whether some reader knows the extension.
pub(super) fn knows(path: &Path) -> bool {
    reader_of(path).is_ok()
}

fn reader_of(path: &Path) -> Result<&'static Reader, DataError> {
    let extension = |path: &Path| path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
    let mut name = extension(path).unwrap_or_default();
    let is_compressed = COMPRESSED.contains(&name.as_str());
    if is_compressed {
        name = path.file_stem().and_then(|stem| extension(Path::new(stem))).unwrap_or_default();
    }
    if let Some(reader) = READERS.iter().find(|reader| reader.extensions.contains(&name.as_str())) {
        if is_compressed && !reader.is_text {
            return Err(DataError::content(format!(
                "a `.{name}` file is compressed within, not as a whole: unpack it"
            )));
        }
        return Ok(reader);
    }
    let known: Vec<&str> = READERS.iter().flat_map(|reader| reader.extensions).copied().collect();
    let hint = suggest::nearest(&name, known.iter().copied());
    let hint = hint.map(|near| format!("; did you mean `.{near}`?")).unwrap_or_default();
    Err(DataError::content(format!(
        "no reader for the extension `.{name}`{hint} (there are {}; those of text may be compressed: {})",
        plural::list(&known),
        plural::list(&COMPRESSED)
    )))
}

fn one_of_each_name(rows: &RecordBatch) -> Result<(), DataError> {
    let mut names = BTreeSet::new();
    for field in rows.schema_ref().fields() {
        if !names.insert(field.name()) {
            return Err(DataError::content(format!("two columns are called `{}`", field.name())));
        }
    }
    Ok(())
}

/// Numbers the rows of record batches, of which none is bad, in portions of at most as many rows as a portion has.
fn numbered<E: std::fmt::Display>(
    batches: impl Iterator<Item = Result<RecordBatch, E>> + Send + 'static,
    what: &'static str,
) -> Rows {
    let mut before = 0;
    let batches =
        batches.map(move |rows| rows.map_err(|error| DataError::content(format!("not {what}, or damaged: {error}"))));
    Box::new(batches.flat_map(slices).map(move |rows| {
        let rows = rows?;
        let first = before + 1;
        before += rows.num_rows() as u64;
        Ok(Portion { rows, numbers: (first..=before).collect(), bad: Vec::new() })
    }))
}

/// The slices of a batch. Columns are columns without rows, too.
fn slices(rows: Result<RecordBatch, DataError>) -> impl Iterator<Item = Result<RecordBatch, DataError>> {
    let count = rows.as_ref().map_or(1, |rows| rows.num_rows().max(1));
    let mut rows = Some(rows);
    (0..count).step_by(ROWS).map_while(move |start| match &rows {
        Some(Ok(all)) => Some(Ok(all.slice(start, (all.num_rows() - start).min(ROWS)))),
        _ => rows.take(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::fs::write_atomic;

    /// All rows of a file, of which none is bad.
    pub(super) fn read(path: &Path, verbatim: &[&str]) -> Result<RecordBatch, DataError> {
        let wanted = Wanted { verbatim, types: None };
        let portions = open(path, wanted)?.collect::<Result<Vec<_>, _>>()?;
        if let Some(bad) = portions.iter().flat_map(|portion| &portion.bad).next() {
            return Err(DataError::content(format!("{}: {}", bad.place, bad.reason)));
        }
        let schema = portions[0].rows.schema();
        Ok(arrow::compute::concat_batches(&schema, portions.iter().map(|portion| &portion.rows)).unwrap())
    }

    #[test]
    fn an_unknown_extension_is_told_what_there_is() {
        let error = read(Path::new("reviews.parqet"), &[]).unwrap_err().to_string();
        assert!(error.contains("`.parqet`; did you mean `.parquet`?"), "{error}");
        assert!(read(Path::new("reviews"), &[]).unwrap_err().to_string().contains("(there are `csv`"));
        let error = read(Path::new("reviews.parquet.gz"), &[]).unwrap_err().to_string();
        assert!(error.contains("compressed within"), "{error}");
        assert!(knows(Path::new("a/b.CSV.gz")) && !knows(Path::new("a/README.md")));
    }

    #[test]
    fn damaged_binary_files_are_errors() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a.parquet", "a.arrow", "a.csv.gz", "a.jsonl.zst"] {
            for content in [b"".as_slice(), b"PAR1", b"ARROW1\0\0", b"hello, this is no table at all"] {
                let path = dir.path().join(name);
                write_atomic(&path, content).unwrap();
                let error = read(&path, &[]).unwrap_err().to_string();
                assert!(!error.is_empty(), "{name}");
            }
        }
    }
}
