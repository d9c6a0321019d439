//! `DatasetReader`: the record batches of a dataset, each when it is asked for.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use arrow::{
    array::RecordBatch,
    buffer::{Buffer, MutableBuffer},
    datatypes::SchemaRef,
    error::ArrowError,
    ipc::{
        Block,
        convert::try_fb_to_schema,
        reader::{FileDecoder, read_footer_length},
        root_as_footer, root_as_message,
    },
};

use super::{manifest, path_of};
use crate::{
    base::{digest::Digest, fs::AtPath, guard, plural},
    data::{DataError, Meta, Roles, RowBatch, Split, columns},
};

/// Magic bytes, the length of the footer before them.
const TRAILER: usize = 10;
/// What stands before the flat buffer of a message: a mark and its length.
const PREFIX: usize = 8;

/// A dataset whose rows are read batch by batch, from any thread.
pub struct DatasetReader {
    meta: Meta,
    roles: Arc<Roles>,
    files: BTreeMap<Split, SplitFile>,
}

/// The file of a split.
struct SplitFile {
    path: PathBuf,
    file: Mutex<File>,
    decoder: FileDecoder,
    schema: SchemaRef,
    blocks: Vec<Block>,
    /// The number of the first row of each block, and of all rows.
    first_rows: Vec<u64>,
}

impl DatasetReader {
    /// Opens a dataset artifact: every byte is compared with what `dataset.json` says, no row is kept in memory.
    ///
    /// # Errors
    /// When a file is missing, damaged or of another form.
    pub fn open(dir: &Path) -> Result<Self, DataError> {
        let (meta, digests) = manifest::read(dir)?;
        let mut files = BTreeMap::new();
        for (&split, &rows) in &meta.rows {
            let path = path_of(dir, split);
            let wrong = |what: String| DataError::content(format!("`{}`: {what}", path.display()));
            if digests.get(&split) != Some(&Digest::of_file(&path).at("cannot read", &path)?) {
                return Err(wrong("damaged: its content is not what `dataset.json` says".to_owned()));
            }
            let file = SplitFile::open(&path)?;
            let found = file.first_rows.last().copied().unwrap_or_default();
            if found != rows as u64 {
                let rows = plural::count(rows, "row");
                return Err(wrong(format!("{found} where `dataset.json` says {rows}")));
            }
            let empty = RecordBatch::new_empty(Arc::clone(&file.schema));
            for (role, column) in meta.roles.columns() {
                columns::strings(&empty, column).map_err(|error| wrong(format!("{role} column: {error}")))?;
            }
            files.insert(split, file);
        }
        Ok(Self { roles: Arc::new(meta.roles.clone()), meta, files })
    }

    /// Roles, labels, origin, rows.
    #[must_use]
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// Makes sure of a split.
    ///
    /// # Errors
    /// When there is none of it.
    pub fn require(&self, split: Split) -> Result<(), DataError> {
        self.file(split).map(drop)
    }

    /// All batches, split by split, in the order of their rows; a split without rows has one batch, of no rows.
    #[must_use]
    pub fn batches(&self) -> Vec<(Split, usize)> {
        let of_split = |(&split, file): (&Split, &SplitFile)| {
            let count = file.blocks.len().max(1);
            (0..count).map(move |index| (split, index)).collect::<Vec<_>>()
        };
        self.files.iter().flat_map(of_split).collect()
    }

    /// How many rows of the dataset are read when each of [`Self::batches`] is.
    #[must_use]
    pub fn ends(&self) -> Vec<u64> {
        let mut before = 0;
        let mut ends = Vec::new();
        for file in self.files.values() {
            ends.extend(file.first_rows.iter().skip(1).map(|end| before + end));
            before += file.first_rows.last().copied().unwrap_or_default();
            if file.blocks.is_empty() {
                ends.push(before);
            }
        }
        ends
    }

    /// A batch of a split, by its number.
    ///
    /// # Errors
    /// When the file cannot be read, or has changed and is no longer what it was.
    pub fn read(&self, split: Split, index: usize) -> Result<RowBatch, DataError> {
        let file = self.file(split)?;
        RowBatch::new(split, file.first_rows[index], file.read(index)?, Arc::clone(&self.roles))
    }

    /// All rows of a split as one batch.
    pub(in crate::data) fn whole(&self, split: Split) -> Result<RecordBatch, DataError> {
        let file = self.file(split)?;
        let batches = (0..file.blocks.len()).map(|index| file.read(index)).collect::<Result<Vec<_>, _>>()?;
        match <[RecordBatch; 1]>::try_from(batches) {
            Ok([batch]) => Ok(batch),
            Err(batches) => arrow::compute::concat_batches(&file.schema, &batches).map_err(|error| {
                let what = match error {
                    ArrowError::OffsetOverflowError(_) => {
                        "more than 2 GiB in one column: what needs the split whole in memory cannot have it; \
                         take a part of it with `limit`, `filter` or `query`"
                            .to_owned()
                    }
                    error => error.to_string(),
                };
                DataError::content(format!("`{}`: {what}", file.path.display()))
            }),
        }
    }

    fn file(&self, split: Split) -> Result<&SplitFile, DataError> {
        self.files.get(&split).ok_or_else(|| no_split(split, self.files.keys()))
    }
}

