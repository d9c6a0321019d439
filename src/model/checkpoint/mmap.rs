//! The one memory map of a weights file, and its SAFETY argument.
#![expect(unsafe_code, reason = "a memory map cannot be made otherwise")]

use std::{fs::File, path::Path};

use memmap2::Mmap;

use crate::base::fs::{AtPath, PathError};

/// Maps a file for reading. An empty file maps to no bytes.
pub(super) fn map(path: &Path) -> Result<Mmap, PathError> {
    let file = File::open(path).at("cannot read", path)?;
    // SAFETY: the map is private to the reader and dropped once the tensors are copied out of it, a moment later. A
    // process that truncates the file in that moment could still end this one with a signal; it cannot make it read
    // foreign memory. lmpipe itself never writes a file in place: `write_atomic` renames, which leaves the mapped file
    // as it was.
    unsafe { Mmap::map(&file) }.at("cannot map", path)
}
