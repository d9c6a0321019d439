//! Where a row comes from: the columns that `augment` adds.

use arrow::array::{Array, AsArray};

use super::RowBatch;

impl RowBatch {
    /// Of a row that was made from another: the name of that row, and what was done to it. None of a row of its own.
    #[must_use]
    pub fn origin(&self, row: usize) -> Option<(&str, &str)> {
        let text = |name: &str| {
            let column = self.batch().column_by_name(name)?.as_string_opt::<i32>()?;
            (!column.is_null(row)).then(|| column.value(row))
        };
        Some((text("parent")?, text("op").unwrap_or_default()))
    }
}
