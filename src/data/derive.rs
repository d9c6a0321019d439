//! Rows made from other rows, with their origin.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, Int64Array, StringArray, UInt32Array, new_null_array},
    compute::take_record_batch,
    datatypes::DataType,
};
use serde::{Deserialize, Serialize};

use super::{DataError, Meta, RowBatch, columns};

/// The columns that tell where a row comes from; empty in rows that were not made.
const ORIGIN: [(&str, DataType); 4] =
    [("parent", DataType::Utf8), ("op", DataType::Utf8), ("seed", DataType::Int64), ("changes", DataType::Utf8)];

/// A row made from a row of the training split.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DerivedRow {
    /// The number of the row that it is made from.
    pub row: usize,
    /// Which of the rows made from that row it is, from 1.
    pub number: usize,
    /// Its text.
    pub text: String,
    /// What was done: `insert+mask`.
    pub op: String,
    /// The seed that made it.
    pub seed: i64,
    /// What was changed in the text that it is made from, as JSON: `[{"op": "replace", "from": [4, 8], "to": "movie"}]`, `from` the
    /// characters that `to` took the place of.
    pub changes: String,
}

impl DerivedRow {
    /// Whether a dataset may have such rows.
    ///
    /// # Errors
    /// When a column that says where a row comes from has a role.
    pub fn check(meta: &Meta) -> Result<(), DataError> {
        match meta.roles.columns().find(|(_, column)| ORIGIN.iter().any(|(name, _)| name == column)) {
            None => Ok(()),
            Some((role, column)) => Err(DataError::content(format!(
                "the column `{column}` is the {role}, but says where a row comes from; rename it with `query`"
            ))),
        }
    }
}

impl RowBatch {
    /// The same rows with the columns `parent`, `op`, `seed` and `changes`, which are empty in rows that were not made.
    ///
    /// # Errors
    /// When a column of such a name says something else.
    pub fn with_origin(self) -> Result<Self, DataError> {
        if self.has_origin() {
            return Ok(self);
        }
        let mut batch = self.batch().clone();
        for (name, data_type) in ORIGIN {
            if batch.column_by_name(name).is_some() {
                return Err(DataError::content(format!(
                    "the column `{name}` would be lost, since one of that name is to say where a row comes from; rename it with `query`"
                )));
            }
            batch = columns::set(&batch, name, new_null_array(&data_type, batch.num_rows()))?;
        }
        self.with_batch(batch)
    }

    /// Whether some of the rows may be made, and say so.
    #[must_use]
    pub fn has_origin(&self) -> bool {
        let is_there = |(name, data_type): &(&str, DataType)| {
            self.batch().column_by_name(name).is_some_and(|column| column.data_type() == data_type)
        };
        ORIGIN.iter().all(is_there)
    }

