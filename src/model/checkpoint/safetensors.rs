//! safetensors, single and sharded.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap},
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use safetensors::{Dtype, View, tensor::Metadata};
use serde_json::Value;

use crate::{
    base::fs::{self, AtPath},
    model::ModelError,
};

/// Bytes of the longest header that the format allows.
const LONGEST_HEADER: u64 = 100_000_000;

/// A tensor as it stands in a file.
pub(super) struct Raw {
    pub(super) shape: Vec<usize>,
    pub(super) values: Values,
    /// The file that it came from.
    pub(super) file: PathBuf,
}

/// The values of a tensor: floats of all widths are read as f32.
#[derive(Clone)]
pub(super) enum Values {
    F32(Vec<f32>),
    I8(Vec<i8>),
    /// Another type, which no parameter has.
    Other(Dtype),
}

impl Values {
    /// The same numbers in `n` vectors of one length; none where they cannot be parted so.
    pub(super) fn split(self, n: usize) -> Option<Vec<Self>> {
        fn chunks<T: Clone>(values: &[T], n: usize) -> Option<impl Iterator<Item = Vec<T>>> {
            let len = values.len() / n;
            (len > 0 && values.len() == n * len).then(|| values.chunks(len).map(<[T]>::to_vec))
        }
        match self {
            Self::F32(values) => Some(chunks(&values, n)?.map(Self::F32).collect()),
            Self::I8(values) => Some(chunks(&values, n)?.map(Self::I8).collect()),
            Self::Other(kind) => Some(vec![Self::Other(kind); n]),
        }
    }

    /// The type in words, for errors.
    pub(super) fn kind(&self) -> String {
        match self {
            Self::F32(_) => "F32".to_owned(),
            Self::I8(_) => "I8".to_owned(),
            Self::Other(kind) => format!("{kind:?}"),
        }
    }
}

/// Reads all tensors of a model directory: `model.safetensors`, or the shards that `model.safetensors.index.json` names.
///
/// # Errors
/// When a file is missing or damaged.
pub(super) fn read_dir(dir: &Path) -> Result<BTreeMap<String, Raw>, ModelError> {
    let single = dir.join("model.safetensors");
    let index = dir.join("model.safetensors.index.json");
    let mut tensors = BTreeMap::new();
    if single.exists() {
        read_file(&single, &mut tensors)?;
    } else if index.exists() {
        for shard in shards(&index)? {
            read_file(&dir.join(shard), &mut tensors)?;
        }
    } else {
        let pickle = dir.join("pytorch_model.bin").exists();
        let hint = if pickle { "; `pytorch_model.bin` is a pickle: save it as safetensors first" } else { "" };
        return Err(ModelError::Checkpoint(format!("there is no `model.safetensors` in `{}`{hint}", dir.display())));
    }
    Ok(tensors)
}

fn shards(index: &Path) -> Result<BTreeSet<String>, ModelError> {
    let wrong = |what: &str| ModelError::Checkpoint(format!("`{}` {what}", index.display()));
    let value: Value =
        serde_json::from_str(&fs::read_text(index)?).map_err(|error| wrong(&format!("is not JSON: {error}")))?;
    let map = value.get("weight_map").and_then(Value::as_object).ok_or_else(|| wrong("has no `weight_map`"))?;
    let shards: BTreeSet<_> = map.values().filter_map(Value::as_str).map(str::to_owned).collect();
    if shards.iter().any(|name| name.contains(['/', '\\'])) {
        return Err(wrong("names a shard outside its folder"));
    }
    Ok(shards)
}

