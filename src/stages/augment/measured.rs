//! The texts that results are measured on: a copy that equals one would be learnt by heart.

use rayon::prelude::*;
use xxhash_rust::xxh3::xxh3_64;

use crate::{
    data::{DatasetReader, Split},
    stage::{StageCtx, StageError},
    stages::dataset::stream,
    text,
};

/// The texts of validation and test by the 64-bit digests of their words, sorted. Of a million copies and a million texts, one has the
/// digest of the other by chance once in 18 million runs, and then a copy is left out that might stay.
pub(super) struct Measured(Vec<u64>);

impl Measured {
    /// Those of a dataset.
    ///
    /// # Errors
    /// When a split cannot be read, or a stop was asked for.
    pub(super) fn of(reader: &DatasetReader, ctx: &StageCtx<'_>) -> Result<Self, StageError> {
        let mut digests = stream::survey(ctx, reader, |rows| {
            let count = if rows.split() == Split::Train { 0 } else { rows.len() };
            Ok((0..count).map(|row| digest(rows.text(row), rows.pair(row))).collect::<Vec<_>>())
        })?;
        digests.par_sort_unstable();
        digests.dedup();
        Ok(Self(digests))
    }

    /// Whether a text has the words of one of them.
    pub(super) fn has(&self, text: &str, pair: Option<&str>) -> bool {
        !self.0.is_empty() && self.0.binary_search(&digest(text, pair)).is_ok()
    }
}

fn digest(text: &str, pair: Option<&str>) -> u64 {
    let mut form = text::normal_form(text);
    if let Some(pair) = pair {
        form.push('\n');
        form.push_str(&text::normal_form(pair));
    }
    xxh3_64(form.as_bytes())
}
