//! A table of any format becomes a dataset: roles checked, labels known, rows split.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::Path,
};

use arrow::{array::Array, record_batch::RecordBatch};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, MapAccess, Visitor, value::MapAccessDeserializer},
};

use super::{DataError, Dataset, Meta, Roles, Split, SplitBy, columns, readers, split};
use crate::base::{plural, rng};

/// What to make of a file.
#[derive(Clone, Debug)]
pub struct Import {
    /// Which column means what.
    pub roles: Roles,
    /// How rows are split.
    pub split: SplitBy,
    /// How many rows of each split to keep.
    pub limit: Limit,
    /// The seed of a split at random.
    pub seed: u64,
    /// Where the data came from.
    pub source: String,
    /// The licence.
    pub license: String,
}

/// How many rows of a split to keep, drawn by the seed: `500`, or `{train: 500, test: 100}`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Limit {
    /// All rows.
    #[default]
    None,
    /// The same number of each split.
    Each(usize),
    /// A number a split.
    Splits(SplitLimits),
}

/// How many rows of each split to keep; all where nothing is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SplitLimits {
    /// Rows of `train`.
    #[serde(default)]
    pub train: Option<usize>,
    /// Rows of `validation`.
    #[serde(default)]
    pub validation: Option<usize>,
    /// Rows of `test`.
    #[serde(default)]
    pub test: Option<usize>,
}

impl Limit {
    /// The rows of a split to keep, if not all.
    #[must_use]
    pub fn of(&self, split: Split) -> Option<usize> {
        match (self, split) {
            (Self::None, _) => None,
            (Self::Each(rows), _) => Some(*rows),
            (Self::Splits(limits), Split::Train) => limits.train,
            (Self::Splits(limits), Split::Validation) => limits.validation,
            (Self::Splits(limits), Split::Test) => limits.test,
        }
    }
}

impl Import {
    /// Reads a file as a dataset. `name` is what messages call it. Beside the dataset: what a user should know of it.
    ///
    /// # Errors
    /// When the file cannot be read, a role has no column, a text or label is missing, there are fewer than two labels, a
    /// split is empty, or a label occurs in `validation` or `test` but not in `train`.
    pub fn read(&self, path: &Path, name: &str) -> Result<(Dataset, Vec<String>), DataError> {
        self.read_unnamed(path).map_err(|error| match error {
            // It names its path.
            DataError::Path(_) => error,
            DataError::Content(what) => DataError::Content(format!("{name}: {what}")),
        })
    }

    fn read_unnamed(&self, path: &Path) -> Result<(Dataset, Vec<String>), DataError> {
        let mut verbatim: Vec<&str> = self.roles.columns().map(|(_, column)| column).collect();
        if let SplitBy::Column(column) = &self.split {
            verbatim.push(column);
        }
        let mut batch = readers::read(path, &verbatim)?;
        for column in &verbatim {
            batch = columns::as_text(&batch, column)?;
        }
        check_values(&batch, &self.roles)?;
        let rows = split::assign(&batch, &self.split, self.seed)?;
        let mut warnings = Vec::new();
        warnings.extend(repeated_ids(&batch, &self.roles)?);
        batch = self.without_split(batch, &mut warnings)?;

        let mut splits = BTreeMap::new();
        for (split, rows) in rows {
            splits.insert(split, split::take(&batch, &rows)?);
        }
        let labels = labels(&splits, &self.roles, &self.split)?;
        for (split, batch) in &mut splits {
            if let Some(limit) = self.limit.of(*split) {
                *batch = split::take(batch, &sample(batch.num_rows(), limit, self.seed, *split))?;
            }
        }
        let meta = Meta {
            version: 1,
            roles: self.roles.clone(),
            labels,
            rows: splits.iter().map(|(split, batch)| (*split, batch.num_rows())).collect(),
            source: self.source.clone(),
            license: self.license.clone(),
        };
        let dataset = Dataset { meta, splits };
        warnings.extend(leaks(&dataset)?);
        Ok((dataset, warnings))
    }

