//! safetensors: a file read, a file written.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap, HashSet},
    fmt,
    fs::File,
    io::Read,
    path::Path,
};

use safetensors::{Dtype, View, tensor::Metadata};
use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, MapAccess, Visitor},
};

use super::raw::{Raw, Values};
use crate::{
    base::fs::{self, AtPath},
    model::ModelError,
};

/// Bytes of the longest header that the format allows.
const LONGEST_HEADER: u64 = 100_000_000;

/// Reads a file tensor by tensor: whoever loads a model holds its numbers once, and no pages of the file.
///
/// # Errors
/// When it cannot be read or is damaged. Nothing that it promises is believed before its length was compared with it.
pub(super) fn read_file(path: &Path) -> Result<BTreeMap<String, Raw>, ModelError> {
    let mut file = File::open(path).at("cannot read", path)?;
    let header = read_header(&mut file, path)?;
    // In the order of the file, each behind the one before: a header that says otherwise was refused.
    let mut tensors = BTreeMap::new();
    for name in header.offset_keys() {
        let Some(info) = header.info(&name) else { continue };
        let len = info.data_offsets.1 - info.data_offsets.0;
        let values = Values::read(info.dtype, &mut file, len).at("cannot read", path)?;
        let raw = Raw { shape: info.shape.clone(), values, kind: info.dtype, file: path.to_owned() };
        tensors.insert(name, raw);
    }
    Ok(tensors)
}

/// What the header of a file says beside its tensors, by key; none where it says nothing.
///
/// # Errors
/// As those of [`read_file`].
pub(super) fn about(path: &Path) -> Result<Option<HashMap<String, String>>, ModelError> {
    let mut file = File::open(path).at("cannot read", path)?;
    Ok(read_header(&mut file, path)?.metadata().clone())
}

/// Reads what stands before the numbers, and compares it with the length of the file.
fn read_header(file: &mut File, path: &Path) -> Result<Metadata, ModelError> {
    let damaged = |what: String| ModelError::Checkpoint(format!("`{}` is damaged: {what}", path.display()));
    let n_bytes = file.metadata().at("cannot read", path)?.len();
    let mut length = [0; 8];
    if n_bytes < 8 {
        return Err(damaged(format!("it has {n_bytes} bytes, less than a safetensors header")));
    }
    file.read_exact(&mut length).at("cannot read", path)?;
    let length = u64::from_le_bytes(length);
    if length > LONGEST_HEADER.min(n_bytes - 8) {
        return Err(damaged(
            "it does not start with a safetensors header (a Git LFS pointer or another format?)".to_owned(),
        ));
    }
    let mut header = vec![0; length as usize];
    file.read_exact(&mut header).at("cannot read", path)?;
    let _: Names = serde_json::from_slice(&header).map_err(|error| damaged(error.to_string()))?;
    let header: Metadata = serde_json::from_slice(&header).map_err(|error| damaged(error.to_string()))?;
    let data = n_bytes - 8 - length;
    if header.data_len() as u64 != data {
        let other = if header.data_len() as u64 > data { "more" } else { "fewer" };
        return Err(damaged(format!(
            "its header promises {other} tensors than its {n_bytes} bytes hold (an unfinished download?)"
        )));
    }
    Ok(header)
}

/// The names of a header: each once. Of a name that stands twice, readers would take one or the other.
struct Names;

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Once;
        impl<'de> Visitor<'de> for Once {
            type Value = Names;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with a tensor under each name")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Names, A::Error> {
                let mut seen = HashSet::new();
                while let Some((name, IgnoredAny)) = entries.next_entry::<String, _>()? {
                    if seen.contains(&name) {
                        return Err(A::Error::custom(format!("the name `{name}` stands twice in its header")));
                    }
                    seen.insert(name);
                }
                Ok(Names)
            }
        }
        deserializer.deserialize_map(Once)
    }
}

/// A tensor to be written.
pub(super) struct Entry<'a> {
    pub(super) kind: Dtype,
    pub(super) shape: Vec<usize>,
    pub(super) bytes: Cow<'a, [u8]>,
}

impl View for Entry<'_> {
    fn dtype(&self) -> Dtype {
        self.kind
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }

    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

/// Writes tensors as one file, reads it back and compares.
///
/// # Errors
/// When it cannot be written, or reads back differently.
pub(super) fn write(path: &Path, entries: BTreeMap<String, Entry<'_>>) -> Result<(), ModelError> {
    let failed = |what: String| ModelError::Checkpoint(format!("cannot write `{}`: {what}", path.display()));
    // `transformers` refuses files that do not name their format.
    let about = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let bytes = safetensors::serialize(entries, Some(about)).map_err(|error| failed(error.to_string()))?;
    fs::write_atomic(path, &bytes)?;
    if fs::read(path)? != bytes {
        return Err(failed("it reads back differently (a failing disk?)".to_owned()));
    }
    Ok(())
}
