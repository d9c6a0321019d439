//! Datasets on the disk: `dataset.json`, and an Arrow IPC file of many record batches a split.
//!
//! They are read and written batch by batch, so that what a stage holds in memory does not grow with the dataset.

mod manifest;
mod reader;
mod resume;
mod writer;

#[cfg(test)]
mod tests;

pub use reader::DatasetReader;
pub(super) use reader::no_split;
pub use resume::Pause;
pub use writer::DatasetWriter;

use std::path::{Path, PathBuf};

use super::Split;

/// The file of a split.
fn path_of(dir: &Path, split: Split) -> PathBuf {
    dir.join(format!("{}.arrow", split.name()))
}