    /// A stored dataset says the split by the file that a row is in; a column of that name would say it twice.
    fn without_split(&self, mut batch: RecordBatch, warnings: &mut Vec<String>) -> Result<RecordBatch, DataError> {
        if let Ok(at) = batch.schema().index_of("split") {
            let used = match &self.split {
                SplitBy::Column(column) => column == "split",
                SplitBy::Fractions(_) => false,
            };
            if let Some((role, _)) = self.roles.columns().find(|(_, column)| *column == "split") {
                return Err(DataError::content(format!(
                    "the column `split` says the split and cannot be the {role} too"
                )));
            }
            if !used {
                warnings.push("the column `split` of the file was left out: rows were split otherwise".to_owned());
            }
            batch.remove_column(at);
        }
        Ok(batch)
    }
}

/// The numbers of `limit` rows of many, in order. They are drawn, since files are often sorted by label.
fn sample(rows: usize, limit: usize, seed: u64, split: Split) -> Vec<u32> {
    let mut sample: Vec<u32> = (0..rows as u32).collect();
    rng::shuffle(&mut rng::stream(seed, &format!("limit/{}", split.name())), &mut sample);
    sample.truncate(limit);
    sample.sort_unstable();
    sample
}

/// No text, pair, label or id may be missing.
pub(super) fn check_values(batch: &RecordBatch, roles: &Roles) -> Result<(), DataError> {
    for (_, column) in roles.columns() {
        let values = columns::strings(batch, column)?;
        let is_missing = |row: &usize| values.is_null(*row) || values.value(*row).trim().is_empty();
        let mut missing = (0..values.len()).filter(is_missing);
        if let Some(first) = missing.next() {
            let more = match missing.count() {
                0 => String::new(),
                more => format!(" (and {more} more)"),
            };
            return Err(DataError::content(format!("row {}: `{column}` is empty{more}", first + 1)));
        }
    }
    Ok(())
}

/// The labels of `train`, sorted (as numbers where all are); those of the other splits must be among them.
pub(super) fn labels(
    splits: &BTreeMap<Split, RecordBatch>,
    roles: &Roles,
    by: &SplitBy,
) -> Result<Vec<String>, DataError> {
    let Some(column) = &roles.label else { return Ok(Vec::new()) };
    let mut known = BTreeSet::new();
    for (split, batch) in splits {
        let values: BTreeSet<&str> = columns::strings(batch, column)?.iter().flatten().collect();
        if *split == Split::Train {
            known = values;
            continue;
        }
        let strange: Vec<&str> = values.difference(&known).copied().collect();
        if !strange.is_empty() {
            let hint = match by {
                SplitBy::Fractions(fractions) if fractions.by.as_deref() != Some(column) => {
                    format!("; add `by: {column}` to `split` to spread the labels evenly")
                }
                _ => String::new(),
            };
            return Err(DataError::content(format!(
                "`{}` has {} that `train` has not: {}{hint}",
                split.name(),
                plural::count(strange.len(), "label"),
                plural::list(&strange)
            )));
        }
    }
    if known.len() < 2 {
        let only = plural::list(&Vec::from_iter(known));
        return Err(DataError::content(format!("`{column}` has one label only, {only}: there is nothing to learn")));
    }
    let mut labels: Vec<String> = known.into_iter().map(ToOwned::to_owned).collect();
    if labels.iter().all(|label| label.parse::<i64>().is_ok()) {
        labels.sort_by_key(|label| label.parse::<i64>().unwrap_or_default());
    }
    Ok(labels)
}

/// Rows are named by their ids: in predictions, as the parents of augmented rows, in joins.
fn repeated_ids(batch: &RecordBatch, roles: &Roles) -> Result<Option<String>, DataError> {
    let Some(column) = &roles.id else { return Ok(None) };
    let ids = columns::strings(batch, column)?;
    let unique: BTreeSet<&str> = ids.iter().flatten().collect();
    let repeats = ids.len() - unique.len();
    Ok((repeats > 0)
        .then(|| format!("`{column}`: {} with an id that an earlier row has", plural::count(repeats, "row"))))
}

