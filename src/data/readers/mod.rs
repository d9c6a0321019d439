//! The list of readers, by extension: a new one is one file and one line.

mod csv;
mod ipc;
mod jsonl;
mod parquet;

use std::{collections::BTreeSet, path::Path};

use arrow::record_batch::RecordBatch;

use super::{DataError, columns};
use crate::base::{guard, plural, suggest};

/// A file format.
pub(super) struct Reader {
    /// The extensions that it goes by, in lower case.
    pub(super) extensions: &'static [&'static str],
    /// Reads a file whole. The columns that are named keep their text as it is written (a label `1.0` is not `1`); other
    /// columns of text formats become numbers or booleans where every value is one. Errors do not name the file.
    pub(super) read: fn(&Path, &[&str]) -> Result<RecordBatch, DataError>,
}

static READERS: &[Reader] = &[csv::CSV, csv::TSV, ipc::IPC, jsonl::JSONL, parquet::PARQUET];

/// Reads a table, by its extension; text columns come as `Utf8`.
///
/// # Errors
/// When no reader knows the extension, the file cannot be read, or it has no rows, or two columns of one name.
pub(super) fn read(path: &Path, verbatim: &[&str]) -> Result<RecordBatch, DataError> {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase()).unwrap_or_default();
    let Some(reader) = READERS.iter().find(|reader| reader.extensions.contains(&extension.as_str())) else {
        let known: Vec<&str> = READERS.iter().flat_map(|reader| reader.extensions).copied().collect();
        let hint = suggest::nearest(&extension, known.iter().copied());
        let hint = hint.map(|near| format!("; did you mean `.{near}`?")).unwrap_or_default();
        return Err(DataError::content(format!(
            "no reader for the extension `.{extension}`{hint} (there are {})",
            plural::list(&known)
        )));
    };
    // The libraries behind the readers are written for files that their own writers wrote.
    let batch = guard::caught(|| columns::plain(&(reader.read)(path, verbatim)?))
        .unwrap_or_else(|panic| Err(DataError::content(format!("damaged: {panic}"))))?;
    let mut names = BTreeSet::new();
    for field in batch.schema().fields() {
        if !names.insert(field.name().clone()) {
            return Err(DataError::content(format!("two columns are called `{}`", field.name())));
        }
    }
    if batch.num_rows() == 0 {
        return Err(DataError::content(format!("no rows, only the columns {}", plural::list(&Vec::from_iter(names)))));
    }
    Ok(batch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::fs::write_atomic;

    #[test]
    fn an_unknown_extension_is_told_what_there_is() {
        let error = read(Path::new("reviews.parqet"), &[]).unwrap_err().to_string();
        assert!(error.contains("`.parqet`; did you mean `.parquet`?"), "{error}");
        assert!(read(Path::new("reviews"), &[]).unwrap_err().to_string().contains("(there are `csv`"));
    }

    #[test]
    fn damaged_binary_files_are_errors() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a.parquet", "a.arrow"] {
            for content in [b"".as_slice(), b"PAR1", b"ARROW1\0\0", b"hello, this is no table at all"] {
                let path = dir.path().join(name);
                write_atomic(&path, content).unwrap();
                let error = read(&path, &[]).unwrap_err().to_string();
                assert!(!error.is_empty(), "{name}");
            }
        }
    }
}