/// What to say where a split is missing.
pub(in crate::data) fn no_split<'a>(split: Split, there: impl Iterator<Item = &'a Split>) -> DataError {
    let names: Vec<_> = there.map(|split| split.name()).collect();
    DataError::content(format!("the dataset has no `{}` split, only {}", split.name(), plural::list(&names)))
}

impl SplitFile {
    fn open(path: &Path) -> Result<Self, DataError> {
        // The library behind it is written for files that its own writer wrote.
        guard::caught(|| Self::open_unguarded(path)).unwrap_or_else(|panic| Err(damaged(path, &panic)))
    }

    fn open_unguarded(path: &Path) -> Result<Self, DataError> {
        let wrong = |error: &dyn std::fmt::Display| damaged(path, error);
        let mut file = File::open(path).at("cannot read", path)?;
        let length = file.seek(SeekFrom::End(0)).at("cannot read", path)?;
        let trailer = span(&mut file, length.saturating_sub(TRAILER as u64), TRAILER).map_err(|error| wrong(&error))?;
        let trailer: [u8; TRAILER] = trailer.as_slice().try_into().map_err(|error| wrong(&error))?;
        let footer_length = read_footer_length(trailer).map_err(|error| wrong(&error))?;
        let start = length.checked_sub((TRAILER + footer_length) as u64).ok_or_else(|| wrong(&"it is too short"))?;
        let footer = span(&mut file, start, footer_length).map_err(|error| wrong(&error))?;
        let footer = root_as_footer(&footer).map_err(|error| wrong(&error))?;
        let schema = footer.schema().ok_or_else(|| wrong(&"it has no schema"))?;
        let schema = Arc::new(try_fb_to_schema(schema).map_err(|error| wrong(&error))?);
        if footer.dictionaries().is_some_and(|dictionaries| !dictionaries.is_empty()) {
            return Err(wrong(&"it has dictionaries, which no dataset has"));
        }
        let blocks: Vec<Block> = footer.recordBatches().iter().flatten().copied().collect();
        let mut first_rows = vec![0];
        for block in &blocks {
            let head = head(block).ok_or_else(|| wrong(&"a block of it is of no length"))?;
            let end = [head as i64, block.bodyLength()].into_iter().try_fold(block.offset(), i64::checked_add);
            if block.bodyLength() < 0 || !end.is_some_and(|end| (0..=length as i64).contains(&end)) {
                return Err(wrong(&"a block of it ends beyond its end"));
            }
            let bytes = span(&mut file, block.offset() as u64, head).map_err(|error| wrong(&error))?;
            let message = bytes.get(PREFIX..).ok_or_else(|| wrong(&"a block of it is too short"))?;
            let message = root_as_message(message).map_err(|error| wrong(&error))?;
            let rows = message.header_as_record_batch().map(|batch| batch.length());
            let rows = rows.and_then(|rows| u64::try_from(rows).ok()).ok_or_else(|| wrong(&"a block holds no rows"))?;
            first_rows.push(first_rows.last().copied().unwrap_or_default() + rows);
        }
        let decoder = FileDecoder::new(Arc::clone(&schema), footer.version());
        Ok(Self { path: path.to_owned(), file: Mutex::new(file), decoder, schema, blocks, first_rows })
    }

    fn read(&self, index: usize) -> Result<RecordBatch, DataError> {
        guard::caught(|| self.read_unguarded(index)).unwrap_or_else(|panic| Err(damaged(&self.path, &panic)))
    }

    fn read_unguarded(&self, index: usize) -> Result<RecordBatch, DataError> {
        let Some(block) = self.blocks.get(index) else {
            return Ok(RecordBatch::new_empty(Arc::clone(&self.schema)));
        };
        let length = head(block).zip(usize::try_from(block.bodyLength()).ok());
        let (head, body) = length.ok_or_else(|| damaged(&self.path, &"a block of it is of no length"))?;
        // Whole cache lines from the start: what is decoded points into it and is not copied.
        let mut buffer = MutableBuffer::from_len_zeroed(head + body);
        {
            let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
            fill(&mut file, block.offset() as u64, &mut buffer).at("cannot read", &self.path)?;
        }
        let batch = self.decoder.read_record_batch(block, &Buffer::from(buffer));
        let batch = batch.map_err(|error| damaged(&self.path, &error))?;
        batch.ok_or_else(|| damaged(&self.path, &"a block of it holds no rows"))
    }
}

/// The length of what stands before the values of a block.
fn head(block: &Block) -> Option<usize> {
    usize::try_from(block.metaDataLength()).ok().filter(|length| *length >= PREFIX)
}

fn damaged(path: &Path, error: &dyn std::fmt::Display) -> DataError {
    DataError::content(format!("`{}` is damaged: {error}", path.display()))
}

/// Some bytes of a file. Never more than there are, whatever a damaged file says of itself.
fn span(file: &mut File, start: u64, length: usize) -> io::Result<Vec<u8>> {
    let there = file.seek(SeekFrom::End(0))?.saturating_sub(start);
    if length as u64 > there {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let mut bytes = vec![0; length];
    fill(file, start, &mut bytes)?;
    Ok(bytes)
}

fn fill(file: &mut File, start: u64, bytes: &mut [u8]) -> io::Result<()> {
    file.seek(SeekFrom::Start(start))?;
    file.read_exact(bytes)
}