/// Texts that are in `train` and in a split that measures: what is measured there is partly memory.
fn leaks(dataset: &Dataset) -> Result<Vec<String>, DataError> {
    let roles = &dataset.meta.roles;
    let mut seen: BTreeSet<(&str, &str)> = BTreeSet::new();
    let mut warnings = Vec::new();
    for (split, batch) in &dataset.splits {
        let texts = columns::strings(batch, &roles.text)?;
        let pairs = roles.pair.as_ref().map(|pair| columns::strings(batch, pair)).transpose()?;
        let row_text = |row: usize| (texts.value(row), pairs.map_or("", |pairs| pairs.value(row)));
        if *split == Split::Train {
            seen = (0..batch.num_rows()).map(row_text).collect();
            continue;
        }
        let count = (0..batch.num_rows()).filter(|&row| seen.contains(&row_text(row))).count();
        if count > 0 {
            let (rows, name) = (plural::count(count, "row"), split.name());
            warnings.push(format!("`{name}`: {rows} with a text that is in `train` too"));
        }
    }
    Ok(warnings)
}

impl Serialize for Limit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::None => serializer.serialize_none(),
            Self::Each(rows) => rows.serialize(serializer),
            Self::Splits(limits) => limits.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Limit;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of rows, or `{train: 500, validation: 100, test: 100}`")
            }

            fn visit_unit<E>(self) -> Result<Limit, E> {
                Ok(Limit::None)
            }

            fn visit_i64<E: de::Error>(self, rows: i64) -> Result<Limit, E> {
                usize::try_from(rows)
                    .map(Limit::Each)
                    .map_err(|_| E::invalid_value(de::Unexpected::Signed(rows), &self))
            }

            fn visit_u64<E: de::Error>(self, rows: u64) -> Result<Limit, E> {
                usize::try_from(rows)
                    .map(Limit::Each)
                    .map_err(|_| E::invalid_value(de::Unexpected::Unsigned(rows), &self))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Limit, A::Error> {
                SplitLimits::deserialize(MapAccessDeserializer::new(map)).map(Limit::Splits)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl JsonSchema for Limit {
    fn schema_name() -> Cow<'static, str> {
        "Limit".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "How many rows of each split to keep, the first ones.",
            "anyOf": [
                {"type": "integer", "minimum": 1},
                generator.subschema_for::<SplitLimits>(),
                {"type": "null"},
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{digest::Digest, fs::write_atomic};

    const TABLE: &str = "id,text,label,part,score\n1,good film,pos,train,3\n2,bad film,neg,train,1\n3,fine,pos,val,2\n\
                         4,dull,neg,test,1\n5,good film,pos,test,3\n";

    fn import() -> Import {
        Import {
            roles: Roles { text: "text".into(), pair: None, label: Some("label".into()), id: Some("id".into()) },
            split: SplitBy::Column("part".into()),
            limit: Limit::None,
            seed: 0,
            source: "a test".into(),
            license: "MIT".into(),
        }
    }

    fn read(import: &Import, table: &str) -> Result<(Dataset, Vec<String>), DataError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("reviews.csv");
        write_atomic(&path, table.as_bytes()).unwrap();
        import.read(&path, "reviews.csv")
    }

    #[test]
    fn a_table_becomes_a_dataset_that_reads_back_with_the_same_bytes() {
        let (dataset, warnings) = read(&import(), TABLE).unwrap();
        assert_eq!(warnings, ["`test`: 1 row with a text that is in `train` too"]);
        assert_eq!(dataset.meta.labels, ["neg", "pos"]);
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        dataset.write(one.path()).unwrap();
        let again = Dataset::open(one.path()).unwrap();
        assert_eq!(again.meta, dataset.meta);
        let rows = again.rows(Split::Test).unwrap();
        assert_eq!(
            (rows.texts, rows.labels, rows.ids),
            (vec!["dull".to_owned(), "good film".to_owned()], Some(vec![0, 1]), vec!["4".to_owned(), "5".to_owned()])
        );
        again.write(two.path()).unwrap();
        assert_eq!(Digest::of_dir(one.path()).unwrap(), Digest::of_dir(two.path()).unwrap());
    }

    #[test]
    fn ids_that_repeat_are_told() {
        let (_, warnings) = read(&import(), "id,text,label,part\n1,a,x,train\n1,b,y,train\n2,c,y,train\n").unwrap();
        assert_eq!(warnings, ["`id`: 1 row with an id that an earlier row has"]);
    }

    #[test]
    fn limits_draw_rows_and_keep_all_labels() {
        let limits = SplitLimits { train: Some(1), ..SplitLimits::default() };
        let (dataset, _) = read(&Import { limit: Limit::Splits(limits), ..import() }, TABLE).unwrap();
        assert!(dataset.meta.rows.values().eq(&[1, 1, 2]));
        assert_eq!(dataset.meta.labels, ["neg", "pos"]);
        assert_eq!(sample(4, 9, 1, Split::Train), [0, 1, 2, 3]);
        let drawn = sample(1000, 100, 1, Split::Train);
        assert!(drawn.is_sorted() && drawn.len() == 100 && drawn[99] > 500, "{drawn:?}");
        assert_ne!(drawn, sample(1000, 100, 2, Split::Train));
        assert_eq!(serde_json::to_value(Limit::Splits(limits)).unwrap()["train"], 1);
        assert_eq!(serde_json::from_str::<Limit>("7").unwrap(), Limit::Each(7));
        assert_eq!(serde_json::from_str::<Limit>("null").unwrap(), Limit::None);
    }

    #[test]
    fn labels_that_are_numbers_sort_as_numbers() {
        let table = "id,text,label,part\n1,a,10,train\n2,b,9,train\n3,c,-1,train\n";
        assert_eq!(read(&import(), table).unwrap().0.meta.labels, ["-1", "9", "10"]);
    }

    #[test]
    fn faults_name_file_and_row() {
        for (table, told) in [
            ("", "reviews.csv: the file is empty"),
            ("id,text,label,part\n", "reviews.csv: no rows"),
            ("id,text,label,part\n1,a,,train\n2,b,,train\n", "reviews.csv: row 1: `label` is empty (and 1 more)"),
            ("id,text,label,part\n1,a,x,train\n2,  ,y,train\n", "reviews.csv: row 2: `text` is empty"),
            ("id,text,lable,part\n1,a,x,train\n", "reviews.csv: there is no column `label`; did you mean `lable`?"),
            ("id,text,label,text,part\n1,a,x,b,train\n", "reviews.csv: two columns are called `text`"),
            ("id,text,label,part\n1,a,x,train\n", "reviews.csv: `label` has one label only, `x`"),
            (
                "id,text,label,part\n1,a,x,train\n2,b,y,train\n3,c,z,test\n",
                "reviews.csv: `test` has 1 label that `train` has not: `z`",
            ),
        ] {
            let error = read(&import(), table).err().unwrap().to_string();
            assert!(error.starts_with(told), "{error}");
        }
        let missing = import().read(Path::new("no/such.csv"), "such.csv").err().unwrap().to_string();
        assert!(missing.contains("no/such.csv"), "{missing}");
    }

    #[test]
    fn other_texts_keep_the_other_columns() {
        let (dataset, _) = read(&import(), TABLE).unwrap();
        let new = dataset.with_texts(Split::Test, vec!["x".into(), "y".into()], None).unwrap();
        let rows = new.rows(Split::Test).unwrap();
        assert_eq!(
            (rows.texts.as_slice(), rows.ids.as_slice()),
            (["x".to_owned(), "y".to_owned()].as_slice(), ["4".to_owned(), "5".to_owned()].as_slice())
        );
        let error = dataset.with_texts(Split::Test, vec!["x".into()], None).unwrap_err().to_string();
        assert_eq!(error, "1 text for 2 rows of `test`");
    }
}