/// Reads a file tensor by tensor: whoever loads a model holds its numbers once, and no pages of the file.
fn read_file(path: &Path, into: &mut BTreeMap<String, Raw>) -> Result<(), ModelError> {
    let damaged = |what: String| ModelError::Checkpoint(format!("`{}` is damaged: {what}", path.display()));
    let mut file = File::open(path).at("cannot read", path)?;
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
    let header: Metadata = serde_json::from_slice(&header).map_err(|error| damaged(error.to_string()))?;
    if header.data_len() as u64 + length + 8 != n_bytes {
        let other = if header.data_len() as u64 + length + 8 > n_bytes { "more" } else { "fewer" };
        return Err(damaged(format!(
            "its header promises {other} tensors than its {n_bytes} bytes hold (an unfinished download?)"
        )));
    }
    // In the order of the file, each behind the one before: a header that says otherwise was refused.
    for name in header.offset_keys() {
        let Some(info) = header.info(&name) else { continue };
        let len = info.data_offsets.1 - info.data_offsets.0;
        let values = values(info.dtype, &mut file, len).at("cannot read", path)?;
        into.insert(name, Raw { shape: info.shape.clone(), values, file: path.to_owned() });
    }
    Ok(())
}

/// Reads a tensor of `len` bytes.
fn values(kind: Dtype, file: &mut File, len: usize) -> io::Result<Values> {
    fn collect<const N: usize, T>(file: &mut File, len: usize, number: impl Fn([u8; N]) -> T) -> io::Result<Vec<T>> {
        let mut values = Vec::with_capacity(len / N);
        in_parts(file, len, |part| values.extend(part.as_chunks::<N>().0.iter().map(|bytes| number(*bytes))))?;
        Ok(values)
    }
    Ok(match kind {
        Dtype::F32 => Values::F32(collect(file, len, f32::from_le_bytes)?),
        Dtype::F16 => Values::F32(collect(file, len, |bytes| f16_to_f32(u16::from_le_bytes(bytes)))?),
        Dtype::BF16 => {
            Values::F32(collect(file, len, |bytes| f32::from_bits(u32::from(u16::from_le_bytes(bytes)) << 16))?)
        }
        Dtype::F64 => Values::F32(collect(file, len, |bytes| f64::from_le_bytes(bytes) as f32)?),
        Dtype::I8 => Values::I8(collect(file, len, i8::from_le_bytes)?),
        other => {
            in_parts(file, len, |_| ())?;
            Values::Other(other)
        }
    })
}

/// Reads `len` bytes a part at a time; parts are whole numbers of every width.
fn in_parts(file: &mut File, len: usize, mut take: impl FnMut(&[u8])) -> io::Result<()> {
    const PART: usize = 1 << 18;
    let mut part = vec![0; PART.min(len)];
    let mut left = len;
    while left > 0 {
        let part = &mut part[..PART.min(left)];
        file.read_exact(part)?;
        take(part);
        left -= part.len();
    }
    Ok(())
}

/// IEEE half precision to single: exact.
fn f16_to_f32(bits: u16) -> f32 {
    let sign = u32::from(bits >> 15) << 31;
    let exponent = u32::from(bits >> 10 & 0x1f);
    let fraction = u32::from(bits & 0x3ff);
    match (exponent, fraction) {
        // Zero and subnormals: the fraction in units of 2⁻²⁴.
        (0, _) => f32::from_bits(sign | (fraction as f32 / 16_777_216.0).to_bits()),
        (0x1f, _) => f32::from_bits(sign | 0x7f80_0000 | fraction << 13),
        _ => f32::from_bits(sign | (exponent + 112) << 23 | fraction << 13),
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

/// The bytes of floats, as they stand in a file.
pub(super) fn f32_bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_widen_exactly() {
        let cases = [
            (0x0000, 0.0),
            (0x8000, -0.0),
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x3555, 0.333_251_95),
            (0x0001, 5.960_464_5e-8),
            (0x83ff, -6.097_555e-5),
            (0x7bff, 65504.0),
            (0x7c00, f32::INFINITY),
        ];
        for (bits, value) in cases {
            assert_eq!(f16_to_f32(bits).to_bits(), f32::to_bits(value), "{bits:x}");
        }
        assert!(f16_to_f32(0x7e00).is_nan());
    }
}
