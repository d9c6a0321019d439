//! `RowBatch`: some neighbouring rows of a split.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, BooleanArray, RecordBatch, StringArray, StringBuilder},
    compute::{concat, filter_record_batch},
};

use super::{DataError, Roles, Split, columns};
use crate::base::plural;

/// Some neighbouring rows of a split, with the columns that have a role at hand.
#[derive(Clone, Debug)]
pub struct RowBatch {
    split: Split,
    first_row: u64,
    batch: RecordBatch,
    roles: Arc<Roles>,
    text: StringArray,
    pair: Option<StringArray>,
    label: Option<StringArray>,
    id: Option<StringArray>,
}

impl RowBatch {
    /// Rows of a split; `first_row` is the number of the first of them in it.
    pub(super) fn new(split: Split, first_row: u64, batch: RecordBatch, roles: Arc<Roles>) -> Result<Self, DataError> {
        let column = |role: &str, name: &str| -> Result<StringArray, DataError> {
            let found = columns::strings(&batch, name);
            found.cloned().map_err(|error| DataError::content(format!("{role} column: {error}")))
        };
        Ok(Self {
            split,
            first_row,
            text: column("text", &roles.text)?,
            pair: roles.pair.as_deref().map(|name| column("pair", name)).transpose()?,
            label: roles.label.as_deref().map(|name| column("label", name)).transpose()?,
            id: roles.id.as_deref().map(|name| column("id", name)).transpose()?,
            batch,
            roles,
        })
    }

    /// The number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.batch.num_rows()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The split that they are of.
    #[must_use]
    pub fn split(&self) -> Split {
        self.split
    }

    /// The number of the first row in its split, from 0.
    #[must_use]
    pub fn first_row(&self) -> u64 {
        self.first_row
    }

    /// The text of a row.
    #[must_use]
    pub fn text(&self, row: usize) -> &str {
        self.text.value(row)
    }

    /// The second text of a row, of pair tasks.
    #[must_use]
    pub fn pair(&self, row: usize) -> Option<&str> {
        self.pair.as_ref().map(|pair| pair.value(row))
    }

    /// The label of a row.
    #[must_use]
    pub fn label(&self, row: usize) -> Option<&str> {
        self.label.as_ref().map(|label| label.value(row))
    }

    /// The id of a row, where there is an id column.
    #[must_use]
    pub fn id(&self, row: usize) -> Option<&str> {
        self.id.as_ref().map(|id| id.value(row))
    }

    /// What messages and receipts call a row: its id, or its number in its split.
    #[must_use]
    pub fn name(&self, row: usize) -> String {
        self.id(row).map_or_else(|| (self.first_row + row as u64).to_string(), ToOwned::to_owned)
    }

    /// The same rows with other texts, and other second ones where rows have two; all other columns stay.
    ///
    /// # Errors
    /// When the number of texts is not the number of rows.
    pub fn with_texts(self, texts: Vec<Texts>, pairs: Vec<Texts>) -> Result<Self, DataError> {
        let mut arrays = self.batch.columns().to_vec();
        for (column, texts) in [(Some(&self.roles.text), texts), (self.roles.pair.as_ref(), pairs)] {
            let Some(column) = column else { continue };
            let texts = Texts::join(texts)?;
            if texts.len() != self.len() {
                let (texts, rows) = (plural::count(texts.len(), "text"), plural::count(self.len(), "row"));
                return Err(DataError::content(format!("{texts} for {rows} of `{}`", self.split.name())));
            }
            arrays[columns::position(&self.batch, column)?] = texts;
        }
        let batch = RecordBatch::try_new(self.batch.schema(), arrays);
        Self::new(self.split, self.first_row, batch.map_err(|error| DataError::content(error.to_string()))?, self.roles)
    }

    /// The rows that are marked; they count from the same first row.
    ///
    /// # Errors
    /// When the number of marks is not the number of rows.
    pub fn keep(self, rows: &[bool]) -> Result<Self, DataError> {
        if rows.iter().all(|keep| *keep) && rows.len() == self.len() {
            return Ok(self);
        }
        let batch = filter_record_batch(&self.batch, &BooleanArray::from(rows.to_vec()));
        Self::new(self.split, self.first_row, batch.map_err(|error| DataError::content(error.to_string()))?, self.roles)
    }

    /// Which column means what.
    pub(super) fn roles(&self) -> &Roles {
        &self.roles
    }

    /// The rows as Arrow has them.
    pub(super) fn batch(&self) -> &RecordBatch {
        &self.batch
    }

    /// The same rows with other columns beside those that have a role.
    pub(super) fn with_batch(&self, batch: RecordBatch) -> Result<Self, DataError> {
        Self::new(self.split, self.first_row, batch, Arc::clone(&self.roles))
    }
}

/// New texts of some neighbouring rows, in their order.
#[derive(Debug, Default)]
pub struct Texts(StringBuilder);

impl Texts {
    /// Adds the text of the next row.
    pub fn push(&mut self, text: &str) {
        self.0.append_value(text);
    }

    /// The texts of neighbouring parts as one column.
    fn join(mut parts: Vec<Self>) -> Result<ArrayRef, DataError> {
        let parts: Vec<ArrayRef> = parts.iter_mut().map(|part| Arc::new(part.0.finish()) as ArrayRef).collect();
        if parts.is_empty() {
            return Ok(Arc::new(StringArray::from_iter_values([""; 0])));
        }
        let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
        concat(&parts).map_err(|error| DataError::content(error.to_string()))
    }
}

impl<'a> FromIterator<&'a str> for Texts {
    fn from_iter<I: IntoIterator<Item = &'a str>>(texts: I) -> Self {
        let mut all = Self::default();
        texts.into_iter().for_each(|text| all.push(text));
        all
    }
}
