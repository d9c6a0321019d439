//! A table of any format becomes a dataset: roles checked, labels known, rows split.
//!
//! It is read twice: to see what its columns are, which labels there are and how many rows; and to write them. What is kept in memory
//! are a few bytes a row.

mod copied;
mod files;
mod found;
mod limit;
mod rejects;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use arrow::array::Array;
use xxhash_rust::xxh3::xxh3_64;

use self::{
    copied::{Copied, Places},
    found::Found,
    limit::sample,
};
use super::{DataError, DatasetWriter, Meta, Roles, Split, SplitBy, codes::Codes, columns, split};
use crate::base::plural;

pub(super) use files::Files;
pub use limit::{Limit, SplitLimits};
pub use rejects::REJECTED;
pub(super) use rejects::{Rejects, Rules, check_values};

/// Rows whose ids and texts are compared with all others at most: eight bytes each.
const COMPARED: usize = 1 << 24;

/// What to make of a table.
#[derive(Clone, Debug)]
pub struct Import {
    /// Which column means what.
    pub roles: Roles,
    /// How rows are split.
    pub split: SplitBy,
    /// How many rows of each split to keep.
    pub limit: Limit,
    /// How many rows that cannot be used are left out; one more is an error.
    pub max_rejected: usize,
    /// The seed of a split at random.
    pub seed: u64,
    /// Where the data came from.
    pub source: String,
    /// The licence.
    pub license: String,
}

/// What was made of a table.
#[derive(Clone, Debug)]
pub struct Imported {
    /// What the dataset says of itself.
    pub meta: Meta,
    /// Rows of each split by label, in the order of the labels.
    pub counts: BTreeMap<Split, Vec<u64>>,
    /// Rows that could not be used.
    pub rejected: usize,
    /// What a user should know.
    pub warnings: Vec<String>,
}

impl Import {
    /// Reads the files behind a path and writes them as a dataset into a folder. `name` is what messages call a single file;
    /// `watch` is told the rows so far and the rows in all, which are 0 as long as they are not counted, and may end it.
    ///
    /// # Errors
    /// When a file cannot be read, a role has no column, more rows than allowed cannot be used, there are fewer than two labels, a
    /// split is empty, a label occurs in `validation` or `test` but not in `train`, or `watch` fails.
    pub fn write(
        &self,
        path: &Path,
        name: &str,
        into: &Path,
        watch: &mut dyn FnMut(u64, u64) -> Result<(), DataError>,
    ) -> Result<Imported, DataError> {
        let files = Files::behind(path, name)?;
        let mut found = self.survey(&files, watch)?;
        let places = self.places(&mut found).map_err(|error| match error {
            DataError::Path(_) => error,
            DataError::Content(what) => DataError::Content(format!("{name}: {what}")),
        })?;
        self.copy(&files, &mut found, &places, into, watch)
    }

    /// The columns whose text is kept as it is written.
    fn verbatim(&self) -> Vec<&str> {
        self.roles.columns().map(|(_, column)| column).chain(self.split_column()).collect()
    }

    fn split_column(&self) -> Option<&str> {
        match &self.split {
            SplitBy::Column(column) => Some(column),
            SplitBy::Fractions(_) => None,
        }
    }