    /// Rows that were made from these. All other columns are those of the row that each was made from, but for the id
    /// (`parent~number`, with a mark before the number where another stage may have made rows of the same parent) and the columns that
    /// say where it comes from.
    ///
    /// # Errors
    /// When the columns do not fit together.
    pub fn derived(self, rows: &[DerivedRow], mark: &str) -> Result<Self, DataError> {
        let own = self.with_origin()?;
        let places: UInt32Array = rows.iter().map(|row| Some((row.row as u64 - own.first_row()) as u32)).collect();
        let mut derived =
            take_record_batch(own.batch(), &places).map_err(|error| DataError::content(error.to_string()))?;
        let roles = own.roles();
        let parents: Vec<String> = match &roles.id {
            Some(id) => {
                let ids = columns::strings(&derived, id)?;
                (0..ids.len()).map(|row| ids.value(row).to_owned()).collect()
            }
            None => rows.iter().map(|row| row.row.to_string()).collect(),
        };
        let text = |values: Vec<String>| Arc::new(StringArray::from(values)) as ArrayRef;
        if let Some(id) = &roles.id {
            let ids = parents.iter().zip(rows).map(|(parent, row)| format!("{parent}~{mark}{}", row.number)).collect();
            derived = columns::set(&derived, id, text(ids))?;
        }
        derived = columns::set(&derived, &roles.text, text(rows.iter().map(|row| row.text.clone()).collect()))?;
        derived = columns::set(&derived, "parent", text(parents))?;
        derived = columns::set(&derived, "op", text(rows.iter().map(|row| row.op.clone()).collect()))?;
        derived = columns::set(&derived, "changes", text(rows.iter().map(|row| row.changes.clone()).collect()))?;
        let seeds: Int64Array = rows.iter().map(|row| Some(row.seed)).collect();
        own.with_batch(columns::set(&derived, "seed", Arc::new(seeds))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Dataset, DatasetReader, DatasetWriter, Import, Roles, Split};

    #[test]
    fn derived_rows_carry_their_origin_and_all_splits_one_schema() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.csv");
        let table = "id,text,label,split,n\nx,a,1,train,s\ny,b,0,train,s\nz,c,1,test,s\n";
        crate::base::fs::write_atomic(&path, table.as_bytes()).unwrap();
        let roles = Roles { text: "text".into(), pair: None, label: Some("label".into()), id: Some("id".into()) };
        let import = Import::by_column(roles, "split");
        let dir = |name: &str| dir.path().join(name);
        std::fs::create_dir(dir("read")).unwrap();
        import.write(&path, "t.csv", &dir("read"), &mut |_, _| Ok(())).unwrap();
        // Adds rows to a dataset, as a stage does.
        let add = |from: &str, to: &str, row: DerivedRow, mark: &str| {
            let reader = DatasetReader::open(&dir(from)).unwrap();
            DerivedRow::check(reader.meta()).unwrap();
            std::fs::create_dir(dir(to)).unwrap();
            let mut writer = DatasetWriter::create(&dir(to), reader.meta().clone());
            let batches: Vec<_> =
                reader.batches().into_iter().map(|(split, at)| reader.read(split, at).unwrap()).collect();
            for rows in &batches {
                writer.write(&rows.clone().with_origin().unwrap()).unwrap();
            }
            writer.write(&batches[0].clone().derived(&[row], mark).unwrap()).unwrap();
            writer.finish().unwrap();
            Dataset::open(&dir(to)).unwrap()
        };
        let row =
            DerivedRow { row: 1, number: 2, text: "bb".into(), op: "insert".into(), seed: 7, changes: "[]".into() };
        let once = add("read", "once", row, "");
        let rows = once.rows(Split::Train).unwrap();
        assert_eq!((rows.texts[2].as_str(), rows.ids[2].as_str(), rows.labels.unwrap()), ("bb", "y~2", vec![1, 0, 0]));
        assert_eq!(once.meta.rows[&Split::Train], 3);
        let train = &once.splits[&Split::Train];
        assert_eq!(columns::strings(train, "parent").unwrap().value(2), "y");
        assert!(columns::strings(train, "parent").unwrap().is_null(0));
        assert_eq!(train.schema(), once.splits[&Split::Test].schema());
        // Made from what was made: the first origin stays with its row.
        let row =
            DerivedRow { row: 2, number: 1, text: "bbb".into(), op: "mask".into(), seed: 8, changes: "[]".into() };
        let twice = add("once", "twice", row, "ab.");
        let train = &twice.splits[&Split::Train];
        let ops = columns::strings(train, "op").unwrap();
        assert_eq!((ops.value(2), ops.value(3)), ("insert", "mask"));
        assert_eq!(twice.rows(Split::Train).unwrap().ids[3], "y~2~ab.1");
        // A column of the user's own is not written over.
        let batch = DatasetReader::open(&dir("read")).unwrap().read(Split::Test, 0).unwrap();
        let with_seed = columns::set(batch.batch(), "seed", Arc::new(Int64Array::from(vec![3]))).unwrap();
        let error = batch.with_batch(with_seed).unwrap().with_origin().unwrap_err().to_string();
        assert!(error.starts_with("the column `seed` would be lost"), "{error}");
    }
}
