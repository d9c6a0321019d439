//! Rows made from other rows, with their origin.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, Int64Array, StringArray, UInt32Array, new_null_array},
    compute::{concat_batches, take_record_batch},
    datatypes::DataType,
    record_batch::RecordBatch,
};
use serde::{Deserialize, Serialize};

use super::{DataError, Dataset, Split, columns};

/// The columns that tell where a row comes from; empty in rows that were not made.
const ORIGIN: [(&str, DataType); 3] = [("parent", DataType::Utf8), ("op", DataType::Utf8), ("seed", DataType::Int64)];

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
}

impl Dataset {
    /// The same dataset with rows added to the training split, in order, behind those that are there.
    ///
    /// All other columns are those of the row that each was made from, but for the id (`parent~number`) and the columns
    /// `parent`, `op` and `seed`, which every split gets.
    ///
    /// # Errors
    /// When the dataset has no training split, or one of those columns has a role or another type.
    pub fn with_derived_rows(&self, rows: &[DerivedRow]) -> Result<Self, DataError> {
        for (role, column) in self.meta.roles.columns() {
            if ORIGIN.iter().any(|(name, _)| *name == column) {
                return Err(DataError::content(format!(
                    "the column `{column}` is the {role}, but says where a row comes from; rename it with `query`"
                )));
            }
        }
        let mut new = self.clone();
        for batch in new.splits.values_mut() {
            for (name, data_type) in ORIGIN {
                match batch.column_by_name(name) {
                    Some(column) if column.data_type() == &data_type => {}
                    _ => *batch = columns::set(batch, name, new_null_array(&data_type, batch.num_rows()))?,
                }
            }
        }
        let originals = new.batch(Split::Train)?.clone();
        let derived = self.derived(&originals, rows)?;
        let all = concat_batches(&originals.schema(), [&originals, &derived])
            .map_err(|error| DataError::content(error.to_string()))?;
        new.meta.rows.insert(Split::Train, all.num_rows());
        new.splits.insert(Split::Train, all);
        Ok(new)
    }

    fn derived(&self, originals: &RecordBatch, rows: &[DerivedRow]) -> Result<RecordBatch, DataError> {
        let places: UInt32Array = rows.iter().map(|row| Some(row.row as u32)).collect();
        let mut derived =
            take_record_batch(originals, &places).map_err(|error| DataError::content(error.to_string()))?;
        let roles = &self.meta.roles;
        let parents: Vec<String> = match &roles.id {
            Some(id) => {
                let ids = columns::strings(&derived, id)?;
                (0..ids.len()).map(|row| ids.value(row).to_owned()).collect()
            }
            None => rows.iter().map(|row| row.row.to_string()).collect(),
        };
        let text = |values: Vec<String>| Arc::new(StringArray::from(values)) as ArrayRef;
        if let Some(id) = &roles.id {
            let ids = parents.iter().zip(rows).map(|(parent, row)| format!("{parent}~{}", row.number)).collect();
            derived = columns::set(&derived, id, text(ids))?;
        }
        derived = columns::set(&derived, &roles.text, text(rows.iter().map(|row| row.text.clone()).collect()))?;
        derived = columns::set(&derived, "parent", text(parents))?;
        derived = columns::set(&derived, "op", text(rows.iter().map(|row| row.op.clone()).collect()))?;
        columns::set(&derived, "seed", Arc::new(rows.iter().map(|row| Some(row.seed)).collect::<Int64Array>()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Import, Limit, Roles, SplitBy};

    #[test]
    fn derived_rows_carry_their_origin_and_all_splits_one_schema() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.csv");
        let table = "id,text,label,split,seed\nx,a,1,train,s\ny,b,0,train,s\nz,c,1,test,s\n";
        crate::base::fs::write_atomic(&path, table.as_bytes()).unwrap();
        let roles = Roles { text: "text".into(), pair: None, label: Some("label".into()), id: Some("id".into()) };
        let import = Import {
            roles,
            split: SplitBy::Column("split".into()),
            limit: Limit::None,
            seed: 0,
            source: String::new(),
            license: String::new(),
        };
        let dataset = import.read(&path, "t.csv").unwrap().0;
        let row = DerivedRow { row: 1, number: 2, text: "bb".into(), op: "insert".into(), seed: 7 };
        let once = dataset.with_derived_rows(&[row]).unwrap();
        let rows = once.rows(Split::Train).unwrap();
        assert_eq!((rows.texts[2].as_str(), rows.ids[2].as_str(), rows.labels.unwrap()), ("bb", "y~2", vec![1, 0, 0]));
        assert_eq!(once.meta.rows[&Split::Train], 3);
        let train = &once.splits[&Split::Train];
        assert_eq!(columns::strings(train, "parent").unwrap().value(2), "y");
        assert!(columns::strings(train, "parent").unwrap().is_null(0));
        assert_eq!(train.schema(), once.splits[&Split::Test].schema());
        // Made from what was made: the first origin stays with its row.
        let row = DerivedRow { row: 2, number: 1, text: "bbb".into(), op: "mask".into(), seed: 8 };
        let twice = once.with_derived_rows(&[row]).unwrap();
        let train = &twice.splits[&Split::Train];
        let ops = columns::strings(train, "op").unwrap();
        assert_eq!((ops.value(2), ops.value(3)), ("insert", "mask"));
        assert_eq!(twice.rows(Split::Train).unwrap().ids[3], "y~2~1");
        twice.write(dir.path()).unwrap();
        assert_eq!(Dataset::open(dir.path()).unwrap().meta, twice.meta);
    }
}
