//! `RowSource`: rows that can be looked at again and again, of a dataset or of files that are none yet.

use std::{path::Path, sync::Arc};

use arrow::{
    array::{Array, AsArray, BooleanArray, RecordBatch},
    compute::filter_record_batch,
};

use super::{DataError, DatasetReader, Roles, RowBatch, Split, columns, import::Files, readers::Portion, split};

/// Rows that can be looked at again and again.
pub enum RowSource {
    /// Those of a dataset.
    Dataset(DatasetReader),
    /// Those of files that are no dataset yet.
    Files(PlainFiles),
}

/// Files that are no dataset yet, with what is known of their columns.
pub struct PlainFiles {
    files: Files,
    roles: Arc<Roles>,
    split: Option<String>,
}

/// Which columns of plain files mean what. What is not said is the column of that name, where there is one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Columns {
    /// The text; `text` where it is not said.
    pub text: Option<String>,
    /// The label; `label` where it is not said.
    pub label: Option<String>,
}

/// Rows of files that could not be read, which are passed over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unread {
    /// How many.
    pub rows: u64,
    /// The first of them, and what is wrong with it.
    pub first: Option<String>,
}

impl RowSource {
    /// Opens a folder with a `dataset.json`, or the files behind a path: one of them, those of a folder, those that fit a pattern.
    ///
    /// # Errors
    /// When nothing is there, a file is no table, a column is not there, or a column is named for a dataset, which knows its own.
    pub fn open(path: &Path, named: &Columns) -> Result<Self, DataError> {
        if path.join("dataset.json").is_file() {
            if let Some(column) = named.text.as_ref().or(named.label.as_ref()) {
                return Err(DataError::content(format!(
                    "`{}` is a dataset, which knows what its columns are: `{column}` cannot be named beside them",
                    path.display()
                )));
            }
            return Ok(Self::Dataset(DatasetReader::open(path)?));
        }
        PlainFiles::open(path, named).map(Self::Files)
    }

    /// Whether rows are in splits; those of plain files without a column `split` all count as training rows.
    #[must_use]
    pub fn is_split(&self) -> bool {
        match self {
            Self::Dataset(_) => true,
            Self::Files(files) => files.split.is_some(),
        }
    }

    /// The splits that there may be.
    #[must_use]
    pub fn splits(&self) -> Vec<Split> {
        match self {
            Self::Dataset(reader) => reader.meta().rows.keys().copied().collect(),
            Self::Files(files) if files.split.is_some() => Split::ALL.to_vec(),
            Self::Files(_) => vec![Split::Train],
        }
    }

    /// Which column means what.
    #[must_use]
    pub fn roles(&self) -> &Roles {
        match self {
            Self::Dataset(reader) => &reader.meta().roles,
            Self::Files(files) => &files.roles,
        }
    }

    /// The labels in their order, where it is known.
    #[must_use]
    pub fn labels(&self) -> &[String] {
        match self {
            Self::Dataset(reader) => &reader.meta().labels,
            Self::Files(_) => &[],
        }
    }

    /// How many rows there are, where that is known before they are read.
    #[must_use]
    pub fn rows(&self) -> Option<u64> {
        match self {
            Self::Dataset(reader) => Some(reader.meta().rows.values().map(|rows| *rows as u64).sum()),
            Self::Files(_) => None,
        }
    }

    /// Looks at all rows, or at those of one split, in their order, until `look` says false.
    ///
    /// # Errors
    /// When something cannot be read, or `look` fails.
    pub fn each(
        &self,
        only: Option<Split>,
        mut look: impl FnMut(RowBatch) -> Result<bool, DataError>,
    ) -> Result<Unread, DataError> {
        match self {
            Self::Dataset(reader) => {
                let wanted = |(split, _): &(Split, usize)| only.is_none_or(|only| only == *split);
                for (split, index) in reader.batches().into_iter().filter(wanted) {
                    if !look(reader.read(split, index)?)? {
                        break;
                    }
                }
                Ok(Unread::default())
            }
            Self::Files(files) => files.each(only, look),
        }
    }
}

impl PlainFiles {
    fn open(path: &Path, named: &Columns) -> Result<Self, DataError> {
        let files = Files::behind(path, &path.display().to_string())?;
        let mut first = None;
        // Enough is seen with the first rows: what ends the reading is no fault.
        let read = files.read(&[], None, |_, portion| {
            first = Some(portion.rows);
            Err(DataError::content("enough"))
        });
        let Some(first) = first else {
            read?;
            return Err(DataError::content(format!("{}: no rows", path.display())));
        };
        let there = |name: &str| first.column_by_name(name).is_some();
        let default = |name: &str| there(name).then(|| name.to_owned());
        let is_named = |column: &String| named.text.as_ref() == Some(column) || named.label.as_ref() == Some(column);
        let roles = Roles {
            text: named.text.clone().unwrap_or_else(|| "text".to_owned()),
            pair: None,
            label: named.label.clone().or_else(|| default("label")),
            id: default("id").filter(|id| !is_named(id)),
        };
        for (_, column) in roles.columns() {
            columns::position(&first, column)
                .map_err(|error| DataError::content(format!("{}: {error}", path.display())))?;
        }
        let split = default("split").filter(|column| says_splits(&first, column));
        Ok(Self { files, roles: Arc::new(roles), split })
    }

