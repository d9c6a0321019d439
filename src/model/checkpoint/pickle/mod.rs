//! `pytorch_model.bin`: a state dict as `torch.save` writes it.
//!
//! A pickle is a program. This one is read by an interpreter of the few operations that a state dict needs: it can name and
//! cut tensors, and nothing else. candle has a reader of pickles too, but it believes the lengths that it reads, copies what
//! a pickle refers to (so that a small file can ask for any amount of memory), and takes neither views nor old files.

mod globals;
mod legacy;
mod machine;
mod state;
mod zipped;

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufReader, Read, Seek, SeekFrom},
    path::Path,
};

use safetensors::Dtype;

use self::machine::{Object, Storage};
use super::raw::{Raw, Values};
use crate::{base::fs::AtPath, model::ModelError};

/// A pickle, and where in its file the bytes of each storage are, by its key.
struct Contents {
    object: Object,
    storages: BTreeMap<String, Span>,
}

/// Bytes of a file.
#[derive(Clone, Copy)]
struct Span {
    start: u64,
    len: u64,
}

/// Reads a file tensor by tensor. Nothing in it is executed.
///
/// # Errors
/// When it cannot be read, is damaged, or holds something else than tensors.
pub(super) fn read_file(path: &Path) -> Result<BTreeMap<String, Raw>, ModelError> {
    let wrong = |what: String| ModelError::Checkpoint(format!("`{}`: {what}", path.display()));
    let mut file = BufReader::new(File::open(path).at("cannot read", path)?);
    let n_bytes = file.get_ref().metadata().at("cannot read", path)?.len();
    let mut start = [0; legacy::START.len()];
    let is_legacy = file.read_exact(&mut start).is_ok() && start == legacy::START;
    let contents = if is_legacy {
        legacy::open(&mut file, n_bytes)
    } else if start.starts_with(b"PK") {
        zipped::open(&mut file, n_bytes)
    } else {
        Err("it is no PyTorch checkpoint (a Git LFS pointer or another format?)".to_owned())
    };
    let Contents { object, storages } = contents.map_err(wrong)?;
    let views = state::views(&object).map_err(wrong)?;
    // Tensors may share their storage, as tied weights do. A file whose tensors are together much larger than itself has
    // no other purpose than that.
    let mut left = 2 * n_bytes;
    let mut tensors = BTreeMap::new();
    for (name, view) in views {
        let at = |what: String| wrong(format!("`{name}`: {what}"));
        let storage = object.storage(view.storage).map_err(at)?;
        let span = storages.get(object.text(storage.key).map_err(at)?).copied();
        let span = span.ok_or_else(|| at("its storage is missing".to_owned()))?;
        let is_whole = storage.bytes().is_some_and(|bytes| bytes <= span.len);
        if !is_whole {
            return Err(at(format!("its storage has {} bytes, too few for {} values", span.len, storage.count)));
        }
        let extent = view.extent(storage).map_err(at)?;
        let Some(rest) = left.checked_sub(extent) else {
            return Err(wrong("its tensors overlap so much that they are larger than the file".to_owned()));
        };
        left = rest;
        let values = read_view(&mut file, view, storage.kind, span, extent).map_err(at)?;
        tensors
            .insert(name.clone(), Raw { shape: view.shape.clone(), values, kind: storage.kind, file: path.to_owned() });
    }
    Ok(tensors)
}

/// A tensor as a pickle describes it: a view of a storage.
#[derive(Debug)]
struct View {
    storage: machine::Id,
    offset: u64,
    shape: Vec<usize>,
    strides: Vec<u64>,
}

impl View {
    /// The values between its first and its last, both included.
    fn extent(&self, storage: &Storage) -> Result<u64, String> {
        let Self { offset, shape, strides, .. } = self;
        let too_large =
            || format!("the shape {shape:?} is larger than its storage, which has {} values", storage.count);
        let mut count = 1_u64;
        let mut extent = 1_u64;
        if shape.contains(&0) {
            return Ok(0);
        }
        for (&size, &stride) in shape.iter().zip(strides) {
            count = count.checked_mul(size as u64).ok_or_else(too_large)?;
            let reach = (size as u64 - 1).checked_mul(stride);
            extent = reach.and_then(|reach| extent.checked_add(reach)).ok_or_else(too_large)?;
        }
        let end = offset.checked_add(extent).ok_or_else(too_large)?;
        // A view that repeats its values (a stride of 0) can have more of them than its storage.
        if end > storage.count || count > storage.count { Err(too_large()) } else { Ok(extent) }
    }

    /// Whether its values stand one after the other.
    fn is_contiguous(&self) -> bool {
        let mut expected = 1;
        self.shape.iter().zip(&self.strides).rev().all(|(&size, &stride)| {
            let fits = size == 1 || stride == expected;
            expected *= size as u64;
            fits
        })
    }
}

/// Reads a view; its extent was checked against its storage.
fn read_view(
    file: &mut (impl Read + Seek),
    view: &View,
    kind: Dtype,
    span: Span,
    extent: u64,
) -> Result<Values, String> {
    if !matches!(kind, Dtype::F64 | Dtype::F32 | Dtype::F16 | Dtype::BF16 | Dtype::I8) {
        return Ok(Values::Other(kind));
    }
    let width = kind.bitsize() as u64 / 8;
    let read = |file: &mut _| Values::read(kind, file, (extent * width) as usize);
    let start = SeekFrom::Start(span.start + view.offset * width);
    let values = file.seek(start).and_then(|_| read(file)).map_err(|error| format!("cannot read it: {error}"))?;
    if extent == 0 || view.is_contiguous() {
        return Ok(values);
    }
    Ok(match values {
        Values::F32(values) => Values::F32(gather(&values, view)),
        Values::I8(values) => Values::I8(gather(&values, view)),
        other => other,
    })
}

/// The values of a view, row by row.
fn gather<T: Copy>(values: &[T], view: &View) -> Vec<T> {
    let value = |index: usize| {
        let mut left = index;
        let mut at = 0;
        for (&size, &stride) in view.shape.iter().zip(&view.strides).rev() {
            at += left % size * stride as usize;
            left /= size;
        }
        values[at]
    };
    (0..view.shape.iter().product()).map(value).collect()
}

#[cfg(test)]
mod tests;
