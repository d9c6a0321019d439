//! A file whose rows are all of the test split: for what measures and does not train.

use std::{collections::BTreeMap, path::Path};

use super::{
    DataError, DatasetWriter, Meta, Roles, Split, columns,
    import::{Files, Rejects, Rules},
};

/// Reads a file and writes it as a dataset into a folder: all its rows, in their order, are the test split. Returns how
/// many.
///
/// # Errors
/// When the file cannot be read, a column is not there or a text is empty, or the dataset cannot be written.
pub fn import_whole(path: &Path, text: &str, pair: Option<&str>, into: &Path) -> Result<usize, DataError> {
    let roles = Roles { text: text.to_owned(), pair: pair.map(str::to_owned), label: None, id: None };
    let named: Vec<&str> = roles.columns().map(|(_, column)| column).collect();
    let files = Files::behind(path, &path.display().to_string())?;
    let (labels, rows, license) = (Vec::new(), BTreeMap::new(), String::new());
    let source = path.display().to_string();
    let meta = Meta { version: 1, roles: roles.clone(), labels, rows, source, license };
    let mut writer = DatasetWriter::create(into, meta);
    files.read(&named, None, |_, mut portion| {
        let rules = Rules { roles: &roles, split: None };
        rules.judge(&mut portion)?;
        Rejects::new(0).add("", portion.bad)?;
        let rows = &portion.rows;
        let positions = named.iter().map(|column| columns::position(rows, column)).collect::<Result<Vec<_>, _>>()?;
        let rows = rows.project(&positions).map_err(|error| DataError::content(error.to_string()))?;
        writer.append(Split::Test, &rows)
    })?;
    match writer.finish()?.rows.get(&Split::Test) {
        Some(&rows) if rows > 0 => Ok(rows),
        _ => Err(DataError::content(format!("{}: no rows", path.display()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{base::fs::write_atomic, data::Dataset};

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
