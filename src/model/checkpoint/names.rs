//! Hugging Face names to ours and back; what was missing or left over.

use std::collections::BTreeMap;

use super::raw::Raw;
use crate::model::families::Family;

/// The tensors of a checkpoint under our names, and what was left over.
pub(super) struct Renamed {
    /// By our names.
    pub(super) tensors: BTreeMap<String, Raw>,
    /// Their names that are not the family's.
    pub(super) left_over: Vec<String>,
}

/// Renames all tensors. Buffers and heads that the family drops on purpose are dropped.
pub(super) fn rename(family: &Family, tensors: BTreeMap<String, Raw>) -> Renamed {
    let mut renamed = Renamed { tensors: BTreeMap::new(), left_over: Vec::new() };
    for (theirs, raw) in tensors {
        if family.drops(&theirs) {
            continue;
        }
        match family.ours(&theirs) {
            Some(ours) => _ = renamed.tensors.insert(ours, raw),
            None => renamed.left_over.push(theirs),
        }
    }
    renamed
}
