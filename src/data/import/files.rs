//! The files of a table, and their rows one portion after the other.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, mpsc},
};

use arrow::{array::StringArray, record_batch::RecordBatch};
use percent_encoding::percent_decode_str;

use crate::{
    base::inputs,
    data::{
        DataError, columns,
        readers::{self, Portion, Wanted},
        types::Types,
    },
};

/// What Hive calls a folder of rows without a value.
const NO_VALUE: &str = "__HIVE_DEFAULT_PARTITION__";

/// The files of a table.
pub(in crate::data) struct Files {
    all: Vec<InputFile>,
}

/// A file of a table.
pub(in crate::data) struct InputFile {
    path: PathBuf,
    /// What messages call it.
    pub(in crate::data) name: String,
    /// The columns that its folders say: `lang=en`.
    folders: Vec<(String, Option<String>)>,
}

impl Files {
    /// The files behind a path. Messages call it `name` where it is a file; those of a folder or a pattern have names of their own.
    pub(in crate::data) fn behind(path: &Path, name: &str) -> Result<Self, DataError> {
        let paths = inputs::files_of(path).map_err(|error| DataError::content(format!("{name}: {error}")))?;
        if paths == [path] {
            let file = InputFile { path: path.to_owned(), name: name.to_owned(), folders: Vec::new() };
            return Ok(Self { all: vec![file] });
        }
        let root = inputs::common_folder(path);
        // A folder may hold a README beside its tables; a pattern says what it is about.
        let is_wanted = |file: &PathBuf| !path.is_dir() || readers::knows(file);
        let file = |path: PathBuf| {
            let relative = path.strip_prefix(&root).unwrap_or(&path);
            let parts = relative.parent().into_iter().flat_map(Path::components);
            let folders = parts.filter_map(|part| folder_column(&part.as_os_str().to_string_lossy())).collect();
            InputFile { name: relative.display().to_string(), folders, path }
        };
        let all: Vec<_> = paths.into_iter().filter(is_wanted).map(file).collect();
        if all.is_empty() {
            return Err(DataError::content(format!("{name}: no file in the folder is a table")));
        }
        Ok(Self { all })
    }

    /// Whether a file is one of many and has nothing in it, as those of a partition without rows.
    fn is_left_out(&self, file: &InputFile) -> bool {
        self.all.len() > 1 && file.path.metadata().is_ok_and(|file| file.len() == 0)
    }

    /// Reads all rows, while `each` works on those that were read. Errors name the file.
    pub(in crate::data) fn read(
        &self,
        verbatim: &[&str],
        types: Option<&Types>,
        mut each: impl FnMut(&InputFile, Portion) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        let (send, receive) = mpsc::sync_channel(2);
        std::thread::scope(|scope| {
            scope.spawn(move || {
                for file in self.all.iter().filter(|file| !self.is_left_out(file)) {
                    let sent = file.portions(Wanted { verbatim, types }, |portion| send.send((file, portion)).is_ok());
                    let sent = sent.or_else(|error| {
                        if send.send((file, Err(error))).is_ok() { Ok(true) } else { Ok::<_, DataError>(false) }
                    });
                    if !matches!(sent, Ok(true)) {
                        return; // who works on them has seen enough
                    }
                }
            });
            for (file, portion) in receive {
                portion.and_then(|portion| each(file, portion)).map_err(|error| file.named(error))?;
            }
            Ok(())
        })
    }
}

impl InputFile {
    /// Gives the portions of the file away, until one is not wanted: then false.
    fn portions(
        &self,
        wanted: Wanted<'_>,
        mut give: impl FnMut(Result<Portion, DataError>) -> bool,
    ) -> Result<bool, DataError> {
        for portion in readers::open(&self.path, wanted)? {
            let portion = portion.and_then(|mut portion| {
                portion.rows = self.with_folders(portion.rows)?;
                let has_columns = portion.rows.num_columns() > 0 || !portion.numbers.is_empty();
                for column in wanted.verbatim.iter().filter(|_| has_columns) {
                    portion.rows = columns::as_text(&portion.rows, column)?;
                }
                Ok(portion)
            });
            if !give(portion) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Rows with the columns that the file's folders say, where the file has none of the name.
    fn with_folders(&self, mut rows: RecordBatch) -> Result<RecordBatch, DataError> {
        for (name, value) in &self.folders {
            if rows.column_by_name(name).is_none() && rows.num_columns() > 0 {
                let values: StringArray = std::iter::repeat_n(value.as_deref(), rows.num_rows()).collect();
                rows = columns::set(&rows, name, Arc::new(values))?;
            }
        }
        Ok(rows)
    }

    fn named(&self, error: DataError) -> DataError {
        match error {
            // It names its path.
            DataError::Path(_) => error,
            DataError::Content(what) => DataError::Content(format!("{}: {what}", self.name)),
        }
    }
}

/// The column that a folder says, as Hive writes it: `lang=zh%2DTW`.
fn folder_column(folder: &str) -> Option<(String, Option<String>)> {
    let (name, value) = folder.split_once('=').filter(|(name, _)| !name.is_empty())?;
    let plain = |text: &str| percent_decode_str(text).decode_utf8().map_or_else(|_| text.to_owned(), Into::into);
    Some((plain(name), (value != NO_VALUE).then(|| plain(value))))
}
