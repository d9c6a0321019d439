//! A tensor as it stands in a file, and how its numbers are read.

use std::{
    io::{self, Read},
    path::PathBuf,
};

use safetensors::Dtype;

use crate::model::float_type::{bf16_to_f32, f16_to_f32};

/// A tensor as it stands in a file.
pub(in crate::model) struct Raw {
    pub(in crate::model) shape: Vec<usize>,
    pub(in crate::model) values: Values,
    /// Its type in the file.
    pub(super) kind: Dtype,
    /// The file that it came from.
    pub(in crate::model) file: PathBuf,
}

/// The values of a tensor: floats of all widths are read as f32.
#[derive(Clone)]
pub(in crate::model) enum Values {
    F32(Vec<f32>),
    I8(Vec<i8>),
    I32(Vec<i32>),
    I64(Vec<i64>),
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
            Self::I32(values) => Some(chunks(&values, n)?.map(Self::I32).collect()),
            Self::I64(values) => Some(chunks(&values, n)?.map(Self::I64).collect()),
            Self::Other(kind) => Some(vec![Self::Other(kind); n]),
        }
    }

    /// The type in words, for errors.
    pub(super) fn kind(&self) -> String {
        match self {
            Self::F32(_) => "F32".to_owned(),
            Self::I8(_) => "I8".to_owned(),
            Self::I32(_) => "I32".to_owned(),
            Self::I64(_) => "I64".to_owned(),
            Self::Other(kind) => format!("{kind:?}"),
        }
    }

    /// Reads `len` bytes as values of a type.
    ///
    /// # Errors
    /// When the input ends before.
    pub(super) fn read(kind: Dtype, input: &mut impl Read, len: usize) -> io::Result<Self> {
        Ok(match kind {
            Dtype::F32 => Self::F32(collect(input, len, f32::from_le_bytes)?),
            Dtype::F16 => Self::F32(collect(input, len, |bytes| f16_to_f32(u16::from_le_bytes(bytes)))?),
            Dtype::BF16 => Self::F32(collect(input, len, |bytes| bf16_to_f32(u16::from_le_bytes(bytes)))?),
            Dtype::F64 => Self::F32(collect(input, len, |bytes| f64::from_le_bytes(bytes) as f32)?),
            Dtype::I8 => Self::I8(collect(input, len, i8::from_le_bytes)?),
            Dtype::I32 => Self::I32(collect(input, len, i32::from_le_bytes)?),
            Dtype::I64 => Self::I64(collect(input, len, i64::from_le_bytes)?),
            other => {
                in_parts(input, len, |_| ())?;
                Self::Other(other)
            }
        })
    }
}

/// The place of the first number that is not finite.
pub(super) fn first_not_finite(values: &[f32]) -> Option<usize> {
    // Whole blocks without a branch: a model is looked through as fast as it is read from memory.
    const BLOCK: usize = 1024;
    let is_bad = |block: &[f32]| block.iter().fold(false, |bad, value| bad | !value.is_finite());
    let block = values.chunks(BLOCK).position(is_bad)?;
    values[block * BLOCK..].iter().position(|value| !value.is_finite()).map(|at| block * BLOCK + at)
}

fn collect<const N: usize, T>(input: &mut impl Read, len: usize, number: impl Fn([u8; N]) -> T) -> io::Result<Vec<T>> {
    let mut values = Vec::with_capacity(len / N);
    in_parts(input, len, |part| values.extend(part.as_chunks::<N>().0.iter().map(|bytes| number(*bytes))))?;
    Ok(values)
}

/// Reads `len` bytes a part at a time; parts are whole numbers of every width.
fn in_parts(input: &mut impl Read, len: usize, mut take: impl FnMut(&[u8])) -> io::Result<()> {
    const PART: usize = 1 << 18;
    let mut part = vec![0; PART.min(len)];
    let mut left = len;
    while left > 0 {
        let part = &mut part[..PART.min(left)];
        input.read_exact(part)?;
        take(part);
        left -= part.len();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_finite_is_found() {
        let mut values = vec![1.0; 5000];
        assert_eq!(first_not_finite(&values), None);
        values[4097] = f32::NAN;
        values[4099] = f32::INFINITY;
        assert_eq!(first_not_finite(&values), Some(4097));
    }
}