    fn rules(&self) -> Rules<'_> {
        Rules { roles: &self.roles, split: self.split_column() }
    }

    /// The first reading: what there is.
    fn survey(
        &self,
        files: &Files,
        watch: &mut dyn FnMut(u64, u64) -> Result<(), DataError>,
    ) -> Result<Found, DataError> {
        let mut found = Found::default();
        let mut rejects = Rejects::new(self.max_rejected);
        let stratum = match &self.split {
            SplitBy::Fractions(fractions) if fractions.by != self.roles.label => fractions.by.as_deref(),
            _ => None,
        };
        files.read(&self.verbatim(), None, |file, mut portion| {
            let (good, splits) = self.rules().judge(&mut portion)?;
            rejects.add(&file.name, std::mem::take(&mut portion.bad))?;
            let rows = &portion.rows;
            found.types.see(rows)?;
            if rows.num_rows() == 0 {
                return Ok(());
            }
            let column = |name: Option<&String>| name.map(|name| columns::strings(rows, name)).transpose();
            let (labels, ids) = (column(self.roles.label.as_ref())?, column(self.roles.id.as_ref())?);
            let by = stratum.map(|name| columns::as_text(rows, name)).transpose()?;
            let by = by.as_ref().zip(stratum).map(|(rows, name)| columns::strings(rows, name)).transpose()?;
            for row in (0..rows.num_rows()).filter(|&row| good[row]) {
                found.rows += 1;
                if let Some(labels) = labels {
                    found.labels.push(Some(labels.value(row)))?;
                }
                if let Some(by) = by {
                    found.strata.push((!by.is_null(row)).then(|| by.value(row)))?;
                }
                if let Some(split) = splits.get(row) {
                    found.splits.push(*split);
                }
                if let Some(ids) = ids
                    && found.ids.len() < COMPARED
                {
                    found.ids.push(xxh3_64(ids.value(row).as_bytes()));
                }
            }
            watch(found.rows, 0)
        })?;
        Ok(found)
    }

    /// Which split each row is in, and which rows are kept.
    fn places(&self, found: &mut Found) -> Result<Places, DataError> {
        if found.rows == 0 {
            let names: Vec<_> = found.types.names().collect();
            return Err(DataError::content(match names.as_slice() {
                [] => "no rows".to_owned(),
                names => format!("no rows, only the columns {}", plural::list(names)),
            }));
        }
        if u32::try_from(found.rows).is_err() {
            return Err(DataError::content("more than 4,294,967,295 rows"));
        }
        // A stored dataset says the split by the file that a row is in; a column of that name would say it twice.
        if found.types.of("split").is_some()
            && let Some((role, _)) = self.roles.columns().find(|(_, column)| *column == "split")
        {
            return Err(DataError::content(format!("the column `split` says the split and cannot be the {role} too")));
        }
        let splits = match &self.split {
            SplitBy::Column(_) => std::mem::take(&mut found.splits),
            SplitBy::Fractions(fractions) => {
                let all_alike;
                let strata = if fractions.by.is_none() {
                    all_alike = Codes::alike(found.rows as usize)?;
                    &all_alike
                } else if fractions.by == self.roles.label {
                    &found.labels
                } else {
                    &found.strata
                };
                split::by_fractions(strata, fractions, self.seed)?
            }
        };
        let mut counts = [0; 3];
        for split in &splits {
            counts[*split as usize] += 1;
        }
        if counts[Split::Train as usize] == 0 {
            return Err(split::no_train());
        }
        let labels = match &self.roles.label {
            None => Vec::new(),
            Some(column) => {
                let hint = match &self.split {
                    SplitBy::Fractions(fractions) if fractions.by.as_deref() != Some(column) => {
                        format!("; add `by: {column}` to `split` to spread the labels evenly")
                    }
                    _ => String::new(),
                };
                labels(&found.labels_by_split(&splits), column, &hint)?
            }
        };
        let mut kept = BTreeMap::new();
        for split in Split::ALL {
            if let Some(limit) = self.limit.of(split) {
                kept.insert(split, sample(counts[split as usize], limit, self.seed, split));
            }
        }
        Ok(Places { splits, kept, labels })
    }

    /// The second reading: what there is is written.
    fn copy(
        &self,
        files: &Files,
        found: &mut Found,
        places: &Places,
        into: &Path,
        watch: &mut dyn FnMut(u64, u64) -> Result<(), DataError>,
    ) -> Result<Imported, DataError> {
        let mut warnings = Vec::new();
        warnings.extend(found.repeated_ids(self.roles.id.as_ref()));
        if found.types.of("split").is_some() && self.split_column() != Some("split") {
            warnings.push("the column `split` of the file was left out: rows were split otherwise".to_owned());
        }
        let stored = found.types.without("split");
        let meta = Meta {
            version: 1,
            roles: self.roles.clone(),
            labels: places.labels.clone(),
            rows: BTreeMap::new(),
            source: self.source.clone(),
            license: self.license.clone(),
        };
        let mut copied = Copied::new(DatasetWriter::create(into, meta), &self.roles, places);
        let mut rejects = Rejects::new(self.max_rejected);
        files.read(&self.verbatim(), Some(&found.types), |file, mut portion| {
            let (good, _) = self.rules().judge(&mut portion)?;
            rejects.add(&file.name, std::mem::take(&mut portion.bad))?;
            if portion.rows.num_rows() > 0 {
                copied.add(&stored.conform(&portion.rows)?, &good)?;
            }
            watch(copied.rows as u64, found.rows)
        })?;
        if copied.rows as u64 != found.rows {
            return Err(DataError::content("the files changed while they were read"));
        }
        rejects.write(into)?;
        warnings.extend(copied.leaks());
        let counts = copied.counts_by_split();
        Ok(Imported { meta: copied.writer.finish()?, counts, rejected: rejects.count(), warnings })
    }

    /// What tests make of a table: all rows, split by a column.
    #[cfg(test)]
    pub(crate) fn by_column(roles: Roles, split: &str) -> Self {
        Self {
            roles,
            split: SplitBy::Column(split.to_owned()),
            limit: Limit::None,
            max_rejected: 0,
            seed: 0,
            source: String::new(),
            license: String::new(),
        }
    }

    /// Reads a file into memory: [`Self::write`] into a folder that is gone afterwards.
    #[cfg(test)]
    pub(crate) fn read(&self, path: &Path, name: &str) -> Result<(super::Dataset, Vec<String>), DataError> {
        let dir = tempfile::tempdir().expect("a temporary folder can be made");
        let imported = self.write(path, name, dir.path(), &mut |_, _| Ok(()))?;
        Ok((super::Dataset::open(dir.path())?, imported.warnings))
    }
}