    fn each(
        &self,
        only: Option<Split>,
        mut look: impl FnMut(RowBatch) -> Result<bool, DataError>,
    ) -> Result<Unread, DataError> {
        let mut verbatim: Vec<&str> = self.roles.columns().map(|(_, column)| column).collect();
        verbatim.extend(self.split.as_deref());
        let (mut unread, mut seen, mut is_over) = (Unread::default(), [0; 3], false);
        let read = self.files.read(&verbatim, None, |file, portion| {
            for bad in &portion.bad {
                unread.add(|| format!("{}: {}: {}", file.name, bad.place, bad.reason));
            }
            for (split, rows) in self.by_split(&portion, &file.name, &mut unread)? {
                let first = seen[split as usize];
                seen[split as usize] += rows.num_rows() as u64;
                if only.is_none_or(|only| only == split)
                    && !look(RowBatch::new(split, first, rows, Arc::clone(&self.roles))?)?
                {
                    is_over = true;
                    return Err(DataError::content("enough"));
                }
            }
            Ok(())
        });
        if !is_over {
            read?;
        }
        Ok(unread)
    }

    /// The rows of a portion by split.
    fn by_split(
        &self,
        portion: &Portion,
        file: &str,
        unread: &mut Unread,
    ) -> Result<Vec<(Split, RecordBatch)>, DataError> {
        let rows = &portion.rows;
        let Some(column) = self.split.as_deref().filter(|_| rows.num_rows() > 0) else {
            return Ok(if rows.num_rows() > 0 { vec![(Split::Train, rows.clone())] } else { Vec::new() });
        };
        let values = columns::strings(rows, column)?;
        let mut found = Vec::with_capacity(rows.num_rows());
        for row in 0..rows.num_rows() {
            found.push(match split::of_row(values, row, column) {
                Ok(split) => Some(split),
                Err(reason) => {
                    unread.add(|| format!("{file}: row {}: {reason}", portion.numbers[row]));
                    None
                }
            });
        }
        let mut parts = Vec::new();
        for split in Split::ALL {
            let marks: Vec<bool> = found.iter().map(|found| *found == Some(split)).collect();
            let count = marks.iter().filter(|mark| **mark).count();
            if count == rows.num_rows() {
                parts.push((split, rows.clone()));
            } else if count > 0 {
                let part = filter_record_batch(rows, &BooleanArray::from(marks));
                parts.push((split, part.map_err(|error| DataError::content(error.to_string()))?));
            }
        }
        Ok(parts)
    }
}

impl Unread {
    fn add(&mut self, what: impl FnOnce() -> String) {
        self.rows += 1;
        self.first.get_or_insert_with(what);
    }
}

/// Whether a column holds names of splits, as far as the first rows tell.
fn says_splits(rows: &RecordBatch, column: &str) -> bool {
    let Some(values) = rows.column_by_name(column).and_then(|column| column.as_string_opt::<i32>()) else {
        return false;
    };
    !values.is_empty() && (0..values.len()).all(|row| split::of_row(values, row, column).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::fs::write_atomic;

    fn texts(source: &RowSource, only: Option<Split>) -> Vec<String> {
        let mut texts = Vec::new();
        source
            .each(only, |rows| {
                texts.extend((0..rows.len()).map(|row| format!("{} {}", rows.split().name(), rows.text(row))));
                Ok(true)
            })
            .unwrap();
        texts
    }

    #[test]
    fn columns_of_files_are_known_by_name_or_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rows.csv");
        write_atomic(&path, b"text,body,label,split\na,A,1,train\nb,B,0,test\nc,C,1,train\n,D,,test\n").unwrap();
        let source = RowSource::open(&path, &Columns::default()).unwrap();
        assert_eq!(texts(&source, None), ["train a", "train c", "test b", "test "]);
        assert_eq!(texts(&source, Some(Split::Test)), ["test b", "test "]);
        assert_eq!((source.is_split(), source.roles().label.as_deref()), (true, Some("label")));
        let named = |text: &str| Columns { text: Some(text.to_owned()), label: None };
        let source = RowSource::open(&path, &named("body")).unwrap();
        assert_eq!(texts(&source, Some(Split::Train)), ["train A", "train C"]);
        let told = RowSource::open(&path, &named("bdy")).err().unwrap().to_string();
        assert!(told.contains("there is no column `bdy`; did you mean `body`?"), "{told}");
        let told = RowSource::open(&dir.path().join("x.csv"), &named("a")).err().unwrap().to_string();
        assert!(told.contains("x.csv"), "{told}");
    }

    #[test]
    fn a_look_can_end_early_and_what_cannot_be_read_is_counted() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rows.jsonl");
        let lines: Vec<String> =
            (0..20_000).map(|row| format!("{{\"text\": \"t{row}\", \"split\": \"{row}\"}}")).collect();
        write_atomic(&path, format!("{}\nnot json\n", lines.join("\n")).as_bytes()).unwrap();
        let source = RowSource::open(&path, &Columns::default()).unwrap();
        assert!(!source.is_split(), "`split` says something else here");
        let mut seen = 0;
        let unread = source.each(None, |rows| {
            seen += rows.len();
            Ok(false)
        });
        assert!(unread.unwrap().rows == 0 && seen < 20_000);
        let unread = source.each(None, |_| Ok(true)).unwrap();
        assert!(unread.rows == 1 && unread.first.unwrap().contains("rows.jsonl"));
    }
}
