//! `DatasetWriter`: writes a dataset batch by batch, in batches of its own size.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufWriter, Write},
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use arrow::{
    array::{Array, ArrayRef, AsArray, MutableArrayData, OffsetSizeTrait, RecordBatch, make_array},
    datatypes::{DataType, Field, Schema, SchemaRef},
    error::ArrowError,
    ipc::writer::FileWriter,
};

use super::{manifest, path_of};
use crate::{
    base::{
        digest::{Digest, Hashing},
        fs::AtPath,
    },
    data::{DataError, Meta, RowBatch, Split},
};

/// Rows of a batch at most.
const ROWS: usize = 8_192;
/// Bytes of a batch at most, but for a single row that is longer.
const BYTES: usize = 4 << 20;

/// Writes a dataset: rows are appended to their splits in any portions. The bytes written depend on the rows alone, not on the
/// portions.
pub struct DatasetWriter {
    dir: PathBuf,
    meta: Meta,
    pub(super) splits: BTreeMap<Split, SplitWriter>,
}

/// Writes the file of a split.
pub(super) struct SplitWriter {
    path: PathBuf,
    schema: SchemaRef,
    writer: FileWriter<Hashing<BufWriter<File>>>,
    /// Rows that are in no batch yet.
    pub(super) rest: Rest,
    /// Rows that are in batches.
    rows: usize,
}

/// Rows that wait until they are enough for a batch.
#[derive(Default)]
pub(super) struct Rest {
    slices: Vec<RecordBatch>,
    pub(super) rows: usize,
    bytes: usize,
}

impl DatasetWriter {
    /// Begins a dataset in a folder that is there; [`Meta::rows`] is what is written in the end, whatever it says now.
    #[must_use]
    pub fn create(dir: &Path, meta: Meta) -> Self {
        Self { dir: dir.to_owned(), meta: Meta { rows: BTreeMap::new(), ..meta }, splits: BTreeMap::new() }
    }

    /// Appends rows to their split; a batch of no rows makes the split be there.
    ///
    /// # Errors
    /// When they cannot be written, or have other columns than those before.
    pub fn write(&mut self, rows: &RowBatch) -> Result<(), DataError> {
        self.append(rows.split(), rows.batch())
    }

    /// Appends rows to a split.
    pub(in crate::data) fn append(&mut self, split: Split, rows: &RecordBatch) -> Result<(), DataError> {
        if !self.splits.contains_key(&split) {
            self.splits.insert(split, SplitWriter::create(path_of(&self.dir, split), &rows.schema())?);
        }
        self.splits.get_mut(&split).map_or(Ok(()), |writer| writer.append(rows))
    }

    /// Ends the files and writes `dataset.json`; until then, the folder holds no dataset. Returns what it says.
    ///
    /// # Errors
    /// When something cannot be written.
    pub fn finish(mut self) -> Result<Meta, DataError> {
        let mut digests = BTreeMap::new();
        for (split, writer) in self.splits {
            let (rows, digest) = writer.finish()?;
            self.meta.rows.insert(split, rows);
            digests.insert(split, digest);
        }
        manifest::write(&self.dir, &self.meta, &digests)?;
        Ok(self.meta)
    }
}

