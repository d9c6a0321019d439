//! A file whose rows are all of the test split: for what measures and does not train.

use std::{collections::BTreeMap, path::Path};

use super::{DataError, Dataset, Meta, Roles, Split, columns, import::check_values, readers};

/// Reads a file and writes it as a dataset into a folder: all its rows, in their order, are the test split. Returns how
/// many.
///
/// # Errors
/// When the file cannot be read, a column is not there or a text is empty, or the dataset cannot be written.
pub fn import_whole(path: &Path, text: &str, pair: Option<&str>, into: &Path) -> Result<usize, DataError> {
    let roles = Roles { text: text.to_owned(), pair: pair.map(str::to_owned), label: None, id: None };
    let named: Vec<&str> = roles.columns().map(|(_, column)| column).collect();
    let mut batch = readers::read(path, &named)?;
    for column in &named {
        batch = columns::as_text(&batch, column)?;
    }
    check_values(&batch, &roles)?;
    let positions = named.iter().map(|column| columns::position(&batch, column)).collect::<Result<Vec<_>, _>>()?;
    let batch = batch.project(&positions).map_err(|error| DataError::content(error.to_string()))?;
    let rows = batch.num_rows();
    let source = path.display().to_string();
    let meta = Meta {
        version: 1,
        roles,
        labels: Vec::new(),
        rows: BTreeMap::from([(Split::Test, rows)]),
        source,
        license: String::new(),
    };
    Dataset { meta, splits: BTreeMap::from([(Split::Test, batch)]) }.write(into)?;
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::fs::write_atomic;

    #[test]
    fn all_rows_are_kept_in_their_order() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("rows.csv");
        write_atomic(&file, b"split,question,text\ntrain,q2,b\ntest,q1,a\ntrain,q3,1.0\n").unwrap();
        assert_eq!(import_whole(&file, "text", Some("question"), dir.path()).unwrap(), 3);
        let rows = Dataset::open(dir.path()).unwrap().rows(Split::Test).unwrap();
        assert_eq!(rows.texts, ["b", "a", "1.0"]);
        assert_eq!(rows.pairs.unwrap(), ["q2", "q1", "q3"]);
        let error = import_whole(&file, "texts", None, dir.path()).unwrap_err().to_string();
        assert!(error.contains("texts"), "{error}");
    }
}
