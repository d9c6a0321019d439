//! `Codes`: the values of a column of few values, two bytes a row.

use std::collections::HashMap;

use super::DataError;

/// The values of a column, and which of them each row has.
#[derive(Clone, Debug, Default)]
pub(super) struct Codes {
    values: Vec<Option<String>>,
    known: HashMap<String, u16>,
    /// The number of what is missing.
    missing: Option<u16>,
    rows: Vec<u16>,
}

impl Codes {
    /// Appends a row. Fails at the 65,536th value: where nearly every row has its own, there is nothing to count.
    pub(super) fn push(&mut self, value: Option<&str>) -> Result<(), DataError> {
        let known = value.map_or(self.missing, |value| self.known.get(value).copied());
        let code = if let Some(code) = known { code } else { self.add(value)? };
        self.rows.push(code);
        Ok(())
    }

    /// Rows that all have the same value.
    pub(super) fn alike(rows: usize) -> Result<Self, DataError> {
        let mut codes = Self::default();
        let code = codes.add(None)?;
        codes.rows = vec![code; rows];
        Ok(codes)
    }

    fn add(&mut self, value: Option<&str>) -> Result<u16, DataError> {
        let code = u16::try_from(self.values.len()).map_err(|_| {
            DataError::content("more than 65,536 values: that is no label, and nothing to spread over splits")
        })?;
        self.values.push(value.map(ToOwned::to_owned));
        match value {
            Some(value) => drop(self.known.insert(value.to_owned(), code)),
            None => self.missing = Some(code),
        }
        Ok(code)
    }

    /// The values, in the order in which they were first seen.
    pub(super) fn values(&self) -> &[Option<String>] {
        &self.values
    }

    /// The number of each row's value.
    pub(super) fn rows(&self) -> &[u16] {
        &self.rows
    }

    /// The number of each value and how many rows have it, in the order of the values; what is missing comes first.
    pub(super) fn sizes_by_value(&self) -> Vec<(usize, usize)> {
        let mut sizes = vec![0; self.values.len()];
        self.rows.iter().for_each(|&code| sizes[usize::from(code)] += 1);
        let mut order: Vec<usize> = (0..sizes.len()).collect();
        order.sort_by(|a, b| self.values[*a].cmp(&self.values[*b]));
        order.into_iter().map(|code| (code, sizes[code])).collect()
    }
}