impl SplitWriter {
    fn create(path: PathBuf, schema: &Schema) -> Result<Self, DataError> {
        // Without metadata, whose order in the file would be that of a hash map.
        let fields = schema.fields().iter().map(|field| Field::new(field.name(), field.data_type().clone(), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let file = File::create(&path).at("cannot write", &path)?;
        let writer = FileWriter::try_new(Hashing::new(BufWriter::new(file)), &schema);
        let writer = writer.map_err(|error| cannot_write(&path, &error))?;
        Ok(Self { path, schema, writer, rest: Rest::default(), rows: 0 })
    }

    fn append(&mut self, rows: &RecordBatch) -> Result<(), DataError> {
        let same = |(field, other): (&Arc<Field>, &Arc<Field>)| {
            field.name() == other.name() && field.data_type() == other.data_type()
        };
        let (fields, schema) = (self.schema.fields(), rows.schema());
        if fields.len() != schema.fields().len() || !fields.iter().zip(schema.fields()).all(same) {
            let what = "rows of other columns than those before them";
            return Err(DataError::content(format!("cannot write `{}`: {what}", self.path.display())));
        }
        let mut start = 0;
        for row in 0..rows.num_rows() {
            let bytes = rows.columns().iter().map(|column| bytes_of(column, row..row + 1)).sum::<usize>();
            let is_full = self.rest.rows == ROWS || self.rest.rows > 0 && self.rest.bytes + bytes > BYTES;
            if is_full {
                self.rest.slices.push(rows.slice(start, row - start));
                start = row;
                self.cut()?;
            }
            self.rest.rows += 1;
            self.rest.bytes += bytes;
        }
        if start < rows.num_rows() {
            self.rest.slices.push(rows.slice(start, rows.num_rows() - start));
        }
        Ok(())
    }

    /// Writes the rows that wait as a batch.
    fn cut(&mut self) -> Result<(), DataError> {
        let batch = self.rest.joined(&self.schema).map_err(|error| cannot_write(&self.path, &error))?;
        self.writer.write(&batch).map_err(|error| cannot_write(&self.path, &error))?;
        self.rows += batch.num_rows();
        self.rest = Rest::default();
        Ok(())
    }

    fn finish(mut self) -> Result<(usize, Digest), DataError> {
        if self.rest.rows > 0 {
            self.cut()?;
        }
        self.writer.finish().map_err(|error| cannot_write(&self.path, &error))?;
        let mut file = self.writer.into_inner().map_err(|error| cannot_write(&self.path, &error))?;
        file.flush().at("cannot write", &self.path)?;
        Ok((self.rows, file.digest()))
    }

    /// Brings what was written to the disk: its bytes, their number and digest.
    pub(super) fn sync(&mut self) -> Result<(u64, Digest), DataError> {
        self.writer.flush().map_err(|error| cannot_write(&self.path, &error))?;
        let file = self.writer.get_mut();
        file.get_mut().get_ref().sync_data().at("cannot write", &self.path)?;
        Ok((file.count(), file.digest()))
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The rows that are in no batch yet, if there are any.
    pub(super) fn waiting(&self) -> Result<Option<RecordBatch>, DataError> {
        let joined = || self.rest.joined(&self.schema).map_err(|error| cannot_write(&self.path, &error));
        (self.rest.rows > 0).then(joined).transpose()
    }
}

impl Rest {
    /// All of them, in arrays that are made anew: those of a slice would tell in the bits behind its end where it was cut.
    fn joined(&self, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
        let column = |at: usize| -> Result<ArrayRef, ArrowError> {
            let parts: Vec<_> = self.slices.iter().map(|slice| slice.column(at).to_data()).collect();
            let mut whole = MutableArrayData::new(parts.iter().collect(), false, self.rows);
            for (part, data) in parts.iter().enumerate() {
                whole.try_extend(part, 0, data.len())?;
            }
            Ok(make_array(whole.freeze()))
        };
        RecordBatch::try_new(Arc::clone(schema), (0..schema.fields().len()).map(column).collect::<Result<_, _>>()?)
    }
}

/// About how many bytes some rows take: those of what varies in length, and eight for every other value. Nothing of it is told by the
/// batch that they came in.
fn bytes_of(column: &dyn Array, rows: Range<usize>) -> usize {
    let count = rows.len();
    match column.data_type() {
        DataType::Utf8 => behind(column.as_string::<i32>().offsets(), rows).len(),
        DataType::Binary => behind(column.as_binary::<i32>().offsets(), rows).len(),
        DataType::LargeBinary => behind(column.as_binary::<i64>().offsets(), rows).len(),
        DataType::FixedSizeBinary(bytes) => count * *bytes as usize,
        DataType::List(_) => {
            let list = column.as_list::<i32>();
            bytes_of(list.values(), behind(list.offsets(), rows))
        }
        DataType::LargeList(_) => {
            let list = column.as_list::<i64>();
            bytes_of(list.values(), behind(list.offsets(), rows))
        }
        DataType::FixedSizeList(_, values) => 8 * count * *values as usize,
        DataType::Struct(_) => column.as_struct().columns().iter().map(|column| bytes_of(column, rows.clone())).sum(),
        _ => 8 * count,
    }
}

/// The places that the offsets of some rows name.
fn behind<O: OffsetSizeTrait>(offsets: &[O], rows: Range<usize>) -> Range<usize> {
    offsets[rows.start].as_usize()..offsets[rows.end].as_usize()
}

fn cannot_write(path: &Path, error: &ArrowError) -> DataError {
    DataError::content(format!("cannot write `{}`: {error}", path.display()))
}
