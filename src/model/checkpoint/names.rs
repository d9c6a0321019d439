//! Hugging Face names to ours and back; what was missing or left over.

use std::{borrow::Cow, collections::BTreeMap};

use super::{
    raw::{Raw, Values},
    safetensors::Entry,
};
use crate::model::{ModelError, families::Family};

/// The tensors of a checkpoint under our names, and what was left over.
pub(super) struct Renamed {
    /// By our names.
    pub(super) tensors: BTreeMap<String, Raw>,
    /// Their names that are not the family's.
    pub(super) left_over: Vec<String>,
}

/// Renames all tensors, and takes apart what the family stacks. Buffers and heads that it drops on purpose are dropped.
///
/// # Errors
/// When the rows of a stacked tensor cannot be parted.
pub(super) fn rename(
    family: &Family,
    tensors: BTreeMap<String, Raw>,
    classifies_tokens: bool,
) -> Result<Renamed, ModelError> {
    let mut renamed = Renamed { tensors: BTreeMap::new(), left_over: Vec::new() };
    for (theirs, raw) in tensors {
        if family.drops(&theirs) {
            continue;
        }
        let mut ours = family.ours(&theirs, classifies_tokens);
        match ours.len() {
            0 => renamed.left_over.push(theirs),
            1 => _ = renamed.tensors.insert(ours.remove(0), raw),
            n => renamed.tensors.extend(ours.into_iter().zip(parts(&theirs, raw, n)?)),
        }
    }
    Ok(renamed)
}

/// What a packed weight says of its shape.
const SHAPE: &str = ".weight_shape";

/// The rows of a tensor in `n` equal parts.
fn parts(name: &str, raw: Raw, n: usize) -> Result<Vec<Raw>, ModelError> {
    let rows = raw.shape.first().copied().unwrap_or(0);
    if let (Values::I64(sizes), true) = (&raw.values, name.ends_with(SHAPE)) {
        // What a packed weight says of its shape is no matrix itself.
        let sizes: Vec<i64> =
            sizes.iter().enumerate().map(|(at, &size)| if at == 0 { size / n as i64 } else { size }).collect();
        let part = || Raw {
            shape: raw.shape.clone(),
            values: Values::I64(sizes.clone()),
            file: raw.file.clone(),
            kind: raw.kind,
        };
        return Ok((0..n).map(|_| part()).collect());
    }
    let (shape, file) = ([&[rows / n], raw.shape.get(1..).unwrap_or(&[])].concat(), raw.file);
    match raw.values.split(n) {
        Some(parts) if rows.is_multiple_of(n) => {
            let part = |values| Raw { shape: shape.clone(), values, kind: raw.kind, file: file.clone() };
            Ok(parts.into_iter().map(part).collect())
        }
        _ => Err(ModelError::Checkpoint(format!(
            "`{}`: `{name}` has the shape {:?}, but holds {n} matrices of as many rows each",
            file.display(),
            raw.shape
        ))),
    }
}

/// Renames tensors under our names to theirs, and stacks what the family stacks.
///
/// # Errors
/// When tensors that belong into one are of different types or widths.
pub(super) fn rename_back(
    family: &Family,
    entries: BTreeMap<String, Entry<'static>>,
) -> Result<BTreeMap<String, Entry<'static>>, ModelError> {
    let mut renamed = BTreeMap::new();
    let mut stacks: BTreeMap<String, BTreeMap<usize, Entry<'static>>> = BTreeMap::new();
    for (ours, entry) in entries {
        let place = family.place(&ours);
        match place.part {
            (_, 1) => _ = renamed.insert(place.name, entry),
            (part, _) => _ = stacks.entry(place.name).or_default().insert(part, entry),
        }
    }
    for (name, parts) in stacks {
        let mut parts = parts.into_values();
        let Some(mut whole) = parts.next() else { continue };
        for part in parts {
            if name.ends_with(SHAPE) {
                whole.bytes = Cow::Owned(taller(&whole.bytes, &part.bytes));
                continue;
            }
            if part.kind != whole.kind || part.shape.get(1..) != whole.shape.get(1..) {
                return Err(ModelError::Checkpoint(format!(
                    "`{name}` holds several of the model's modules in one tensor, but these are of different types or widths: \
                     quantise and prune all of them or none"
                )));
            }
            whole.shape[0] += part.shape[0];
            whole.bytes = Cow::Owned([whole.bytes, part.bytes].concat());
        }
        renamed.insert(name, whole);
    }
    Ok(renamed)
}

/// The shape of two packed weights, one above the other.
fn taller(whole: &[u8], part: &[u8]) -> Vec<u8> {
    let rows = |shape: &[u8]| shape.first_chunk().map_or(0, |bytes| i64::from_le_bytes(*bytes));
    let mut taller = whole.to_vec();
    if let Some(first) = taller.first_chunk_mut() {
        *first = (rows(whole) + rows(part)).to_le_bytes();
    }
    taller
}