/// The labels of `train`, sorted (as numbers where all are); those of the other splits must be among them. `hint` is what to do
/// where they are not.
pub(super) fn labels(
    by_split: &BTreeMap<Split, BTreeSet<String>>,
    column: &str,
    hint: &str,
) -> Result<Vec<String>, DataError> {
    let nothing = BTreeSet::new();
    let known = by_split.get(&Split::Train).unwrap_or(&nothing);
    for (split, values) in by_split {
        let strange: Vec<&String> = values.difference(known).collect();
        if !strange.is_empty() {
            return Err(DataError::content(format!(
                "`{}` has {} that `train` has not: {}{hint}",
                split.name(),
                plural::count(strange.len(), "label"),
                plural::list(&strange)
            )));
        }
    }
    let mut labels: Vec<String> = known.iter().cloned().collect();
    if labels.len() < 2 {
        let only = plural::list(&labels);
        return Err(DataError::content(format!("`{column}` has one label only, {only}: there is nothing to learn")));
    }
    if labels.iter().all(|label| label.parse::<i64>().is_ok()) {
        labels.sort_by_key(|label| label.parse::<i64>().unwrap_or_default());
    }
    Ok(labels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        base::{digest::Digest, fs::write_atomic},
        data::Dataset,
    };

    const TABLE: &str = "id,text,label,part,score\n1,good film,pos,train,3\n2,bad film,neg,train,1\n3,fine,pos,val,2\n\
                         4,dull,neg,test,1\n5,good film,pos,test,3\n";

    fn import() -> Import {
        let roles = Roles { text: "text".into(), pair: None, label: Some("label".into()), id: Some("id".into()) };
        Import { source: "a test".into(), license: "MIT".into(), ..Import::by_column(roles, "part") }
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

    fn write(import: &Import, path: &Path, into: &Path) -> Result<Imported, DataError> {
        import.write(path, &path.file_name().unwrap().to_string_lossy(), into, &mut |_, _| Ok(()))
    }

    #[test]
    fn many_files_are_one_table() {
        let dir = tempfile::tempdir().unwrap();
        for (file, text) in [
            ("lang=en/part-1.csv", "id,text,label,part\n1,good,pos,train\n2,bad,neg,train\n"),
            ("lang=en/part-2.csv", "label,text,id,part,stars\nneg,dull,3,test,1\n"),
            (
                "lang=zh/part-1.jsonl",
                "{\"id\": 4, \"text\": \"好\", \"label\": \"pos\", \"part\": \"dev\", \"stars\": 4.5}\n",
            ),
            ("README.md", "about"),
        ] {
            std::fs::create_dir_all(dir.path().join(file).parent().unwrap()).unwrap();
            write_atomic(&dir.path().join(file), text.as_bytes()).unwrap();
        }
        let into = tempfile::tempdir().unwrap();
        let imported = write(&import(), dir.path(), into.path()).unwrap();
        assert_eq!(
            imported.counts,
            [(Split::Train, vec![1, 1]), (Split::Validation, vec![0, 1]), (Split::Test, vec![1, 0])].into()
        );
        let dataset = Dataset::open(into.path()).unwrap();
        assert_eq!(dataset.texts(Split::Validation, "lang").unwrap(), ["zh"]);
        assert_eq!(dataset.texts(Split::Test, "lang").unwrap(), ["en"]);
        let names: Vec<_> =
            dataset.splits[&Split::Train].schema().fields().iter().map(|field| field.name().clone()).collect();
        assert_eq!(names, ["id", "text", "label", "part", "lang", "stars"]);
        // What a pattern leaves out is not read, and what is wrong is told with its file.
        write_atomic(&dir.path().join("lang=en/part-2.csv"), b"id,text,label,part\n3,dull\n").unwrap();
        let error = write(&import(), dir.path(), into.path()).unwrap_err().to_string();
        assert_eq!(error, "lang=en/part-2.csv: row 1 (line 2): 2 fields where the header has 4");
        let few = write(&import(), &dir.path().join("*/part-1.*"), into.path()).unwrap();
        assert_eq!(few.meta.rows, [(Split::Train, 2), (Split::Validation, 1)].into());
        // A pattern that one file fits, and a folder of one, are no other than those of many.
        let error = write(&import(), &dir.path().join("*/part-2.*"), into.path()).unwrap_err().to_string();
        assert!(error.starts_with("lang=en/part-2.csv: row 1"), "{error}");
        write(&import(), &dir.path().join("*/part-1.csv"), into.path()).unwrap();
        assert_eq!(Dataset::open(into.path()).unwrap().texts(Split::Train, "lang").unwrap(), ["en", "en"]);
        write_atomic(&dir.path().join("lang=en/part-2.csv"), b"id,text,part\n3,dull,test\n").unwrap();
        let error = write(&import(), dir.path(), into.path()).unwrap_err().to_string();
        assert!(error.starts_with("lang=en/part-2.csv: there is no column `label`"), "{error}");
    }

    #[test]
    fn rows_that_cannot_be_used_are_left_out_and_named() {
        let dir = tempfile::tempdir().unwrap();
        let table = "id,text,label,part\n1,good,pos,train\n2,,neg,train\n3,bad,neg,train\n4\n5,x,pos,tset\n6,y,,test\n7,z,pos,test\n";
        let path = dir.path().join("t.csv");
        write_atomic(&path, table.as_bytes()).unwrap();
        let into = tempfile::tempdir().unwrap();
        let allowing = |max_rejected| Import { max_rejected, ..import() };
        let imported = write(&allowing(4), &path, into.path()).unwrap();
        assert_eq!((imported.rejected, &imported.meta.rows), (4, &[(Split::Train, 2), (Split::Test, 1)].into()));
        let text = crate::base::fs::read_text(&into.path().join(REJECTED)).unwrap();
        let told: Vec<_> = text
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
            .map(|line| format!("{} {}: {}", line["file"], line["row"], line["reason"]).replace('"', ""))
            .collect();
        assert_eq!(
            told,
            [
                "t.csv row 2: `text` is empty",
                "t.csv row 4 (line 5): 1 field where the header has 4",
                "t.csv row 5: `part` is `tset`, which is no split; did you mean `test`?",
                "t.csv row 6: `label` is empty",
            ]
        );
        let error = write(&allowing(3), &path, into.path()).unwrap_err().to_string();
        assert_eq!(error, "t.csv: row 6: `label` is empty; 3 were left out before, and `max_rejected` is 3");
        let error = write(&allowing(1), &path, into.path()).unwrap_err().to_string();
        assert!(error.starts_with("t.csv: row 4 (line 5): 1 field where the header has 4 (and 2 more);"), "{error}");
    }
}
