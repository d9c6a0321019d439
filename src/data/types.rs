//! The type that a column has in all portions and files of a table.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, RecordBatch, new_null_array},
    compute::cast,
    datatypes::{DataType, Field, Schema},
};

use super::{DataError, columns};

/// What the values of a column are; what is above holds what is below.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// There is no value.
    Nothing,
    /// Booleans.
    Boolean,
    /// Whole numbers of 64 bits.
    Whole,
    /// Numbers.
    Number,
    /// Text.
    Text,
    /// What a typed format has and no text format.
    Other(DataType),
}

impl Kind {
    pub(super) fn of(data_type: &DataType) -> Self {
        match data_type {
            DataType::Null => Self::Nothing,
            DataType::Boolean => Self::Boolean,
            DataType::Int64 => Self::Whole,
            DataType::Float64 => Self::Number,
            DataType::Utf8 => Self::Text,
            other => Self::Other(other.clone()),
        }
    }

    fn data_type(&self) -> DataType {
        match self {
            Self::Boolean => DataType::Boolean,
            Self::Whole => DataType::Int64,
            Self::Number => DataType::Float64,
            Self::Nothing | Self::Text => DataType::Utf8,
            Self::Other(data_type) => data_type.clone(),
        }
    }

    /// What holds the values of both; none where nothing does.
    fn join(&self, other: &Self) -> Option<Self> {
        match (self, other) {
            (a, b) if a == b => Some(a.clone()),
            (Self::Nothing, kind) | (kind, Self::Nothing) => Some(kind.clone()),
            (Self::Other(a), Self::Other(b)) if a.is_integer() && b.is_integer() => Some(Self::Whole),
            (Self::Other(a), Self::Whole) | (Self::Whole, Self::Other(a)) if a.is_integer() => Some(Self::Whole),
            (a, b) if a.is_number() && b.is_number() => Some(Self::Number),
            (Self::Other(_), _) | (_, Self::Other(_)) => None,
            _ => Some(Self::Text),
        }
    }

    fn is_number(&self) -> bool {
        match self {
            Self::Whole | Self::Number => true,
            Self::Other(data_type) => data_type.is_integer() || data_type.is_floating(),
            _ => false,
        }
    }
}

/// The columns of a table, in the order in which they were first seen.
#[derive(Clone, Debug, Default)]
pub(super) struct Types(Vec<(String, Kind)>);

impl Types {
    /// What the column is that is called so.
    pub(super) fn of(&self, name: &str) -> Option<&Kind> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, kind)| kind)
    }

    /// The columns' names.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// The others, without one.
    pub(super) fn without(&self, name: &str) -> Self {
        Self(self.0.iter().filter(|(known, _)| known != name).cloned().collect())
    }

    /// Takes in the columns of more rows.
    pub(super) fn see(&mut self, rows: &RecordBatch) -> Result<(), DataError> {
        for (field, array) in rows.schema().fields().iter().zip(rows.columns()) {
            let is_empty = array.null_count() == array.len();
            let kind = if is_empty { Kind::Nothing } else { Kind::of(field.data_type()) };
            match self.0.iter_mut().find(|(name, _)| name == field.name()) {
                None => self.0.push((field.name().clone(), kind)),
                Some((name, known)) => {
                    *known = known.join(&kind).ok_or_else(|| {
                        let [before, now] = [&*known, &kind].map(|kind| columns::type_name(&kind.data_type()));
                        DataError::content(format!("the column `{name}` holds {now}, and {before} before"))
                    })?;
                }
            }
        }
        Ok(())
    }

    /// Rows with these columns, in this order and of these types; a column that the rows have not is empty.
    pub(super) fn conform(&self, rows: &RecordBatch) -> Result<RecordBatch, DataError> {
        let mut fields = Vec::with_capacity(self.0.len());
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.0.len());
        for (name, kind) in &self.0 {
            let data_type = kind.data_type();
            arrays.push(match rows.column_by_name(name) {
                None => new_null_array(&data_type, rows.num_rows()),
                Some(column) if column.data_type() == &data_type => Arc::clone(column),
                Some(column) => cast(column, &data_type)
                    .map_err(|error| DataError::content(format!("the column `{name}`: {error}")))?,
            });
            fields.push(Field::new(name, data_type, true));
        }
        RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
            .map_err(|error| DataError::content(error.to_string()))
    }
}
